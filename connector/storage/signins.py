"""One-time sign-ins of practitioners, by mailed links, and who has asked for one."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection, delete, func, insert, select, update

from connector.storage import installation
from connector.storage.tables import link_requests, signins


def add(db: Connection, signin_id: UUID, practitioner_id: UUID, *, expires_at: datetime, now: datetime) -> None:
    """Store a sign-in that is to be mailed; none that was mailed to the same practitioner before can be used any more.

    Lock the practitioner first: of two at once, one would not see the other.
    """
    usable = signins.c.used_at.is_(None) & (signins.c.expires_at > now)
    db.execute(update(signins).where(signins.c.practitioner_id == practitioner_id, usable).values(expires_at=now))
    values = {"id": signin_id, "practitioner_id": practitioner_id, "expires_at": expires_at, "made_at": now}
    db.execute(insert(signins).values(values))
    installation.have_swept(db, at=expires_at)


def void_unused(db: Connection, practitioner_id: UUID, *, now: datetime) -> None:
    """Let nobody use a link any more that was mailed to this practitioner, as they want it themselves."""
    unused = (signins.c.practitioner_id == practitioner_id) & signins.c.used_at.is_(None)
    db.execute(update(signins).where(unused).values(used_at=now))


def made_since(db: Connection, practitioner_id: UUID, since: datetime) -> Sequence[datetime]:
    """Return when links were made for a practitioner since then, the first one first.

    Those from before they last used one, or voided them, do not count.
    """
    own = signins.c.practitioner_id == practitioner_id
    acted_at = db.execute(select(func.max(signins.c.used_at)).where(own)).scalar()
    query = select(signins.c.made_at).where(own, signins.c.made_at > since).order_by(signins.c.made_at)
    return [at for at in db.execute(query).scalars() if at is not None and (acted_at is None or at >= acted_at)]


def owner(db: Connection, signin_id: UUID, *, now: datetime) -> UUID | None:
    """Return whose sign-in it is that can still be used; None if it cannot."""
    row = db.execute(select(signins).where(signins.c.id == signin_id)).first()
    return row.practitioner_id if row is not None and row.used_at is None and row.expires_at > now else None


def practitioner(db: Connection, signin_id: UUID) -> UUID | None:
    """Return whose sign-in it is, even if it cannot be used any more; None if it is unknown."""
    return db.execute(select(signins.c.practitioner_id).where(signins.c.id == signin_id)).scalar_one_or_none()


def use(db: Connection, signin_id: UUID, *, now: datetime) -> UUID | None:
    """Spend a sign-in and return whose it was; None if it is unknown, spent or too old."""
    query = update(signins).where(signins.c.id == signin_id, signins.c.used_at.is_(None), signins.c.expires_at > now)
    return db.execute(query.values(used_at=now).returning(signins.c.practitioner_id)).scalar_one_or_none()


def sweep(db: Connection, *, ended_before: datetime) -> None:
    """Delete the sign-ins that could not be used any more by then."""
    db.execute(delete(signins).where(signins.c.expires_at <= ended_before))


def note_request(db: Connection, request_id: UUID, address: str, *, now: datetime) -> None:
    """Note that somebody has asked for a link, with the address as typed."""
    db.execute(insert(link_requests).values(id=request_id, address=address, asked_at=now))


def take_request(db: Connection, request_id: UUID) -> str | None:
    """Forget that somebody has asked, and return the address they typed; None if it was forgotten before."""
    query = delete(link_requests).where(link_requests.c.id == request_id).returning(link_requests.c.address)
    return db.execute(query).scalar_one_or_none()
