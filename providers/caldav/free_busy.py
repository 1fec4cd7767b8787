"""When a CalDAV collection is not free: its events are read and expanded here, since few servers can tell."""

from __future__ import annotations

from datetime import timedelta, tzinfo

from connector.domain.span import Span
from connector.domain.unreadable import Unreadable
from connector.ical import vevent
from connector.ical.foreign.occupied import occupied
from connector.ports import Busy, BusyReading, UnreadEvent
from providers.caldav import members
from providers.caldav.events import Events
from providers.caldav.owner import Home, Owner

SLACK = timedelta(hours=26)  # some servers reckon days in UTC, wherever the calendar is


def busy(events: Events, span: Span, *, zone: tzinfo, owner: Owner, kept: members.Kept) -> BusyReading:
    """Return what is not free in `span`, and which events could not be read; one that makes no sense hides no other.

    Raises: ProviderError.
    """
    home, times, unreadable = Home(events, zone), [], []
    for member in members.during(events, Span.of(span.start - SLACK, span.end + SLACK), kept):
        if member.content is None:
            unreadable.append(UnreadEvent(href=member.href, reason=Unreadable.WITHHELD))
            continue
        names = owner.names if b"ATTENDEE" in member.content else frozenset()  # of those, only who has declined is kept
        reading = occupied(member.content, span, home=home, owner=names)
        name = _name(member.content)
        times += [Busy(span=taken, href=member.href, name=name) for taken in reading.times]
        if reading.unreadable:
            unreadable.append(UnreadEvent(href=member.href, reason=reading.unreadable))
    return BusyReading(times=sorted(times, key=lambda one: one.span), unreadable=tuple(unreadable))


def _name(content: bytes) -> str | None:
    identity = vevent.identity(content.decode(errors="replace"))
    return (identity.name or "") if identity else None
