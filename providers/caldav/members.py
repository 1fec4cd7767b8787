"""The events of a CalDAV collection that touch a time, as far as they matter for free and busy.

The server is asked for ETags; only what is new is fetched, in pieces that are halved where an answer cannot be read. So
neither the size of a collection nor one broken event keeps the others from being read.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from threading import Lock
from urllib.parse import urlsplit

from caldav.elements import cdav, dav

from connector.domain.span import Span
from connector.errors import MissingError, RefusedError, TransientError
from connector.ical.foreign import lines
from providers.caldav import dav as _dav
from providers.caldav.events import Events

_PIECE = 100  # events in one request
_MOST = 64 * 1024 * 1024  # bytes of lines that are kept, of all collections
_BESIDE = 512  # bytes that are kept beside the lines of one event
_CUT = 507
_UNABLE = frozenset({400, 403, 405, 415, 422, 501})  # how servers refuse to tell several at once
_Place = tuple[str, str]  # address, ETag


class Kept:
    """The lines that matter of the events that were read last, by whose they are, address and ETag."""

    def __init__(self, most: int = _MOST) -> None:
        self._most = most
        self._lines: OrderedDict[tuple[object, _Place], bytes] = OrderedDict()
        self._size = 0
        self._lock = Lock()

    def get(self, owner: object, place: _Place) -> bytes | None:
        """Return the lines of an event as it was at that ETag, if they are still kept."""
        with self._lock:
            if (owner, place) in self._lines:
                self._lines.move_to_end((owner, place))
            return self._lines.get((owner, place))

    def put(self, owner: object, place: _Place, content: bytes) -> None:
        """Keep the lines of an event, and forget those that were not asked for the longest."""
        with self._lock:
            former = self._lines.pop((owner, place), None)
            self._size += _weight(content) - (_weight(former) if former is not None else 0)
            self._lines[owner, place] = content
            while self._size > self._most:
                self._size -= _weight(self._lines.popitem(last=False)[1])


def _weight(content: bytes) -> int:
    return len(content) + _BESIDE


@dataclass(frozen=True, slots=True)
class Member:
    """An event as it stands in the collection; `content` are its lines that matter, None if it is not handed out."""

    href: str
    content: bytes | None


def during(events: Events, span: Span, kept: Kept) -> Iterator[Member]:
    """Yield each event that touches a time, recurring ones as a whole.

    Raises: ProviderError; TransientError if the server has left some out.
    """
    unknown: dict[str, str | None] = {}
    for href, (etag, text) in _listed(events, span).items():
        if text is not None:
            yield Member(href, lines.filtered(text.encode()))
        elif (content := _known(events, href, etag, kept)) is not None:
            yield Member(href, content)
        else:
            unknown[href] = etag
    hrefs = list(unknown)
    for start in range(0, len(hrefs), _PIECE):
        yield from _fetched(events, hrefs[start : start + _PIECE], kept)


def _listed(events: Events, span: Span) -> dict[str, tuple[str | None, str | None]]:
    """Return the ETag of each event that touches a time, and its text where the server tells that unasked."""
    body = _dav.query(span.start, span.end, with_data=False)
    answer = events.http.request("REPORT", events.url, headers=_dav.headers(1), body=body)
    found = {}
    for row in _dav.rows_about(answer):
        if row.status == _CUT:
            raise TransientError("the server has not listed the whole calendar")
        href = events.canonical(row.href)
        if not row.refused and not href.endswith("/"):
            found[href] = row.text(dav.GetEtag), row.text(cdav.CalendarData)
    return found


def _known(events: Events, href: str, etag: str | None, kept: Kept) -> bytes | None:
    """Return the lines of an event at that ETag without asking for it: kept, or of a body that was read or written."""
    if not etag:
        return None
    content = kept.get(_owner(events), (href, etag))
    if content is None and (stored := events.remembered(href, etag)):
        return _keep(events, href, etag, stored.body, kept)
    return content


def _owner(events: Events) -> object:
    """Return who reads which collection: two who share one need not be shown the same."""
    return events.http.login.home, events.http.login.username, events.url


def _fetched(events: Events, hrefs: Sequence[str], kept: Kept) -> Iterator[Member]:
    """Yield some events: together or, where that answer cannot be read, in smaller pieces and at last one by one."""
    told: dict[str, bytes] = {}
    if len(hrefs) > 1:
        try:
            rows = _asked(events, hrefs)
        except RefusedError:
            middle = len(hrefs) // 2
            yield from _fetched(events, hrefs[:middle], kept)
            yield from _fetched(events, hrefs[middle:], kept)
            return
        for row in rows:
            href, text = events.canonical(row.href), row.text(cdav.CalendarData)
            if text is not None and href in hrefs:
                told[href] = _keep(events, href, row.text(dav.GetEtag), text.encode(), kept)
    for href in hrefs:
        yield from [Member(href, told[href])] if href in told else _alone(events, href, kept)


def _asked(events: Events, hrefs: Sequence[str]) -> Sequence[_dav.Row]:
    """Ask for some events at once; none are told by a server that cannot do that.

    Raises: RefusedError if the answer cannot be read, or is too large; another ProviderError.
    """
    body = _dav.multiget(urlsplit(events.address(href)).path for href in hrefs)
    answer = events.http.request("REPORT", events.url, headers=_dav.headers(1), body=body)
    return () if answer.status in _UNABLE else _dav.multistatus(answer).rows


def _alone(events: Events, href: str, kept: Kept) -> Iterator[Member]:
    """Yield one event as a plain request finds it; nothing if it has gone meanwhile."""
    try:
        stored = events.get(href)
    except MissingError:
        return
    except RefusedError:
        yield Member(href, None)
        return
    if stored:
        yield Member(href, _keep(events, href, stored.etag, stored.body, kept))


def _keep(events: Events, href: str, etag: str | None, body: bytes, kept: Kept) -> bytes:
    content = lines.filtered(body)
    if etag and not etag.startswith("W/"):
        kept.put(_owner(events), (href, etag), content)
    return content
