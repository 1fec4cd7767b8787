"""Sessions for programs: one, or page by page whatever is sought."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection

from connector.domain.session import SessionWithOffers, Sought
from connector.services.scheduling.sessions import not_found
from connector.storage import sessions


def booked(db: Connection, session_id: UUID, *, sees: Callable[[UUID], bool]) -> SessionWithOffers:
    """Return a session with its open offer and its draft.

    Args:
        db: The transaction.
        session_id: Which.
        sees: Whether whoever asks sees what is a practitioner's.
    Raises: NotFoundError, also for one they may not see.
    """
    found = sessions.with_offers(db, session_id)
    if not sees(found.session.practitioner_id):
        raise not_found()
    return found


def sought(
    db: Connection, what: Sought, *, within: UUID | None, after: tuple[datetime, UUID] | None, most: int
) -> Sequence[SessionWithOffers]:
    """Return the sessions sought by start and id, those `after` a start and id; `most` at most, in one statement.

    `within`: the practitioner whose alone whoever asks may see; what is sought of another is not there.
    """
    if within is not None and what.practitioner_id not in (None, within):
        return ()
    own = what if within is None else replace(what, practitioner_id=within)
    return sessions.sought(db, own, after=after, most=most)
