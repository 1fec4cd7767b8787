"""What support sees: sessions by what a caller can name, and one session with what can be done for its client."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING
from uuid import UUID

from sqlalchemy import Connection

from connector.domain.facts import SessionsFound
from connector.domain.offer import Alternative, Offer, OfferState
from connector.domain.people import Client, Practitioner, Role
from connector.domain.session import Location, Session, SessionState
from connector.errors import NotFoundError
from connector.services.support import StoppedCalendar, stopped_calendars
from connector.services.views.offers import state_now
from connector.services.views.sessions import LOOKS_BACK
from connector.services.views.timeline import Line, line_of
from connector.storage import conversations, offers, people, sessions, timeline

if TYPE_CHECKING:
    from connector.language.telling import Teller

MOST = 20  # sessions that a search shows; whoever finds more says more
MOST_LINES = 60  # of a timeline: the last ones
MOST_AUDITED = 1000  # lines, unless somebody asks for more
SHORTEST = 3  # letters of a name: fewer would list everybody

_ANSWERABLE = (OfferState.OPEN, OfferState.LAPSED, OfferState.REJECTED)


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundSession:
    """One session that a search has found."""

    session: Session
    client_name: str
    practitioner_name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SupportChoice:
    """One time that can be chosen for a client; `gone` says why it cannot: withdrawn or begun."""

    alternative: Alternative
    location: Location
    gone: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SupportPage:
    """One session as support sees it.

    Attributes:
        offer: The one that can be answered for the client; None if there is none.
        is_open: Whether it still waits for an answer; one that has lapsed, or that nothing of suited, can be accepted.
        is_coming: Whether the session is booked, and not over.
        address_fails: Whether the last mail to the client was refused or came back.
        is_longer: Whether more has happened, before what the timeline shows.
        stopped: The practitioner's calendars that are stopped, and so show nothing of this.
    """

    session: Session
    client: Client
    practitioner: Practitioner
    offer: Offer | None
    is_open: bool
    choices: tuple[SupportChoice, ...]
    is_coming: bool
    address_fails: bool
    stopped: tuple[StoppedCalendar, ...]
    timeline: tuple[Line, ...]
    is_longer: bool


def find(db: Connection, text: str, *, now: datetime) -> tuple[FoundSession, ...]:
    """Return sessions by a reference, or their client's name, address, number or id; those to come first.

    A reference is the id of a session or of an offer, ours or the host's, or the UID of an invitation.
    """
    found = {session.id: session for session in _found(db, text.strip(), now)}
    coming = [session for session in found.values() if session.when.span.end > now]
    over = [session for session in found.values() if session.when.span.end <= now]
    shown = [*coming, *reversed(over)][:MOST]
    clients = people.client_names(db, [session.client_id for session in shown])
    practitioners = people.practitioner_names(db, [session.practitioner_id for session in shown])
    return tuple(
        FoundSession(
            session=session,
            client_name=clients[session.client_id],
            practitioner_name=practitioners[session.practitioner_id],
        )
        for session in shown
    )


def _found(db: Connection, text: str, now: datetime) -> Iterator[Session]:
    if not text.isprintable() or not text:
        return
    for known in (sessions.known_as(db, text), sessions.by_external_id(db, text)):
        if known is not None:
            yield known
    yield from _of_offers(db, text)
    own = _ids(text)
    called = people.clients_called(db, ids=own, external_ids=[text], emails=[text], phones=["".join(text.split())])
    named = people.clients_named(db, text, most=MOST) if len(text) >= SHORTEST else ()
    ids = {client.id for client in (*called, *named) if not client.erased}
    yield from sessions.of_clients(db, ids, since=now - LOOKS_BACK, most=10 * MOST)


def _of_offers(db: Connection, text: str) -> Iterator[Session]:
    """Return the session of an offer that is called so, by us or by its host."""
    called = offers.by_external_id(db, text)
    if called is not None:
        yield sessions.get(db, called.session_id)
    for identity in _ids(text):
        with suppress(NotFoundError):
            yield sessions.get(db, offers.get(db, identity).session_id)


def _ids(text: str) -> Sequence[UUID]:
    try:
        return [UUID(text)]
    except ValueError:
        return []


def page(db: Connection, session_id: UUID, *, teller: Teller, now: datetime) -> SupportPage:
    """Return one session with what can be done for its client.

    Raises: NotFoundError.
    """
    session = sessions.get(db, session_id)
    client = people.client(db, session.client_id)
    offer, facts = _answerable(db, session, now), timeline.of_session(db, session_id)
    return SupportPage(
        session=session,
        client=client,
        practitioner=people.practitioner(db, session.practitioner_id),
        offer=offer,
        is_open=offer is not None and state_now(offer, now) is OfferState.OPEN,
        choices=tuple(_choice(one, session, now) for one in offer.alternatives) if offer is not None else (),
        is_coming=session.state is SessionState.BOOKED and session.when.span.end > now,
        address_fails=conversations.address_fails(db, session.practitioner_id, client),
        stopped=stopped_calendars(db, session.practitioner_id),
        timeline=tuple(line_of(fact, teller) for fact in facts[-MOST_LINES:]),
        is_longer=len(facts) > MOST_LINES,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditLine:
    """One thing that support has looked at or done.

    Attributes:
        session_id: None where it was about no one session.
        found: Of a search, the sessions that it showed.
    """

    at: datetime
    who: str
    what: str
    why: str
    session_id: UUID | None
    found: tuple[UUID, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Audit:
    """What support has looked at and done, the last first; `is_longer`: there is more of it, before that."""

    lines: tuple[AuditLine, ...]
    is_longer: bool


def audit(db: Connection, *, since: datetime, most: int = MOST_AUDITED, teller: Teller) -> Audit:
    """Return what support has looked at and done since then, and no more than so many lines of it."""
    facts = timeline.of_role(db, Role.SUPPORT, since=since, most=most + 1)
    lines = tuple(
        AuditLine(
            at=fact.at,
            who=fact.by.name,
            what=line_of(fact, teller).what,
            why=fact.by.reason,
            session_id=fact.session_id,
            found=fact.found if isinstance(fact, SessionsFound) else (),
        )
        for fact in facts[:most]
    )
    return Audit(lines=lines, is_longer=len(facts) > most)


def session(db: Connection, session_id: UUID) -> tuple[Session, str]:
    """Return a session, and the name of its client. Raises: NotFoundError."""
    found = sessions.get(db, session_id)
    return found, people.client(db, found.client_id).name


def zone(db: Connection, session_id: UUID) -> str:
    """Return the zone in which support reads the times of a session: its practitioner's.

    Raises: NotFoundError.
    """
    return people.practitioner(db, sessions.get(db, session_id).practitioner_id).zone


def _answerable(db: Connection, session: Session, now: datetime) -> Offer | None:
    """Return the last offer that was sent, if the client's answer can still be given."""
    if session.state is not SessionState.BOOKED:
        return None
    sent = next((offer for offer in offers.of_session(db, session.id) if offer.sent_at is not None), None)
    return sent if sent is not None and state_now(sent, now) in _ANSWERABLE else None


def offer_of(db: Connection, session_id: UUID, offer_id: UUID) -> Offer:
    """Return an offer of this session.

    Raises: NotFoundError.
    """
    offer = offers.get(db, offer_id)
    if offer.session_id != session_id:
        raise NotFoundError("There is no such offer.", code="offer_not_found")
    return offer


def _choice(alternative: Alternative, session: Session, now: datetime) -> SupportChoice:
    gone = "withdrawn" if alternative.withdrawn else "begun" if alternative.when.span.start <= now else ""
    return SupportChoice(alternative=alternative, location=alternative.location or session.location, gone=gone)
