"""ClickSend, REST API v3.

Source: developers.clicksend.com/docs/rest/v3 (sms/send: `response_code`, and `data.messages` with a `status` and a
`message_id` each; HTTP 200 also for a message that was refused).
"""

from __future__ import annotations

from connector.outbox.http import Answer, Request
from connector.outbox.sms.account import (
    CHECK_ACCOUNT,
    STOPPED,
    Account,
    accepted,
    refuses_number,
    refuses_request,
    unknown,
)
from connector.ports import Sms, SmsOutcome
from connector.sentence import Sentence

_API = "https://rest.clicksend.com"
_OK = range(200, 300)
_TAKEN = {"SUCCESS", "QUEUED"}
_OF_THE_NUMBER = {
    "INVALID_RECIPIENT": Sentence("it is no number that can be texted"),
    "COUNTRY_NOT_ENABLED": Sentence("its country is not enabled in the account"),
    "RECIPIENT_OPTED_OUT": STOPPED,
    "ALREADY_OPTED_OUT": STOPPED,
    "LANDLINE_NUMBER": Sentence("it takes no texts"),
    "MESSAGE_TOO_LONG": Sentence("the text is too long"),
}


class ClickSend:
    """An account at ClickSend."""

    def __init__(self, account: Account) -> None:
        account.check_both()
        self._account = account
        self._url = f"{account.origin or _API}/v3/sms/send"

    def request(self, sms: Sms) -> Request:
        """Return the request that hands a text over; receipts come to the address that is set in the account."""
        message = {"source": "pencilled", "to": sms.number, "body": sms.text, "custom_string": sms.reference}
        sender = self._account.options.get("from", "")
        return self._account.post_json(self._url, {"messages": [message | ({"from": sender} if sender else {})]})

    def trial(self) -> Request | None:
        """Return a request that only shows whether the credentials are good."""
        return self._account.get(f"{self._account.origin or _API}/v3/account")

    def read(self, answer: Answer) -> SmsOutcome:
        """Say what an answer means: the status of the message alone decides."""
        body = answer.json
        data = body.get("data")
        messages = data.get("messages") if isinstance(data, dict) else None
        if not isinstance(messages, list) or len(messages) != 1 or not isinstance(messages[0], dict):
            if answer.status in _OK:
                return unknown("clicksend", answer.status)
            return refuses_request("clicksend", str(answer.status), CHECK_ACCOUNT)
        status, remote_id = str(messages[0].get("status", "")), messages[0].get("message_id")
        if status in _TAKEN and remote_id:
            return accepted(remote_id)
        if status in _OF_THE_NUMBER:
            return refuses_number("clicksend", _OF_THE_NUMBER[status], status)
        if status in _TAKEN or not _is_code(status):
            return unknown("clicksend", answer.status)
        return refuses_request("clicksend", status, Sentence("see its account"))


def _is_code(text: str) -> bool:
    """Whether this is one of their words, and no text that could quote somebody."""
    return bool(text) and len(text) <= 40 and text.replace("_", "").isalpha() and text.isascii() and text.isupper()  # noqa: PLR2004


def open_account(account: Account) -> ClickSend:
    """Return how this account is asked. Raises: ValueError."""
    return ClickSend(account)
