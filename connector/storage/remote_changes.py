"""Changes to events of ours that are settling, each with the time since when."""

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
    """Return the changes that are settling in a calendar, by entry."""
    rows = db.execute(select(remote_changes).where(remote_changes.c.calendar_id == calendar_id))
    return {change.key: change for change in map(_remote_change, rows)}


def places(db: Connection, practitioner_id: UUID, *, after: datetime) -> Collection[Span]:
    """Return where moves that are settling have put entries of a practitioner, as far as it ends after `after`."""
    joined = remote_changes.join(calendars, calendars.c.id == remote_changes.c.calendar_id)
    query = (
        select(remote_changes)
        .select_from(joined)
        .where(calendars.c.practitioner_id == practitioner_id, remote_changes.c.actual_ends_at > after)
    )
    return [change.actual for change in map(_remote_change, db.execute(query)) if change.actual is not None]


def replace(db: Connection, calendar_id: UUID, keys: Collection[EntryKey], changes: Collection[RemoteChange]) -> None:
    """Store the changes that are settling, in place of all those stored for the entries of these keys."""
    if keys:
        own = remote_changes.c.key.in_([str(key) for key in keys])
        db.execute(delete(remote_changes).where(remote_changes.c.calendar_id == calendar_id, own))
    if changes:
        rows = [{"calendar_id": calendar_id} | _columns(change) for change in changes]
        db.execute(insert(remote_changes), rows)


def forget_all(db: Connection, calendar_id: UUID) -> None:
    """Forget every change that is settling in a calendar."""
    db.execute(delete(remote_changes).where(remote_changes.c.calendar_id == calendar_id))


def accept_deletions(db: Connection, calendar_id: UUID) -> None:
    """Note that the practitioner has meant the deletions: they no longer count for the circuit breaker."""
    own = (remote_changes.c.calendar_id == calendar_id) & (remote_changes.c.kind == ChangeKind.DELETED.value)
    db.execute(update(remote_changes).where(own).values(accepted=True))


def _columns(remote_change: RemoteChange) -> dict[str, Any]:
    return {
        "key": str(remote_change.key),
        "kind": remote_change.kind.value,
        "since": remote_change.since,
        "expected_starts_at": remote_change.expected.start,
        "expected_ends_at": remote_change.expected.end,
        "actual_starts_at": remote_change.actual.start if remote_change.actual else None,
        "actual_ends_at": remote_change.actual.end if remote_change.actual else None,
        "accepted": remote_change.accepted,
    }


def _remote_change(row: Row[Any]) -> RemoteChange:
    return RemoteChange(
        key=EntryKey.parse(row.key),
        kind=ChangeKind(row.kind),
        since=row.since,
        expected=Span(start=row.expected_starts_at, end=row.expected_ends_at),
        actual=Span(start=row.actual_starts_at, end=row.actual_ends_at) if row.actual_starts_at else None,
        accepted=row.accepted,
    )
