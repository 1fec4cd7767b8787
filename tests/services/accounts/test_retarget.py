"""Another target calendar: everything moves, and at no moment is anything missing or, in the end, double."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

import pytest

from connector.domain.connection import Calendar, CalendarRole
from connector.domain.notice import PauseReason
from connector.domain.session import Session
from connector.errors import RuleError, TransientError
from connector.services.accounts import disconnect
from connector.services.sync import breaker
from connector.services.sync.breaker import How
from connector.storage import calendars, sessions
from connector.storage.ledger import Kind
from tests.domain.examples import KIM, when
from tests.services.connected import (
    book_and_show,
    connect,
    converge,
    on_sqlite,
    push,
    remote,
    retarget,
    settle,
    times,
    work,
)
from tests.services.crashes import POINTS, CrashError, MortalDatabase
from tests.services.practice import Practice

TIMES = [when(h).span for h in (48, 72, 96)]


@pytest.fixture
def calendar(practice: Practice) -> Calendar:
    calendar = connect(practice)
    practice.offer(practice.book(48), 72, 96)
    work(practice, calendar)
    push(practice, calendar)
    return calendar


def role(practice: Practice, calendar: Calendar) -> CalendarRole:
    with practice.database.read() as db:
        return calendars.calendar(db, calendar.id).role


def test_the_new_calendar_is_filled_before_the_old_one_is_cleared(practice: Practice, calendar: Calendar) -> None:
    new = retarget(practice, calendar)
    work(practice, calendar)
    assert times(practice, "calendar") == TIMES, "nothing is taken away before it stands elsewhere"
    remote(practice, "second").fail(TransientError("down"), on="put")
    assert work(practice, new) == ["postponed"]
    work(practice, calendar)
    assert times(practice, "calendar") == TIMES
    practice.wait(seconds=61)
    work(practice, new)
    work(practice, calendar)
    assert (times(practice, "calendar"), times(practice, "second")) == ([], TIMES)
    assert (role(practice, calendar), role(practice, new)) == (CalendarRole.WATCHED, CalendarRole.TARGET)
    for one in (calendar, new):
        assert converge(practice, one) == 0


@pytest.mark.parametrize("n", range(7))
@pytest.mark.parametrize("point", POINTS)
def test_a_crash_on_the_way_loses_nothing_and_doubles_nothing(sqlite_url: str, point: str, n: int) -> None:
    database = MortalDatabase(sqlite_url)
    practice = Practice(database)
    old = connect(practice)
    practice.offer(practice.book(48), 72, 96)
    work(practice, old)
    new = retarget(practice, old)
    for name in ("calendar", "second"):
        remote(practice, name).on_write = database.on_write
    for one in (new, old):
        database.die_at(point, n)
        with suppress(CrashError):
            work(practice, one)
        assert set(times(practice, "calendar")) | set(times(practice, "second")) == set(TIMES)
        database.revive()
        work(practice, one)
    assert (times(practice, "calendar"), times(practice, "second")) == ([], TIMES)
    database.dispose()


def test_what_is_decided_on_the_way_stands_in_the_new_calendar(practice: Practice, calendar: Calendar) -> None:
    booked = practice.book(120)
    new = retarget(practice, calendar)
    practice.move(booked, when(130))
    work(practice, new)
    work(practice, calendar)
    assert times(practice, "second") == [*TIMES, when(130).span]
    assert times(practice, "calendar") == []


def test_back_again_halfway_is_as_if_nothing_had_been(practice: Practice, calendar: Calendar) -> None:
    new = retarget(practice, calendar)
    work(practice, new)
    retarget(practice, calendar, "calendar")
    work(practice, calendar)
    work(practice, new)
    assert (times(practice, "calendar"), times(practice, "second")) == (TIMES, [])
    settle(practice, calendar)
    with practice.database.read() as db:
        target = calendars.target(db, calendar.connection_id)
    assert target.id == calendar.id
    messages = practice.told(practice.session(_only(practice)), client=False)
    assert [message.kind.value for message in messages] == []


def test_what_the_practitioner_does_in_the_old_calendar_meanwhile_counts_no_more(
    practice: Practice, calendar: Calendar
) -> None:
    new = retarget(practice, calendar)
    work(practice, new)
    for href in list(remote(practice).events):
        remote(practice).delete(href)
    settle(practice, calendar)
    work(practice, calendar)
    settle(practice, new)
    assert times(practice, "second") == TIMES
    assert practice.kinds_told(_only(practice), client=False) == []


def test_a_calendar_that_may_not_be_written_is_refused(practice: Practice, calendar: Calendar) -> None:
    with pytest.raises(RuleError, match="may not write"):
        retarget(practice, calendar, writable=False)
    assert role(practice, calendar) is CalendarRole.TARGET


def test_the_target_of_another_connection_is_refused(practice: Practice, calendar: Calendar) -> None:
    connect(practice, name="taken")
    with pytest.raises(RuleError, match="already"):
        retarget(practice, calendar, "taken")


def test_an_open_question_comes_first(practice: Practice, calendar: Calendar) -> None:
    practice.book(150)
    work(practice, calendar)
    push(practice, calendar)
    href = next(h for h, event in remote(practice).events.items() if event.span == when(150).span)
    remote(practice).move(href, when(160).span)
    settle(practice, calendar)
    with pytest.raises(RuleError, match="Answer that first"):
        retarget(practice, calendar)


def test_disconnecting_halfway_clears_both(practice: Practice, calendar: Calendar) -> None:
    new = retarget(practice, calendar)
    work(practice, new)
    with practice.database.begin() as db:
        disconnect.begin(db, practice.policy, calendar.connection_id, by=KIM, now=practice.now)
    practice.carry_out(Kind.CALENDAR)
    assert times(practice, "calendar") == times(practice, "second") == []


@on_sqlite
def test_two_changes_of_target_in_a_row_never_leave_every_calendar_empty(practice: Practice) -> None:
    calendar = connect(practice)
    book_and_show(practice, calendar)
    second = retarget(practice, calendar, "second")
    retarget(practice, calendar, "third")
    for one in (second, calendar):
        work(practice, one)
        assert [n for n in ("calendar", "second", "third") if times(practice, n)]


@on_sqlite
def test_a_paused_successor_does_not_count_as_filled(practice: Practice) -> None:
    calendar = connect(practice)
    book_and_show(practice, calendar)
    second = retarget(practice, calendar, "second")
    with practice.database.begin() as db:
        breaker.pause(db, practice.policy, second, PauseReason.MISSING, now=practice.now)
    work(practice, second)
    with practice.database.begin() as db:
        breaker.resume(db, second.id, How.REVERT, by=KIM, now=practice.now)
    work(practice, calendar)
    assert [n for n in ("calendar", "second") if times(practice, n)]


@on_sqlite
def test_the_first_of_three_targets_is_not_cleared_before_the_last_is_filled(practice: Practice) -> None:
    calendar = connect(practice)
    book_and_show(practice, calendar)
    second = retarget(practice, calendar, "second")
    retarget(practice, calendar, "third")
    work(practice, second)  # makes the first calendar due, which another thread takes at once
    work(practice, calendar)
    assert [n for n in ("calendar", "second", "third") if times(practice, n)]


@on_sqlite
@pytest.mark.parametrize("order", [(0, 1, 2), (1, 0, 2), (2, 1, 0), (1, 2, 0)])
def test_two_changes_of_target_end_with_one_copy(practice: Practice, order: tuple[int, ...]) -> None:
    calendar = connect(practice)
    book_and_show(practice, calendar)
    second = retarget(practice, calendar, "second")
    third = retarget(practice, calendar, "third")
    owned = [(calendar, second, third)[n] for n in order]
    drive(practice, owned)
    assert {n: len(times(practice, n)) for n in ("calendar", "second", "third")} == {
        "calendar": 0,
        "second": 0,
        "third": 1,
    }


def drive(practice: Practice, owned: Sequence[Calendar]) -> None:
    """Write to each calendar what is due, in this order."""
    for _ in range(12):
        for one in owned:
            work(practice, one)
        practice.wait(minutes=5)


def _only(practice: Practice) -> Session:
    with practice.database.read() as db:
        return sessions.of_practitioner(db, practice.kim.id, since=practice.now)[0]
