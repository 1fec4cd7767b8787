"""Twilio, Programmable Messaging.

Source: twilio.com/docs/messaging/api/message-resource (201 with `sid` and `status`),
twilio.com/docs/usage/twilios-response (errors: HTTP status, and a body with `code`), twilio.com/docs/api/errors
(21610: the owner of the number has answered STOP, which Twilio heeds by itself unless it was switched off).
"""

from __future__ import annotations

from connector.outbox.http import Answer, Request
from connector.outbox.sms.account import STOPPED, Account, accepted, refused, refuses_number, refuses_request, unknown
from connector.ports import Sms, SmsOutcome
from connector.sentence import Sentence

_API = "https://api.twilio.com"
_CLIENT_ERRORS = range(400, 500)
_NOT_TAKEN = {"failed", "undelivered", "canceled"}
# What concerns this number alone; every other refusal is of the account, and may be mended.
_OF_THE_NUMBER = {
    21211: Sentence("it is no number that exists"),
    21214: Sentence("it cannot be reached"),
    21217: Sentence("it is no number that exists"),
    21407: Sentence("it takes no texts"),
    21610: STOPPED,
    21612: Sentence("it cannot be reached from our sender"),
    21614: Sentence("it takes no texts"),
    21617: Sentence("the text is too long"),
}


class Twilio:
    """An account at Twilio; the user is the SID of the account, or of an API key with `?account=`."""

    def __init__(self, account: Account) -> None:
        account.check_both()
        self._account = account
        self._sender = account.option("from")
        owner = account.options.get("account") or account.user
        self._url = f"{account.origin or _API}/2010-04-01/Accounts/{owner}/Messages.json"

    def request(self, sms: Sms) -> Request:
        """Return the request that hands a text over; a sender that begins with MG is a messaging service."""
        name = "MessagingServiceSid" if self._sender.startswith("MG") else "From"
        values = {"To": sms.number, name: self._sender, "Body": sms.text, "StatusCallback": sms.receipts}
        return self._account.post_form(self._url, values)

    def trial(self) -> Request | None:
        """Return a request that only shows whether the credentials are good."""
        return self._account.get(self._url.removesuffix("/Messages.json") + ".json")

    def read(self, answer: Answer) -> SmsOutcome:
        """Say what an answer means."""
        body = answer.json
        if answer.status in _CLIENT_ERRORS:
            code = body.get("code")
            if code in _OF_THE_NUMBER:
                return refuses_number("twilio", _OF_THE_NUMBER[code], str(code))
            return refuses_request(
                "twilio", f"{answer.status}, {_known(code)}", Sentence("see twilio.com/docs/api/errors")
            )
        sid, code = body.get("sid"), body.get("error_code")
        if isinstance(sid, str) and sid and code is None and body.get("status") not in _NOT_TAKEN:
            return accepted(sid)
        if body.get("status") in _NOT_TAKEN:
            return refused(Sentence("%(gateway)s could not send it (%(code)s)", gateway="twilio", code=_known(code)))
        return unknown("twilio", answer.status)


def _known(code: object) -> str:
    return str(code) if isinstance(code, int) else "?"


def open_account(account: Account) -> Twilio:
    """Return how this account is asked. Raises: ValueError."""
    return Twilio(account)
