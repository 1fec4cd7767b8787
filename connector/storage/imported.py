"""Sessions that were booked elsewhere and brought in: what the file said last, and what we made of it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, delete, insert, select

from connector.domain.offer import OfferState
from connector.domain.session import Session
from connector.storage.sessions import session_of
from connector.storage.tables import imported_sessions, offers, sessions


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """A session that has an external id.

    Attributes:
        fingerprint: Of what was said of it when it was last brought in; empty for one that never was.
        revision: That it had then.
        is_offered: Whether an offer of it is open.
    """

    session: Session
    fingerprint: str
    revision: int
    is_offered: bool


def known(db: Connection, external_ids: Collection[str]) -> Mapping[str, Known]:
    """Return the sessions of these external ids, by them; in one statement."""
    query = (
        select(
            sessions,
            imported_sessions.c.fingerprint,
            imported_sessions.c.revision.label("imported_revision"),
            select(offers.c.id)
            .where(offers.c.session_id == sessions.c.id, offers.c.state == OfferState.OPEN.value)
            .exists()
            .label("is_offered"),
        )
        .outerjoin(imported_sessions, imported_sessions.c.session_id == sessions.c.id)
        .where(sessions.c.external_id.in_(list(external_ids)))
    )
    return {
        row.external_id: Known(
            session=session_of(row),
            fingerprint=row.fingerprint or "",
            revision=row.imported_revision or 0,
            is_offered=bool(row.is_offered),
        )
        for row in db.execute(query)
    }


def keep(db: Connection, session: Session, fingerprint: str, *, now: datetime, is_new: bool = False) -> None:
    """Note what was said of a session that is brought in, in place of what was before, if anything was."""
    if not is_new:
        db.execute(delete(imported_sessions).where(imported_sessions.c.session_id == session.id))
    values = {
        "session_id": session.id,
        "fingerprint": fingerprint,
        "revision": session.revision,
        "imported_at": now,
    }
    db.execute(insert(imported_sessions).values(values))
