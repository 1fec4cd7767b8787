"""Everything of ours in a CalDAV collection, as one calendar-query finds it (RFC 4791 section 7.8).

Where that is more than one answer can hold, its events are named first and then asked for a few at a time.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from functools import partial

from caldav.elements import cdav

from connector.domain.reconcile import Sighting
from connector.ical import vevent
from connector.ports import Listed
from providers._wire import Answer, TooLargeError
from providers.caldav import dav as _dav
from providers.caldav import pieces, windows
from providers.caldav.events import Events, Stored
from providers.caldav.windows import CUT

_SLACK = timedelta(hours=26)  # some servers reckon days in UTC, wherever the calendar is
_AHEAD = timedelta(days=5 * 366)  # for servers that want an end
_NEEDS_END = frozenset({400, 403, 409, 415, 422, 500, 501})  # how servers refuse a time without one
_PIECE = 10  # events asked for at once where all of them are too many


def listed(events: Events, since: datetime) -> list[Listed]:
    """Return each event that bears our mark or a UID of ours and ends after `since`.

    Raises: MissingError if the collection is not there; another ProviderError, also where the server has left some out.
    """
    found = []
    for stored in _members(events, since - _SLACK):
        identity = vevent.identity(stored.body.decode(errors="replace"))
        if identity is None:
            continue
        content = vevent.read(stored.body)
        if content is None or content.span.end > since:
            sighting = Sighting(href=stored.href, etag=stored.etag, content=content)
            found.append(Listed(sighting=sighting, name=identity.name, marked=identity.marked))
    return found


def _members(events: Events, start: datetime) -> Iterator[Stored]:
    """Yield every event that ends after `start`; what the answer names but does not tell is asked for by itself."""
    try:
        rows = _dav.rows_about(_asked(events, start, None, bodies=True), expected=CUT)
    except (TooLargeError, _dav.GarbledError):
        rows = None
    if rows is None or any(row.status == CUT for row in rows):
        yield from _in_pieces(events, start)
        return
    for row in rows:
        if stored := _stored(events, events.canonical(row.href), row):
            yield stored


def _in_pieces(events: Events, start: datetime) -> Iterator[Stored]:
    rows = windows.listed(partial(_asked, events, bodies=False), start, None)
    hrefs = dict.fromkeys(href for row in rows if not (href := events.canonical(row.href)).endswith("/"))
    for href, row in pieces.told(events, list(hrefs), piece=_PIECE):
        try:
            stored = _stored(events, href, row)
        except TooLargeError:
            continue  # by itself it is larger than any of ours
        if stored:
            yield stored


def _stored(events: Events, href: str, row: _dav.Row | None) -> Stored | None:
    text = row.text(cdav.CalendarData) if row else None
    if row and text:
        return events.told(href, row, text)
    return None if href.endswith("/") else events.get(href)


def _asked(events: Events, start: datetime, end: datetime | None, *, bodies: bool) -> Answer:
    """Ask for all between two times; what has no end is asked for with one where the server wants that."""
    answer = _query(events, start, end, bodies=bodies)
    if end is None and answer.status in _NEEDS_END:
        return _query(events, start, start + _AHEAD, bodies=bodies)
    return answer


def _query(events: Events, start: datetime, end: datetime | None, *, bodies: bool) -> Answer:
    body = _dav.query(start, end, bodies=bodies)
    return events.http.request("REPORT", events.url, headers=_dav.headers(1), body=body)
