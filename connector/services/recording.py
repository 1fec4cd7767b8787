"""Load what a use case needs, and store what it decided: state, times kept, timeline, messages and due work at once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection

from connector.domain import offer as offering
from connector.domain.entry import EntryKey, EntryKind
from connector.domain.facts import (
    Fact,
    OfferAccepted,
    OfferDiscarded,
    OfferDrafted,
    OfferLapsed,
    OfferRejected,
    OfferReplaced,
    OfferSent,
    OfferWithdrawn,
    SessionCancelled,
)
from connector.domain.offer import Offer, OfferState
from connector.domain.people import Client, Practitioner
from connector.domain.session import Session, SessionState
from connector.services import notifying
from connector.services.terms import Terms
from connector.storage import calendars, ledger, occupancy, offers, people, sessions, timeline
from connector.storage.ledger import Key, Kind
from connector.storage.messages import Message

_INERT = (OfferDrafted, OfferDiscarded)
_ENDING = (
    OfferAccepted,
    OfferDiscarded,
    OfferLapsed,
    OfferRejected,
    OfferReplaced,
    OfferWithdrawn,
    SessionCancelled,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One session with everybody and everything that a decision about it needs."""

    practitioner: Practitioner
    client: Client
    session: Session
    open: Offer | None = None
    draft: Offer | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """A session and the offers a transition touched, each with the state it began in (None: new), and what happened."""

    session: Session
    offers: tuple[tuple[Offer, OfferState | None], ...] = ()
    facts: tuple[Fact, ...] = ()
    held_back: tuple[Message, ...] = ()
    new: bool = False


def load(db: Connection, terms: Terms, session_id: UUID, *, now: datetime, besides: UUID | None = None) -> Case:
    """Lock a session's practitioner, end their overdue offers but `besides`, and say where the session stands.

    Raises: NotFoundError.
    """
    practitioner = lock(db, terms, sessions.get(db, session_id).practitioner_id, now=now, besides=besides)
    session = sessions.get(db, session_id)
    return Case(
        practitioner=practitioner,
        client=people.client(db, session.client_id),
        session=session,
        open=offers.in_state(db, session_id, OfferState.OPEN),
        draft=offers.in_state(db, session_id, OfferState.DRAFT),
    )


def lock(
    db: Connection, terms: Terms, practitioner_id: UUID, *, now: datetime, besides: UUID | None = None
) -> Practitioner:
    """Let nobody else decide about this practitioner's time until the transaction ends; free overdue holds first."""
    practitioner = people.practitioner(db, practitioner_id, lock=True)
    for overdue in offers.overdue(db, practitioner_id, now=now):
        if overdue.id != besides:
            session = sessions.get(db, overdue.session_id)
            case = Case(practitioner=practitioner, client=people.client(db, session.client_id), session=session)
            turn = offering.lapse(overdue, session, now=now)
            record(db, terms, case, decided(turn, was=overdue.state), now=now)
    return practitioner


def decided(turn: offering.Turn, *, was: OfferState | None) -> Decision:
    """Make a decision of one offer's transition."""
    return Decision(session=turn.session, offers=((turn.offer, was),), facts=turn.facts)


def record(db: Connection, terms: Terms, case: Case, decision: Decision, *, now: datetime) -> None:
    """Store a decision and make all the work due that follows from it; a decision without facts stores nothing.

    Raises: TimeTakenError if a time it needs belongs to somebody else; OfferClosedError if somebody was faster.
    """
    if not decision.facts:
        return
    if decision.new:
        sessions.add(db, decision.session)
    elif decision.session != case.session:
        sessions.save(db, decision.session)
    # Endings first: a session has one open offer at most, and a replacement opens as the old one ends.
    for offer, was in sorted(decision.offers, key=lambda pair: pair[0].state is OfferState.OPEN):
        if was is None:
            offers.add(db, offer)
        else:
            offers.save(db, offer, was=was)
    if any(not isinstance(fact, _INERT) for fact in decision.facts):
        open_offer = offers.in_state(db, decision.session.id, OfferState.OPEN)
        times = _kept(decision.session, open_offer, case.practitioner)
        occupancy.settle(db, case.practitioner.id, decision.session.id, list(times))
        make_calendars_due(db, case.practitioner.id, now=now)
    timeline.append(db, case.practitioner.id, decision.facts)
    _make_offers_due(db, terms, decision, case.practitioner.id, now)
    for told in notifying.told_by(
        decision.facts,
        case.session,
        decision.session,
        decision.offers,
        case.practitioner,
        case.client,
        decision.held_back,
    ):
        notifying.queue(db, told, terms=terms, practitioner_id=case.practitioner.id, now=now)


def make_calendars_due(db: Connection, practitioner_id: UUID, *, now: datetime) -> None:
    """Have every calendar of a practitioner brought up to date."""
    for calendar in calendars.calendars_of(db, practitioner_id):
        ledger.touch(db, Key(Kind.CALENDAR, str(calendar.id)), due_at=now, lane=calendar.lane)


def _kept(session: Session, open_offer: Offer | None, practitioner: Practitioner) -> Iterator[occupancy.Occupied]:
    if session.state is not SessionState.BOOKED:
        return
    key = EntryKey(kind=EntryKind.SESSION, id=session.id)
    own = session.when.span.padded(practitioner.buffer)
    yield occupancy.Occupied(key=key, span=own, state="booked")
    for alternative in open_offer.held if open_offer else ():
        span = alternative.when.span.padded(practitioner.buffer)
        key = EntryKey(kind=EntryKind.HOLD, id=alternative.id)
        yield occupancy.Occupied(key=key, span=span, state="held")


def _make_offers_due(db: Connection, terms: Terms, decision: Decision, practitioner_id: UUID, now: datetime) -> None:
    for fact in decision.facts:
        match fact:
            case OfferSent(offer_id=UUID() as offer_id, expires_at=expires_at):
                ledger.forget(db, Key(Kind.OFFER, str(offer_id)))
                ledger.touch(db, Key(Kind.OFFER, str(offer_id)), due_at=expires_at)
                for calendar in calendars.calendars_of(db, practitioner_id):
                    ledger.touch(db, Key(Kind.PULL, str(calendar.id)), due_at=now + terms.poll_open, lane=calendar.lane)
            case OfferDrafted(offer_id=UUID() as offer_id):
                ledger.touch(db, Key(Kind.OFFER, str(offer_id)), due_at=now + terms.draft_reminder)
            case _ if isinstance(fact, _ENDING):
                for offer, _was in decision.offers:
                    if offer.state not in (OfferState.OPEN, OfferState.DRAFT):
                        ledger.forget(db, Key(Kind.OFFER, str(offer.id)))
            case _:
                pass
