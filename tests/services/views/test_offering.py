"""What there is to tick for whoever offers other times: all of it can be offered, and it says how far was looked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date

from connector.domain.connection import Calendar
from connector.domain.session import Session
from connector.domain.span import When
from connector.domain.working_hours import Stretch, WorkingHours
from connector.services import working_hours
from connector.services.scheduling import offers
from connector.services.views.offering import DAYS, FURTHEST, MOST_STARTS, Offering, offering, seen
from connector.services.working_hours import CurrentHours
from tests.counting import statements
from tests.domain.examples import KIM, when
from tests.services.connected import on_sqlite, read_free_busy, remote
from tests.services.practice import Practice

pytestmark = on_sqlite
NINE_TO_FIVE = (Stretch(start=9 * 60, end=17 * 60),)


def show(practice: Practice, session: Session, *, first: date | None = None, zone: str = "") -> Offering:
    with practice.database.read() as db:
        return offering(db, practice.policy, session, now=practice.now, first=first, zone=zone)


def work(practice: Practice, *weekly: tuple[Stretch, ...]) -> None:
    """Say when Kim works, Monday first."""
    hours = WorkingHours(weekly=(*weekly, *((),) * (7 - len(weekly))))
    with practice.database.begin() as db:
        working_hours.change(db, practice.kim.id, hours, by=KIM, now=practice.now)


def boxes(shown: Offering) -> Sequence[When]:
    return [one.when for one in (*shown.suggested, *(free for day in shown.days for free in day.free))]


def test_whatever_can_be_ticked_can_be_offered(practice: Practice, calendar: Calendar) -> None:
    practice.offer(practice.book(100), 102, 125)
    booked = practice.book(128)
    for hours in (101, 122.5, 150):
        remote(practice).add_foreign(when(hours).span)
    read_free_busy(practice, calendar)
    times = boxes(show(practice, booked))
    assert len(times) > 30
    with practice.database.read() as db:
        apart = list(dict.fromkeys(times))
        faults = offers.faults(db, booked, apart, now=practice.now)
    assert dict(zip(apart, faults, strict=True)) == dict.fromkeys(apart)
    assert not any(one.span.overlaps(when(hours).span) for one in times for hours in (101, 122.5, 150))
    assert min(one.span.start for one in times) >= practice.now + practice.policy.window


def test_it_costs_the_same_however_much_there_is(practice: Practice, calendar: Calendar) -> None:
    booked = practice.book(48)
    practice.offer(booked, 72)
    remote(practice).add_foreign(when(60).span)
    read_free_busy(practice, calendar)
    with statements() as few:
        show(practice, booked)
    practice.prompt = False
    for hours in range(1, 10):
        practice.offer(practice.book(100 + hours * 2), 101 + hours * 2, 400 + hours)
        remote(practice).add_foreign(when(hours * 5).span)
    read_free_busy(practice, calendar)
    with statements() as many:
        show(practice, booked)
    assert len(many) == len(few) <= 36


def test_where_a_fortnight_has_too_few_it_looks_further_and_says_so(practice: Practice) -> None:
    booked = practice.book(48)
    work(practice, *(NINE_TO_FIVE,) * 5)
    plenty = show(practice, booked)
    assert (plenty.weeks, plenty.is_short, len(plenty.suggested)) == (2, False, 9)
    work(practice, NINE_TO_FIVE)
    assert (show(practice, booked).weeks, show(practice, booked).is_short) == (4, False)
    work(practice, (Stretch(start=9 * 60, end=10 * 60),))
    few = show(practice, booked)
    assert (few.weeks, few.is_short) == (8, True)
    assert 0 < len(few.suggested) < 9


def test_a_page_has_no_more_boxes_than_can_be_looked_over(practice: Practice) -> None:
    booked = practice.book(48)
    work(practice, *((Stretch(start=0, end=24 * 60),),) * 7)
    shown = show(practice, booked)
    assert sum(len(day.free) for day in shown.days) <= MOST_STARTS
    assert shown.step == 240
    assert {one.when.local.hour % 4 for day in shown.days for one in day.free} == {0}


def test_the_fortnight_lies_around_the_session_and_goes_no_further_than_calendars_are_read(practice: Practice) -> None:
    booked = practice.book(24 * 30)
    earliest = (practice.now + practice.policy.window).date()
    shown = show(practice, booked)
    assert len(shown.days) == DAYS
    assert shown.days[0].own.date <= booked.when.local.date() <= shown.days[-1].own.date
    assert shown.earlier is not None
    assert show(practice, booked, first=date(2020, 1, 1)).days[0].own.date == earliest
    assert show(practice, booked, first=earliest).earlier is None
    last = show(practice, booked, first=date(2100, 1, 1))
    assert last.days[0].own.date == (practice.now + FURTHEST).date()
    assert last.later is None


def test_a_night_of_the_clients_is_marked_and_never_suggested(practice: Practice) -> None:
    booked = practice.book(48)
    shown = show(practice, booked, zone="Asia/Tokyo")
    assert any(one.is_night for day in shown.days for one in day.free)


def test_hours_are_confirmed_as_they_were_shown_and_no_others(practice: Practice) -> None:
    booked = practice.book(48)
    shown = show(practice, booked)
    assert shown.asks_for_hours
    assert seen(shown.hours_shown, shown.hours)
    other = WorkingHours(weekly=(NINE_TO_FIVE, *((),) * 6))
    changed: CurrentHours = replace(shown.hours, hours=other)
    assert not seen(shown.hours_shown, changed)
    work(practice, NINE_TO_FIVE)
    assert not show(practice, booked).asks_for_hours
