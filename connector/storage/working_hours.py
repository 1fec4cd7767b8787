"""The working hours of practitioners in the database, and what their sessions tell where nobody has said any."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

import msgspec
from sqlalchemy import Connection, select, update
from sqlalchemy.dialects import postgresql, sqlite

from connector.domain.session import SessionState
from connector.domain.span import Span
from connector.domain.working_hours import Day, Stretch, WorkingHours
from connector.storage.tables import sessions, working_hours

_Pairs = tuple[tuple[int, int], ...]
_MOST = 500  # sessions that tell of hours


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredHours:
    """What was said about somebody's hours; `version` counts how often that, or their clock, has changed."""

    hours: WorkingHours
    version: int
    confirmed_at: datetime


def get(db: Connection, practitioner_id: UUID) -> StoredHours | None:
    """Return what was said about a practitioner's hours; None if nothing was."""
    row = db.execute(select(working_hours).where(working_hours.c.practitioner_id == practitioner_id)).first()
    if row is None:
        return None
    weekly = msgspec.json.decode(row.weekly, type=tuple[_Pairs, ...])
    exceptions = msgspec.json.decode(row.exceptions, type=dict[date, _Pairs])
    hours = WorkingHours(
        weekly=tuple(map(_day, weekly)), exceptions={day: _day(pairs) for day, pairs in exceptions.items()}
    )
    return StoredHours(hours=hours, version=row.version, confirmed_at=row.confirmed_at)


def save(db: Connection, practitioner_id: UUID, hours: WorkingHours, *, now: datetime) -> None:
    """Store what was said about a practitioner's hours, in place of what was said before."""
    values = {
        "weekly": msgspec.json.encode(tuple(map(_pairs, hours.weekly))).decode(),
        "exceptions": msgspec.json.encode(_by_date(hours.exceptions)).decode(),
        "confirmed_at": now,
    }
    insert = (postgresql if db.dialect.name == "postgresql" else sqlite).insert(working_hours)
    new = insert.values(practitioner_id=practitioner_id, version=1, **values)
    changes = values | {"version": working_hours.c.version + 1}
    db.execute(new.on_conflict_do_update(index_elements=[working_hours.c.practitioner_id], set_=changes))


def raise_version(db: Connection, practitioner_id: UUID) -> None:
    """Note that what was said means other times by now: the clock is another by which it was said."""
    own = working_hours.c.practitioner_id == practitioner_id
    db.execute(update(working_hours).where(own).values(version=working_hours.c.version + 1))


def booked(db: Connection, practitioner_id: UUID, *, since: datetime, until: datetime) -> Sequence[Span]:
    """Return when a practitioner's sessions that stand are between two instants; of very many the latest."""
    query = (
        select(sessions.c.starts_at, sessions.c.ends_at)
        .where(
            sessions.c.practitioner_id == practitioner_id,
            sessions.c.state == SessionState.BOOKED.value,
            sessions.c.ends_at > since,
            sessions.c.starts_at < until,
        )
        .order_by(sessions.c.ends_at.desc())
        .limit(_MOST)
    )
    return [Span(start=row.starts_at, end=row.ends_at) for row in db.execute(query)]


def _by_date(exceptions: Mapping[date, Day]) -> dict[date, _Pairs]:
    return {day: _pairs(hours) for day, hours in exceptions.items()}


def _pairs(hours: Day) -> _Pairs:
    return tuple((one.start, one.end) for one in hours)


def _day(pairs: _Pairs) -> Day:
    return tuple(Stretch(start=start, end=end) for start, end in pairs)
