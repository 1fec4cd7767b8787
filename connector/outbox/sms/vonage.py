"""Vonage, SMS API.

Source: developer.vonage.com/messaging/sms/guides/troubleshooting-sms (HTTP 200 whatever happened; `messages` with a
`status` each, 0 for taken), developer.vonage.com/en/api/sms, developer.vonage.com/en/opt-out-assist/guides/
messaging-opted-out-numbers (a text to somebody who wants none is taken; its receipt tells).
"""

from __future__ import annotations

from connector.outbox.http import Answer, Request
from connector.outbox.sms.account import Account, accepted, refuses_number, refuses_request, unknown
from connector.ports import Fate, Sms, SmsOutcome
from connector.sentence import Sentence

_API = "https://rest.nexmo.com"
_OF_THE_NUMBER = {
    "6": Sentence("it is no number that can be texted"),
    "7": Sentence("it is barred"),
    "22": Sentence("its network is not known"),
    "29": Sentence("it is not on the list of a trial account"),
    "33": Sentence("it is not in use any more"),
}
_INTERNAL = "5"  # an error while they worked on it
_WAIT = {
    "1": Sentence("we send too fast"),
    "8": Sentence("the account is barred"),
    "9": Sentence("the account has no credit left"),
}


_SEE_CODES = Sentence("see the error codes of its SMS API")


class Vonage:
    """An account at Vonage; numbers are written without their plus there."""

    def __init__(self, account: Account) -> None:
        account.check_both()
        self._account = account
        self._sender = account.option("from")
        self._url = f"{account.origin or _API}/sms/json"

    def request(self, sms: Sms) -> Request:
        """Return the request that hands a text over."""
        values = {
            "api_key": self._account.user,
            "api_secret": self._account.password,
            "from": self._sender.removeprefix("+"),
            "to": sms.number.removeprefix("+"),
            "text": sms.text,
            "client-ref": sms.reference,
            "callback": sms.receipts,
        }
        return self._account.post_form(self._url, values, headers={"Accept": "application/json"})

    def trial(self) -> Request | None:
        """Return a request that only shows whether the credentials are good."""
        return self._account.get(f"{self._account.origin or _API}/account/get-balance")

    def read(self, answer: Answer) -> SmsOutcome:
        """Say what an answer means: taken if each part was; in doubt if some were."""
        parts = answer.json.get("messages")
        if not isinstance(parts, list) or not parts or not all(isinstance(part, dict) for part in parts):
            return unknown("vonage", answer.status)
        statuses = [str(part.get("status", "")) for part in parts]
        failed = [status for status in statuses if status != "0"]
        if not failed:
            remote_id = parts[0].get("message-id")
            return accepted(remote_id) if remote_id else unknown("vonage", answer.status)
        status = failed[0] if failed[0].isdecimal() else ""
        if len(failed) < len(statuses) or status in {_INTERNAL, ""}:
            why = Sentence("%(gateway)s cannot say what became of it (%(code)s)", gateway="vonage", code=status or "?")
            return SmsOutcome(fate=Fate.UNKNOWN, reason=why)
        if status in _OF_THE_NUMBER:
            return refuses_number("vonage", _OF_THE_NUMBER[status], status)
        return refuses_request("vonage", status, _WAIT.get(status, _SEE_CODES))


def open_account(account: Account) -> Vonage:
    """Return how this account is asked. Raises: ValueError."""
    return Vonage(account)
