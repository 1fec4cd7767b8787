"""Everything of ours in a CalDAV collection, as one calendar-query finds it (RFC 4791 section 7.8)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from caldav.elements import cdav

from connector.domain.reconcile import Sighting
from connector.errors import TransientError
from connector.ical import vevent
from connector.ports import Listed
from providers._wire import Answer
from providers.caldav import dav as _dav
from providers.caldav.events import Events, Stored

_SLACK = timedelta(hours=26)  # some servers reckon days in UTC, wherever the calendar is
_AHEAD = timedelta(days=5 * 366)  # for servers that want an end
_NEEDS_END = frozenset({400, 403, 409, 415, 422, 500, 501})  # how servers refuse a time without one
_CUT = 507


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


def _members(events: Events, start: datetime) -> list[Stored]:
    """Return every event that ends after `start`; what the answer names but does not tell is asked for by itself."""
    found = []
    for row in _rows(events, start):
        href = events.canonical(row.href)
        if row.status == _CUT:
            raise TransientError("the server has not listed the whole calendar")
        text = row.text(cdav.CalendarData)
        stored = events.told(href, row, text) if text else _by_itself(events, href)
        if stored:
            found.append(stored)
    return found


def _by_itself(events: Events, href: str) -> Stored | None:
    return None if href.endswith("/") else events.get(href)


def _rows(events: Events, start: datetime) -> Sequence[_dav.Row]:
    """Return what the server tells of each event; without their texts, if one of these breaks the whole answer."""
    try:
        return _dav.rows_about(_asked(events, start, with_data=True))
    except _dav.GarbledError:
        return _dav.rows_about(_asked(events, start, with_data=False))


def _asked(events: Events, start: datetime, *, with_data: bool) -> Answer:
    """Ask for all that ends after a time: without an end, and with one where the server wants that."""
    answer = _query(events, start, None, with_data=with_data)
    return _query(events, start, start + _AHEAD, with_data=with_data) if answer.status in _NEEDS_END else answer


def _query(events: Events, start: datetime, end: datetime | None, *, with_data: bool) -> Answer:
    body = _dav.query(start, end, with_data=with_data)
    return events.http.request("REPORT", events.url, headers=_dav.headers(1), body=body)
