"""Calendars that programs subscribe to: whose they are, and by what they are found, which is a hash alone."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Row, delete, insert, select, update

from connector.domain.people import Level
from connector.storage import installation
from connector.storage.tables import conversations, published_calendars


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedCalendar:
    """A calendar of a practitioner, or of a client; exactly one of the two is named.

    Attributes:
        name: For whom it is, where it tells only when a practitioner is not free; empty in any other.
        digest: SHA-256 of the token by which it is fetched.
        session_level: How much of clients a practitioner's shows in a session; None in a client's.
        hold_level: Likewise in a hold.
        revoked_at: Since when nobody gets anything there, aware UTC; None while it is open.
        fetched_at: When a program last asked for it, to the hour, aware UTC.
        etag: Of what it held then; empty before.
        changed_at: Since when it has held that, aware UTC.
    """

    id: UUID
    digest: bytes
    practitioner_id: UUID | None
    client_id: UUID | None
    session_level: Level | None
    hold_level: Level | None
    made_at: datetime
    name: str = ""
    revoked_at: datetime | None = None
    fetched_at: datetime | None = None
    etag: str = ""
    changed_at: datetime | None = None


def add(db: Connection, calendar: PublishedCalendar, *, conversation_id: UUID | None = None) -> None:
    """Store a new one; its owner has no other that is open, but for those that tell only when somebody is not free.

    By that conversation its client is told of it.
    """
    values = {
        "id": calendar.id,
        "digest": calendar.digest,
        "practitioner_id": calendar.practitioner_id,
        "client_id": calendar.client_id,
        "session_level": calendar.session_level,
        "hold_level": calendar.hold_level,
        "made_at": calendar.made_at,
        "name": calendar.name or None,
        "conversation_id": conversation_id,
    }
    db.execute(insert(published_calendars).values(values))


def by_token(db: Connection, token: str) -> PublishedCalendar | None:
    """Return the calendar that is fetched by a token, open or revoked; None if there is none."""
    return _first(db, published_calendars.c.digest == digest_of(token))


def get(db: Connection, calendar_id: UUID) -> PublishedCalendar | None:
    """Return a calendar; None if there is none."""
    return _first(db, published_calendars.c.id == calendar_id)


def of_practitioner(db: Connection, practitioner_id: UUID) -> PublishedCalendar | None:
    """Return the one of a practitioner with their sessions that is open; None if there is none."""
    return _first(db, published_calendars.c.practitioner_id == practitioner_id, _OPEN, ~_BUSY)


def busy_of(db: Connection, practitioner_id: UUID) -> Sequence[PublishedCalendar]:
    """Return those open ones that tell only when a practitioner is not free, the oldest first."""
    own = (published_calendars.c.practitioner_id == practitioner_id) & _OPEN & _BUSY
    query = select(published_calendars).where(own)
    rows = db.execute(query.order_by(published_calendars.c.made_at, published_calendars.c.id))
    return [_calendar(row) for row in rows]


def of_client(db: Connection, client_id: UUID) -> PublishedCalendar | None:
    """Return the one of a client that is open; None if there is none."""
    return _first(db, published_calendars.c.client_id == client_id, _OPEN)


def every(db: Connection) -> Sequence[PublishedCalendar]:
    """Return all that are open, the oldest first."""
    query = select(published_calendars).where(_OPEN).order_by(published_calendars.c.made_at)
    return [_calendar(row) for row in db.execute(query)]


def revoke(db: Connection, calendar_id: UUID, *, now: datetime, sweep_at: datetime) -> None:
    """Have nobody get anything there any more; the row goes at `sweep_at`."""
    own = (published_calendars.c.id == calendar_id) & _OPEN
    db.execute(update(published_calendars).where(own).values(revoked_at=now))
    installation.have_swept(db, at=sweep_at)


def note_fetched(
    db: Connection, calendar_id: UUID, *, etag: str, changed_at: datetime | None, fetched_at: datetime
) -> None:
    """Note when a program asked for it, and what it held."""
    own = published_calendars.c.id == calendar_id
    values = {"etag": etag, "changed_at": changed_at, "fetched_at": fetched_at}
    db.execute(update(published_calendars).where(own).values(values))


def sweep(db: Connection, *, revoked_before: datetime) -> None:
    """Delete those that were revoked before then: whoever asks for one is told that it is not there."""
    old = published_calendars.c.revoked_at < revoked_before
    db.execute(delete(conversations).where(conversations.c.id.in_(select(_TOLD_BY).where(old))))
    db.execute(delete(published_calendars).where(old))


def digest_of(token: str) -> bytes:
    """Return what is stored of a token."""
    return hashlib.sha256(token.encode()).digest()


_TOLD_BY = published_calendars.c.conversation_id
_OPEN = published_calendars.c.revoked_at.is_(None)
_BUSY = published_calendars.c.name.is_not(None)


def _first(db: Connection, *conditions: Any) -> PublishedCalendar | None:
    row = db.execute(select(published_calendars).where(*conditions)).first()
    return _calendar(row) if row else None


def _calendar(row: Row[Any]) -> PublishedCalendar:
    return PublishedCalendar(
        id=row.id,
        digest=row.digest,
        practitioner_id=row.practitioner_id,
        client_id=row.client_id,
        session_level=None if row.session_level is None else Level(row.session_level),
        hold_level=None if row.hold_level is None else Level(row.hold_level),
        made_at=row.made_at,
        name=row.name or "",
        revoked_at=row.revoked_at,
        fetched_at=row.fetched_at,
        etag=row.etag or "",
        changed_at=row.changed_at,
    )
