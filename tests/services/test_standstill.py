"""Nothing is decided while a restored database waits to be put right, and what is under way goes no further."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from sqlalchemy import Connection

from connector.domain.connection import Calendar
from connector.domain.notice import PauseReason
from connector.domain.people import CLOCK, Level
from connector.domain.reconcile import Action
from connector.errors import StandstillError
from connector.ports import Outcome
from connector.services import people, standstill
from connector.services.accounts import connect as accounts
from connector.services.accounts import disconnect
from connector.services.sync import breaker
from connector.services.sync.breaker import How
from connector.storage import calendars
from connector.storage.columns import metadata
from connector.storage.ledger import Kind
from tests.domain.examples import KIM
from tests.services.connected import (
    book_and_show,
    connect,
    href_at,
    move_and_settle,
    offer_and_show,
    on_sqlite,
    push,
    remote,
    retarget,
    work,
)
from tests.services.practice import Practice

pytestmark = on_sqlite

Act = Callable[[Connection, Practice, Calendar], object]
ACTS: dict[str, Act] = {
    "disconnect": lambda db, practice, calendar: disconnect.begin(
        db, practice.policy, calendar.connection_id, by=KIM, now=practice.now
    ),
    "give up": lambda db, practice, calendar: disconnect.give_up(
        db, practice.policy, calendar.connection_id, by=KIM, now=practice.now
    ),
    "resume": lambda db, practice, calendar: breaker.resume(db, calendar.id, How.ACCEPT, by=KIM, now=practice.now),
    "levels": lambda db, practice, calendar: accounts.set_levels(
        db, calendar.connection_id, session_level=Level.FULL, hold_level=Level.FULL, now=practice.now
    ),
    "client": lambda db, practice, _: people.change_client(
        db, practice.alex.id, {"name": "Alexa"}, by=KIM, now=practice.now
    ),
    "retired": lambda db, practice, _: people.retire_client(db, practice.alex.id, by=KIM, now=practice.now),
    "practitioner": lambda db, practice, _: people.change_practitioner(
        db, practice.kim.id, {"name": "Kim Hill"}, by=KIM, now=practice.now
    ),
}


def stand_still(practice: Practice) -> None:
    with practice.database.begin() as db:
        standstill.begin(db, practice.policy, by=CLOCK, now=practice.now)


def everything(practice: Practice) -> list[object]:
    with practice.database.read() as db:
        return [tuple(row) for table in metadata.sorted_tables for row in db.execute(table.select())]


@pytest.mark.parametrize("name", ACTS)
def test_nobody_decides_anything_meanwhile(practice: Practice, calendar: Calendar, name: str) -> None:
    book_and_show(practice, calendar)
    stand_still(practice)
    before = everything(practice)
    with pytest.raises(StandstillError), practice.database.begin() as db:
        ACTS[name](db, practice, calendar)
    assert everything(practice) == before


def test_no_account_is_asked_for_anything_that_cannot_be_done_meanwhile(practice: Practice, calendar: Calendar) -> None:
    stand_still(practice)
    remote(practice, "second").requests.clear()
    with pytest.raises(StandstillError):
        connect(practice, name="second")
    with pytest.raises(StandstillError):
        retarget(practice, calendar, "second")
    assert not remote(practice, "second").requests


def test_writing_that_is_under_way_when_it_begins_goes_no_further(practice: Practice, calendar: Calendar) -> None:
    there = remote(practice)
    offer_and_show(practice, calendar)
    written: list[Action] = []

    def write(action: Action, forward: Callable[[], Outcome]) -> Outcome:
        if not written:
            stand_still(practice)
        written.append(action)
        return forward()

    there.around = write
    practice.offer(practice.book(200, of=practice.another_client()), 210, 220, 230)
    practice.carry_out(Kind.CALENDAR, Kind.PULL, Kind.OFFER)
    assert len(written) == 1
    there.requests.clear()
    practice.wait(hours=1)
    practice.carry_out()
    assert not there.requests


def test_a_calendar_that_was_stopped_in_the_back_up_waits_for_the_same_decision(
    practice: Practice, calendar: Calendar
) -> None:
    booked = [practice.book(48 + 24 * day, of=practice.another_client()) for day in range(5)]
    work(practice, calendar)
    push(practice, calendar)
    for day in range(5):
        remote(practice).delete(href_at(practice, 48 + 24 * day))
    push(practice, calendar)
    assert paused(practice, calendar) == PauseReason.EMPTIED
    stand_still(practice)
    assert paused(practice, calendar) == PauseReason.RESTORED
    assert booked


def test_a_question_of_the_back_up_is_not_answered_meanwhile(practice: Practice, calendar: Calendar) -> None:
    booked, question = move_and_settle(practice, calendar)
    letters = practice.kinds_told(booked, client=True)
    stand_still(practice)
    practice.now = question.answers_itself_at
    practice.carry_out()
    assert practice.kinds_told(booked, client=True) == letters


def paused(practice: Practice, calendar: Calendar) -> str | None:
    with practice.database.read() as db:
        return calendars.calendar(db, calendar.id).paused
