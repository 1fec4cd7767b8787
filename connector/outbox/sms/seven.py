"""seven (formerly sms77).

Source: docs.seven.io/en/rest-api/endpoints/sms (`success` with a code, and `messages` with `success`, `error` and `id`
each; HTTP 200 whatever happened).
"""

from __future__ import annotations

from connector.outbox.http import Answer, Request
from connector.outbox.sms.account import Account, accepted, refuses_number, refuses_request, unknown
from connector.ports import Fate, Sms, SmsOutcome
from connector.sentence import Sentence

_API = "https://gateway.seven.io"
_DONE = {"100", "101"}  # taken; taken for some
_OF_THE_NUMBER = {
    "202": Sentence("it is no number that can be texted"),
    "301": Sentence("it is no number that can be texted"),
    "305": Sentence("the text is not one that can be sent"),
    "401": Sentence("the text is too long"),
    "403": Sentence("it has been sent too many texts today"),
}
_REPEATED = "402"  # the same text went to the same number a moment ago: their own guard against repeats
_OURS = {
    "201": Sentence("the sender is not one that may be used"),
    "500": Sentence("the account has no credit left"),
    "900": Sentence("the key is not right"),
    "901": Sentence("the signature is not right"),
    "902": Sentence("the key may not send texts"),
    "903": Sentence("our address is not allowed to"),
}


class Seven:
    """An account at seven; its key is the password, or the user."""

    def __init__(self, account: Account) -> None:
        self._account = account
        self._key = account.password or account.user
        if not self._key:
            raise ValueError("a URL of seven names the key before the @, such as seven://:key@")
        self._url = f"{account.origin or _API}/api/sms"

    def request(self, sms: Sms) -> Request:
        """Return the request that hands a text over; receipts come to the webhook that is set in the account."""
        values = {
            "to": sms.number,
            "text": sms.text,
            "from": self._account.options.get("from", ""),
            "foreign_id": sms.reference,
        }
        return self._account.post_form(self._url, values, headers={"X-Api-Key": self._key})

    def trial(self) -> Request | None:
        """Return a request that only shows whether the credentials are good."""
        return self._account.get(f"{self._account.origin or _API}/api/balance", headers={"X-Api-Key": self._key})

    def read(self, answer: Answer) -> SmsOutcome:
        """Say what an answer means."""
        body = answer.json
        code = str(body.get("success", "") if body else answer.text.strip())
        messages = body.get("messages")
        first = messages[0] if isinstance(messages, list) and len(messages) == 1 else None
        if code in _DONE and isinstance(first, dict):
            if first.get("success") is True and first.get("id"):
                return accepted(first["id"])
            code = str(first.get("error") or "")
        if code in _OF_THE_NUMBER:
            return refuses_number("seven", _OF_THE_NUMBER[code], code)
        if code == _REPEATED:
            why = Sentence("%(gateway)s takes it for a repeat of the last one (%(code)s)", gateway="seven", code=code)
            return SmsOutcome(fate=Fate.UNKNOWN, reason=why)
        if code in _OURS:
            return refuses_request("seven", code, _OURS[code])
        return unknown("seven", answer.status)


def open_account(account: Account) -> Seven:
    """Return how this account is asked. Raises: ValueError."""
    return Seven(account)
