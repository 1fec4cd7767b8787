"""When a CalDAV collection is not free: its events are read and expanded here, since few servers can tell."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, time, timedelta, tzinfo

from connector.domain.span import Span
from connector.domain.unreadable import Unreadable
from connector.ical import vevent
from connector.ical.foreign.occupied import Reading, occupied
from connector.ports import Busy, BusyReading, UnreadEvent
from providers.caldav import members
from providers.caldav.events import Events
from providers.caldav.kept import Kept
from providers.caldav.owner import Home, Owner

SLACK = timedelta(hours=26)  # some servers reckon days in UTC, wherever the calendar is
_MANY = 200  # times of one event; those of more are not kept
_TIME = 200  # bytes that a time takes


def busy(events: Events, span: Span, *, zone: tzinfo, owner: Owner, kept: Kept) -> BusyReading:
    """Return what is not free in `span`, and which events could not be read; one that makes no sense hides no other.

    Raises: ProviderError.
    """
    times, unreadable = [], []
    look = _Look(span, Home(events, zone), owner, kept)
    for member in members.during(events, Span.of(span.start - SLACK, span.end + SLACK), kept):
        if member.content is None:
            unreadable.append(UnreadEvent(href=member.href, reason=Unreadable.WITHHELD))
            continue
        found = look.at(member.content)
        times += [
            Busy(
                span=one,
                href=member.href,
                name=found.name,
                nature=mark.nature,
                in_series=mark.occurrence is not None,
                occurrence=mark.occurrence,
            )
            for one, mark in zip(found.reading.times, found.reading.marks, strict=True)
            if one.overlaps(span)
        ]
        if found.reading.unreadable:
            unreadable.append(
                UnreadEvent(href=member.href, reason=found.reading.unreadable, starts_at=found.reading.starts_at)
            )
    times.sort(key=lambda one: (one.span.start, one.span.end))
    return BusyReading(times=times, unreadable=tuple(unreadable))


@dataclass(frozen=True, slots=True)
class _Found:
    """What an event says; `name` is that of one of ours, as `Busy` has it."""

    reading: Reading
    name: str | None


class _Look:
    """One look at the events of a collection; what their lines alone decide is kept for the next, of whole days."""

    def __init__(self, span: Span, home: Home, owner: Owner, kept: Kept) -> None:
        self._span = span
        self._days = Span.of(_midnight(span.start), _midnight(span.end) + timedelta(days=1))
        self._home = home
        self._owner = owner
        self._readings = kept.readings

    def at(self, content: bytes) -> _Found:
        """Return what the lines of an event say of the time that is looked at, or of more than that."""
        key = content, self._days
        known = self._readings.get(key)
        if isinstance(known, _Found):
            return known
        uses = self._home.uses
        found = self._read(content, self._days)
        if found.reading.unreadable:
            return self._read(content, self._span)
        is_its_own = self._home.uses == uses and b"ATTENDEE" not in content
        if is_its_own and len(found.reading.times) <= _MANY:
            self._readings.put(key, found, size=len(content) + _TIME * len(found.reading.times))
        return found

    def _read(self, content: bytes, span: Span) -> _Found:
        names = self._owner.names if b"ATTENDEE" in content else frozenset()  # only who has declined is among the lines
        identity = vevent.identity(content.decode(errors="replace"))
        name = (identity.name or "") if identity else None
        return _Found(occupied(content, span, home=self._home, owner=names), name)


def _midnight(instant: datetime) -> datetime:
    return datetime.combine(instant.date(), time(), instant.tzinfo)
