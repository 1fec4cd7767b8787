"""The events of a CalDAV collection that touch a time, as far as they matter for free and busy.

The server is asked for ETags, in windows that are halved where there are too many; only what is new is fetched, in
pieces that are halved where an answer cannot be read. So neither the size of a collection nor one broken event keeps
the others from being read.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from caldav.elements import cdav, dav

from connector.domain.span import Span
from connector.errors import MissingError, RefusedError
from connector.ical import vevent
from connector.ical.foreign import lines
from providers._wire import Answer
from providers.caldav import dav as _dav
from providers.caldav import pieces, windows
from providers.caldav.events import Events
from providers.caldav.kept import Kept

_PIECE = 100  # events in one request


@dataclass(frozen=True, slots=True)
class Member:
    """An event as it stands in the collection; `content` are its lines that matter, None if it is not handed out."""

    href: str
    content: bytes | None


class _Shelf:
    """The kept lines of one collection.

    They are kept for a day at most: where a server counts its ETags, a back-up that is brought back, or a collection
    that is made again, can give an old ETag to other content.
    """

    def __init__(self, events: Events, span: Span, kept: Kept) -> None:
        login = events.http.login  # two who share a collection need not be shown the same
        self._place = (login.home, login.username, events.url, span.start.date())
        self._events = events
        self._kept = kept.lines

    def get(self, href: str, etag: str | None) -> bytes | None:
        """Return the lines of an event at an ETag: as they are kept, or those of our own that was just written."""
        if not etag:
            return None
        content = self._kept.get((*self._place, href, etag))
        if content is None and (stored := self._events.remembered(href, etag)):
            written = lines.filtered(stored.body)
            return written if vevent.identity(written.decode(errors="replace")) else None
        return content

    def put(self, href: str, etag: str | None, body: bytes) -> bytes:
        """Keep the lines of an event, and return them."""
        content = lines.filtered(body)
        if etag and not etag.startswith("W/"):
            self._kept.put((*self._place, href, etag), content, size=len(content))
        return content


def during(events: Events, span: Span, kept: Kept) -> Iterator[Member]:
    """Yield each event that touches a time, recurring ones as a whole.

    Raises: ProviderError; TransientError if the server has left some out.
    """
    shelf = _Shelf(events, span, kept)
    unknown = []
    for href, (etag, text) in _listed(events, span).items():
        content = lines.filtered(text.encode()) if text is not None else shelf.get(href, etag)
        if content is None:
            unknown.append(href)
        else:
            yield Member(href, content)
    for href, row in pieces.told(events, unknown, piece=_PIECE):
        text = row.text(cdav.CalendarData) if row else None
        if row and text:
            yield Member(href, shelf.put(href, row.text(dav.GetEtag), text.encode()))
        else:
            yield from _alone(events, href, shelf)


def _listed(events: Events, span: Span) -> dict[str, tuple[str | None, str | None]]:
    """Return the ETag of each event that touches a time, and its text where the server tells that unasked."""

    def ask(start: datetime, end: datetime | None) -> Answer:
        body = _dav.query(start, end, bodies=False)
        return events.http.request("REPORT", events.url, headers=_dav.headers(1), body=body)

    found = {}
    for row in windows.listed(ask, span.start, span.end):
        href = events.canonical(row.href)
        if not href.endswith("/"):  # one that is refused is there all the same, and asked for by itself
            found[href] = row.text(dav.GetEtag), row.text(cdav.CalendarData)
    return found


def _alone(events: Events, href: str, shelf: _Shelf) -> Iterator[Member]:
    """Yield one event as a plain request finds it; nothing if it has gone meanwhile."""
    try:
        stored = events.get(href)
    except MissingError:
        return
    except RefusedError:
        yield Member(href, None)
        return
    if stored:
        yield Member(href, shelf.put(href, stored.etag, stored.body))
