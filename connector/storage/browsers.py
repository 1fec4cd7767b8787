"""Browsers in which a practitioner is signed in.

The browser holds a random token; here stands only its digest, so that nobody who reads the table can go on with it.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Row, delete, insert, or_, select, update

from connector.storage import installation
from connector.storage.tables import browsers, practitioners


@dataclass(frozen=True, slots=True, kw_only=True)
class Browser:
    """One browser, and who is signed in there; `digest` tells it from others, and lets nobody in.

    `seen_at` is when it last asked for a page, to a few minutes.
    """

    digest: bytes
    practitioner_id: UUID
    name: str
    email: str
    zone: str
    locale: str
    signed_in_at: datetime
    seen_at: datetime


def new_token() -> str:
    """Return what a browser is to hold."""
    return secrets.token_urlsafe(32)


def add(db: Connection, token: str, practitioner_id: UUID, *, now: datetime) -> None:
    """Sign a practitioner in where this token is."""
    values = {"id": _digest(token), "practitioner_id": practitioner_id, "signed_in_at": now, "seen_at": now}
    db.execute(insert(browsers).values(values))
    installation.have_swept(db, at=now + timedelta(hours=1))


def find(db: Connection, token: str, *, since: datetime, seen_since: datetime) -> Browser | None:
    """Return the browser that holds this token, if it was signed in after `since` and seen after `seen_since`."""
    is_alive = (browsers.c.signed_in_at > since) & (browsers.c.seen_at > seen_since)
    row = db.execute(_SELECTED.where(browsers.c.id == _digest(token), is_alive)).first()
    return _browser(row) if row else None


def of_practitioner(
    db: Connection, practitioner_id: UUID, *, since: datetime, seen_since: datetime
) -> Sequence[Browser]:
    """Return every browser in which a practitioner is signed in by the same rule, the last seen first."""
    is_alive = (browsers.c.signed_in_at > since) & (browsers.c.seen_at > seen_since)
    query = _SELECTED.where(browsers.c.practitioner_id == practitioner_id, is_alive)
    return [_browser(row) for row in db.execute(query.order_by(browsers.c.seen_at.desc(), browsers.c.id))]


def note_seen(db: Connection, browser: Browser, *, now: datetime) -> None:
    """Note that a browser has asked for a page just now."""
    db.execute(update(browsers).where(browsers.c.id == browser.digest).values(seen_at=now))


def remove(db: Connection, token: str) -> UUID | None:
    """Sign out where this token is, and return who was; None if nobody."""
    query = delete(browsers).where(browsers.c.id == _digest(token)).returning(browsers.c.practitioner_id)
    return db.execute(query).scalar_one_or_none()


def remove_all(db: Connection, practitioner_id: UUID | None = None) -> int:
    """Sign a practitioner out of every browser, or everybody, and return of how many."""
    query = delete(browsers).returning(browsers.c.id)
    if practitioner_id is not None:
        query = query.where(browsers.c.practitioner_id == practitioner_id)
    return len(db.execute(query).all())


def sweep(db: Connection, *, since: datetime, seen_since: datetime) -> None:
    """Delete every browser that `find` does not return by the same rule."""
    db.execute(delete(browsers).where(or_(browsers.c.signed_in_at <= since, browsers.c.seen_at <= seen_since)))


_WHO = (practitioners.c.name, practitioners.c.email, practitioners.c.zone, practitioners.c.locale)
_SELECTED = select(browsers, *_WHO).join(practitioners)


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode(errors="replace")).digest()


def _browser(row: Row[Any]) -> Browser:
    return Browser(
        digest=row.id,
        practitioner_id=row.practitioner_id,
        name=row.name,
        email=row.email,
        zone=row.zone,
        locale=row.locale,
        signed_in_at=row.signed_in_at,
        seen_at=row.seen_at,
    )
