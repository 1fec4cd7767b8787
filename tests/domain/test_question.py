"""What holds of every question: its answers, its default, and when it answers itself."""

from __future__ import annotations

import pytest

from connector.domain.facts import Answer
from connector.domain.question import ROWS, Delay, QuestionRow

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
