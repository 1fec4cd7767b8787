"""Entries with our mark that nobody knows, as the last comparison of a calendar found them, and what was decided.

They are written by a database that has been set back since, or by another installation with this one's mark.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Row, delete, insert, select, update

from connector.domain.entry import Content
from connector.domain.text import visible
from connector.storage.tables import unknown_entries as table

_LONGEST_TITLE = 500


class Fate(StrEnum):
    """What becomes of an entry that nobody knows."""

    ASKED = "asked"  # somebody is asked
    KEPT = "kept"  # it is the practitioner's own from now on
    REMOVED = "removed"  # it is to be removed


@dataclass(frozen=True, slots=True, kw_only=True)
class UnknownEntry:
    """An entry that nobody knows, by the remote name it was made under; `content` None if it cannot be understood."""

    name: str
    href: str
    content: Content | None


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredEntry:
    """The same as it was stored; `starts_at`, `ends_at` aware UTC, None if it was not understood."""

    name: str
    href: str
    title: str
    starts_at: datetime | None
    ends_at: datetime | None
    fate: Fate


def keep(db: Connection, calendar_id: UUID, entries: Iterable[UnknownEntry]) -> int:
    """Store what the last comparison found in place of what was asked about before, and return how many they are.

    Entries already decided about stay decided.
    """
    db.execute(delete(table).where(table.c.calendar_id == calendar_id, table.c.fate == Fate.ASKED.value))
    decided = {entry.name for entry in of_calendar(db, calendar_id)}
    rows = [
        {
            "calendar_id": calendar_id,
            "name": entry.name,
            "href": entry.href,
            "title": visible(entry.content.title, longest=_LONGEST_TITLE) if entry.content else "",
            "starts_at": entry.content.span.start if entry.content else None,
            "ends_at": entry.content.span.end if entry.content else None,
            "fate": Fate.ASKED.value,
        }
        for entry in entries
        if entry.name not in decided
    ]
    if rows:
        db.execute(insert(table), rows)
    return len(rows)


def of_calendar(db: Connection, calendar_id: UUID, *fates: Fate) -> Sequence[StoredEntry]:
    """Return what is stored of a calendar, the earliest first; narrowed to these fates."""
    query = select(table).where(table.c.calendar_id == calendar_id).order_by(table.c.starts_at, table.c.name)
    if fates:
        query = query.where(table.c.fate.in_([fate.value for fate in fates]))
    return [_entry(row) for row in db.execute(query)]


def kept(db: Connection, calendar_id: UUID) -> set[str | None]:
    """Return the names of the entries that are the practitioner's own from now on."""
    return {entry.name for entry in of_calendar(db, calendar_id, Fate.KEPT)}


def decide(db: Connection, calendar_id: UUID, fate: Fate) -> None:
    """Say what becomes of the entries that are asked about."""
    asked = (table.c.calendar_id == calendar_id) & (table.c.fate == Fate.ASKED.value)
    db.execute(update(table).where(asked).values(fate=fate.value))


def forget(db: Connection, calendar_id: UUID, names: Iterable[str]) -> None:
    """Drop what was removed."""
    db.execute(delete(table).where(table.c.calendar_id == calendar_id, table.c.name.in_(list(names))))


def _entry(row: Row[Any]) -> StoredEntry:
    return StoredEntry(
        name=row.name, href=row.href, title=row.title, starts_at=row.starts_at, ends_at=row.ends_at, fate=Fate(row.fate)
    )
