"""What Google's refusals mean: one table by operation, status and reason (403 and 410 mean several things).

Source: https://developers.google.com/workspace/calendar/api/guides/errors
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, cast

from connector.errors import (
    AccessLostError,
    InstallationError,
    MissingError,
    ProviderError,
    RefusedError,
    SyncTokenExpiredError,
    TransientError,
)
from connector.sentence import Sentence
from providers._retry_after import retry_after

Operation = Literal[
    "insert",
    "patch",
    "delete",
    "get",
    "list",  # the change feed from a token
    "full",  # the change feed from its beginning
    "list_busy",  # the events that are not free
    "busy",
    "watch",
    "stop",
    "calendars",
    "create",
    "batch",
]

_ACCOUNT_BLOCK = timedelta(hours=1)  # at least: asking again prolongs it
_LONGEST_WAIT = timedelta(days=1)
_PAGES = 1000
_PACE = frozenset({"rateLimitExceeded", "userRateLimitExceeded"})
_BLOCK = frozenset({"quotaExceeded", "dailyLimitExceeded"})
_NOT_ENABLED = Sentence("the Google Calendar API is not enabled for this installation's Google Cloud project")
_OURS = {  # what is wrong with this installation's project, whichever account asks
    "accessNotConfigured": Sentence(
        "the Google Calendar API is not enabled for this installation's Google Cloud project"
    ),
    "SERVICE_DISABLED": _NOT_ENABLED,
    "BILLING_DISABLED": Sentence("billing is off for this installation's Google Cloud project"),
    "CONSUMER_INVALID": Sentence("this installation's Google Cloud project is not there any more"),
    "CONSUMER_SUSPENDED": Sentence("this installation's Google Cloud project is suspended"),
    "dailyLimitExceeded": Sentence("the daily quota of this installation's Google Cloud project is spent"),
}
_FORBIDDEN, _TOO_MANY, _SERVER = 403, 429, 500

_MEANING: Mapping[tuple[str, int, str], type[ProviderError]] = {
    ("any", 401, "any"): AccessLostError,
    ("any", 403, "insufficientPermissions"): AccessLostError,
    ("any", 403, "ACCESS_TOKEN_SCOPE_INSUFFICIENT"): AccessLostError,
    ("create", 403, "insufficientPermissions"): RefusedError,  # a permission people may leave out
    ("create", 403, "ACCESS_TOKEN_SCOPE_INSUFFICIENT"): RefusedError,
    ("any", 408, "any"): TransientError,
    ("list", 400, "syncToken"): SyncTokenExpiredError,
    ("list", 410, "deleted"): MissingError,
    ("list", 410, "any"): SyncTokenExpiredError,
    ("list", 404, "any"): MissingError,
    ("full", 410, "fullSyncRequired"): TransientError,  # of a reading under way
    ("full", 410, "any"): MissingError,
    ("full", 404, "any"): MissingError,
    ("list_busy", 403, "insufficientPermissions"): RefusedError,  # where we may only see free and busy
    ("list_busy", 403, "ACCESS_TOKEN_SCOPE_INSUFFICIENT"): RefusedError,
    ("list_busy", 410, "any"): MissingError,
    ("list_busy", 404, "any"): MissingError,
    ("busy", 404, "any"): MissingError,
    ("watch", 404, "any"): MissingError,
    ("watch", 400, "channelIdNotUnique"): TransientError,  # the answer was lost; a new channel has a new id
    ("delete", 409, "any"): TransientError,  # "conflict": it was being written
    ("patch", 409, "any"): TransientError,
}
_WORDS = {
    **_OURS,
    "pushNotSupportedForRequestedResource": Sentence("Google does not push changes of this calendar"),
    "insufficientPermissions": Sentence("a permission is missing"),
}


class Fault(Exception):  # noqa: N818 - not yet an error: what it means depends on what was asked
    """An answer other than success.

    Attributes:
        reasons: Google's words for it, and the parameter it is about.
        wait: How long not to ask again, where Google said so or an account-level block is known to last.
    """

    def __init__(self, status: int, reasons: frozenset[str] = frozenset(), wait: timedelta | None = None) -> None:
        super().__init__(f"{status} {', '.join(sorted(reasons))}".rstrip())
        self.status = status
        self.reasons = reasons
        self.wait = max(wait or _ACCOUNT_BLOCK, _ACCOUNT_BLOCK) if self.blocked else wait

    @classmethod
    def of(cls, status: int, headers: Mapping[str, str], body: bytes, *, now: datetime) -> Fault:
        """Read an answer; header names are in lower case."""
        return cls(status, _reasons(body), retry_after(headers, since=now, longest=_LONGEST_WAIT))

    @property
    def is_ours(self) -> bool:
        """Whether this installation's own project is refused, whichever account asks."""
        return self.status in {_FORBIDDEN, _TOO_MANY} and not self.reasons.isdisjoint(_OURS)

    @property
    def blocked(self) -> bool:
        """Whether the account as a whole is held back for hours."""
        return self.status == _FORBIDDEN and bool(self.reasons & _BLOCK)

    @property
    def throttled(self) -> bool:
        """Whether we have sent too many requests, so that another one now would prolong the wait."""
        is_too_fast = self.status == _FORBIDDEN and bool(self.reasons & _PACE)
        return self.status == _TOO_MANY or is_too_fast or self.blocked


