"""Times kept from everybody else. The database itself refuses an overlap, whatever code has checked before."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Select, and_, delete, insert, or_, select
from sqlalchemy.exc import IntegrityError

from connector.domain.entry import EntryKey, EntryKind
from connector.domain.offer import OfferState
from connector.domain.span import Span
from connector.errors import Keeper, TimeTakenError
from connector.storage.database import is_time_taken
from connector.storage.tables import alternatives, occupancy, offers

_HELD = "held"
_MOST_KEEPERS = 100
_HOLD = f"{EntryKind.HOLD}:"


@dataclass(frozen=True, slots=True, kw_only=True)
class Occupied:
    """One kept time: `span` has the buffer in it, `state` is held or booked; `key` names what it is kept for."""

    key: str
    span: Span
    state: str


def keep(db: Connection, practitioner_id: UUID, session_id: UUID, times: Collection[Occupied]) -> None:
    """Make the times kept for one session exactly these; what is released goes before what is taken comes.

    Raises: TimeTakenError if the database finds an overlap with anything of another session.
    """
    old = {
        row.key: (row.starts_at, row.ends_at, row.state)
        for row in db.execute(select(occupancy).where(occupancy.c.session_id == session_id))
    }
    new = {time.key: (time.span.start, time.span.end, time.state) for time in times}
    released_keys = [key for key, value in old.items() if new.get(key) != value]
    additions = [(key, value) for key, value in new.items() if old.get(key) != value]
    if released_keys:
        db.execute(delete(occupancy).where(occupancy.c.key.in_(released_keys)))
    if not additions:
        return
    spans = [Span(start=starts_at, end=ends_at) for _key, (starts_at, ends_at, _state) in additions]
    if kept := keepers(db, practitioner_id, spans, besides=session_id):  # which the database does not say
        raise time_taken(kept)
    rows = [
        {
            "key": key,
            "practitioner_id": practitioner_id,
            "session_id": session_id,
            "starts_at": starts_at,
            "ends_at": ends_at,
            "state": state,
        }
        for key, (starts_at, ends_at, state) in additions
    ]
    try:
        db.execute(insert(occupancy), rows)
    except IntegrityError as error:
        if is_time_taken(error):
            raise time_taken() from error
        raise


def time_taken(kept: Sequence[Keeper] = ()) -> TimeTakenError:
    """Say that a time is somebody else's."""
    return TimeTakenError(
        "That time is taken by another session, or is kept free for another client. Choose a different time.",
        code="time_taken",
        kept=kept,
        field="when",
    )


def between(
    db: Connection, practitioner_id: UUID, *, since: datetime, until: datetime, most: int
) -> Sequence[tuple[UUID, Span]]:
    """Return what is kept of a practitioner's time that ends after `since` and begins before `until`, earliest first.

    Each with the session for which it is kept, and with the buffer in it.
    """
    query = (
        select(occupancy.c.session_id, occupancy.c.starts_at, occupancy.c.ends_at)
        .where(
            occupancy.c.practitioner_id == practitioner_id,
            occupancy.c.ends_at > since,
            occupancy.c.starts_at < until,
        )
        .order_by(occupancy.c.starts_at, occupancy.c.key)
        .limit(most)
    )
    return [(row.session_id, Span(start=row.starts_at, end=row.ends_at)) for row in db.execute(query)]


def taken(db: Connection, practitioner_id: UUID, span: Span, *, besides: UUID) -> bool:
    """Whether anything of another session than `besides` occupies part of `span`, which has its buffer in it."""
    return db.execute(_others(practitioner_id, [span], besides).limit(1)).first() is not None


def keepers(db: Connection, practitioner_id: UUID, spans: Sequence[Span], *, besides: UUID) -> Sequence[Keeper]:
    """Return what of other sessions than `besides` occupies part of these, each with its buffer in it; earliest first.

    At most a hundred: it is told to people and programs, and each of them is a reason.
    """
    rows = db.execute(
        _others(practitioner_id, spans, besides).order_by(occupancy.c.starts_at, occupancy.c.key).limit(_MOST_KEEPERS)
    ).all()
    if not rows:
        return ()
    holds = [EntryKey.parse(row.key).id for row in rows if row.key.startswith(_HOLD)]
    query = select(alternatives.c.id, alternatives.c.offer_id).where(alternatives.c.id.in_(holds))
    by_hold = {f"{_HOLD}{row.id}": row.offer_id for row in db.execute(query)} if holds else {}
    return [
        Keeper(
            start=row.starts_at,
            end=row.ends_at,
            session_id=row.session_id,
            is_hold=row.state == _HELD,
            offer_id=by_hold.get(row.key),
        )
        for row in rows
    ]


def within(db: Connection, practitioner_id: UUID, span: Span, *, now: datetime, besides: UUID | None) -> list[Keeper]:
    """Return all that occupies part of a span, each with its buffer in it, earliest first; in two statements.

    Left out are the session `besides` with its own offer, and what an offer holds whose deadline has come: it is free
    to whoever books next.
    """
    query = select(occupancy).where(
        occupancy.c.practitioner_id == practitioner_id,
        occupancy.c.starts_at < span.end,
        occupancy.c.ends_at > span.start,
    )
    if besides is not None:
        query = query.where(occupancy.c.session_id != besides)
    rows = db.execute(query.order_by(occupancy.c.starts_at, occupancy.c.key)).all()
    held = (
        select(alternatives.c.id, alternatives.c.offer_id, offers.c.expires_at)
        .join(offers, offers.c.id == alternatives.c.offer_id)
        .where(offers.c.practitioner_id == practitioner_id, offers.c.state == OfferState.OPEN.value)
    )
    holds = {f"{_HOLD}{row.id}": row for row in db.execute(held)}
    overdue = {key for key, row in holds.items() if row.expires_at <= now}
    return [
        Keeper(
            start=row.starts_at,
            end=row.ends_at,
            session_id=row.session_id,
            is_hold=row.state == _HELD,
            offer_id=holds[row.key].offer_id if row.key in holds else None,
        )
        for row in rows
        if row.key not in overdue
    ]


def _others(practitioner_id: UUID, spans: Sequence[Span], besides: UUID) -> Select[Any]:
    overlaps = (and_(occupancy.c.starts_at < span.end, occupancy.c.ends_at > span.start) for span in spans)
    return select(occupancy).where(
        occupancy.c.practitioner_id == practitioner_id, occupancy.c.session_id != besides, or_(*overlaps)
    )
