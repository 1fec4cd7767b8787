"""Browsers in which a practitioner, or somebody of support, is signed in.

The browser holds a random token; here stands only its digest, so that nobody who reads the table can go on with it.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, Row, Select, delete, insert, literal, or_, select, update

from connector.domain.device import Device
from connector.domain.people import Role, Signing
from connector.storage import installation
from connector.storage.tables import browsers, practitioners, support_people

_WHOSE: Mapping[Role, Any] = MappingProxyType(
    {Role.PRACTITIONER: browsers.c.practitioner_id, Role.SUPPORT: browsers.c.support_id}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Browser:
    """One browser, and who is signed in there; `digest` tells it from others, and lets nobody in.

    `seen_at` is when it last asked for a page, to a few minutes; `trusted`: it stays signed in though it asks for none.
    """

    digest: bytes
    person_id: UUID
    name: str
    email: str
    zone: str
    locale: str
    signed_in_at: datetime
    seen_at: datetime
    trusted: bool
    device: Device


@dataclass(frozen=True, slots=True, kw_only=True)
class Since:
    """Which browsers nobody is signed in any more: signed in before `signed_in`, or unused since `seen` and no more.

    That it was unused ends none that is trusted.
    """

    signed_in: datetime
    seen: datetime

    @property
    def is_alive(self) -> ColumnElement[bool]:
        """Whether somebody is signed in there."""
        is_used = or_(browsers.c.trusted, browsers.c.seen_at > self.seen)
        return (browsers.c.signed_in_at > self.signed_in) & is_used


def new_token() -> str:
    """Return what a browser is to hold."""
    return secrets.token_urlsafe(32)


def add(
    db: Connection, token: str, person_id: UUID, *, role: Signing, trusted: bool, device: Device, now: datetime
) -> None:
    """Sign somebody in where this token is."""
    values = {
        "id": _digest(token),
        _WHOSE[role].name: person_id,
        "signed_in_at": now,
        "seen_at": now,
        "trusted": trusted,
        "program": device.program or None,
        "system": device.system or None,
    }
    db.execute(insert(browsers).values(values))
    installation.have_swept(db, at=now + timedelta(hours=1))


def find(db: Connection, token: str, *, role: Signing, since: Since) -> Browser | None:
    """Return the browser that holds this token of this role, if somebody is signed in there by that rule."""
    row = db.execute(_SELECTED[role].where(browsers.c.id == _digest(token), since.is_alive)).first()
    return _browser(row) if row else None


def of_practitioner(db: Connection, practitioner_id: UUID, *, since: Since) -> Sequence[Browser]:
    """Return every browser in which a practitioner is signed in by the same rule, the last seen first."""
    query = _SELECTED[Role.PRACTITIONER].where(browsers.c.practitioner_id == practitioner_id, since.is_alive)
    return [_browser(row) for row in db.execute(query.order_by(browsers.c.seen_at.desc(), browsers.c.id))]


def note_seen(db: Connection, browser: Browser, *, now: datetime) -> None:
    """Note that a browser has asked for a page just now."""
    db.execute(update(browsers).where(browsers.c.id == browser.digest).values(seen_at=now))


def remove(db: Connection, token: str, *, role: Signing) -> UUID | None:
    """Sign out where this token is, and return who was; None if nobody."""
    query = delete(browsers).where(browsers.c.id == _digest(token), _WHOSE[role].is_not(None)).returning(_WHOSE[role])
    return db.execute(query).scalar_one_or_none()


def remove_one(db: Connection, practitioner_id: UUID, digest: bytes) -> bool:
    """Sign a practitioner out of one of their browsers; False if it is none of theirs, or not any more."""
    own = (browsers.c.id == digest) & (browsers.c.practitioner_id == practitioner_id)
    return db.execute(delete(browsers).where(own).returning(browsers.c.id)).first() is not None


def remove_all(db: Connection, practitioner_id: UUID) -> int:
    """Sign a practitioner out of every browser, and return of how many."""
    query = delete(browsers).where(browsers.c.practitioner_id == practitioner_id).returning(browsers.c.id)
    return len(db.execute(query).all())


def sweep(db: Connection, *, since: Since) -> None:
    """Delete every browser that `find` does not return by the same rule."""
    db.execute(delete(browsers).where(~since.is_alive))


_SELECTED: Mapping[Role, Select[Any]] = MappingProxyType(
    {
        Role.PRACTITIONER: select(
            browsers,
            browsers.c.practitioner_id.label("person_id"),
            practitioners.c.name,
            practitioners.c.email,
            practitioners.c.zone,
            practitioners.c.locale,
        ).join_from(browsers, practitioners),
        Role.SUPPORT: select(
            browsers,
            browsers.c.support_id.label("person_id"),
            support_people.c.name,
            support_people.c.email,
            literal("UTC").label("zone"),  # they read each session's times on its own clock
            support_people.c.locale,
        ).join_from(browsers, support_people),
    }
)


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode(errors="replace")).digest()


def _browser(row: Row[Any]) -> Browser:
    return Browser(
        digest=row.id,
        person_id=row.person_id,
        name=row.name,
        email=row.email,
        zone=row.zone,
        locale=row.locale,
        signed_in_at=row.signed_in_at,
        seen_at=row.seen_at,
        trusted=row.trusted,
        device=Device(program=row.program or "", system=row.system or ""),
    )
