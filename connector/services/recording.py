"""Load what a use case needs, and store what it decided: state, times kept, timeline, messages and due work at once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import Connection

from connector.domain import client_mail
from connector.domain.connection import CalendarRole
from connector.domain.entry import EntryKey, EntryKind
from connector.domain.facts import (
    Dropped,
    Fact,
    MailKind,
    OfferAccepted,
    OfferDiscarded,
    OfferDrafted,
    OfferLapsed,
    OfferRejected,
    OfferReplaced,
    OfferSent,
    OfferWithdrawn,
    SessionBooked,
    SessionCancelled,
    SessionMoved,
)
from connector.domain.offer import Offer, OfferState, Transition, lapse
from connector.domain.people import Client, Practitioner
from connector.domain.question import Question, drop
from connector.domain.session import Session, SessionState
from connector.domain.span import When
from connector.errors import RuleError
from connector.services import beliefs, conversations, notices, standstill
from connector.services.policy import Policy
from connector.storage import (
    absences,
    busy,
    calendars,
    client_mails,
    ledger,
    occupancy,
    offers,
    people,
    questions,
    sessions,
    timeline,
)
from connector.storage.ledger import Key, Kind, Urgency

_INERT = (OfferDrafted, OfferDiscarded)  # no time is kept or released by these
_ANSWERING = (SessionMoved, SessionCancelled, OfferSent)  # who decides this has answered an open question, too
_ENDING = (
    OfferAccepted,
    OfferDiscarded,
    OfferLapsed,
    OfferRejected,
    OfferReplaced,
    OfferWithdrawn,
    SessionCancelled,
)
_PLACING = (SessionMoved, SessionCancelled, OfferSent, *_ENDING)  # by these a session needs no answer, or one again


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One session with everybody and everything that a decision about it needs."""

    practitioner: Practitioner
    client: Client
    session: Session
    open: Offer | None = None
    draft: Offer | None = None
    question: Question | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """A session and the offers a transition touched, each with the state it began in (None: new), and what happened.

    `questions` are those that end or begin with it; `conflict` names the calendars in which something else stands at a
    time that was accepted.
    """

    session: Session
    offers: tuple[tuple[Offer, OfferState | None], ...] = ()
    facts: tuple[Fact, ...] = ()
    questions: tuple[Question, ...] = ()
    conflict: str = ""
    new: bool = False


def load(db: Connection, policy: Policy, session_id: UUID, *, now: datetime, besides: UUID | None = None) -> Case:
    """Lock a session's practitioner, end their overdue offers but `besides`, and say where the session stands.

    Raises: NotFoundError.
    """
    practitioner = lock(db, policy, sessions.get(db, session_id).practitioner_id, now=now, besides=besides)
    session = sessions.get(db, session_id)
    return Case(
        practitioner=practitioner,
        client=people.client(db, session.client_id),
        session=session,
        open=offers.in_state(db, session_id, OfferState.OPEN),
        draft=offers.in_state(db, session_id, OfferState.DRAFT),
        question=questions.open_of(db, session_id),
    )


def look(db: Connection, session_id: UUID, *, now: datetime) -> Case:
    """Say where a session stands for who only looks: nothing is locked, and an overdue offer counts as ended.

    Raises: NotFoundError.
    """
    session = sessions.get(db, session_id)
    open_offer = offers.in_state(db, session_id, OfferState.OPEN)
    is_overdue = open_offer is not None and open_offer.expires_at is not None and open_offer.expires_at <= now
    return Case(
        practitioner=people.practitioner(db, session.practitioner_id),
        client=people.client(db, session.client_id),
        session=session,
        open=None if is_overdue else open_offer,
        draft=offers.in_state(db, session_id, OfferState.DRAFT),
        question=questions.open_of(db, session_id),
    )


def lock(
    db: Connection, policy: Policy, practitioner_id: UUID, *, now: datetime, besides: UUID | None = None
) -> Practitioner:
    """Let nobody else decide about this practitioner's time until the transaction ends; free overdue holds first.

    Raises: StandstillError while nothing may be decided.
    """
    practitioner = standstill.lock(db, practitioner_id)
    for overdue in offers.overdue(db, practitioner_id, now=now):
        if overdue.id != besides:
            _lapse(db, policy, practitioner, overdue, now)
    return practitioner


def _lapse(db: Connection, policy: Policy, practitioner: Practitioner, overdue: Offer, now: datetime) -> None:
    session = sessions.get(db, overdue.session_id)
    case = Case(
        practitioner=practitioner,
        client=people.client(db, session.client_id),
        session=session,
        open=overdue,
        question=questions.open_of(db, session.id),
    )
    record(db, policy, case, decision_of(lapse(overdue, session, now=now), was=overdue.state), now=now)


def decision_of(transition: Transition, *, was: OfferState | None) -> Decision:
    """Make a decision of one offer's transition."""
    return Decision(session=transition.session, offers=((transition.offer, was),), facts=transition.facts)


