"""Short links, of which the database knows only the hash, what they are for and until when."""

from __future__ import annotations

import hashlib
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection, delete, select
from sqlalchemy.dialects import postgresql, sqlite

from connector.storage import installation
from connector.storage.tables import short_links


def add(db: Connection, token: str, purpose: str, subject_id: UUID, *, ends_at: datetime) -> None:
    """Store a link; the same one again lasts as long as is said now."""
    values = {"id": _hash(token), "purpose": purpose, "subject_id": subject_id, "ends_at": ends_at}
    dialect = postgresql if db.dialect.name == "postgresql" else sqlite
    new = dialect.insert(short_links).values(values)
    db.execute(new.on_conflict_do_update(index_elements=["id"], set_={"ends_at": ends_at}))
    installation.have_swept(db, at=ends_at)


def subject(db: Connection, token: str, purpose: str, *, now: datetime) -> UUID | None:
    """Return what a link of this purpose leads to; None if there is none such, or it has ended."""
    own = (short_links.c.id == _hash(token)) & (short_links.c.purpose == purpose) & (short_links.c.ends_at > now)
    return db.execute(select(short_links.c.subject_id).where(own)).scalar_one_or_none()


def sweep(db: Connection, *, now: datetime) -> None:
    """Delete those that have ended."""
    db.execute(delete(short_links).where(short_links.c.ends_at <= now))


def _hash(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
