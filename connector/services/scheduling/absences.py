"""Ask a practitioner once what becomes of their sessions while a calendar says that they are away.

Nothing is decided for them: no client hears anything before they send something.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import Connection

from connector.domain import absence as rules
from connector.domain.absence import Absence, AbsenceState, Concerned, Part, Place, Verdict
from connector.domain.facts import AbsenceAnswer, AbsenceAnswered, AbsenceAsked, AbsenceDropped, AbsenceEnd, Fact
from connector.domain.notice import Concerned as ConcernedNotice
from connector.domain.notice import Notice, NoticeKind, Recipient
from connector.domain.people import CLOCK, Actor, Practitioner
from connector.domain.session import Session
from connector.domain.span import zone_named
from connector.errors import NotFoundError, RuleError
from connector.services import notices
from connector.services.policy import Policy
from connector.services.recording import lock, make_absences_due
from connector.storage import absences, busy, calendars, ledger, offers, people, sessions, timeline
from connector.storage.ledger import Key, Kind, Urgency
from connector.storage.seal import Seal

PURPOSE = "absence"
LINKS_SHOW = timedelta(days=90)


def find(db: Connection, seal: Seal, token: str, *, now: datetime) -> Absence:
    """Return the question a mailed link leads to.

    Raises: NotFoundError if the link is none of ours, or the question ended more than 90 days ago.
    """
    absence = absences.get(db, seal.identity(PURPOSE, token))
    seal.check_reader(PURPOSE, token, people.practitioner(db, absence.practitioner_id).email)
    if absence.ended_at is not None and absence.ended_at + LINKS_SHOW <= now:
        raise NotFoundError("This link has expired: the question it asks ended long ago.", code="question_link_expired")
    return absence


def come_due(db: Connection, policy: Policy, practitioner_id: UUID, *, now: datetime) -> datetime | None:
    """Ask about what is new, and end what no longer stands; have calendars read that must confirm it first.

    Returns: When to look again, aware UTC; None for not before something happens.
    """
    practitioner = lock(db, policy, practitioner_id, now=now)
    known = absences.lately(db, practitioner_id, now=now)
    groups = rules.united(busy.parts(db, practitioner_id, now=now), zone_named(practitioner.zone))
    if not groups and not any(one.is_open for one in known):
        return None
    concerned = _concerned(db, practitioner_id, groups, known, now)
    read_at = busy.read_at(db, practitioner_id)
    outlook = rules.decide(practitioner_id, groups, concerned, known, read_at=read_at, now=now)
    for verdict in outlook.verdicts:
        _carry_out(db, practitioner, verdict, now)
    for calendar in calendars.all_of(db, practitioner_id):
        if calendar.id in outlook.unconfirmed:
            key = Key(Kind.BUSY, str(calendar.id))
            ledger.touch(db, key, due_at=now, lane=calendar.lane, urgency=Urgency.LOOK)
    return outlook.again_at


def answer(
    db: Connection,
    policy: Policy,
    absence_id: UUID,
    chosen: AbsenceAnswer,
    *,
    by: Actor,
    now: datetime,
    calendar_ids: Collection[UUID] = (),
) -> Absence:
    """Record what a practitioner says; the same once more changes nothing, and no client is told anything.

    Args:
        db: The transaction.
        policy: How this installation does things.
        absence_id: Which absence.
        chosen: The answer.
        by: The practitioner.
        now: Aware UTC.
        calendar_ids: The calendars whose events never concern sessions, for UNRELATED only.
    Raises: NotFoundError; QuestionClosedError if it has ended; RuleError if it is in none of those calendars.
    """
    lock(db, policy, absences.get(db, absence_id).practitioner_id, now=now)
    absence = absences.get(db, absence_id)
    if absence.answer is chosen:
        return absence
    answered = rules.answer(absence, chosen, now=now)
    if chosen is AbsenceAnswer.UNRELATED:
        connected = {one.id for one in calendars.all_of(db, absence.practitioner_id)}
        own = {key.calendar_id for key in absence.keys} & connected
        if not calendar_ids or not own.issuperset(calendar_ids):
            raise RuleError(
                "This absence does not stand in that calendar. Choose one of those that the page names.",
                code="absence_elsewhere",
                field="calendar",
            )
        for calendar_id in calendar_ids:
            calendars.set_absences_unrelated(db, calendar_id, unrelated=True)
        if own - set(calendar_ids):
            make_absences_due(db, absence.practitioner_id, now=now)
            return absence  # the others go on saying so: what is left of it is looked at anew
    absences.save(db, answered)
    make_absences_due(db, absence.practitioner_id, now=now)  # another one may name the same sessions
    facts = [
        AbsenceAnswered(at=now, by=by, session_id=place.session_id, absence_id=absence.id, answer=chosen)
        for place in sorted(absence.places)
    ]
    timeline.append(db, absence.practitioner_id, facts)
    return answered


def relate(db: Connection, calendar_id: UUID, *, related: bool, now: datetime) -> None:
    """Store whether absences in a calendar concern its practitioner's sessions."""
    calendars.set_absences_unrelated(db, calendar_id, unrelated=not related)
    make_absences_due(db, calendars.calendar(db, calendar_id).practitioner_id, now=now)


