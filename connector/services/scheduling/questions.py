"""A practitioner answers a question about what they did in their calendar, or the default is chosen for them."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import Connection

from connector.domain import offer as offer_rules
from connector.domain import question as question_rules
from connector.domain import session as session_rules
from connector.domain.change import ChangeKind
from connector.domain.facts import Answer, Attestation, MoveReason
from connector.domain.notice import RevertReason
from connector.domain.people import CLOCK, Actor
from connector.domain.question import Question
from connector.domain.reconcile import Mirror
from connector.domain.session import Edit
from connector.domain.span import When
from connector.errors import NotFoundError, PastSpanError, RuleError, TimeTakenError
from connector.services.policy import Policy
from connector.services.recording import Case, Decision, load, record
from connector.services.scheduling import conflicts
from connector.services.scheduling.conflicts import NOT_ASKED, Consent
from connector.services.scheduling.offers import check_can_ask, sending
from connector.services.scheduling.sessions import cancellation
from connector.services.sync import reverts
from connector.storage import calendars, mirrors, occupancy, people, questions, sessions
from connector.storage.seal import Seal

PURPOSE = "question"
LINKS_SHOW = timedelta(days=90)


def find(db: Connection, seal: Seal, token: str, *, now: datetime) -> Question:
    """Return the question a mailed link leads to.

    Raises: NotFoundError if the link is none of ours, or the question ended more than 90 days ago.
    """
    question = questions.get(db, seal.identity(PURPOSE, token))
    seal.check_reader(PURPOSE, token, people.practitioner(db, question.practitioner_id).email)
    if question.ended_at is not None and question.ended_at + LINKS_SHOW <= now:
        raise NotFoundError("This link has expired: the question it asks ended long ago.", code="question_link_expired")
    return question


def answer(
    db: Connection,
    policy: Policy,
    question_id: UUID,
    choice: Answer,
    *,
    by: Actor,
    now: datetime,
    attestation: Attestation | None = None,
    consent: Consent = NOT_ASKED,
) -> Question:
    """Record an answer and carry out what follows from it.

    Args:
        db: The transaction.
        policy: How this installation does things.
        question_id: Which question.
        choice: The answer; giving the same one again changes nothing.
        by: The practitioner; the clock where the default is chosen.
        now: Aware UTC.
        attestation: Who says that the client has agreed, for AGREED only.
        consent: What they have said to what else stands at that time, likewise.
    Returns: The question as it stands then.
    Raises: NotFoundError; QuestionClosedError if it was answered otherwise, or decided in another way; RuleError if the
        client cannot be asked, PastSpanError or TimeTakenError if the time is not free, ConflictError (see
        `conflicts`): nothing has changed then.
    """
    case = load(db, policy, questions.get(db, question_id).session_id, now=now)
    question = questions.get(db, question_id)
    if question.answer is choice:
        return question
    answered, fact = question_rules.answer(question, choice, by=by, now=now)
    if choice is Answer.AGREED:
        decision = _agreed(db, policy, case, question, attestation, by=by, now=now, consent=consent)
    else:
        decision = _decision(db, policy, case, question, choice, by=by, now=now)
    decision = replace(decision, questions=(*decision.questions, answered), facts=(fact, *decision.facts))
    record(db, policy, case, decision, now=now)
    return answered


def come_due(db: Connection, policy: Policy, question_id: UUID, *, now: datetime) -> datetime | None:
    """Choose the default of a question nobody has answered; if it cannot be done, the entry is reverted and that told.

    Returns: When to look again, aware UTC; None if never.
    """
    question = questions.get(db, question_id)
    case = load(db, policy, question.session_id, now=now)
    question = questions.get(db, question_id)
    if not question.is_open:
        return None
    if now < question.answers_itself_at:
        return question.answers_itself_at
    default, reason = _default(db, policy, case, question, now)
    answer(db, policy, question_id, default, by=CLOCK, now=now)
    if default is Answer.REVERT:
        _revert(db, question, reason, now)
    return None


def _default(
    db: Connection, policy: Policy, case: Case, question: Question, now: datetime
) -> tuple[Answer, RevertReason]:
    """Return the answer to choose, and why the entry is reverted if that is the answer."""
    default = question.row.default
    try:
        if default is Answer.ASK_CLIENT:
            _check_can_ask_for(db, policy, case, question, now)
    except PastSpanError:
        return Answer.REVERT, RevertReason.PAST
    except TimeTakenError:
        return Answer.REVERT, RevertReason.TAKEN
    except RuleError:
        return Answer.REVERT, RevertReason.UNASKED
    return default, RevertReason.NO_ANSWER


def _decision(
    db: Connection,
    policy: Policy,
    case: Case,
    question: Question,
    choice: Answer,
    *,
    by: Actor,
    now: datetime,
) -> Decision:
    """Decide what an answer leads to, but for AGREED."""
    match choice:
        case Answer.ASK_CLIENT | Answer.REPLACE:
            _check_can_ask_for(db, policy, case, question, now)
            return _ask_client(policy, case, _moved_to(question), by=by, now=now)
        case Answer.CANCEL:
            return cancellation(case, by=by, now=now)
        case _:
            return Decision(session=case.session)


def _agreed(
    db: Connection,
    policy: Policy,
    case: Case,
    question: Question,
    attestation: Attestation | None,
    *,
    by: Actor,
    now: datetime,
    consent: Consent,
) -> Decision:
    """Decide that the session moves to where its entry was put; what else stands there was accepted knowingly."""
    when = _moved_to(question)
    edit = Edit(when=when, reason=MoveReason.AGREED, attestation=attestation)
    transition = session_rules.edit(case.session, edit, by=by, now=now)
    findings = conflicts.check(db, policy, case.practitioner.id, [when], consent=consent, now=now)
    knowing = conflicts.accepted(findings, by=by, now=now, session_id=case.session.id)
    return Decision(session=transition.session, facts=(*transition.facts, *knowing))


def _ask_client(policy: Policy, case: Case, when: When, *, by: Actor, now: datetime) -> Decision:
    """Decide that this one time is offered, in place of an offer that is open; a draft stays as it is."""
    drafting = offer_rules.draft(case.session, [(when, None)], window=policy.window, by=by, now=now)
    transition = offer_rules.send(drafting.offer, drafting.session, by=by, now=now)
    return sending(case, transition, was=None, by=by, now=now)


def _check_can_ask_for(db: Connection, policy: Policy, case: Case, question: Question, now: datetime) -> None:
    """Raise RuleError if the client cannot be asked for the time a question is about."""
    when = _moved_to(question)
    check_can_ask(db, policy, case)
    session_rules.check_future(when, now)
    if occupancy.taken(db, case.practitioner.id, when.span.padded(case.practitioner.buffer), besides=case.session.id):
        raise occupancy.time_taken()


def _moved_to(question: Question) -> When:
    """Return the time the event was moved to.

    Raises: RuleError if the question is about no such time.
    """
    if question.moved_to is None:
        raise RuleError("This question is about no other time. Choose another answer.", code="question_without_time")
    return question.moved_to


def _revert(db: Connection, question: Question, reason: RevertReason, now: datetime) -> None:
    """Revert the entry a question is about, and tell the practitioner; an entry of a session that is over stays."""
    if sessions.get(db, question.session_id).when.span.end <= now:
        return
    mirror = _mirror(db, question)
    if mirror is None:
        return  # the calendar has been disconnected since
    moved_to = question.moved_to.span if question.moved_to else None
    calendar = calendars.calendar(db, question.calendar_id)
    deleted = question.row.remote_change is ChangeKind.DELETED
    reverts.revert(db, calendar, mirror, reason, found=moved_to, deleted=deleted, now=now)


def _mirror(db: Connection, question: Question) -> Mirror | None:
    """Return the mirror of the entry a question is about."""
    for calendar_id, mirror in mirrors.of_session(db, question.session_id):
        if calendar_id == question.calendar_id and mirror.key.id == question.session_id:
            return mirror
    return None
