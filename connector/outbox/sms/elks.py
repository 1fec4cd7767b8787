"""46elks.

Source: 46elks.com/docs/send-sms (200 with `id` and `status`, which is `created`, `sent`, `delivered` or `failed`;
errors are an HTTP status with plain text), 46elks.se/docs/sms-delivery-reports (`whendelivered`).
"""

from __future__ import annotations

import re

from connector.outbox.http import Answer, Request
from connector.outbox.sms.account import (
    CHECK_ACCOUNT,
    Account,
    accepted,
    refused,
    refuses_number,
    refuses_request,
    unknown,
)
from connector.ports import Sms, SmsOutcome
from connector.sentence import Sentence

_API = "https://api.46elks.com"
_TAKEN = {"created", "sent", "delivered"}
_CLIENT_ERRORS = range(400, 500)
_ABOUT_NUMBER = re.compile(r"(?i)(?:invalid|missing)\W+(?:key|parameter|value)?\W*to\b")


class Elks:
    """An account at 46elks."""

    def __init__(self, account: Account) -> None:
        account.check_both()
        self._account = account
        self._sender = account.option("from")
        self._url = f"{account.origin or _API}/a1/sms"

    def request(self, sms: Sms) -> Request:
        """Return the request that hands a text over."""
        values = {"from": self._sender, "to": sms.number, "message": sms.text, "whendelivered": sms.receipts}
        return self._account.post_form(self._url, values)

    def trial(self) -> Request | None:
        """Return a request that only shows whether the credentials are good."""
        return self._account.get(f"{self._account.origin or _API}/a1/me")

    def read(self, answer: Answer) -> SmsOutcome:
        """Say what an answer means; a refusal is a sentence, of which only what it is about is kept."""
        if answer.status in _CLIENT_ERRORS:
            if _ABOUT_NUMBER.search(answer.text):
                return refuses_number("46elks", Sentence("it is no number that can be texted"), str(answer.status))
            return refuses_request("46elks", str(answer.status), CHECK_ACCOUNT)
        status, remote_id = answer.json.get("status"), answer.json.get("id")
        if status in _TAKEN and remote_id:
            return accepted(remote_id)
        if status == "failed":
            return refused(Sentence("%(gateway)s could not send it (%(code)s)", gateway="46elks", code=status))
        return unknown("46elks", answer.status)


def open_account(account: Account) -> Elks:
    """Return how this account is asked. Raises: ValueError."""
    return Elks(account)
