"""Questions to practitioners about what they did in their calendars."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, Row, insert, select, update

from connector.domain.facts import Answer, QuestionKind
from connector.domain.question import Question, QuestionState
from connector.errors import NotFoundError, QuestionClosedError
from connector.storage.sessions import when_columns, when_of
from connector.storage.tables import questions


def add(db: Connection, question: Question) -> None:
    """Store a new question; the one that was open for its session must have ended."""
    fixed = {
        "id": question.id,
        "session_id": question.session_id,
        "practitioner_id": question.practitioner_id,
        "calendar_id": question.calendar_id,
        "kind": question.kind.value,
        "offer_id": question.offer_id,
        "asked_at": question.asked_at,
        "answers_itself_at": question.answers_itself_at,
    }
    place = when_columns(question.moved_to) if question.moved_to else {}
    db.execute(insert(questions).values(fixed | place | _changing(question)))


def end(db: Connection, question: Question) -> None:
    """Store how an open question ended.

    Raises: QuestionClosedError if it had ended already.
    """
    still_open = (questions.c.id == question.id) & (questions.c.state == QuestionState.OPEN.value)
    query = update(questions).where(still_open).values(_changing(question)).returning(questions.c.id)
    if db.execute(query).first() is None:
        raise QuestionClosedError("This question was answered a moment ago.", code="question_answered_just_now")


def get(db: Connection, question_id: UUID) -> Question:
    """Return a question.

    Raises: NotFoundError.
    """
    row = db.execute(select(questions).where(questions.c.id == question_id)).first()
    if row is None:
        raise NotFoundError("There is no such question.", code="question_not_found")
    return _question(row)


def open_of(db: Connection, session_id: UUID) -> Question | None:
    """Return the question about a session that waits for an answer."""
    return next(iter(_open(db, questions.c.session_id == session_id)), None)


def open_of_practitioner(db: Connection, practitioner_id: UUID) -> Mapping[UUID, Question]:
    """Return the questions that wait for a practitioner's answer, by session."""
    return {question.session_id: question for question in _open(db, questions.c.practitioner_id == practitioner_id)}


def open_in(db: Connection, calendar_id: UUID) -> Sequence[Question]:
    """Return the open questions about what was done in a calendar."""
    return _open(db, questions.c.calendar_id == calendar_id)


def _open(db: Connection, of: ColumnElement[bool]) -> list[Question]:
    query = select(questions).where(of, questions.c.state == QuestionState.OPEN.value)
    return [_question(row) for row in db.execute(query)]


def _changing(question: Question) -> dict[str, Any]:
    return {
        "state": question.state.value,
        "answer": question.answer.value if question.answer else None,
        "ended_at": question.ended_at,
    }


def _question(row: Row[Any]) -> Question:
    return Question(
        id=row.id,
        session_id=row.session_id,
        practitioner_id=row.practitioner_id,
        calendar_id=row.calendar_id,
        kind=QuestionKind(row.kind),
        asked_at=row.asked_at,
        answers_itself_at=row.answers_itself_at,
        moved_to=when_of(row) if row.starts_at else None,
        offer_id=row.offer_id,
        state=QuestionState(row.state),
        answer=Answer(row.answer) if row.answer else None,
        ended_at=row.ended_at,
    )
