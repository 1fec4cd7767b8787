"""What is suspected of events of ours, and since when."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Row, delete, insert, select, update

from connector.domain.change import Act, Suspicion
from connector.domain.entry import EntryKey
from connector.domain.span import Span
from connector.storage.tables import calendars, suspicions


def of_calendar(db: Connection, calendar_id: UUID) -> Mapping[EntryKey, Suspicion]:
    """Return what is suspected in a calendar."""
    rows = db.execute(select(suspicions).where(suspicions.c.calendar_id == calendar_id))
    return {found.key: found for found in map(_suspicion, rows)}


def places(db: Connection, practitioner_id: UUID, *, after: datetime) -> Collection[Span]:
    """Return where entries of a practitioner have been moved, as far as it does not count yet and is to come."""
    joined = suspicions.join(calendars, calendars.c.id == suspicions.c.calendar_id)
    query = (
        select(suspicions)
        .select_from(joined)
        .where(calendars.c.practitioner_id == practitioner_id, suspicions.c.found_ends_at > after)
    )
    return [found.found for found in map(_suspicion, db.execute(query)) if found.found is not None]


def replace(db: Connection, calendar_id: UUID, looked_at: Collection[EntryKey], now: Collection[Suspicion]) -> None:
    """Store what is suspected now of the entries that were looked at, in place of what was suspected of them before."""
    if looked_at:
        keys = [str(key) for key in looked_at]
        db.execute(delete(suspicions).where(suspicions.c.calendar_id == calendar_id, suspicions.c.key.in_(keys)))
    if now:
        db.execute(insert(suspicions), [{"calendar_id": calendar_id} | _columns(one) for one in now])


def forget_all(db: Connection, calendar_id: UUID) -> None:
    """Forget everything that is suspected in a calendar."""
    db.execute(delete(suspicions).where(suspicions.c.calendar_id == calendar_id))


def accept_deletions(db: Connection, calendar_id: UUID) -> None:
    """Note that the practitioner has meant the deletions: they no longer put on the brake."""
    own = (suspicions.c.calendar_id == calendar_id) & (suspicions.c.act == Act.DELETED.value)
    db.execute(update(suspicions).where(own).values(accepted=True))


def _columns(suspicion: Suspicion) -> dict[str, Any]:
    return {
        "key": str(suspicion.key),
        "act": suspicion.act.value,
        "since": suspicion.since,
        "wanted_starts_at": suspicion.wanted.start,
        "wanted_ends_at": suspicion.wanted.end,
        "found_starts_at": suspicion.found.start if suspicion.found else None,
        "found_ends_at": suspicion.found.end if suspicion.found else None,
        "accepted": suspicion.accepted,
    }


def _suspicion(row: Row[Any]) -> Suspicion:
    return Suspicion(
        key=EntryKey.parse(row.key),
        act=Act(row.act),
        since=row.since,
        wanted=Span(start=row.wanted_starts_at, end=row.wanted_ends_at),
        found=Span(start=row.found_starts_at, end=row.found_ends_at) if row.found_starts_at else None,
        accepted=row.accepted,
    )