def meaning(operation: Operation, fault: Fault) -> ProviderError:
    """Return what an answer means for what was asked."""
    words = next((_WORDS[reason] for reason in sorted(fault.reasons) if reason in _WORDS), None)
    message = (
        Sentence("Google answered %(answer)s: %(reason)s", answer=str(fault), reason=words)
        if words
        else Sentence("Google answered %(answer)s", answer=str(fault))
    )
    if fault.is_ours:
        return InstallationError(message, retry_after=fault.wait)
    if fault.throttled:
        return TransientError(message, retry_after=fault.wait)
    kind = _kind(operation, fault)
    if kind is None:
        if operation in {"insert", "get"} and fault.status == 404:  # noqa: PLR2004 - Not Found
            return RefusedError(Sentence("the calendar itself is not there any more, or not to be seen"))
        kind = RefusedError if 400 <= fault.status < _SERVER else TransientError  # noqa: PLR2004 - client errors
    return TransientError(message, retry_after=fault.wait) if kind is TransientError else kind(message)


def _kind(operation: Operation, fault: Fault) -> type[ProviderError] | None:
    for name in (operation, "any"):
        for reason in (*sorted(fault.reasons), "any"):
            if kind := _MEANING.get((name, fault.status, reason)):
                return kind
    return None


def _reasons(body: bytes) -> frozenset[str]:
    """Return the words of `error.errors[]` (`reason`, `location`), `error.details[]` and `error.status`."""
    try:
        error = json.loads(body)["error"]
        if isinstance(error, str):
            return frozenset({error})
        rows = [*error.get("errors", ()), *error.get("details", ())]
        words = {row.get(name) for row in rows for name in ("reason", "location")}
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return frozenset()
    return frozenset(word for word in words if isinstance(word, str))


def members(value: object, name: str) -> list[dict[str, Any]]:
    """Return the objects listed under a name in an answer; none where it names none.

    Raises: TransientError if the answer is not of the agreed form.
    """
    rows = value.get(name, []) if isinstance(value, dict) else None
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise garbled()
    return cast("list[dict[str, Any]]", rows)


def pages(ask: Callable[[Mapping[str, str]], Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
    """Yield the pages of a list; `ask` returns one, and is given its place: nothing for the first.

    Raises: What `ask` raises; RefusedError where there is no end.
    """
    place: dict[str, str] = {}
    for _ in range(_PAGES):
        page = ask(place)
        yield page
        if not page.get("nextPageToken"):
            return
        place = {"pageToken": text(page, "nextPageToken")}
    raise RefusedError(Sentence("Google has more than %(most)s pages of an answer", most=_PAGES))


def text(value: object, name: str) -> str:
    """Return a text that an answer must have.

    Raises: TransientError if it has none.
    """
    member = value.get(name) if isinstance(value, dict) else None
    if not isinstance(member, str) or not member:
        raise garbled()
    return member


def instant(value: str) -> datetime:
    """Read RFC 3339 with an offset.

    Raises: TransientError.
    """
    try:
        at = datetime.fromisoformat(value)
    except ValueError as error:
        raise garbled() from error
    if at.tzinfo is None:
        raise garbled()
    return at.astimezone(UTC)


def garbled() -> TransientError:
    """Return the error for an answer that is not of the agreed form."""
    return TransientError(Sentence("Google's answer cannot be read"))
