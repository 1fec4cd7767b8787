"""Times kept from everybody else. The database itself refuses an overlap, whatever code has checked before."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import Connection, delete, insert, select
from sqlalchemy.exc import IntegrityError

from connector.domain.span import Span
from connector.errors import TimeTakenError
from connector.storage.database import is_time_taken
from connector.storage.tables import occupancy


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


def time_taken() -> TimeTakenError:
    """Say that a time is somebody else's."""
    return TimeTakenError(
        "That time is taken by another session, or is kept free for another client. Choose a different time.",
        code="time_taken",
        field="when",
    )


def taken(db: Connection, practitioner_id: UUID, span: Span, *, besides: UUID) -> bool:
    """Whether anything of another session than `besides` occupies part of `span`, which has its buffer in it."""
    query = select(occupancy.c.key).where(
        occupancy.c.practitioner_id == practitioner_id,
        occupancy.c.session_id != besides,
        occupancy.c.starts_at < span.end,
        occupancy.c.ends_at > span.start,
    )
    return db.execute(query.limit(1)).first() is not None
