"""Connect links that hosts have asked for, until a while after they have ended."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Row, delete, insert, select, update

from connector.domain.connect_link import KEPT, ConnectLink
from connector.storage import installation
from connector.storage.tables import connect_links


def add(db: Connection, link: ConnectLink) -> None:
    """Store a new link."""
    values = {
        "id": link.id,
        "practitioner_id": link.practitioner_id,
        "provider": link.provider,
        "reconnects": link.reconnects,
        "return_url": link.return_url,
        "locale": link.locale,
        "expires_at": link.expires_at,
        "connection_id": link.connection_id,
        "made_by": link.made_by,
    }
    db.execute(insert(connect_links).values(values))
    installation.have_swept(db, at=link.expires_at + KEPT)


def find(db: Connection, link_id: UUID) -> ConnectLink | None:
    """Return a link, whether or not it may still be used; None if there is none, or not any more."""
    row = db.execute(select(connect_links).where(connect_links.c.id == link_id)).first()
    return _link(row) if row else None


def use(db: Connection, link_id: UUID, connection_id: UUID, *, now: datetime) -> bool:
    """Note what a link has connected, and return whether it might: only one caller ever may."""
    still_open = (
        (connect_links.c.id == link_id) & connect_links.c.connection_id.is_(None) & (connect_links.c.expires_at > now)
    )
    return bool(db.execute(update(connect_links).where(still_open).values(connection_id=connection_id)).rowcount)


def end_those_of(db: Connection, key_id: UUID, *, now: datetime) -> None:
    """Have nobody connect anything any more by links that a key has made."""
    unused = connect_links.c.connection_id.is_(None) & (connect_links.c.expires_at > now)
    db.execute(update(connect_links).where(connect_links.c.made_by == key_id, unused).values(expires_at=now))


def sweep(db: Connection, *, now: datetime) -> None:
    """Delete those of which nobody is told any more."""
    db.execute(delete(connect_links).where(connect_links.c.expires_at <= now - KEPT))


def _link(row: Row[Any]) -> ConnectLink:
    return ConnectLink(
        id=row.id,
        practitioner_id=row.practitioner_id,
        provider=row.provider,
        reconnects=row.reconnects,
        return_url=row.return_url,
        locale=row.locale,
        expires_at=row.expires_at,
        connection_id=row.connection_id,
        made_by=row.made_by,
    )
