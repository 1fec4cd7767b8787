"""Events that may have been written, moved or removed without our knowing: each is looked at again.

A worker that has lost its claim leaves one for each action that it may have done. Whoever looks deletes what they have
looked at and nothing else, so a doubt outlives whatever is recorded of its entry meanwhile.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

import sqlalchemy as sa
from sqlalchemy import Connection, Row, insert, select

from connector.domain.entry import EntryKey
from connector.domain.reconcile import Action, Mirror, Put, Ref
from connector.storage.tables import calendars, doubts


@dataclass(frozen=True, slots=True, kw_only=True)
class Doubt:
    """An event to be looked at.

    Attributes:
        wrote: The fingerprint that may have been written there; empty for a removal, None if nobody knows.
    """

    id: UUID
    key: EntryKey
    session_id: UUID
    ref: Ref
    wrote: str | None


def of_action(action: Action) -> Doubt:
    """Return the doubt that is left by an action that may have been done."""
    wrote = action.entry.content.fingerprint if isinstance(action, Put) else ""
    return Doubt(id=uuid4(), key=action.key, session_id=action.session_id, ref=action.ref, wrote=wrote)


def of_mirror(mirror: Mirror) -> Doubt:
    """Return the doubt that is left by whoever has left a mirror in doubt: nobody knows what they have written."""
    return Doubt(id=uuid4(), key=mirror.key, session_id=mirror.session_id, ref=mirror.ref, wrote=None)


def add(db: Connection, calendar_id: UUID, new: Iterable[Doubt], *, look_at: datetime) -> bool:
    """Have events looked at; False if their calendar is not known any more."""
    rows = [
        {
            "id": doubt.id,
            "calendar_id": calendar_id,
            "name": doubt.ref.name,
            "generation": doubt.ref.generation,
            "href": doubt.ref.href,
            "key": str(doubt.key),
            "session_id": doubt.session_id,
            "wrote": doubt.wrote,
            "look_at": look_at,
        }
        for doubt in new
    ]
    query = select(calendars.c.id).where(calendars.c.id == calendar_id).with_for_update(read=True, key_share=True)
    if db.execute(query).first() is None:
        return False
    if rows:
        db.execute(insert(doubts), rows)
    return True


def put_off(db: Connection, calendar_id: UUID, new: Sequence[Doubt], *, look_at: datetime) -> None:
    """Have events looked at later, once each, however often that is asked."""
    names = [doubt.ref.name for doubt in new]
    if names:
        is_same = (doubts.c.calendar_id == calendar_id) & doubts.c.name.in_(names) & doubts.c.wrote.is_(None)
        db.execute(sa.delete(doubts).where(is_same))
        add(db, calendar_id, new, look_at=look_at)


def due(db: Connection, calendar_id: UUID, *, now: datetime) -> Sequence[Doubt]:
    """Return what is to be looked at now."""
    is_due = (doubts.c.calendar_id == calendar_id) & (doubts.c.look_at <= now)
    return [_doubt(row) for row in db.execute(select(doubts).where(is_due).order_by(doubts.c.look_at, doubts.c.id))]


def next_look(db: Connection, calendar_id: UUID) -> datetime | None:
    """Return when the next event of a calendar is to be looked at."""
    query = select(sa.func.min(doubts.c.look_at)).where(doubts.c.calendar_id == calendar_id)
    return db.execute(query).scalar()


def known_names(db: Connection, names: Collection[str]) -> set[str | None]:
    """Return those of these remote names that are in doubt, in any calendar."""
    return set(db.execute(select(doubts.c.name).where(doubts.c.name.in_(list(names)))).scalars())


def settle(db: Connection, ids: Collection[UUID]) -> None:
    """Delete doubts whose events have been looked at."""
    if ids:
        db.execute(sa.delete(doubts).where(doubts.c.id.in_(ids)))


def _doubt(row: Row[Any]) -> Doubt:
    return Doubt(
        id=row.id,
        key=EntryKey.parse(row.key),
        session_id=row.session_id,
        ref=Ref(name=row.name, generation=row.generation, href=row.href),
        wrote=row.wrote,
    )
