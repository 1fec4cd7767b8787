"""What practitioners were asked about their absences: the question, the events that say so, the sessions it names."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, delete, func, insert, select, update

from connector.domain.absence import Absence, AbsenceState, PartKey, Place
from connector.domain.facts import AbsenceAnswer, AbsenceEnd, SessionMoved
from connector.domain.session import SessionState
from connector.domain.span import Span
from connector.errors import NotFoundError, QuestionClosedError
from connector.storage.tables import absence_parts, absence_sessions, absences, facts, sessions


def add(db: Connection, absence: Absence) -> None:
    """Store a new question."""
    fixed = {"id": absence.id, "practitioner_id": absence.practitioner_id, "asked_at": absence.asked_at}
    db.execute(insert(absences).values(fixed | _changing(absence)))
    _add_rows(db, absence)


def save(db: Connection, absence: Absence) -> None:
    """Store what has become of a question that is open, or ended since its absence was gone.

    Raises: QuestionClosedError if it had been answered, or had ended otherwise.
    """
    may_change = (absences.c.state == AbsenceState.OPEN.value) | (absences.c.ended == AbsenceEnd.GONE.value)
    query = (
        update(absences)
        .where(absences.c.id == absence.id, may_change)
        .values(_changing(absence))
        .returning(absences.c.id)
    )
    if db.execute(query).first() is None:
        raise QuestionClosedError("This question was answered a moment ago.", code="question_answered_just_now")
    if absence.is_open:
        for table in (absence_parts, absence_sessions):
            db.execute(delete(table).where(table.c.absence_id == absence.id))
        _add_rows(db, absence)


def get(db: Connection, absence_id: UUID) -> Absence:
    """Return a question.

    Raises: NotFoundError.
    """
    found = _selected(db, absences.c.id == absence_id)
    if not found:
        raise NotFoundError("There is no such question.", code="question_not_found")
    return found[0]


def lately(db: Connection, practitioner_id: UUID, *, now: datetime) -> Sequence[Absence]:
    """Return what a practitioner was asked about that is not over, and whatever is still open."""
    is_lasting = (absences.c.ends_at > now) | (absences.c.state == AbsenceState.OPEN.value)
    return _selected(db, (absences.c.practitioner_id == practitioner_id) & is_lasting)


def open_of_practitioner(db: Connection, practitioner_id: UUID, *, now: datetime) -> Sequence[Absence]:
    """Return the questions that wait for a practitioner, the next absence first."""
    is_open = (absences.c.state == AbsenceState.OPEN.value) & (absences.c.ends_at > now)
    return _selected(db, (absences.c.practitioner_id == practitioner_id) & is_open)


def has_open(db: Connection, practitioner_id: UUID) -> bool:
    """Whether a question waits for a practitioner, or has not ended yet."""
    is_open = (absences.c.practitioner_id == practitioner_id) & (absences.c.state == AbsenceState.OPEN.value)
    return db.execute(select(absences.c.id).where(is_open).limit(1)).first() is not None


def placed_at(db: Connection, session_ids: Collection[UUID]) -> Mapping[UUID, datetime]:
    """Return when each session was last moved to where it is; those that never were are left out."""
    query = (
        select(facts.c.session_id, func.max(facts.c.at).label("at"))
        .where(facts.c.session_id.in_(session_ids), facts.c.kind == SessionMoved.tag)
        .group_by(facts.c.session_id)
    )
    return {row.session_id: row.at for row in db.execute(query)}


def furthest(db: Connection, practitioner_id: UUID, *, now: datetime) -> datetime | None:
    """Return when the last session to come of a practitioner ends; None if none is to come."""
    coming = (sessions.c.practitioner_id == practitioner_id) & (sessions.c.state == SessionState.BOOKED.value)
    query = select(func.max(sessions.c.ends_at)).where(coming, sessions.c.ends_at > now)
    found: datetime | None = db.execute(query).scalar_one()
    return found


def _selected(db: Connection, which: ColumnElement[bool]) -> list[Absence]:
    rows = db.execute(select(absences).where(which).order_by(absences.c.starts_at, absences.c.id)).all()
    own = select(absences.c.id).where(which)
    keys: dict[UUID, set[PartKey]] = defaultdict(set)
    places: dict[UUID, set[Place]] = defaultdict(set)
    if rows:
        for part in db.execute(select(absence_parts).where(absence_parts.c.absence_id.in_(own))):
            keys[part.absence_id].add(PartKey(part.calendar_id, part.href, part.occurrence))
        for one in db.execute(select(absence_sessions).where(absence_sessions.c.absence_id.in_(own))):
            places[one.absence_id].add(Place(one.session_id, one.starts_at))
    return [
        Absence(
            id=row.id,
            practitioner_id=row.practitioner_id,
            span=Span(start=row.starts_at, end=row.ends_at),
            keys=frozenset(keys[row.id]),
            places=frozenset(places[row.id]),
            asked_at=row.asked_at,
            state=AbsenceState(row.state),
            answer=AbsenceAnswer(row.answer) if row.answer else None,
            ended=AbsenceEnd(row.ended) if row.ended else None,
            ended_at=row.ended_at,
        )
        for row in rows
    ]


def _add_rows(db: Connection, absence: Absence) -> None:
    for key in absence.keys:
        db.execute(insert(absence_parts).values(absence_id=absence.id, **key._asdict()))
    for place in absence.places:
        db.execute(insert(absence_sessions).values(absence_id=absence.id, **place._asdict()))


def _changing(absence: Absence) -> dict[str, object]:
    return {
        "state": absence.state.value,
        "starts_at": absence.span.start,
        "ends_at": absence.span.end,
        "answer": absence.answer.value if absence.answer else None,
        "ended": absence.ended.value if absence.ended else None,
        "ended_at": absence.ended_at,
    }
