"""Free/busy: when the calendars of practitioners are not free, and as of when; our own entries are left out."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Row, Select, and_, bindparam, delete, func, insert, or_, select, update

from connector.domain.absence import SHORTEST_DAY, History, Part, PartKey
from connector.domain.connection import ConnectionState
from connector.domain.span import Span
from connector.domain.standing import Nature
from connector.ports import Busy
from connector.sentence import Sentence
from connector.storage.database import chunks
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


def keep(db: Connection, calendar_id: UUID, times: Iterable[Busy], *, now: datetime, until: datetime) -> None:
    """Store when a calendar is not free from now until then; an event that was known before stays the same row.

    So does one that a program has deleted and put at another address: then nothing but the address has changed. Two
    events at the same time are two: whoever has accepted one has not accepted the other. Only what has changed is
    written; what begins later than was read stays as it was known.
    """
    own = busy_times.c.calendar_id == calendar_id
    stored = _Stored(db.execute(select(busy_times).where(own).order_by(busy_times.c.id)).all(), until)
    new, changed = [], []
    found = [(one, stored.taken(one)) for one in sorted(times, key=lambda one: one.span)]
    for one, known in found:
        row = known or stored.rewritten(one)
        values = _values(one, row, now)
        if row is None:
            new.append({"calendar_id": calendar_id, **values})
        elif any(getattr(row, name) != value for name, value in values.items()):
            changed.append({"row_id": row.id, **values})
    for ids in chunks(stored.left):
        db.execute(delete(busy_times).where(busy_times.c.id.in_(ids)))
    if changed:
        names = changed[0].keys() - {"row_id"}
        places = {name: bindparam(name, type_=busy_times.c[name].type) for name in names}
        db.execute(update(busy_times).where(busy_times.c.id == bindparam("row_id")).values(places), changed)
    if new:
        db.execute(insert(busy_times), new)
    values = {"busy_at": now, "busy_read_at": now, "busy_until": until, "busy_outdated_at": None, "busy_trouble": None}
    db.execute(raising(calendars, values).where(calendars.c.id == calendar_id))


def events(db: Connection, calendar_id: UUID) -> Sequence[Busy]:
    """Return the events that are known to stand in a calendar: what takes time there and has an address."""
    own = (busy_times.c.calendar_id == calendar_id) & busy_times.c.href.is_not(None)
    return [
        Busy(
            span=Span(start=row.starts_at, end=row.ends_at),
            href=row.href,
            nature=Nature(row.nature),
            in_series=row.in_series,
            occurrence=row.occurrence,
        )
        for row in db.execute(select(busy_times).where(own).order_by(busy_times.c.id))
    ]


class _Stored:
    """What was known of a calendar: each row is taken once, by the event that it is."""

    def __init__(self, rows: Iterable[Row[Any]], until: datetime) -> None:
        self._until = until
        self._rows: dict[tuple[Any, Any], list[Row[Any]]] = defaultdict(list)
        self._gone: dict[tuple[Any, ...], list[Row[Any]]] = defaultdict(list)
        for row in rows:
            self._rows[row.href, row.occurrence].append(row)

    @property
    def left(self) -> list[int]:
        """The rows of what is not there any more, as far as was read."""
        return [row.id for rows in self._rows.values() for row in rows if row.starts_at < self._until]

    def taken(self, one: Busy) -> Row[Any] | None:
        """Take the row of an event: first one with the same edges; without an address it is known by nothing else."""
        rows = self._rows.get((one.href, one.occurrence), [])
        same = (row for row in rows if (row.starts_at, row.ends_at) == (one.span.start, one.span.end))
        row = next(same, rows[0] if rows and one.href is not None else None)
        if row is not None:
            rows.remove(row)
        return row

    def rewritten(self, one: Busy) -> Row[Any] | None:
        """Take the row of an event that is not there any more where another one says the very same; call it last."""
        if not self._gone:
            for left in (left for rows in self._rows.values() for left in rows):
                self._gone[left.starts_at, left.ends_at, left.nature, left.in_series].append(left)
        same = self._gone[one.span.start, one.span.end, one.nature.value, one.in_series]
        row = next((row for row in same if row.href is not None), None) if one.href is not None else None
        if row is not None:
            same.remove(row)
            self._rows[row.href, row.occurrence].remove(row)
        return row


def _values(one: Busy, row: Row[Any] | None, now: datetime) -> dict[str, Any]:
    history = History(seen_at=now, since=now)
    if row is not None and row.seen_at is not None:
        history = _history(row)
        if (was := Span(start=row.starts_at, end=row.ends_at)) != one.span:
            history = history.moved(was, now=now)
    return {
        "starts_at": one.span.start,
        "ends_at": one.span.end,
        "href": one.href,
        "occurrence": one.occurrence,
        "in_series": one.in_series,
        "lasts_a_day": one.span.duration >= SHORTEST_DAY,
        "nature": one.nature.value,
        "seen_at": history.seen_at,
        "since": history.since,
        "settled_starts_at": history.settled.start if history.settled else None,
        "settled_ends_at": history.settled.end if history.settled else None,
    }


def _history(row: Row[Any]) -> History:
    starts_at, ends_at = row.settled_starts_at, row.settled_ends_at
    settled = Span(start=starts_at, end=ends_at) if starts_at and ends_at else None
    return History(seen_at=row.seen_at, since=row.since, settled=settled)


_MAY_BE_AWAY = or_(
    busy_times.c.nature == Nature.OUT_OF_OFFICE.value,
    and_(
        busy_times.c.nature == Nature.ORDINARY.value,
        busy_times.c.lasts_a_day,
        busy_times.c.in_series.is_(False),
    ),
)


def _telling(query: Select[Any], practitioner_id: UUID, now: datetime) -> Select[Any]:
    """Have a query of busy times find those that may say that a practitioner is away."""
    return (
        query.join(calendars, calendars.c.id == busy_times.c.calendar_id)
        .join(connections, connections.c.id == calendars.c.connection_id)
        .where(
            calendars.c.practitioner_id == practitioner_id,
            calendars.c.absences_unrelated.is_(False),
            connections.c.state != ConnectionState.DISCONNECTING.value,
            busy_times.c.href.is_not(None),
            busy_times.c.seen_at.is_not(None),
            busy_times.c.ends_at > now,
            _MAY_BE_AWAY,
        )
    )


def has_parts(db: Connection, practitioner_id: UUID, *, now: datetime) -> bool:
    """Whether anything in the calendars of a practitioner's may say that they are away."""
    return db.execute(_telling(select(busy_times.c.id), practitioner_id, now).limit(1)).first() is not None


def parts(db: Connection, practitioner_id: UUID, *, now: datetime) -> Sequence[Part]:
    """Return what may say, in the calendars of a practitioner's whose events concern sessions, that they are away."""
    query = _telling(select(busy_times), practitioner_id, now).order_by(busy_times.c.starts_at, busy_times.c.id)
    return [
        Part(
            key=PartKey(row.calendar_id, row.href, row.occurrence),
            span=Span(start=row.starts_at, end=row.ends_at),
            nature=Nature(row.nature),
            in_series=row.in_series,
            history=_history(row),
        )
        for row in db.execute(query)
    ]


def read_at(db: Connection, practitioner_id: UUID) -> Mapping[UUID, datetime | None]:
    """Return when each of a practitioner's calendars was last read itself, rather than confirmed by its feed."""
    query = select(calendars.c.id, calendars.c.busy_read_at).where(calendars.c.practitioner_id == practitioner_id)
    return {row.id: row.busy_read_at for row in db.execute(query)}


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
