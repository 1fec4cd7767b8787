"""Free/busy: when the calendars of practitioners are not free, and as of when; our own entries are left out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection, delete, func, insert, or_, select

from connector.domain.connection import ConnectionState
from connector.domain.span import Span
from connector.sentence import Sentence
from connector.storage.tables import busy_times, calendars, connections, unread_events
from connector.storage.versions import raising


@dataclass(frozen=True, slots=True, kw_only=True)
class BusyTime:
    """Something stands in a practitioner's calendar at this time."""

    calendar_id: UUID
    calendar: str
    span: Span


@dataclass(frozen=True, slots=True, kw_only=True)
class BlindSpot:
    """A calendar of which it is not known what stands in it, or not of all of it.

    Attributes:
        since: When it was last read, if ever.
        unreadable: Whether it was tried since, and failed.
        stale: Whether it was not read at all, or not lately, or not as far ahead as matters.
        events: How many events of it could not be read when it was last read.
    """

    calendar_id: UUID
    calendar: str
    since: datetime | None
    unreadable: bool
    stale: bool = True
    events: int = 0


def keep(db: Connection, calendar_id: UUID, spans: Iterable[Span], *, now: datetime, until: datetime) -> None:
    """Store when a calendar is not free from now until then, in place of what was stored.

    Two events at the same time are two: whoever has accepted one has not accepted the other.
    """
    db.execute(delete(busy_times).where(busy_times.c.calendar_id == calendar_id))
    rows = [{"calendar_id": calendar_id, "starts_at": span.start, "ends_at": span.end} for span in sorted(spans)]
    if rows:
        db.execute(insert(busy_times), rows)
    values = {"busy_at": now, "busy_until": until, "busy_outdated_at": None, "busy_trouble": None}
    db.execute(raising(calendars, values).where(calendars.c.id == calendar_id))


def outdate(db: Connection, calendar_id: UUID, *, now: datetime) -> None:
    """Note that something has changed in a calendar that nobody reads at present.

    What is known of it is old from now on, and nothing confirms it until it has been read again.
    """
    is_news = calendars.c.busy_outdated_at.is_(None)
    db.execute(raising(calendars, {"busy_outdated_at": now}).where(calendars.c.id == calendar_id, is_news))


def confirm(db: Connection, calendar_id: UUID, *, now: datetime) -> None:
    """Note that what is known of a calendar still holds: its change feed has told of nothing since."""
    is_known = calendars.c.busy_at.is_not(None) & calendars.c.busy_outdated_at.is_(None)
    is_known &= calendars.c.busy_trouble.is_(None)
    db.execute(raising(calendars, {"busy_at": now}).where(calendars.c.id == calendar_id, is_known))


def note_trouble(db: Connection, calendar_id: UUID, trouble: Sentence) -> None:
    """Note why a calendar could not be read; what was known of it stays, growing older."""
    db.execute(raising(calendars, {"busy_trouble": trouble}).where(calendars.c.id == calendar_id))


def overlapping(db: Connection, practitioner_id: UUID, span: Span) -> Sequence[BusyTime]:
    """Return what stands in a practitioner's calendars in part of `span`, as far as it is known."""
    query = (
        select(busy_times, calendars.c.name)
        .join(calendars, calendars.c.id == busy_times.c.calendar_id)
        .where(
            calendars.c.practitioner_id == practitioner_id,
            busy_times.c.starts_at < span.end,
            busy_times.c.ends_at > span.start,
        )
        .order_by(busy_times.c.starts_at)
    )
    return [
        BusyTime(calendar_id=row.calendar_id, calendar=row.name, span=Span(start=row.starts_at, end=row.ends_at))
        for row in db.execute(query)
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """How far a calendar is known: as of when, and until when; None if it never was read."""

    calendar_id: UUID
    at: datetime | None
    until: datetime | None


def known(db: Connection, practitioner_id: UUID) -> Sequence[Known]:
    """Return how far each of a practitioner's calendars is known."""
    query = (
        select(calendars.c.id, calendars.c.busy_at, calendars.c.busy_until)
        .join(connections, connections.c.id == calendars.c.connection_id)
        .where(
            calendars.c.practitioner_id == practitioner_id,
            connections.c.state != ConnectionState.DISCONNECTING.value,
        )
    )
    return [Known(calendar_id=row.id, at=row.busy_at, until=row.busy_until) for row in db.execute(query)]


def blind_spots(db: Connection, practitioner_id: UUID, *, read_since: datetime, until: datetime) -> Sequence[BlindSpot]:
    """Return the calendars that could not be read, not since `read_since`, not as far ahead as `until`, or not all."""
    is_stale = or_(
        calendars.c.busy_at.is_(None),
        calendars.c.busy_at < read_since,
        calendars.c.busy_until < until,
        calendars.c.busy_outdated_at.is_not(None),
        calendars.c.busy_trouble.is_not(None),
        connections.c.state == ConnectionState.ACCESS_LOST.value,
    )
    unread = (
        select(func.coalesce(func.sum(unread_events.c.events), 0))
        .where(unread_events.c.calendar_id == calendars.c.id)
        .scalar_subquery()
    )
    query = (
        select(
            calendars.c.id,
            calendars.c.name,
            calendars.c.busy_at,
            calendars.c.busy_trouble,
            connections.c.state,
            is_stale.label("is_stale"),
            unread.label("unread"),
        )
        .join(connections, connections.c.id == calendars.c.connection_id)
        .where(
            calendars.c.practitioner_id == practitioner_id,
            connections.c.state != ConnectionState.DISCONNECTING.value,
            or_(is_stale, unread > 0),
        )
        .order_by(calendars.c.name)
    )
    lost = ConnectionState.ACCESS_LOST.value
    return [
        BlindSpot(
            calendar_id=row.id,
            calendar=row.name,
            since=row.busy_at,
            unreadable=row.busy_trouble is not None or row.state == lost,
            stale=bool(row.is_stale),
            events=int(row.unread),
        )
        for row in db.execute(query)
    ]
