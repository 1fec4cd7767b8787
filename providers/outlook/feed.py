"""The change feed of one Outlook calendar: `calendarView/delta`, which watches a window of time.

Our token is JSON: `link` (the service's own, opaque) and `until` (where the window ends, ISO 8601 in UTC). As time goes
by a new round with a later window is read in full. Source: https://learn.microsoft.com/graph/delta-query-events
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from connector.errors import ProviderError, SyncTokenExpiredError, TransientError
from connector.ports import Changed, Changes
from connector.sentence import Sentence
from providers.outlook.http import Graph
from providers.outlook.protocol import Answer, Call, meaning, nonsense

BEHIND = timedelta(days=7)
AHEAD = timedelta(days=400)
LEAST_AHEAD = timedelta(days=365)  # with less than this left, the window moves on: about once a month
_PAGE = "odata.maxpagesize=200"
_PAGES = 1000
_EXPIRED = ("syncstate", "resync")
_BAD, _GONE = 400, 410


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """Where a round of the feed ended, and where its window does."""

    link: str
    until: datetime

    @classmethod
    def parse(cls, text: str) -> Token:
        """Read what `str` wrote.

        Raises: SyncTokenExpiredError.
        """
        try:
            fields = json.loads(text)
            until = datetime.fromisoformat(fields["until"])
            return cls(link=str(fields["link"]), until=until.replace(tzinfo=until.tzinfo or UTC))
        except (ValueError, LookupError, TypeError) as error:
            raise SyncTokenExpiredError(Sentence("this is no token of Outlook's change feed")) from error

    def __str__(self) -> str:
        return json.dumps({"link": self.link, "until": self.until.isoformat()})


def changes(graph: Graph, calendar: str, last_token: str | None, *, now: datetime) -> Changes:
    """Read a round to its end, or a whole new one where there is no token or its window ends too soon.

    It does not say what an event shows: the feed lags and repeats what is out of date, so that takes a direct read.

    Raises: SyncTokenExpiredError; MissingError if the calendar is not there; another ProviderError.
    """
    token = Token.parse(last_token) if last_token is not None else None
    if token and not graph.leads_here(token.link):
        raise SyncTokenExpiredError(Sentence("the token is of another service"))
    if token and token.until - now >= LEAST_AHEAD:
        return _round(graph, Call(method="GET", path=token.link, prefer=_PAGE), token.until, full=False)
    until = now + AHEAD
    window = f"startDateTime={now - BEHIND:%Y-%m-%dT%H:%M:%SZ}&endDateTime={until:%Y-%m-%dT%H:%M:%SZ}"
    first = Call(method="GET", path=f"{calendar}/calendarView/delta?{window}", prefer=_PAGE)
    return _round(graph, first, until, full=True)


def _round(graph: Graph, first: Call, until: datetime, *, full: bool) -> Changes:
    changed: dict[str, str | None] = {}
    gone: dict[str, None] = {}
    link = None
    for page in graph.pages(first, most=_PAGES):
        if not page.ok:
            raise _refusal(page, full=full)
        for item in page.value():
            _take(item, changed, gone)
        link = page.body.get("@odata.deltaLink")
    if not isinstance(link, str):
        raise nonsense()
    return Changes(
        changed=tuple(Changed(href=href, etag=etag) for href, etag in changed.items()),
        gone=() if full else tuple(sorted(gone)),
        token=str(Token(link=link, until=until)),
        full=full,
    )


def _take(item: Mapping[str, Any], changed: dict[str, str | None], gone: dict[str, None]) -> None:
    """Add one item to what earlier ones have named; the last one about an event counts.

    A series may be told by its occurrences alone: then it is the series that has changed, to a version not told.
    `@removed` says that an event is no longer in the window: moved out of it, or deleted.
    """
    href, etag = item.get("id"), item.get("@odata.etag")
    if not isinstance(href, str):
        raise nonsense()
    if "@removed" in item:
        changed.pop(href, None)
        gone[href] = None
    elif isinstance(series := item.get("seriesMasterId"), str):
        gone.pop(series, None)
        changed.setdefault(series, None)
    else:
        gone.pop(href, None)
        changed[href] = etag if isinstance(etag, str) else None


def _refusal(page: Answer, *, full: bool) -> ProviderError:
    """Say why a page was refused; a link that the service does not understand any more has expired."""
    if page.absent:
        return meaning(page)  # the calendar itself
    expired = page.status == _GONE or any(word in page.code for word in _EXPIRED)
    if full and expired:
        return TransientError(Sentence("Outlook forgot a reading under way"))
    if expired or (not full and page.status == _BAD):
        return SyncTokenExpiredError(Sentence("Outlook does not know the token any more"))
    return meaning(page)
