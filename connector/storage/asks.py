"""Whose availability was asked about, and how far ahead."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection, select
from sqlalchemy.dialects import postgresql, sqlite

from connector.storage.tables import availability_asks


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """When somebody last asked about a practitioner, how far to read for that, and when reading was last made due."""

    at: datetime
    until: datetime
    refreshed_at: datetime | None


def get(db: Connection, practitioner_id: UUID) -> Ask | None:
    """Return when a practitioner was asked about; None if never."""
    row = db.execute(select(availability_asks).where(availability_asks.c.practitioner_id == practitioner_id)).first()
    return None if row is None else Ask(at=row.asked_at, until=row.until, refreshed_at=row.refreshed_at)


def save(db: Connection, practitioner_id: UUID, ask: Ask) -> None:
    """Store it."""
    values = {"asked_at": ask.at, "until": ask.until, "refreshed_at": ask.refreshed_at}
    insert = (postgresql if db.dialect.name == "postgresql" else sqlite).insert(availability_asks)
    new = insert.values(practitioner_id=practitioner_id, **values)
    db.execute(new.on_conflict_do_update(index_elements=[availability_asks.c.practitioner_id], set_=values))
