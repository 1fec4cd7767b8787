"""Somebody of a host's support looks at a session, for a reason that its timeline keeps, before they see anything."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import Connection

from connector.domain.facts import SessionLookedAt
from connector.domain.people import Actor, Role
from connector.services import standstill
from connector.storage import sessions, timeline

LOOK_LASTS = timedelta(hours=1)  # then they say once more why


def look(db: Connection, session_id: UUID, *, by: Actor, now: datetime) -> None:
    """Note that somebody of support looks at a session, and why.

    Raises: NotFoundError; StandstillError while nothing may be noted.
    """
    standstill.check(db)
    session = sessions.get(db, session_id)
    timeline.append(db, session.practitioner_id, [SessionLookedAt(at=now, by=by, session_id=session_id)])


def looked_for(db: Connection, session_id: UUID, *, name: str, now: datetime) -> str:
    """Return why somebody of this name looks at a session just now; empty if they have not said so lately."""
    looks = timeline.of_session(db, session_id, SessionLookedAt)
    lately = (fact.by.reason for fact in reversed(looks) if _is_of(fact.by, name) and now < fact.at + LOOK_LASTS)
    return next(lately, "")


def _is_of(by: Actor, name: str) -> bool:
    return by.role is Role.SUPPORT and by.name == name
