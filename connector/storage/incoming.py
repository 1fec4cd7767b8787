"""Mail that comes in: as it came until it is read, then only what became of it, so that a repetition is known."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import Connection, Row, delete, func, select, update
from sqlalchemy.dialects import postgresql, sqlite

from connector.storage import installation
from connector.storage.tables import incoming_mails


class Door(StrEnum):
    """By which door a mail has come in: each has another border, and believes another server; a stored word."""

    MAILBOX = "mailbox"  # the reply mailbox
    GATEWAY = "gateway"  # posted, and signed with a secret of ours
    MAILGUN = "mailgun"


@dataclass(frozen=True, slots=True, kw_only=True)
class Unread:
    """A mail that is to be read.

    Attributes:
        id: Its own.
        raw: As it came.
        received_at: When.
        door: By which; None where nobody noted it.
    """

    id: UUID
    raw: bytes = field(repr=False)
    received_at: datetime
    door: Door | None


def add(
    db: Connection, *, identity: str, raw: bytes | None, door: Door, outcome: str | None, now: datetime
) -> UUID | None:
    """Store a mail, and return its id; None if the same was stored before.

    Args:
        db: Where.
        identity: What is the same in every copy of it.
        raw: As it came; None if it is not to be read.
        door: By which it came.
        outcome: What has become of it already; None if it is to be read.
        now: When it came.
    """
    dialect = postgresql if db.dialect.name == "postgresql" else sqlite
    values = {
        "id": uuid4(),
        "identity": identity,
        "raw": raw,
        "received_at": now,
        "door": door.value,
        "outcome": outcome,
    }
    new = dialect.insert(incoming_mails).values(values).on_conflict_do_nothing().returning(incoming_mails.c.id)
    stored: UUID | None = db.execute(new).scalar_one_or_none()
    if stored is not None:
        installation.have_swept(db, at=now)
    return stored


def unread(db: Connection, mail_id: UUID) -> Unread | None:
    """Return a mail that is to be read; None if it was read, or is not there."""
    row = db.execute(select(incoming_mails).where(incoming_mails.c.id == mail_id)).first()
    if row is None or row.outcome is not None or row.raw is None:
        return None
    return _unread(row)


def all_unread(db: Connection) -> Iterator[Unread]:
    """Yield every mail that is to be read, the oldest first."""
    waiting = incoming_mails.c.outcome.is_(None) & incoming_mails.c.raw.is_not(None)
    ids = select(incoming_mails.c.id).where(waiting).order_by(incoming_mails.c.received_at, incoming_mails.c.id)
    for mail_id in list(db.execute(ids).scalars()):  # one at a time: each may be large
        mail = unread(db, mail_id)
        if mail is not None:
            yield mail


def _unread(row: Row[Any]) -> Unread:
    return Unread(id=row.id, raw=row.raw, received_at=row.received_at, door=Door(row.door) if row.door else None)


def waiting(db: Connection) -> int:
    """Return how many mails wait to be read."""
    query = select(func.count()).select_from(incoming_mails).where(incoming_mails.c.outcome.is_(None))
    return db.execute(query).scalar_one()


def settle(db: Connection, mail_id: UUID, outcome: str, *, session_id: UUID | None = None) -> bool:
    """Note what became of a mail and forget what it says; False if somebody else has."""
    waiting = (incoming_mails.c.id == mail_id) & incoming_mails.c.outcome.is_(None)
    query = update(incoming_mails).where(waiting).values(outcome=outcome, session_id=session_id, raw=None)
    return db.execute(query).rowcount > 0


def settled_since(db: Connection, session_id: UUID, outcome: str, *, since: datetime) -> int:
    """Return of how many mails about a session, received after `since`, this became."""
    own = (incoming_mails.c.session_id == session_id) & (incoming_mails.c.outcome == outcome)
    query = select(func.count()).select_from(incoming_mails).where(own, incoming_mails.c.received_at > since)
    return int(db.execute(query).scalar_one())


def sweep(db: Connection, *, received_before: datetime) -> None:
    """Forget the mails that came before then and were read."""
    old = (incoming_mails.c.received_at < received_before) & incoming_mails.c.outcome.is_not(None)
    db.execute(delete(incoming_mails).where(old))
