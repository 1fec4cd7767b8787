"""A question takes one answer, in time, and what follows from it is done; else its default is chosen."""

from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

import pytest

from connector.domain.connection import Calendar
from connector.domain.facts import Answer, QuestionKind
from connector.domain.offer import OfferState
from connector.errors import NotFoundError, QuestionClosedError, RuleError
from connector.services.scheduling.questions import PURPOSE, find
from connector.services.scheduling.questions import answer as answer_question
from connector.storage import ledger, tables
from connector.storage.ledger import Key, Kind
from tests.domain.examples import KIM, client, when
from tests.services.connected import (
    answer,
    book_and_show,
    href_at,
    move_and_settle,
    offer_and_show,
    on_sqlite,
    open_question,
    push,
    question_or_none,
    remote,
    settle,
    times,
    work,
)
from tests.services.practice import SEAL, Practice

pytestmark = pytest.mark.slow


def come_due(practice: Practice) -> None:
    practice.carry_out(Kind.QUESTION)


def test_the_hold_stands_before_the_session_goes_back(practice: Practice, calendar: Calendar) -> None:
    _, question = move_and_settle(practice, calendar)
    answer(practice, question, Answer.ASK_CLIENT)
    is_taken: list[bool] = []

    def at_every_write(_moment: str, _action: object) -> None:
        is_taken.append(any(event.span == when(60).span for event in remote(practice).events.values()))

    remote(practice).on_write = at_every_write
    work(practice, calendar)
    assert is_taken
    assert all(is_taken), "for a moment the time was seen free"


def test_a_move_nobody_answered_onto_a_time_taken_meanwhile_is_put_back_as_taken(
    practice: Practice, calendar: Calendar
) -> None:
    """The moved time itself is kept free; but the gap that is kept after each session has become longer since."""
    booked = book_and_show(practice, calendar)
    practice.book(61, of=practice.another_client(client(email="bo@client.example")))
    remote(practice).move(href_at(practice, 48), when(60).span)
    settle(practice, calendar)
    question = open_question(practice, booked)
    with practice.database.begin() as db:
        own = tables.practitioners.c.id == practice.kim.id
        db.execute(tables.practitioners.update().where(own).values(buffer_seconds=1800))
    practice.now = question.answers_itself_at
    come_due(practice)
    message = practice.told(booked, client=False)[-1]
    assert (message.kind.value, message.notice.reason, message.notice.moved_to) == ("entry_put_back", "taken", when(60))
    work(practice, calendar)
    assert href_at(practice, 48)


def test_a_client_who_cannot_be_reached_any_more_is_not_asked_and_the_entry_goes_back(
    practice: Practice, calendar: Calendar
) -> None:
    booked, question = move_and_settle(practice, calendar)
    with practice.database.begin() as db:
        own = tables.clients.c.id == practice.alex.id
        db.execute(tables.clients.update().where(own).values(email=""))
    with pytest.raises(RuleError, match="No time is held"):
        answer(practice, question, Answer.ASK_CLIENT)
    assert open_question(practice, booked) == question
    practice.now = question.answers_itself_at
    come_due(practice)
    message = practice.told(booked, client=False)[-1]
    assert (message.kind.value, message.notice.reason) == ("entry_put_back", "unasked")
    work(practice, calendar)
    assert href_at(practice, 48)


def test_the_open_offer_a_question_is_about_is_replaced_by_the_time_the_session_was_moved_to(
    practice: Practice, calendar: Calendar
) -> None:
    booked, offer = offer_and_show(practice, calendar, 72, 96)
    remote(practice).move(href_at(practice, 48), when(60).span)
    settle(practice, calendar)
    question = open_question(practice, booked)
    assert (question.kind, question.offer_id) == (QuestionKind.REPLACE, offer.id)
    answer(practice, question, Answer.REPLACE)
    assert practice.offer_now(offer).state is OfferState.REPLACED
    assert [start for start, _, state in practice.kept(booked.id) if state == "held"] == [when(60).span.start]
    assert question_or_none(practice, booked) is None


@pytest.mark.parametrize("end", ["accept", "reject", "cancel", "withdraw", "lapse", "replace"])
def test_a_question_about_an_open_offer_ends_with_it(practice: Practice, calendar: Calendar, end: str) -> None:
    booked, offer = offer_and_show(practice, calendar, 72)
    remote(practice).move(href_at(practice, 48), when(60).span)
    settle(practice, calendar)
    question = open_question(practice, booked)
    match end:
        case "accept":
            practice.accept(offer)
        case "reject":
            practice.reject(offer)
        case "cancel":
            practice.cancel_booking(offer)
        case "withdraw":
            practice.withdraw(offer)
        case "lapse":
            practice.wait(hours=24)
        case _:
            practice.offer(booked, 96)
    with pytest.raises(QuestionClosedError, match="no longer stands"):
        answer(practice, question, Answer.REPLACE)
    assert "held" not in {state for start, _, state in practice.kept(booked.id) if start == when(60).span.start}


