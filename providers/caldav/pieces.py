"""Many events of a CalDAV collection at once, as a multiget tells them (RFC 4791 section 7.9).

They are asked for in pieces, halved where an answer cannot be read: neither the size of some events nor one that breaks
the whole answer keeps the others from being read.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from urllib.parse import urlsplit

from caldav.elements import cdav

from connector.errors import RefusedError
from providers.caldav import dav as _dav
from providers.caldav.events import Events

_PIECE = 50  # events in one request
_UNABLE = frozenset({400, 403, 405, 415, 422, 501})  # how servers refuse to tell several at once


def told(events: Events, hrefs: Sequence[str], *, piece: int = _PIECE) -> Iterator[tuple[str, _dav.Row | None]]:
    """Yield each event and what the server tells of it among others, if that has its text.

    None: it has to be asked for by itself; whatever else such a row says, that it is gone among it, is not believed.

    Raises: ProviderError.
    """
    for start in range(0, len(hrefs), piece):
        yield from _told(events, hrefs[start : start + piece])


def _told(events: Events, hrefs: Sequence[str]) -> Iterator[tuple[str, _dav.Row | None]]:
    rows: dict[str, _dav.Row] = {}
    if len(hrefs) > 1:
        try:
            rows = {events.canonical(row.href): row for row in _asked(events, hrefs)}
        except RefusedError:
            middle = len(hrefs) // 2
            yield from _told(events, hrefs[:middle])
            yield from _told(events, hrefs[middle:])
            return
    for href in hrefs:
        row = rows.get(href)
        yield href, row if row and row.text(cdav.CalendarData) else None


def _asked(events: Events, hrefs: Sequence[str]) -> Sequence[_dav.Row]:
    """Ask for some events at once; none are told by a server that cannot do that.

    Raises: RefusedError if the answer cannot be read, or is too large; another ProviderError.
    """
    body = _dav.multiget(urlsplit(events.address(href)).path for href in hrefs)
    answer = events.http.request("REPORT", events.url, headers=_dav.headers(1), body=body)
    return () if answer.status in _UNABLE else _dav.multistatus(answer).rows
