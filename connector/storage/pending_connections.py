"""Pending connections: sign-ins under way, and credentials whose calendar is not chosen yet.

The browser holds a random token; here stands only its digest, so that nobody who reads the table can go on with it.
"""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Row, delete, insert, select, update

from connector.domain.connect_link import Door
from connector.storage import installation
from connector.storage.tables import pending_connections


class Stage(StrEnum):
    """How far a pending connection has come."""

    SIGNING_IN = "asked"  # its person is at the calendar service
    CHOOSING = "let_in"  # the service has given us its credentials; the calendar is to be chosen


@dataclass(frozen=True, slots=True, kw_only=True)
class PendingConnection:
    """One account that is being connected.

    `kept` is sealed; `connection_id` is set to reconnect that connection, `link_id` where it is done by a connect link.
    """

    practitioner_id: UUID
    provider: str
    stage: Stage
    kept: bytes
    expires_at: datetime
    connection_id: UUID | None = None
    link_id: UUID | None = None


def new_token() -> str:
    """Return what the browser is to hold."""
    return secrets.token_urlsafe(32)


def add(db: Connection, token: str, pending: PendingConnection) -> None:
    """Store a pending connection under its token."""
    values = {
        "id": _digest(token),
        "practitioner_id": pending.practitioner_id,
        "provider": pending.provider,
        "connection_id": pending.connection_id,
        "stage": pending.stage.value,
        "kept": pending.kept,
        "expires_at": pending.expires_at,
        "link_id": pending.link_id,
    }
    db.execute(insert(pending_connections).values(values))
    installation.have_swept(db, at=pending.expires_at)


def find(db: Connection, token: str, door: Door, stage: Stage, *, now: datetime) -> PendingConnection | None:
    """Return a pending connection of this practitioner; None if there is none, or not any more."""
    row = db.execute(select(pending_connections).where(_is(token, door, stage, now))).first()
    return _pending(row) if row else None


def take(db: Connection, token: str, door: Door, stage: Stage, *, now: datetime) -> PendingConnection | None:
    """Use a pending connection up and return it; only one caller ever gets it."""
    query = delete(pending_connections).where(_is(token, door, stage, now)).returning(pending_connections)
    row = db.execute(query).first()
    return _pending(row) if row else None


def keep(db: Connection, token: str, sealed: bytes) -> None:
    """Replace what is kept for a pending connection."""
    db.execute(update(pending_connections).where(pending_connections.c.id == _digest(token)).values(kept=sealed))


def sweep(db: Connection, *, now: datetime) -> None:
    """Delete those that took too long, with what is kept for them."""
    db.execute(delete(pending_connections).where(pending_connections.c.expires_at <= now))


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()


def _is(token: str, door: Door, stage: Stage, now: datetime) -> Any:
    return (
        (pending_connections.c.id == _digest(token))
        & (pending_connections.c.practitioner_id == door.practitioner_id)
        & pending_connections.c.link_id.is_not_distinct_from(door.link_id)
        & (pending_connections.c.stage == stage.value)
        & (pending_connections.c.expires_at > now)
    )


def _pending(row: Row[Any]) -> PendingConnection:
    return PendingConnection(
        practitioner_id=row.practitioner_id,
        provider=row.provider,
        stage=Stage(row.stage),
        kept=row.kept,
        expires_at=row.expires_at,
        connection_id=row.connection_id,
        link_id=row.link_id,
    )
