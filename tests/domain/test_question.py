"""What holds of every question: its answers, its default, and when it answers itself."""

from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

import pytest

from connector.domain.change import ChangeKind
from connector.domain.facts import Answer, Dropped, QuestionKind
from connector.domain.question import QUESTIONS, ROWS, Delay, Meanwhile, Question, QuestionRow, answer, ask, drop
from connector.domain.span import When
from tests.domain.examples import KIM, NOW, session, when

every_question = pytest.mark.parametrize("row", ROWS, ids=lambda row: row.kind.value)


def test_every_answer_belongs_to_a_question() -> None:
    assert {answer for row in ROWS for answer in row.answers} == set(Answer)


@every_question
def test_a_question_has_one_default_and_something_else_to_answer(row: QuestionRow) -> None:
    assert row.answers[0] is row.default
    assert len(set(row.answers)) == len(row.answers) > 1


@every_question
def test_a_question_that_ends_with_the_offer_answers_itself_with_it(row: QuestionRow) -> None:
    assert row.about_offer is (row.delay is Delay.OPEN_OFFER)


def asked(kind: QuestionKind) -> tuple[Question, When | None]:
    """A question of this kind, and where the event was moved to, if it was."""
    moved_to = when(60) if QUESTIONS[kind].remote_change is ChangeKind.MOVED else None
    within = timedelta(minutes=30)
    question, _ = ask(session(), kind, calendar_id=uuid4(), now=NOW, within=within, moved_to=moved_to)
    return question, moved_to


@every_question
def test_the_time_an_event_was_moved_to_is_kept_where_the_event_stays_there(row: QuestionRow) -> None:
    question, moved_to = asked(row.kind)
    assert question.keeps == (moved_to if row.entry is Meanwhile.STAYS else None)


def test_a_time_is_kept_no_longer_than_the_question_is_open() -> None:
    question, moved_to = asked(QuestionKind.MOVED)
    assert question.keeps == moved_to
    answered, _ = answer(question, Answer.REVERT, by=KIM, now=NOW)
    dropped, _ = drop(question, Dropped.MOVED_BACK, by=KIM, now=NOW)
    assert (answered.keeps, dropped.keeps) == (None, None)