def _concerned(
    db: Connection, practitioner_id: UUID, groups: Sequence[Sequence[Part]], known: Sequence[Absence], now: datetime
) -> Sequence[Concerned]:
    """Return the sessions that stand in an absence."""
    spans = [part.span for group in groups for part in group]
    own = [
        one
        for one in (sessions.booked(db, practitioner_id, since=now) if spans else ())
        if any(span.overlaps(one.when.span) for span in spans)
    ]
    moved_at = absences.placed_at(db, [one.id for one in own]) if own else {}
    asked = {offer.session_id for offer in offers.open_of_practitioner(db, practitioner_id)} if own else set()
    since = min((one.asked_at for one in known), default=None) if own else None
    told = [] if since is None else timeline.of_kind(db, practitioner_id, AbsenceAsked, since=since)
    return [_of(one, max(one.created_at, moved_at.get(one.id, one.created_at)), asked, told) for one in own]


def _of(session: Session, placed_at: datetime, asked: Collection[UUID], told: Iterable[AbsenceAsked]) -> Concerned:
    own = (fact for fact in told if fact.session_id == session.id and fact.at >= placed_at)
    return Concerned(
        session_id=session.id,
        span=session.when.span,
        placed_at=placed_at,
        asked=session.id in asked,
        told_by=frozenset(fact.absence_id for fact in own),
    )


def _carry_out(db: Connection, practitioner: Practitioner, verdict: Verdict, now: datetime) -> None:
    absence = verdict.absence
    (absences.add if verdict.new else absences.save)(db, absence)
    timeline.append(db, practitioner.id, list(_facts(verdict, now)))
    if verdict.added:
        _ask(db, practitioner, absence, now)


def _facts(verdict: Verdict, now: datetime) -> Sequence[Fact]:
    absence = verdict.absence
    if absence.state is AbsenceState.ENDED and absence.ended not in (None, AbsenceEnd.UNITED):
        return [
            AbsenceDropped(at=now, by=CLOCK, session_id=place.session_id, absence_id=absence.id, ended=absence.ended)
            for place in sorted(absence.places)
        ]
    span = absence.span
    return [
        AbsenceAsked(
            at=now,
            by=CLOCK,
            session_id=place.session_id,
            absence_id=absence.id,
            starts_at=span.start,
            ends_at=span.end,
        )
        for place in sorted(absence.places if verdict.again else verdict.added)
    ]


def _ask(db: Connection, practitioner: Practitioner, absence: Absence, now: datetime) -> None:
    """Mail the question, with all that it names."""
    own = in_order(db, absence.places)
    names = people.client_names(db, [one.client_id for one in own])
    notice = Notice(
        kind=NoticeKind.ABSENCE_ASKED,
        to=Recipient.of(practitioner),
        practitioner_name=practitioner.name,
        absence_id=absence.id,
        away=absence.span,
        concerned=tuple(ConcernedNotice(when=one.when, about=names.get(one.client_id, "")) for one in own),
    )
    key = f"{notice.kind}:{absence.id}:{now:%Y%m%dT%H%M%S}"
    notices.tell(db, notice, key=key, practitioner_id=practitioner.id, now=now)


def in_order(db: Connection, places: Collection[Place]) -> Sequence[Session]:
    """Return the sessions that an absence names, by time."""
    found = sessions.with_ids(db, {place.session_id for place in places})
    return sorted(found, key=lambda one: (one.when.span.start, one.id))
