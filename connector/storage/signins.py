"""One-time sign-ins of practitioners and support, by mailed links, and who has asked for one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, delete, func, insert, select, update

from connector.domain.people import Role, Signing
from connector.storage import installation
from connector.storage.tables import link_requests, signins

_WHOSE: Mapping[Role, Any] = MappingProxyType(
    {Role.PRACTITIONER: signins.c.practitioner_id, Role.SUPPORT: signins.c.support_id}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkRequest:
    """Somebody has asked for a link: with the address as typed, and the page that they had wanted to see, if any."""

    address: str
    role: Signing
    wanted: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class UsedSignIn:
    """A sign-in that was spent: whose, and the page that they had wanted to see, if any."""

    person_id: UUID
    wanted: str | None


def add(
    db: Connection,
    signin_id: UUID,
    person_id: UUID,
    *,
    role: Signing,
    expires_at: datetime,
    now: datetime,
    wanted: str | None = None,
) -> None:
    """Store a sign-in that is to be mailed; none that was mailed to the same person before can be used any more.

    Lock the person first: of two at once, one would not see the other.
    """
    usable = signins.c.used_at.is_(None) & (signins.c.expires_at > now)
    db.execute(update(signins).where(_WHOSE[role] == person_id, usable).values(expires_at=now))
    values = {"id": signin_id, _WHOSE[role].name: person_id, "expires_at": expires_at, "made_at": now, "wanted": wanted}
    db.execute(insert(signins).values(values))
    installation.have_swept(db, at=expires_at)


def void_unused(db: Connection, person_id: UUID, *, role: Signing = Role.PRACTITIONER, now: datetime) -> None:
    """Let nobody use a link any more that was mailed to this person, as they want it themselves."""
    unused = (_WHOSE[role] == person_id) & signins.c.used_at.is_(None)
    db.execute(update(signins).where(unused).values(used_at=now))


def made_since(db: Connection, person_id: UUID, since: datetime, *, role: Signing) -> Sequence[datetime]:
    """Return when links were made for a person since then, the first one first.

    Those from before they last used one, or voided them, do not count.
    """
    own = _WHOSE[role] == person_id
    acted_at = db.execute(select(func.max(signins.c.used_at)).where(own)).scalar()
    query = select(signins.c.made_at).where(own, signins.c.made_at > since).order_by(signins.c.made_at)
    return [at for at in db.execute(query).scalars() if at is not None and (acted_at is None or at >= acted_at)]


def owner(db: Connection, signin_id: UUID, *, role: Signing, now: datetime) -> UUID | None:
    """Return whose sign-in it is that can still be used; None if it cannot."""
    usable = (signins.c.id == signin_id) & _is_usable(now)
    return db.execute(select(_WHOSE[role]).where(usable)).scalar_one_or_none()


def whose(db: Connection, signin_id: UUID, *, role: Signing) -> UUID | None:
    """Return whose sign-in it is, even if it cannot be used any more; None if it is unknown."""
    return db.execute(select(_WHOSE[role]).where(signins.c.id == signin_id)).scalar_one_or_none()


def use(db: Connection, signin_id: UUID, *, role: Signing, now: datetime) -> UsedSignIn | None:
    """Spend a sign-in and return whose it was; None if it is unknown, spent, too old, or of another role."""
    query = update(signins).where(signins.c.id == signin_id, _WHOSE[role].is_not(None), _is_usable(now))
    row = db.execute(query.values(used_at=now).returning(_WHOSE[role].label("person_id"), signins.c.wanted)).first()
    return UsedSignIn(person_id=row.person_id, wanted=row.wanted) if row else None


def _is_usable(now: datetime) -> ColumnElement[bool]:
    return signins.c.used_at.is_(None) & (signins.c.expires_at > now)


def sweep(db: Connection, *, ended_before: datetime) -> None:
    """Delete the sign-ins that could not be used any more by then."""
    db.execute(delete(signins).where(signins.c.expires_at <= ended_before))


def note_request(db: Connection, request_id: UUID, request: LinkRequest, *, now: datetime) -> None:
    """Note that somebody has asked for a link."""
    values = {"address": request.address, "role": request.role.value, "wanted": request.wanted}
    db.execute(insert(link_requests).values(id=request_id, asked_at=now, **values))


def take_request(db: Connection, request_id: UUID) -> LinkRequest | None:
    """Forget that somebody has asked, and return what they have said; None if it was forgotten before."""
    row = db.execute(delete(link_requests).where(link_requests.c.id == request_id).returning(link_requests)).first()
    if row is None:
        return None
    role: Signing = Role.SUPPORT if row.role == Role.SUPPORT.value else Role.PRACTITIONER
    return LinkRequest(address=row.address, role=role, wanted=row.wanted)
