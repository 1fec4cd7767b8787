"""What pauses a calendar, and what makes all the work on it go on once a person says how."""

from __future__ import annotations

from datetime import timedelta

import pytest

from connector.domain.connection import Calendar
from connector.domain.notice import PauseReason
from connector.errors import MissingError, NotFoundError
from connector.services.sync import breaker
from connector.services.sync.breaker import How
from connector.storage import calendars, ledger
from connector.storage.ledger import Key, Kind
from tests.domain.examples import KIM, when
from tests.services.connected import (
    book_and_show,
    href_at,
    look,
    on_sqlite,
    push,
    question_or_none,
    remote,
    settle,
    times,
    work,
)
from tests.services.practice import SEAL, Practice

pytestmark = on_sqlite

EVERYTHING = (Kind.CALENDAR, Kind.PULL, Kind.CHANNEL, Kind.BUSY, Kind.PROBE)


def paused(practice: Practice, calendar: Calendar) -> str | None:
    with practice.database.read() as db:
        return calendars.calendar(db, calendar.id).paused


def resume(practice: Practice, calendar: Calendar, how: How) -> None:
    with practice.database.begin() as db:
        breaker.resume(db, calendar.id, how, by=KIM, now=practice.now)


def test_deletions_that_were_meant_count_at_once_and_wait_for_no_poll(practice: Practice, calendar: Calendar) -> None:
    booked = book_and_show(practice, calendar)
    other = practice.book(60, of=practice.another_client())
    work(practice, calendar)
    push(practice, calendar)
    remote(practice).wipe()
    push(practice, calendar)
    assert paused(practice, calendar) == PauseReason.EMPTIED.value
    practice.wait(minutes=2)
    look(practice, calendar)
    resume(practice, calendar, How.ACCEPT)
    look(practice, calendar)
    assert question_or_none(practice, booked) is not None
    assert question_or_none(practice, other) is not None


@pytest.mark.parametrize("kind", EVERYTHING)
def test_everything_that_is_done_about_a_calendar_goes_on(practice: Practice, calendar: Calendar, kind: Kind) -> None:
    book_and_show(practice, calendar)
    with practice.database.begin() as db:
        breaker.pause(db, practice.policy, calendar, PauseReason.EMPTIED, now=practice.now)
        for other in EVERYTHING:
            ledger.forget(db, Key(other, str(calendar.id)))
    resume(practice, calendar, How.REVERT)
    assert [ending.how for ending in practice.carry_out(kind, of=[calendar])] == ["done"]


def test_a_calendar_that_refuses_our_writing_is_read_to_learn_whether_it_is_there(
    practice: Practice, calendar: Calendar
) -> None:
    book_and_show(practice, calendar)
    assert look(practice, calendar) == [], "no look is due"
    practice.book(60, of=practice.another_client())
    remote(practice).offline = MissingError("gone")
    assert work(practice, calendar) == ["refused"]
    look(practice, calendar)
    assert paused(practice, calendar) is None, "one look alone"
    practice.wait(seconds=60)
    look(practice, calendar)
    assert paused(practice, calendar) == PauseReason.MISSING.value
    remote(practice).offline = None
    practice.wait(minutes=10)
    look(practice, calendar)
    work(practice, calendar)
    assert paused(practice, calendar) is None
    assert times(practice) == [when(48).span, when(60).span]
    assert href_at(practice, 60)


def test_half_an_offer_and_a_session_are_not_an_emptied_calendar(practice: Practice, calendar: Calendar) -> None:
    booked = practice.book(48)
    practice.offer(booked, 72, 96, 120)
    work(practice, calendar)
    push(practice, calendar)
    remote(practice).delete(href_at(practice, 48))
    remote(practice).delete(href_at(practice, 72))
    push(practice, calendar)
    with practice.database.read() as db:
        assert calendars.calendar(db, calendar.id).paused is None


def test_undone_deletion_in_a_paused_calendar_ends_its_question(practice: Practice, calendar: Calendar) -> None:
    booked = book_and_show(practice, calendar)
    for n in range(8):
        practice.book(60 + 2 * n)
    work(practice, calendar)
    push(practice, calendar)
    href = href_at(practice, 48)
    event = remote(practice).events[href]
    remote(practice).delete(href)
    settle(practice, calendar)
    assert question_or_none(practice, booked) is not None
    for n in range(5):
        remote(practice).delete(href_at(practice, 60 + 2 * n))
    push(practice, calendar)
    with practice.database.read() as db:
        assert calendars.calendar(db, calendar.id).paused
    remote(practice).restore(event)
    push(practice, calendar)
    with practice.database.begin() as db:
        breaker.resume(db, calendar.id, How.REVERT, by=KIM, now=practice.now)
    settle(practice, calendar)
    assert question_or_none(practice, booked) is None


def test_a_shrunken_calendar_stays_paused_until_everything_is_back(practice: Practice, calendar: Calendar) -> None:
    for n in range(9):
        practice.book(48 + 2 * n)
    work(practice, calendar)
    push(practice, calendar)
    events = [remote(practice).events[href_at(practice, 48 + 2 * n)] for n in range(5)]
    for event in events:
        remote(practice).delete(event.href)
    push(practice, calendar)
    assert paused(practice, calendar) == PauseReason.SHRUNKEN.value
    for event in events[:3]:
        remote(practice).restore(event)
    push(practice, calendar)
    assert paused(practice, calendar) == PauseReason.SHRUNKEN.value, "two alone would not have paused it"
    for event in events[3:]:
        remote(practice).restore(event)
    push(practice, calendar)
    assert paused(practice, calendar) is None


def test_a_session_that_ends_just_now_is_not_what_is_left(practice: Practice, calendar: Calendar) -> None:
    booked = book_and_show(practice, calendar)
    for hours in (60, 72):
        practice.book(hours, of=practice.another_client())
    work(practice, calendar)
    practice.now = booked.when.span.end - timedelta(minutes=1)
    push(practice, calendar)
    for hours in (60, 72):
        remote(practice).delete(href_at(practice, hours))
    practice.now = booked.when.span.end
    push(practice, calendar)
    assert paused(practice, calendar) == PauseReason.EMPTIED.value


def test_a_mailed_link_leads_to_its_calendar_and_no_other_link_does(practice: Practice, calendar: Calendar) -> None:
    with practice.database.read() as db:
        token = SEAL.token(breaker.PURPOSE, calendar.id, since=practice.now)
        found, since = breaker.find(db, SEAL, token)
        assert (found.id, since) == (calendar.id, practice.now)
        for token in (SEAL.token("question", calendar.id), SEAL.token(breaker.PURPOSE, practice.kim.id)):
            with pytest.raises(NotFoundError):
                breaker.find(db, SEAL, token)
