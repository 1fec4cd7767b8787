"""One-time sign-ins of practitioners."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection, insert, select, update

from connector.storage.tables import signins


def add(db: Connection, signin_id: UUID, practitioner_id: UUID, *, expires_at: datetime) -> None:
    """Store a sign-in that was mailed."""
    db.execute(insert(signins).values(id=signin_id, practitioner_id=practitioner_id, expires_at=expires_at))


def usable(db: Connection, signin_id: UUID, *, now: datetime) -> bool:
    """Whether a sign-in can still be used."""
    row = db.execute(select(signins).where(signins.c.id == signin_id)).first()
    return row is not None and row.used_at is None and row.expires_at > now


def void(db: Connection, practitioner_id: UUID, *, now: datetime) -> None:
    """Spend every sign-in of a practitioner that was not used."""
    unused = (signins.c.practitioner_id == practitioner_id) & signins.c.used_at.is_(None)
    db.execute(update(signins).where(unused).values(used_at=now))


def use(db: Connection, signin_id: UUID, *, now: datetime) -> UUID | None:
    """Spend a sign-in and return whose it was; None if it is unknown, spent or too old."""
    query = update(signins).where(signins.c.id == signin_id, signins.c.used_at.is_(None), signins.c.expires_at > now)
    return db.execute(query.values(used_at=now).returning(signins.c.practitioner_id)).scalar_one_or_none()
