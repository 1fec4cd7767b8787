"""What a practitioner answers when asked about something they did in their calendar, or what is chosen for them."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import Connection

from connector.domain import offer as offering
from connector.domain import question as asking
from connector.domain import session as sessions
from connector.domain.change import ChangeKind
from connector.domain.facts import Answer, Attestation, Fact, MoveReason
from connector.domain.notice import RevertReason
from connector.domain.offer import Offer, OfferState
from connector.domain.people import CLOCK, Actor
from connector.domain.question import Question
from connector.domain.session import Edit
from connector.domain.span import When
from connector.errors import NotFoundError, PastSpanError, QuestionClosedError, RuleError, TimeTakenError
from connector.services.policy import Policy
from connector.services.recording import Case, Decision, load, record
from connector.services.scheduling import sessions as booking
from connector.services.scheduling.offers import check_can_ask
from connector.services.sync import reverts
from connector.storage import calendars, mirrors, occupancy, questions
from connector.storage import sessions as stored
from connector.storage.seal import Seal

PURPOSE = "question"
LINKS_SHOW = timedelta(days=90)


def find(db: Connection, seal: Seal, token: str, *, now: datetime) -> Question:
    """Return the question a mailed link leads to.

    Raises: NotFoundError if the link is none of ours, or the question ended more than 90 days ago.
    """
    question = questions.get(db, seal.identity(PURPOSE, token))
    if question.ended_at is not None and question.ended_at + LINKS_SHOW <= now:
        raise NotFoundError("This link has expired.")
    return question


def answer(
    db: Connection,
    policy: Policy,
    question_id: UUID,
    chosen: Answer,
    *,
    by: Actor,
    now: datetime,
    attestation: Attestation | None = None,
) -> Question:
    """Take an answer and do what follows from it, at once.

    Args:
        db: The transaction.
        policy: How this installation does things.
        question_id: Which question.
        chosen: The answer; giving the same one again changes nothing.
        by: The practitioner; the clock when it answers itself.
        now: Aware UTC.
        attestation: Who says that the client has agreed, for AGREED only.
    Returns: The question as it stands then.
    Raises: NotFoundError; QuestionClosedError if it was answered otherwise, or decided in another way; RuleError if the
        client cannot be asked, PastSpanError or TimeTakenError if the time is not to be had: nothing has changed then.
    """
    case = load(db, policy, questions.get(db, question_id).session_id, now=now)
    question = questions.get(db, question_id)
    if question.answer is chosen:
        return question
    ended, fact = asking.answer(question, chosen, by=by, now=now)
    decision = _follow(db, policy, case, question, chosen, by=by, now=now, attestation=attestation)
    decision = replace(decision, questions=(*decision.questions, ended), facts=(fact, *decision.facts))
    record(db, policy, case, decision, now=now)
    return ended


def come_due(db: Connection, policy: Policy, question_id: UUID, *, now: datetime) -> datetime | None:
    """Choose the default of a question nobody has answered; what cannot be done is put back, and told.

    Returns: When to look again, aware UTC; None if never.
    """
    question = questions.get(db, question_id)
    case = load(db, policy, question.session_id, now=now)
    question = questions.get(db, question_id)
    if not question.is_open:
        return None
    if now < question.answers_itself_at:
        return question.answers_itself_at
    default, reason = question.row.default, RevertReason.NO_ANSWER
    try:
        if default is Answer.ASK_CLIENT:
            _check_asking(db, policy, case, question, now)
    except (PastSpanError, TimeTakenError) as error:
        default, reason = Answer.REVERT, RevertReason.PAST if isinstance(error, PastSpanError) else RevertReason.TAKEN
    except RuleError:
        default, reason = Answer.REVERT, RevertReason.UNASKED
    answer(db, policy, question_id, default, by=CLOCK, now=now)
    if default is Answer.REVERT:
        _tell(db, policy, question, reason, now)
    return None


def _follow(
    db: Connection,
    policy: Policy,
    case: Case,
    question: Question,
    chosen: Answer,
    *,
    by: Actor,
    now: datetime,
    attestation: Attestation | None,
) -> Decision:
    """Decide what an answer leads to."""
    match chosen:
        case Answer.ASK_CLIENT | Answer.REPLACE:
            _check_asking(db, policy, case, question, now)
            return _asking_client(policy, case, _place(question), by=by, now=now)
        case Answer.AGREED:
            edit = Edit(when=_place(question), reason=MoveReason.AGREED, attestation=attestation)
            change = sessions.edit(case.session, edit, by=by, now=now)
            return Decision(session=change.session, facts=change.facts)
        case Answer.CANCEL:
            return booking.cancelled(case, by=by, now=now)
        case Answer.REVERT | Answer.LEAVE | Answer.OFFER_OTHERS:
            return Decision(session=case.session)


def _asking_client(policy: Policy, case: Case, when: When, *, by: Actor, now: datetime) -> Decision:
    """Make an offer of this one time, in place of one that is open; a draft stays what it is."""
    noted = offering.draft(case.session, [(when, None)], window=policy.window, by=by, now=now)
    sent = offering.send(noted.offer, noted.session, by=by, now=now)
    facts: tuple[Fact, ...] = sent.facts
    touched: list[tuple[Offer, OfferState | None]] = [(sent.offer, None)]
    if case.open is not None:
        ended = offering.replaced(case.open, sent.session, sent.offer, by=by, now=now)
        facts, touched = (*ended.facts, *facts), [(ended.offer, case.open.state), *touched]
    return Decision(session=sent.session, offers=tuple(touched), facts=facts)


def _check_asking(db: Connection, policy: Policy, case: Case, question: Question, now: datetime) -> None:
    """Raise RuleError if the client cannot be asked for this time."""
    when = _place(question)
    check_can_ask(db, policy, case)
    sessions.check_future(when, now)
    if question.row.about_offer and (case.open is None or case.open.id != question.offer_id):
        raise QuestionClosedError("The offer this question was about has ended.")
    if occupancy.taken(db, case.practitioner.id, when.span.padded(case.practitioner.buffer), besides=case.session.id):
        raise TimeTakenError(occupancy.TAKEN)


def _place(question: Question) -> When:
    if question.moved_to is None:
        raise RuleError("This question names no time.")
    return question.moved_to


def _tell(db: Connection, policy: Policy, question: Question, reason: RevertReason, now: datetime) -> None:
    """Tell the practitioner that the entry they touched is put back; one that is over is not."""
    if stored.get(db, question.session_id).when.span.end <= now:
        return
    here = [m for calendar_id, m in mirrors.of_session(db, question.session_id) if calendar_id == question.calendar_id]
    own = next((mirror for mirror in here if mirror.key.id == question.session_id), None)
    if own is None:
        return  # disconnected since
    found = question.moved_to.span if question.moved_to else None
    calendar = calendars.calendar(db, question.calendar_id)
    deleted = question.row.remote_change is ChangeKind.DELETED
    reverts.revert(db, policy, calendar, own, reason, found=found, deleted=deleted, now=now)
