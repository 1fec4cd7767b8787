"""Take in sessions, change them, cancel them. Each function is one use case inside the caller's transaction."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection

from connector.domain import offer as offering
from connector.domain import session as sessions
from connector.domain.facts import Fact, MoveReason, NoticeHeldBack, SessionMoved
from connector.domain.notice_table import NOTICES
from connector.domain.offer import Offer, OfferState
from connector.domain.people import Actor
from connector.domain.session import Edit, Location, Session, SessionKind
from connector.domain.span import When
from connector.services.policy import Policy
from connector.services.recording import Case, Decision, load, lock, record
from connector.storage import ledger, messages, people
from connector.storage.ledger import Key, Kind

_HOLDABLE = tuple(kind for kind, row in NOTICES.items() if row.holdable)


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
) -> Session:
    """Take in a session, tell the client, and have it shown in the practitioner's calendars.

    Raises: NotFoundError, PastSpanError, TimeTakenError.
    """
    practitioner = lock(db, policy, practitioner_id, now=now)
    client = people.client(db, client_id)
    change = sessions.book(
        practitioner_id=practitioner_id,
        client_id=client_id,
        when=when,
        location=location,
        organizer=policy.organizer,
        by=by,
        now=now,
        kind=kind,
        series_id=series_id,
    )
    case = Case(practitioner=practitioner, client=client, session=change.session)
    record(db, policy, case, Decision(session=change.session, facts=change.facts, new=True), now=now)
    return change.session


def edit(db: Connection, policy: Policy, session_id: UUID, edit: Edit, *, by: Actor, now: datetime) -> Session:
    """Change time, place or both at once; an open offer ends when the time changes.

    A correction also keeps the notices from leaving that have not left yet: what they say is wrong.

    Raises: NotFoundError, PastSpanError, TimeTakenError, RuleError (no attestation, cancelled session).
    """
    case = load(db, policy, session_id, now=now)
    change = sessions.edit(case.session, edit, by=by, now=now)
    if not change.facts:
        return case.session
    facts: tuple[Fact, ...] = change.facts
    touched: tuple[tuple[Offer, OfferState | None], ...] = ()
    if case.open is not None and any(isinstance(fact, SessionMoved) for fact in facts):
        why = "the session was moved"
        transition = offering.withdraw(case.open, change.session, by=by, now=now, why=why)
        facts, touched = (*transition.facts, *facts), ((transition.offer, case.open.state),)
    decision = Decision(session=change.session, offers=touched, facts=facts)
    if edit.reason is MoveReason.CORRECTION:
        decision = _holding_back(db, decision, by=by, now=now)
    record(db, policy, case, decision, now=now)
    return change.session


def cancel(db: Connection, policy: Policy, session_id: UUID, *, by: Actor, now: datetime, reason: str = "") -> Session:
    """End a session, and its open offer and draft with it; cancelling twice changes nothing.

    Raises: NotFoundError.
    """
    case = load(db, policy, session_id, now=now)
    decision = cancelled(case, by=by, now=now, reason=reason)
    record(db, policy, case, decision, now=now)
    return decision.session


def cancelled(case: Case, *, by: Actor, now: datetime, reason: str = "") -> Decision:
    """Decide that a session ends, and its open offer and draft with it."""
    facts: tuple[Fact, ...] = ()
    touched: list[tuple[Offer, OfferState | None]] = []
    session = case.session
    if case.draft is not None:
        transition = offering.discard(case.draft, session, by=by, now=now)
        facts, touched = transition.facts, [(transition.offer, case.draft.state)]
    if case.open is not None:
        transition = offering.end_with_session(case.open, session, by=by, now=now, reason=reason)
        session, facts = transition.session, (*facts, *transition.facts)
        touched.append((transition.offer, case.open.state))
    else:
        change = sessions.cancel(session, by=by, now=now, reason=reason)
        session, facts = change.session, (*facts, *change.facts)
    return Decision(session=session, offers=tuple(touched), facts=facts)


def keep(db: Connection, policy: Policy, session_id: UUID, *, by: Actor, now: datetime) -> Session:
    """Leave a flagged session as it stands: its practitioner has seen to it. Without a flag nothing changes.

    Raises: NotFoundError.
    """
    case = load(db, policy, session_id, now=now)
    change = sessions.unflagged(case.session, by=by, now=now)
    record(db, policy, case, Decision(session=change.session, facts=change.facts), now=now)
    return change.session


def _holding_back(db: Connection, decision: Decision, *, by: Actor, now: datetime) -> Decision:
    held = tuple(messages.hold_back(db, decision.session.id, _HOLDABLE))
    for message in held:
        ledger.forget(db, Key(Kind.MESSAGE, str(message.id)))
    facts = tuple(
        NoticeHeldBack(
            at=now,
            by=by,
            session_id=decision.session.id,
            kind=message.kind.value,
            revision=message.notice.session.revision if message.notice.session else 0,
        )
        for message in held
    )
    return replace(decision, facts=decision.facts + facts, held_back=held)