def test_a_question_about_an_open_offer_outlives_a_draft_of_another(practice: Practice, calendar: Calendar) -> None:
    booked, _offer = offer_and_show(practice, calendar, 72)
    remote(practice).move(href_at(practice, 48), when(60).span)
    settle(practice, calendar)
    question = open_question(practice, booked)
    for hours in (200, 220):  # the second discards the first
        practice.draft(booked, hours)
    assert open_question(practice, booked) == question


@pytest.mark.parametrize(("kind", "after"), [("moved", timedelta(minutes=30)), ("deleted", timedelta(hours=24))])
def test_the_default_is_chosen_when_its_time_has_come_and_not_before(
    practice: Practice, calendar: Calendar, kind: str, after: timedelta
) -> None:
    booked = book_and_show(practice, calendar)
    href = href_at(practice, 48)
    if kind == "moved":
        remote(practice).move(href, when(60).span)
    else:
        remote(practice).delete(href)
    settle(practice, calendar)
    question = open_question(practice, booked)
    assert question.answers_itself_at == question.asked_at + after
    practice.now = question.answers_itself_at - timedelta(seconds=1)
    come_due(practice)
    assert open_question(practice, booked) == question
    practice.wait(seconds=1)
    come_due(practice)
    assert question_or_none(practice, booked) is None


def test_a_question_looked_at_too_early_answers_itself_in_time(practice: Practice, calendar: Calendar) -> None:
    booked, question = move_and_settle(practice, calendar)
    with practice.database.begin() as db:
        ledger.touch(db, Key(Kind.QUESTION, str(question.id)), due_at=practice.now)
    come_due(practice)
    assert open_question(practice, booked) == question
    practice.now = question.answers_itself_at
    come_due(practice)
    assert question_or_none(practice, booked) is None


def test_a_question_takes_one_answer_and_the_same_again_is_harmless(practice: Practice, calendar: Calendar) -> None:
    booked, question = move_and_settle(practice, calendar)
    answer(practice, question, Answer.AGREED)
    answer(practice, question, Answer.AGREED)
    with pytest.raises(QuestionClosedError):
        answer(practice, question, Answer.REVERT)
    assert practice.session(booked).revision == 1


def test_an_agreed_time_needs_somebody_who_attests_it(practice: Practice, calendar: Calendar) -> None:
    booked, question = move_and_settle(practice, calendar)
    with pytest.raises(RuleError, match="agreed"), practice.database.begin() as db:
        answer_question(db, practice.policy, question.id, Answer.AGREED, by=KIM, now=practice.now)
    assert open_question(practice, booked) == question
    assert practice.session(booked) == booked


def test_a_link_to_a_question_that_was_dropped_ends_after_ninety_days(practice: Practice, calendar: Calendar) -> None:
    booked, question = move_and_settle(practice, calendar)
    practice.move(booked, when(96))
    token = SEAL.token(PURPOSE, question.id)
    practice.wait(days=89)
    with practice.database.read() as db:
        assert find(db, SEAL, token, now=practice.now).id == question.id
    practice.wait(days=1)
    with practice.database.read() as db, pytest.raises(NotFoundError):
        find(db, SEAL, token, now=practice.now)


def test_a_link_to_no_question_leads_nowhere(practice: Practice) -> None:
    with pytest.raises(NotFoundError), practice.database.begin() as db:
        answer_question(db, practice.policy, uuid4(), Answer.REVERT, by=KIM, now=practice.now)


@on_sqlite
def test_a_question_answered_by_itself_once_the_session_is_over_tells_of_no_revert(
    practice: Practice, calendar: Calendar
) -> None:
    booked = practice.book(2)
    work(practice, calendar)
    push(practice, calendar)
    remote(practice).delete(href_at(practice, 2))
    settle(practice, calendar)
    question = open_question(practice, booked)
    practice.now = question.answers_itself_at
    practice.carry_out(Kind.QUESTION)
    work(practice, calendar)
    assert ("entry_put_back" in practice.kinds_told(booked, client=False)) == bool(times(practice))