def record(
    db: Connection, policy: Policy, case: Case, decision: Decision, *, now: datetime, quiet: bool = False
) -> None:
    """Store a decision and make all the work due that follows from it; a decision without facts stores nothing.

    `quiet`: nobody is told, for it has happened long ago.

    Raises: TimeTakenError if a time it needs belongs to somebody else; OfferClosedError if somebody was faster.
    """
    if not decision.facts:
        return
    decision = _with_question_ended(case, decision, now)
    _store_state(db, case, decision)
    overtake_mails(db, decision.session.id, decision.facts, now=now)
    if any(not isinstance(fact, _INERT) for fact in decision.facts):
        _keep_times(db, case, decision.session, is_new=decision.new)
        _make_every_calendar_due(db, policy, case.practitioner.id, decision.facts, now)
    timeline.append(db, case.practitioner.id, decision.facts)
    _make_offers_due(db, policy, decision, case.practitioner.id, now)
    _make_questions_due(db, decision)
    if any(isinstance(fact, _PLACING) for fact in decision.facts):
        make_absences_due(db, case.practitioner.id, now=now)
    if not quiet:
        _tell(db, case, decision, now)


def _tell(db: Connection, case: Case, decision: Decision, now: datetime) -> None:
    """Have client and practitioner told; each by a conversation of theirs, in which it finds its place."""
    if any(not isinstance(fact, _INERT) for fact in decision.facts):
        conversations.witness(db, case.practitioner, case.client, decision.session, decision.facts, now=now)
    lapsed = next((fact.offer_id for fact in decision.facts if isinstance(fact, OfferLapsed)), None)
    notice = notices.for_practitioner(
        decision.facts,
        decision.session,
        decision.offers,
        case.practitioner,
        case.client,
        conflict=decision.conflict,
        unasked=lapsed is not None and not beliefs.was_asked(db, case.client, decision.session, lapsed),
    )
    if notice is not None:
        notices.tell(db, notice, key=notices.key_of(notice), practitioner_id=case.practitioner.id, now=now)


def _store_state(db: Connection, case: Case, decision: Decision) -> None:
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
    for question in sorted(decision.questions, key=lambda question: question.is_open):  # likewise
        (questions.add if question.is_open else questions.end)(db, question)


def overtake_mails(db: Connection, session_id: UUID, facts: Sequence[Fact], *, now: datetime) -> None:
    """Have nobody asked any more about mails to which what has happened leaves nothing to decide."""
    kinds = {kind for fact in facts for kind in MailKind if client_mail.overtakes(fact, kind)}
    if kinds:
        client_mails.overtake(db, session_id, kinds, now=now)


def _keep_times(db: Connection, case: Case, session: Session, *, is_new: bool) -> None:
    """Keep the times that a session, its open offer and its open question need, and release all its others."""
    open_offer = None if is_new else offers.in_state(db, session.id, OfferState.OPEN)
    open_question = None if is_new else questions.open_of(db, session.id)
    times = times_of(session, open_offer, open_question, case.practitioner)
    occupancy.keep(db, case.practitioner.id, session.id, list(times))


def keep_times_anew(db: Connection, practitioner: Practitioner, *, now: datetime) -> None:
    """Keep the times of all sessions to come with the buffer that a practitioner has now.

    Raises: RuleError that names the sessions that would collide; nothing may be stored then.
    """
    coming = [one for one in sessions.booked(db, practitioner.id, since=now) if one.when.span.start > now]
    for session in sorted(coming, key=lambda one: one.when.span):
        open_offer, question = offers.in_state(db, session.id, OfferState.OPEN), questions.open_of(db, session.id)
        times = list(times_of(session, open_offer, question, practitioner))
        for time in times:
            if occupancy.taken(db, practitioner.id, time.span, besides=session.id):
                raise RuleError(
                    "With a buffer of one minute a session, or a time offered for it, would run into what comes after "
                    "it: %(when)s (%(session)s). Move one of them first. Nothing has been changed.",
                    plural="With a buffer of %(n)s minutes a session, or a time offered for it, would run into what "
                    "comes after it: %(when)s (%(session)s). Move one of them first. Nothing has been changed.",
                    n=practitioner.buffer // timedelta(minutes=1),
                    code="buffer_collides",
                    field="buffer",
                    when=session.when.local,
                    session=session.id.hex[:8],
                )
        occupancy.keep(db, practitioner.id, session.id, times)


def make_calendars_due(db: Connection, practitioner_id: UUID, *, now: datetime) -> None:
    """Have every calendar of a practitioner brought up to date."""
    for calendar in calendars.calendars_of(db, practitioner_id):
        ledger.touch(db, Key(Kind.CALENDAR, str(calendar.id)), due_at=now, lane=calendar.lane)


