"""A practitioner's own days: what stands in them, whose it is, and what nobody knows."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from connector.domain.connection import Calendar
from connector.domain.people import Practitioner
from connector.domain.span import Span
from connector.services.views.own_time import OwnTime, Part, own_time, span_of
from tests.counting import statements
from tests.domain.examples import NOW, when
from tests.services.connected import on_sqlite, read_free_busy, remote
from tests.services.practice import Practice

TODAY = NOW.date()


def show(practice: Practice, days: int = 14, *, first: date = TODAY, zone: str = "") -> OwnTime:
    who: Practitioner = replace(practice.kim, zone=zone) if zone else practice.kim
    with practice.database.read() as db:
        return own_time(db, practice.policy, who, first, days, now=practice.now)


def parts(shown: OwnTime) -> list[tuple[str, Part]]:
    return [(str(part.what.kind), part) for day in shown.days for part in day.parts]


def test_sessions_and_holds_say_whose_they_are_and_how_long_they_are_held(practice: Practice) -> None:
    booked = practice.book(48)
    offer = practice.offer(booked, 72)
    (first, session), (second, hold) = parts(show(practice))
    assert (first, session.what.session, session.what.client_name) == ("session", booked, practice.alex.name)
    assert (second, hold.what.client_name, hold.what.offer_id) == ("hold", practice.alex.name, offer.id)
    assert (hold.what.session_id, hold.what.held_until) == (booked.id, offer.expires_at)
    assert hold.what.span == when(72).span


@on_sqlite
def test_what_is_cancelled_or_held_no_longer_stands_nowhere(practice: Practice) -> None:
    practice.cancel(practice.book(48))
    practice.offer(practice.book(60), 72, window=timedelta(hours=2))
    practice.wait(hours=2)
    assert [kind for kind, _part in parts(show(practice))] == ["session"]


@on_sqlite
def test_an_event_outside_has_the_names_of_its_calendars_and_nothing_else(
    practice: Practice, calendar: Calendar, private: Calendar
) -> None:
    for name in ("calendar", "private"):
        remote(practice, name).add_foreign(when(48).span)
    remote(practice, "private").add_foreign(when(50).span)
    for one in (calendar, private):
        read_free_busy(practice, one)
    found = [part.what.calendars for kind, part in parts(show(practice, 7)) if kind == "outside_event"]
    assert found == [tuple(sorted([calendar.name, "Private"])), ("Private",)]


@on_sqlite
def test_what_nobody_has_read_is_a_blind_spot_on_each_day_from_now_on(practice: Practice, calendar: Calendar) -> None:
    shown = show(practice, 2)
    assert [kind for kind, _part in parts(shown)] == ["blind_spot", "blind_spot"]
    today, tomorrow = shown.days
    assert today.parts[0].goes_on
    assert not today.parts[0].is_all_day
    assert tomorrow.parts[0].is_all_day
    assert [spot.calendar_id for spot in shown.blind] == [calendar.id]


@on_sqlite
def test_what_runs_over_midnight_lies_on_both_days(practice: Practice, calendar: Calendar) -> None:
    zone = ZoneInfo(practice.kim.zone)
    late = datetime(NOW.year, NOW.month, NOW.day, 23, 30, tzinfo=zone) + timedelta(days=1)
    remote(practice).add_foreign(Span.of(late, timedelta(hours=1)))
    read_free_busy(practice, calendar)
    (_one, evening), (_two, night) = parts(show(practice, 4))
    assert (evening.start, evening.end, evening.goes_on) == (23 * 60 + 30, 24 * 60, True)
    assert (night.start, night.end, night.begins_before) == (0, 30, True)


@on_sqlite
def test_it_costs_the_same_however_much_there_is(practice: Practice, calendar: Calendar) -> None:
    read_free_busy(practice, calendar)
    with statements() as few:
        show(practice, 1)
    for hours in range(24, 24 * 10, 24):
        practice.offer(practice.book(hours), hours + 12)
    remote(practice).add_foreign(when(30).span)
    read_free_busy(practice, calendar)
    with statements() as many:
        show(practice, 28)
    assert len(many) == len(few) <= 9


@pytest.mark.parametrize(
    ("zone", "day", "hours"),
    [
        ("Europe/Berlin", date(2026, 3, 29), 23),
        ("Europe/Berlin", date(2026, 10, 25), 25),
        ("Africa/Cairo", date(2026, 4, 24), 23),  # its clocks go forward at midnight
        ("Africa/Cairo", date(2026, 10, 29), 25),
        ("Australia/Lord_Howe", date(2026, 10, 4), 23.5),
    ],
)
def test_days_touch_where_the_clocks_change(zone: str, day: date, hours: float) -> None:
    own = ZoneInfo(zone)
    before, found, after = (span_of(day + timedelta(days=n), day + timedelta(days=n), own) for n in (-1, 0, 1))
    assert before is not None
    assert found is not None
    assert after is not None
    assert found.duration == timedelta(hours=hours)
    assert (before.end, found.end) == (found.start, after.start)


def test_a_day_that_a_zone_leaves_out_is_none() -> None:
    assert span_of(date(2011, 12, 30), date(2011, 12, 30), ZoneInfo("Pacific/Apia")) is None


@on_sqlite
def test_what_ends_in_the_hour_that_comes_twice_has_a_length_all_the_same(
    practice: Practice, calendar: Calendar
) -> None:
    practice.now = datetime(2026, 10, 20, tzinfo=UTC)
    begins = datetime(2026, 10, 25, 0, 30, tzinfo=UTC)  # 02:30; what is 50 minutes later is 02:20
    remote(practice).add_foreign(Span.of(begins, timedelta(minutes=50)))
    read_free_busy(practice, calendar)
    ((_kind, part),) = parts(show(practice, 1, first=date(2026, 10, 25), zone="Europe/Berlin"))
    assert (part.start, part.end) == (150, 151)
