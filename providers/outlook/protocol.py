"""The language of Microsoft Graph: a request, its answer, and the error that a refusal means."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from connector.errors import (
    AccessLostError,
    EditConflictError,
    MissingError,
    ProviderError,
    RefusedError,
    TransientError,
)
from connector.sentence import Sentence
from providers._retry_after import retry_after, sent_at

PREFER = 'IdType="ImmutableId", outlook.timezone="UTC"'
READ_SECONDS = 10.0
UNAUTHORIZED, TOO_MANY, LOCKED, ERROR = 401, 429, 423, 500
_NOT_FOUND, _CONFLICT, _GONE, _CHANGED, _FAILED_DEPENDENCY, _FULL = 404, 409, 410, 412, 424, 507
_PASSING = frozenset({_NOT_FOUND, _GONE, LOCKED, _FAILED_DEPENDENCY})
_LONGEST_WAIT = timedelta(hours=1)
_CONFLICTS = frozenset({"errorirresolvableconflict"})
_ABSENT = frozenset({"erroritemnotfound", "errorfoldernotfound", "itemnotfound"})
_MAILBOX_GONE = frozenset({"mailboxnotenabledforrestapi", "mailboxnotsupportedforrestapi"})
_MAILBOX_FULL = frozenset({"errorquotaexceeded"})


class UnreachableError(TransientError):
    """Microsoft could not be reached, or did not answer in time: the next request would fail as well."""


class ThrottledError(TransientError):
    """Microsoft wants to be left alone for a while."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One request.

    Attributes:
        path: Below the service's root, percent-encoded, query included; or an absolute link the service gave.
        prefer: Preferences beside those every request states.
        seconds: How long to wait for the answer.
        repeatable: Whether it may be sent again when a connection broke before any answer.
    """

    method: str
    path: str
    body: Mapping[str, object] | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    prefer: str = ""
    seconds: float = READ_SECONDS
    repeatable: bool = True

    @property
    def head(self) -> dict[str, str]:
        """Its headers, with the preferences without which ids change and times have other zones."""
        prefer = f"{PREFER}, {self.prefer}" if self.prefer else PREFER
        return {"Prefer": prefer, **({"Content-Type": "application/json"} if self.body is not None else {})} | dict(
            self.headers
        )


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back. Header names are in lower case; `body` is empty where no JSON object came, as `sound` tells."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Mapping[str, Any] = field(default_factory=dict)
    sound: bool = True

    @property
    def ok(self) -> bool:
        """Whether it was done."""
        return 200 <= self.status < 300  # noqa: PLR2004 - success

    @property
    def absent(self) -> bool:
        """Whether the service says that the very thing asked for is not there.

        Not so where the mailbox itself cannot be reached, or something in between answers 404.
        """
        return self.status in {_NOT_FOUND, _GONE} and self.code in _ABSENT

    @property
    def error(self) -> Mapping[str, Any]:
        """What the service says went wrong."""
        error = self.body.get("error")
        return error if isinstance(error, Mapping) else {}

    @property
    def code(self) -> str:
        """The service's own code for what went wrong, in lower case: its spelling varies."""
        return str(self.error.get("code", "")).lower()

    def value(self) -> list[Mapping[str, Any]]:
        """Return the items of a collection.

        Raises: ProviderError if it was not done, or is no collection.
        """
        items = self.done().body.get("value")
        if not isinstance(items, list) or not all(isinstance(item, Mapping) for item in items):
            raise nonsense()
        return items

    def done(self) -> Answer:
        """Return itself if it was done and makes sense.

        Raises: ProviderError.
        """
        if not self.ok:
            raise meaning(self)
        if not self.sound:
            raise nonsense()
        return self


def nonsense() -> TransientError:
    """Return what to raise for an answer that cannot be understood."""
    return TransientError(Sentence("Outlook gave an answer that makes no sense"))


def meaning(answer: Answer) -> ProviderError:
    """Translate a refusal by its status, and by its code where one status means several things.

    Codes and their spelling: https://learn.microsoft.com/graph/errors; some are only known from reports.
    """
    status, code = answer.status, answer.code
    answered = f"{status} {answer.error.get('code', '')}".rstrip()
    words = Sentence("Outlook answered %(answer)s", answer=answered)
    if code in _MAILBOX_GONE:
        return RefusedError(
            Sentence("this mailbox is not in Microsoft's cloud, or has no licence, so it cannot be reached")
        )
    if code in _MAILBOX_FULL or status == _FULL:
        return RefusedError(Sentence("the mailbox is full"))
    if status == UNAUTHORIZED:
        return AccessLostError(Sentence("Microsoft no longer accepts our access to this account"))
    if answer.absent:
        return MissingError(words)
    if status in {_CONFLICT, _CHANGED} or code in _CONFLICTS:
        return EditConflictError(words)
    if status == TOO_MANY or (status > ERROR and wait(answer)):
        return ThrottledError(words, retry_after=wait(answer))
    if status in _PASSING or status >= ERROR or not status:
        return TransientError(words if status else Sentence("Outlook left a request of a batch unanswered"))
    return RefusedError(words)


def wait(answer: Answer) -> timedelta | None:
    """Return how long the service wants to be left alone; a date counts from the answer's own Date."""
    return retry_after(answer.headers, since=sent_at(answer.headers), longest=_LONGEST_WAIT)
