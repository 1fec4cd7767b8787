"""Any gateway that takes a text as a form or as JSON, as its URL says.

    to, text, from_field, reference, receipts   what the fields are called (to and text must be said)
    from                                        the sender, if it wants one
    ok                                          what stands in the answer to a text that was taken: `path:value` of
                                                JSON, such as `status:queued`, or how a plain text begins, such as `OK`
    id                                          where in the JSON its id for the text stands, such as `message.id`

Without `ok` a text counts as taken only where the answer names an id for it, and nothing beside it speaks of an error:
gateways answer 200 to what they refuse. An error alone is a refusal; an error beside an id, and all else, is not known.
"""

from __future__ import annotations

from typing import Any

from connector.outbox.http import Answer, Request
from connector.outbox.sms.account import CHECK_ACCOUNT, Account, accepted, refused, refuses_request, unknown
from connector.outbox.sms.error_words import speaks_of_error
from connector.ports import Sms, SmsOutcome
from connector.sentence import Sentence

_OK, _CLIENT_ERRORS = range(200, 300), range(400, 500)
_OF_THE_TEXT = {400, 422}
_LONGEST_ID = 200
_NOT_TAKEN = Sentence("the gateway says that it did not take it")


class Generic:
    """A gateway that is described by its URL."""

    def __init__(self, account: Account) -> None:
        self._account = account
        self._to, self._text = account.option("to"), account.option("text")
        if not account.origin:
            raise ValueError(
                f"a URL of {account.slug} names a host, such as {account.slug}+https://gateway.example/send"
            )
        self._url = account.origin + (account.path or "/")
        self._name = account.origin.partition("://")[2]

    def request(self, sms: Sms) -> Request:
        """Return the request that hands a text over."""
        options = self._account.options
        values = {self._to: sms.number, self._text: sms.text}
        if options.get("from"):
            values[options.get("from_field") or "from"] = options["from"]
        for name, value in (("reference", sms.reference), ("receipts", sms.receipts)):
            if options.get(name) and value:
                values[options[name]] = value
        if self._account.slug == "json":
            return self._account.post_json(self._url, values)
        return self._account.post_form(self._url, values)

    def trial(self) -> Request | None:
        """Return nothing: it is not known what else can be asked here."""
        return None

    def read(self, answer: Answer) -> SmsOutcome:
        """Say what an answer means; whatever is not certain is not known."""
        if answer.status in _OF_THE_TEXT:
            return refused(Sentence("%(gateway)s refuses it (%(code)s)", gateway=self._name, code=str(answer.status)))
        if answer.status in _CLIENT_ERRORS:
            return refuses_request(self._name, str(answer.status), CHECK_ACCOUNT)
        if answer.status not in _OK:
            return unknown(self._name, answer.status)
        expected, body = self._account.options.get("ok", ""), answer.json
        path, colon, value = expected.partition(":")
        if expected:
            said = _at(body, path) if colon else answer.text.strip()
            is_taken = str(said) == value if colon else str(said).startswith(expected)
            if is_taken:
                return accepted(self._id(body))
            return refused(_NOT_TAKEN) if said or speaks_of_error(body) else unknown(self._name, answer.status)
        remote_id, is_wrong = self._id(body), speaks_of_error(body)
        if remote_id and not is_wrong:
            return accepted(remote_id)
        return refused(_NOT_TAKEN) if is_wrong and not remote_id else unknown(self._name, answer.status)

    def _id(self, body: Any) -> str:
        value = _at(body, self._account.options.get("id", "id"))
        is_id = isinstance(value, str | int) and not isinstance(value, bool)
        return str(value).strip()[:_LONGEST_ID] if is_id else ""


def _at(body: Any, path: str) -> Any:
    """Return what stands at a path of names and numbers, such as `messages.0.status`; None for nothing."""
    for name in path.split("."):
        if isinstance(body, list) and name.isdecimal() and int(name) < len(body):
            body = body[int(name)]
        elif isinstance(body, dict):
            body = body.get(name)
        else:
            return None
    return body


def open_account(account: Account) -> Generic:
    """Return how this account is asked. Raises: ValueError."""
    return Generic(account)
