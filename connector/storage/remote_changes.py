"""What is suspected of events of ours, and since when."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Row, delete, insert, select, update

from connector.domain.change import ChangeKind, RemoteChange
from connector.domain.entry import EntryKey
from connector.domain.span import Span
from connector.storage.tables import calendars, remote_changes


def of_calendar(db: Connection, calendar_id: UUID) -> Mapping[EntryKey, RemoteChange]:
    """Return what is suspected in a calendar."""
    rows = db.execute(select(remote_changes).where(remote_changes.c.calendar_id == calendar_id))
    return {found.key: found for found in map(_remote_change, rows)}


def places(db: Connection, practitioner_id: UUID, *, after: datetime) -> Collection[Span]:
    """Return where entries of a practitioner have been moved, as far as it does not count yet and is to come."""
    joined = remote_changes.join(calendars, calendars.c.id == remote_changes.c.calendar_id)
    query = (
        select(remote_changes)
        .select_from(joined)
        .where(calendars.c.practitioner_id == practitioner_id, remote_changes.c.actual_ends_at > after)
    )
    return [found.found for found in map(_remote_change, db.execute(query)) if found.found is not None]


def replace(db: Connection, calendar_id: UUID, looked_at: Collection[EntryKey], now: Collection[RemoteChange]) -> None:
    """Store what is suspected now of the entries that were looked at, in place of what was suspected of them before."""
    if looked_at:
        keys = [str(key) for key in looked_at]
        db.execute(
            delete(remote_changes).where(remote_changes.c.calendar_id == calendar_id, remote_changes.c.key.in_(keys))
        )
    if now:
        db.execute(insert(remote_changes), [{"calendar_id": calendar_id} | _columns(one) for one in now])


def forget_all(db: Connection, calendar_id: UUID) -> None:
    """Forget everything that is suspected in a calendar."""
    db.execute(delete(remote_changes).where(remote_changes.c.calendar_id == calendar_id))


def accept_deletions(db: Connection, calendar_id: UUID) -> None:
    """Note that the practitioner has meant the deletions: they no longer put on the brake."""
    own = (remote_changes.c.calendar_id == calendar_id) & (remote_changes.c.kind == ChangeKind.DELETED.value)
    db.execute(update(remote_changes).where(own).values(accepted=True))


def _columns(remote_change: RemoteChange) -> dict[str, Any]:
    return {
        "key": str(remote_change.key),
        "kind": remote_change.kind.value,
        "since": remote_change.since,
        "expected_starts_at": remote_change.wanted.start,
        "expected_ends_at": remote_change.wanted.end,
        "actual_starts_at": remote_change.found.start if remote_change.found else None,
        "actual_ends_at": remote_change.found.end if remote_change.found else None,
        "accepted": remote_change.accepted,
    }


def _remote_change(row: Row[Any]) -> RemoteChange:
    return RemoteChange(
        key=EntryKey.parse(row.key),
        kind=ChangeKind(row.kind),
        since=row.since,
        wanted=Span(start=row.expected_starts_at, end=row.expected_ends_at),
        found=Span(start=row.actual_starts_at, end=row.actual_ends_at) if row.actual_starts_at else None,
        accepted=row.accepted,
    )
