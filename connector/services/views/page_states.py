"""In what state a page's subject is, in one short word: another word as soon as the page would show something else."""

from __future__ import annotations

import hashlib
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection

from connector.domain.session import Session
from connector.errors import NotFoundError
from connector.services.policy import Policy
from connector.services.scheduling import answers, session_links
from connector.storage import glimpses
from connector.storage.glimpses import Glimpse
from connector.storage.seal import Seal


def of_session(db: Connection, practitioner_id: UUID, session_id: UUID, *, now: datetime) -> str:
    """Return the word for a session as its practitioner sees it: one statement.

    Raises: NotFoundError if there is none, or if it is somebody else's.
    """
    return _word(glimpses.for_practitioner(db, practitioner_id, session_id, now=now))


def of_clients_session(db: Connection, session_id: UUID, *, now: datetime) -> str:
    """Return the word for a session as its client sees it: one statement.

    Raises: NotFoundError if there is none.
    """
    return _word(glimpses.for_client(db, session_id, now=now))


def of_answer(db: Connection, seal: Seal, token: str, *, now: datetime) -> str:
    """Return the word for what an answer link leads to.

    Raises: NotFoundError as `answers.find` does.
    """
    return of_clients_session(db, answers.find(db, seal, token, now=now).session_id, now=now)


def of_own_page(db: Connection, policy: Policy, session: Session, *, now: datetime) -> str:
    """Return the word for a client's own page of a session: time alone ends a session, and when it can be cancelled.

    Raises: NotFoundError as `of_clients_session` does.
    """
    until, ends = session_links.cancel_until(policy, session), session.when.span
    passed = (until is not None and until <= now, ends.start <= now, ends.end <= now)
    return _word((of_clients_session(db, session.id, now=now), *passed))


def _word(glimpse: Glimpse | None) -> str:
    if glimpse is None:
        raise NotFoundError("There is no such session.", code="session_not_found")
    return hashlib.sha256(repr(glimpse).encode()).hexdigest()[:16]
