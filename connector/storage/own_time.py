"""What stands in a practitioner's own time: their sessions and what they hold for clients, with whose they are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection, select

from connector.domain.offer import OfferState
from connector.domain.session import Session, SessionState
from connector.domain.span import Span, When
from connector.storage.sessions import session_of, when_of
from connector.storage.tables import alternatives, clients, offers, sessions


@dataclass(frozen=True, slots=True, kw_only=True)
class Booked:
    """A session that stands, and the name of its client."""

    session: Session
    client_name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """A time that is kept free for a client until an instant, in case they choose it in place of their session."""

    when: When
    alternative_id: UUID
    offer_id: UUID
    session_id: UUID
    client_id: UUID
    client_name: str
    until: datetime


def booked(db: Connection, practitioner_id: UUID, span: Span) -> Sequence[Booked]:
    """Return the sessions of a practitioner that stand and lie in part of a span, earliest first; in one statement."""
    query = (
        select(sessions, clients.c.name.label("client_name"))
        .join(clients, clients.c.id == sessions.c.client_id)
        .where(
            sessions.c.practitioner_id == practitioner_id,
            sessions.c.state == SessionState.BOOKED.value,
            sessions.c.ends_at > span.start,
            sessions.c.starts_at < span.end,
        )
        .order_by(sessions.c.starts_at, sessions.c.id)
    )
    return [Booked(session=session_of(row), client_name=row.client_name) for row in db.execute(query)]


def held(db: Connection, practitioner_id: UUID, span: Span, *, now: datetime) -> Sequence[Held]:
    """Return what a practitioner holds in part of a span, earliest first; in one statement.

    What an offer holds whose deadline has come is left out: it is free to whoever books next.
    """
    query = (
        select(
            alternatives,
            offers.c.session_id,
            offers.c.expires_at,
            sessions.c.client_id,
            clients.c.name.label("client_name"),
        )
        .join(offers, offers.c.id == alternatives.c.offer_id)
        .join(sessions, sessions.c.id == offers.c.session_id)
        .join(clients, clients.c.id == sessions.c.client_id)
        .where(
            offers.c.practitioner_id == practitioner_id,
            offers.c.state == OfferState.OPEN.value,
            offers.c.expires_at > now,
            alternatives.c.withdrawn.is_(False),
            alternatives.c.ends_at > span.start,
            alternatives.c.starts_at < span.end,
        )
        .order_by(alternatives.c.starts_at, alternatives.c.id)
    )
    return [
        Held(
            when=when_of(row),
            alternative_id=row.id,
            offer_id=row.offer_id,
            session_id=row.session_id,
            client_id=row.client_id,
            client_name=row.client_name,
            until=row.expires_at,
        )
        for row in db.execute(query)
    ]