def _make_every_calendar_due(
    db: Connection, policy: Policy, practitioner_id: UUID, facts: Sequence[Fact], now: datetime
) -> None:
    """Have every calendar brought up to date, and those looked at in which an absence may turn up without a word."""
    has_placed = any(isinstance(fact, SessionBooked | SessionMoved) for fact in facts)
    for calendar in calendars.all_of(db, practitioner_id):
        if calendar.role is CalendarRole.TARGET:
            ledger.touch(db, Key(Kind.CALENDAR, str(calendar.id)), due_at=now, lane=calendar.lane)
        elif calendar.role is CalendarRole.WATCHED and has_placed:
            key, again_at = Key(Kind.BUSY, str(calendar.id)), now + policy.poll_idle
            ledger.touch(db, key, due_at=again_at, lane=calendar.lane, urgency=Urgency.UPKEEP)


def make_busy_due(db: Connection, practitioner_id: UUID, *, now: datetime) -> None:
    """Have free/busy read in each of a practitioner's calendars."""
    for calendar in calendars.all_of(db, practitioner_id):
        key = Key(Kind.BUSY, str(calendar.id))
        ledger.touch(db, key, due_at=now, lane=calendar.lane, urgency=Urgency.LOOK)


def make_absences_due(db: Connection, practitioner_id: UUID, *, now: datetime) -> None:
    """Have it looked what a practitioner is to be asked about their absences, if there may be any.

    Whatever changes which sessions an absence concerns calls this: a decision about a session, what a reading found, a
    calendar that comes to concern sessions or no longer does, another zone, on whose wall a day is a whole one.
    """
    if busy.has_parts(db, practitioner_id, now=now) or absences.has_open(db, practitioner_id):
        ledger.touch(db, Key(Kind.ABSENCE, str(practitioner_id)), due_at=now)


def _with_question_ended(case: Case, decision: Decision, now: datetime) -> Decision:
    """End the question that waits for the practitioner if this decides about the session in another way."""
    question = case.question
    if question is None or any(other.id == question.id for other in decision.questions):
        return decision
    cause = next((fact for fact in decision.facts if _answers(question, fact)), None)
    if cause is None:
        return decision
    ended, dropped = drop(question, Dropped.DECIDED, by=cause.by, now=now)
    return replace(decision, questions=(*decision.questions, ended), facts=(*decision.facts, dropped))


def _answers(question: Question, fact: Fact) -> bool:
    """Whether something decides what a question is about: the session, or the very offer that it names."""
    if isinstance(fact, _ANSWERING):
        return True
    return question.row.about_offer and isinstance(fact, _ENDING) and fact.offer_id == question.offer_id


def times_of(
    session: Session, open_offer: Offer | None, open_question: Question | None, practitioner: Practitioner
) -> Iterator[occupancy.Occupied]:
    """Yield the times that a session, its open offer and its open question need, with the buffer after each."""

    def occupied(when: When, key: object, state: str) -> occupancy.Occupied:
        return occupancy.Occupied(key=str(key), span=when.span.padded(practitioner.buffer), state=state)

    if session.state is not SessionState.BOOKED:
        return
    yield occupied(session.when, EntryKey(kind=EntryKind.SESSION, id=session.id), "booked")
    for alternative in open_offer.held if open_offer else ():
        yield occupied(alternative.when, EntryKey(kind=EntryKind.HOLD, id=alternative.id), "held")
    if open_question is not None and open_question.keeps is not None:
        yield occupied(open_question.keeps, f"question:{open_question.id}", "held")


def _make_offers_due(db: Connection, policy: Policy, decision: Decision, practitioner_id: UUID, now: datetime) -> None:
    """Make what becomes of the offers due: deadline, draft reminder, more frequent pulls; an ended offer needs none."""
    for fact in decision.facts:
        match fact:
            case OfferSent(offer_id=UUID() as offer_id, expires_at=expires_at):
                ledger.forget(db, Key(Kind.OFFER, str(offer_id)))
                ledger.touch(db, Key(Kind.OFFER, str(offer_id)), due_at=expires_at)
                for calendar in calendars.calendars_of(db, practitioner_id):
                    ledger.touch(
                        db, Key(Kind.PULL, str(calendar.id)), due_at=now + policy.poll_open, lane=calendar.lane
                    )
                make_busy_due(db, practitioner_id, now=now)
            case OfferDrafted(offer_id=UUID() as offer_id):
                ledger.touch(db, Key(Kind.OFFER, str(offer_id)), due_at=now + policy.draft_reminder)
            case _ if isinstance(fact, _ENDING):
                for offer, _was in decision.offers:
                    if offer.state not in (OfferState.OPEN, OfferState.DRAFT):
                        ledger.forget(db, Key(Kind.OFFER, str(offer.id)))
            case _:
                pass


def _make_questions_due(db: Connection, decision: Decision) -> None:
    for question in decision.questions:
        key = Key(Kind.QUESTION, str(question.id))
        if question.is_open:
            ledger.touch(db, key, due_at=question.answers_itself_at)
        else:
            ledger.forget(db, key)
