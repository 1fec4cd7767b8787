"""Book sessions, change them, cancel them. Each use case runs inside the caller's transaction."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection

from connector.domain import offer as offer_rules
from connector.domain import session as session_rules
from connector.domain.facts import Fact, SessionMoved
from connector.domain.offer import Offer, OfferState
from connector.domain.people import Actor, check_takes_bookings
from connector.domain.session import Edit, Location, Session, SessionKind, SessionWithOffers
from connector.domain.span import When
from connector.domain.text import check_external_id
from connector.errors import NotFoundError, StaleAnswerError
from connector.sentence import Sentence
from connector.services import standstill
from connector.services.policy import Policy
from connector.services.recording import Case, Decision, load, lock, record
from connector.services.scheduling import conflicts
from connector.services.scheduling.conflicts import NOT_ASKED, Consent
from connector.storage import people, published
from connector.storage import sessions as stored


@dataclass(frozen=True, slots=True, kw_only=True)
class Foreseen:
    """What whoever gives a session another time was told before.

    Attributes:
        offer_id: Which open offer ends with it; None for no offer.
        starts_at: When the session began by then, aware UTC; None if that was not said.
    """

    offer_id: UUID | None
    starts_at: datetime | None


def book(
    db: Connection,
    policy: Policy,
    *,
    practitioner_id: UUID,
    client_id: UUID,
    when: When,
    location: Location,
    by: Actor,
    now: datetime,
    kind: SessionKind = SessionKind.FOLLOWUP,
    series_id: UUID | None = None,
    external_id: str | None = None,
    consent: Consent = NOT_ASKED,
    elsewhere: bool = False,
) -> Session:
    """Book a session, tell the client, and have it shown in the practitioner's calendars.

    `elsewhere`: it was booked there before, and its client knows of it: they are told once something changes.

    Raises: NotFoundError, PastSpanError, TimeTakenError; ConflictError, see `conflicts`; ExistsError if the external id
        is another session's.
    """
    practitioner = lock(db, policy, practitioner_id, now=now)
    client = people.client(db, client_id, lock=True)  # nobody retires or erases them meanwhile
    for person in (practitioner, client):
        check_takes_bookings(person)
    transition = session_rules.book(
        practitioner_id=practitioner_id,
        client_id=client_id,
        when=when,
        location=location,
        organizer=policy.organizer,
        by=by,
        now=now,
        kind=kind,
        series_id=series_id,
        published=published.of_client(db, client_id) is not None,
        external_id=external_id,
        elsewhere=elsewhere,
    )
    case = Case(practitioner=practitioner, client=client, session=transition.session)
    findings = conflicts.check(db, policy, practitioner_id, [when], consent=consent, now=now)
    knowing = conflicts.accepted(findings, by=by, now=now, session_id=transition.session.id)
    decision = Decision(session=transition.session, facts=(*transition.facts, *knowing), new=True)
    record(db, policy, case, decision, now=now)
    return transition.session


def edit(
    db: Connection,
    policy: Policy,
    session_id: UUID,
    edit: Edit,
    *,
    by: Actor,
    now: datetime,
    consent: Consent = NOT_ASKED,
    foreseen: Foreseen | None = None,
) -> Session:
    """Change time, place or both at once; an open offer ends when the time changes.

    `foreseen`: what was said of that before; None if nobody was told anything, as programs are not.

    Raises: NotFoundError, PastSpanError, TimeTakenError, RuleError (no attestation, cancelled session); ConflictError
        for a new time, see `conflicts`; StaleAnswerError if something else would happen than was foreseen.
    """
    case = load(db, policy, session_id, now=now)
    transition = session_rules.edit(case.session, edit, by=by, now=now)
    if not transition.facts:
        return case.session
    facts, moves = transition.facts, any(isinstance(fact, SessionMoved) for fact in transition.facts)
    if moves:
        if foreseen is not None:
            _check_foreseen(foreseen, case.session, case.open)
        times = [transition.session.when]
        findings = conflicts.check(db, policy, case.practitioner.id, times, consent=consent, now=now)
        facts = (*facts, *conflicts.accepted(findings, by=by, now=now, session_id=session_id))
    decision = Decision(session=transition.session, facts=facts)
    if case.open is not None and moves:
        why = Sentence("the session was moved")
        withdrawal = offer_rules.withdraw(case.open, transition.session, by=by, now=now, why=str(why))
        decision = replace(
            decision,
            offers=((withdrawal.offer, case.open.state),),
            facts=(*withdrawal.facts, *facts),
        )
    record(db, policy, case, decision, now=now)
    return transition.session


def cancel(db: Connection, policy: Policy, session_id: UUID, *, by: Actor, now: datetime, reason: str = "") -> Session:
    """End a session, and its open offer and draft with it; cancelling twice changes nothing.

    Raises: NotFoundError.
    """
    case = load(db, policy, session_id, now=now)
    decision = cancellation(case, by=by, now=now, reason=reason)
    record(db, policy, case, decision, now=now)
    return decision.session


def cancellation(case: Case, *, by: Actor, now: datetime, reason: str = "") -> Decision:
    """Decide that a session ends, and its open offer and draft with it."""
    facts: tuple[Fact, ...] = ()
    offers_touched: list[tuple[Offer, OfferState | None]] = []
    session = case.session
    if case.draft is not None:
        discarding = offer_rules.discard(case.draft, session, by=by, now=now)
        facts = discarding.facts
        offers_touched.append((discarding.offer, case.draft.state))
    if case.open is not None:
        ending = offer_rules.end_with_session(case.open, session, by=by, now=now, reason=reason)
        session, facts = ending.session, (*facts, *ending.facts)
        offers_touched.append((ending.offer, case.open.state))
    else:
        transition = session_rules.cancel(session, by=by, now=now, reason=reason)
        session, facts = transition.session, (*facts, *transition.facts)
    return Decision(session=session, offers=tuple(offers_touched), facts=facts)


def keep(db: Connection, policy: Policy, session_id: UUID, *, by: Actor, now: datetime) -> Session:
    """Keep a flagged session as it is: its flag goes. Without a flag nothing changes.

    Raises: NotFoundError.
    """
    case = load(db, policy, session_id, now=now)
    transition = session_rules.unflagged(case.session, by=by, now=now)
    record(db, policy, case, Decision(session=transition.session, facts=transition.facts), now=now)
    return transition.session


def locked(db: Connection, session_id: UUID, *, sees: Callable[[UUID], bool]) -> SessionWithOffers:
    """Return a session about which nobody else decides until the transaction ends, to compare it with what was seen.

    Args:
        db: The transaction.
        session_id: Which.
        sees: Whether whoever asks sees what is a practitioner's.
    Raises: NotFoundError, also for one they may not see; StandstillError.
    """
    practitioner_id = stored.get(db, session_id).practitioner_id
    if not sees(practitioner_id):
        raise not_found()
    standstill.lock(db, practitioner_id)
    return stored.with_offers(db, session_id)


def call(db: Connection, session_id: UUID, external_id: str | None) -> None:
    """Note what the host calls a session, which is locked; None for nothing. Nobody is told.

    Raises: ExistsError if another one is called so; RuleError.
    """
    check_external_id(external_id)
    stored.name(db, session_id, external_id)


def _check_foreseen(foreseen: Foreseen, session: Session, ending: Offer | None) -> None:
    """Raise StaleAnswerError if another offer ends than was said, or none any more, or if another time gives way."""
    if foreseen.offer_id == (ending.id if ending is not None else None):
        if foreseen.starts_at in (None, session.when.span.start):
            return
        raise StaleAnswerError(
            "The session has been given another time since this page was opened. Look at how it stands now, and save "
            "once more if the new time is still right. Nothing has been saved yet.",
            code="session_moved_meanwhile",
        )
    if ending is None:
        raise StaleAnswerError(
            "The offer that this page spoke of has ended since, and its client may have chosen a time. Look at how it "
            "stands now, and save once more if the new time is still right. Nothing has been saved yet.",
            code="offer_ended_since",
        )
    raise StaleAnswerError(
        "An offer was sent to the client since this page was opened, and would end with this. Read what is said of it "
        "above, and save once more. Nothing has been saved yet.",
        code="offer_sent_since",
    )


def not_found() -> NotFoundError:
    """Say that there is no such session, or none that whoever asks may see: nobody can tell them apart."""
    return NotFoundError("There is no such session.", code="session_not_found")
