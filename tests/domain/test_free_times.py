"""When somebody is free, compared with a minute-by-minute oracle over clock changes; and what is suggested of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import UTC, date, datetime, time, timedelta
from itertools import combinations, pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connector.domain.free_times import (
    STEP,
    Search,
    Starts,
    Suggestion,
    at_night,
    at_work,
    comes_twice,
    free,
    merged,
    starts,
    suggest,
)
from connector.domain.span import Span, When
from connector.domain.working_hours import ASSUMED, Stretch, WorkingHours
from tests.domain.oracle import CHANGES, MINUTE, around, free_minutes, is_at_work, is_free, minutes

BERLIN, LONDON = ZoneInfo("Europe/Berlin"), ZoneInfo("Europe/London")
FIFTY, TEN = timedelta(minutes=50), timedelta(minutes=10)
ALWAYS = WorkingHours(weekly=((Stretch(start=0, end=1440),),) * 7)
MONDAY = date(2026, 11, 30)
every_zone = pytest.mark.parametrize("zone", CHANGES)


def local(text: str, zone: ZoneInfo = BERLIN) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=zone).astimezone(UTC)


def between(start: str, end: str, zone: ZoneInfo = BERLIN) -> Span:
    return Span.of(local(start, zone), local(end, zone))


def search(
    *taken: Span,
    hours: WorkingHours = ASSUMED,
    zone: ZoneInfo = BERLIN,
    length: timedelta = FIFTY,
    buffer: timedelta = TEN,
) -> Search:
    return Search(hours=hours, zone=zone, taken=taken, length=length, buffer=buffer)


def daily(*stretches: tuple[int, int]) -> WorkingHours:
    return WorkingHours(weekly=(tuple(Stretch(start=a, end=b) for a, b in stretches),) * 7)


def shown(found: Iterable[Starts], zone: ZoneInfo = BERLIN) -> list[tuple[str, str]]:
    return [tuple(f"{at.astimezone(zone):%H:%M:%S}" for at in (one.first, one.last)) for one in found]  # type: ignore[misc]


DAY = between("2026-11-30 00:00", "2026-12-01 00:00")


def test_the_last_start_lets_the_session_end_with_the_hours_and_its_buffer_after_them() -> None:
    assert shown(free(search(), DAY)) == [("09:00:00", "16:10:00")]


def test_what_is_taken_is_touched_by_no_session_nor_by_the_buffer_behind_it() -> None:
    taken = between("2026-11-30 11:00", "2026-11-30 12:00")
    assert shown(free(search(taken), DAY)) == [("09:00:00", "10:00:00"), ("12:00:00", "16:10:00")]


def test_a_gap_as_long_as_session_and_buffer_has_one_start() -> None:
    taken = (between("2026-11-30 09:00", "2026-11-30 10:00"), between("2026-11-30 11:00", "2026-11-30 17:00"))
    assert shown(free(search(*taken), DAY)) == [("10:00:00", "10:00:00")]


def test_buffer_behind_the_last_session_is_kept_even_outside_the_hours() -> None:
    taken = between("2026-11-30 17:05", "2026-11-30 18:00")
    assert shown(free(search(taken), DAY)) == [("09:00:00", "16:05:00")]


def test_nothing_is_free_on_a_day_off_nor_in_hours_that_are_too_short() -> None:
    assert not free(search(), between("2026-12-05 00:00", "2026-12-07 00:00"))
    assert not free(search(hours=daily((540, 589))), DAY)


def test_an_exception_stands_for_its_own_local_date() -> None:
    """In Auckland Monday begins while it is Sunday in UTC."""
    zone = ZoneInfo("Pacific/Auckland")
    hours = WorkingHours(weekly=ASSUMED.weekly, exceptions={MONDAY: (Stretch(start=600, end=660),)})
    found = free(search(hours=hours, zone=zone), between("2026-11-30 00:00", "2026-12-01 00:00", zone))
    assert shown(found, zone) == [("10:00:00", "10:10:00")]


def test_a_session_may_run_over_midnight_where_both_days_are_worked_there() -> None:
    hours = daily((0, 60), (1380, 1440))
    found = free(search(hours=hours), between("2026-11-30 12:00", "2026-12-01 12:00"))
    assert shown(found) == [("23:00:00", "00:10:00")]


def test_hours_of_a_night_on_which_an_hour_is_left_out_are_one_stretch_of_the_minutes_there_are() -> None:
    night = between("2027-03-28 00:00", "2027-03-28 12:00")
    (only,) = at_work(daily((60, 240)), BERLIN, night)
    assert only.duration == timedelta(hours=2)


def test_hours_that_a_night_has_twice_are_worked_twice() -> None:
    night = between("2027-10-31 00:00", "2027-10-31 12:00")
    found = at_work(daily((120, 150)), BERLIN, night)
    assert [one.duration for one in found] == [timedelta(minutes=30)] * 2


def test_no_start_is_named_whose_wall_time_comes_twice_for_anybody_who_is_told_it() -> None:
    night = between("2027-10-31 00:00", "2027-10-31 06:00")
    found = free(search(hours=ALWAYS), night)
    named = [f"{at.astimezone(BERLIN):%H:%M}" for at in starts(found, BERLIN, step=30)]
    assert named == ["00:00", "00:30", "01:00", "01:30", "03:00", "03:30", "04:00", "04:30", "05:00"]
    tokyo = ZoneInfo("Asia/Tokyo")
    in_tokyo = [at.astimezone(BERLIN).hour for at in starts(found, tokyo, step=30, readers=[BERLIN])]
    assert in_tokyo
    assert 2 not in in_tokyo


def test_starts_are_counted_from_midnight_on_the_wall_clock() -> None:
    kathmandu = ZoneInfo("Asia/Kathmandu")  # 5:45 ahead of UTC
    found = free(search(zone=kathmandu), between("2026-11-30 00:00", "2026-11-30 12:00", kathmandu))
    named = [f"{at.astimezone(kathmandu):%H:%M}" for at in starts(found, kathmandu, step=45)]
    assert named == ["09:00", "09:45", "10:30"]
    assert [f"{at.astimezone(kathmandu):%H:%M}" for at in starts(found, kathmandu, step=60, anchor=10)] == [
        "09:10",
        "10:10",
        "11:10",
    ]


def test_the_stretch_around_free_starts_is_where_a_session_may_lie_anywhere() -> None:
    (only,) = free(search(), DAY)
    assert only.stretch(FIFTY) == between("2026-11-30 09:00", "2026-11-30 17:00")


@every_zone
def test_hours_are_what_the_clock_shows_in_every_minute(zone: str) -> None:
    hours = daily((0, 30), (50, 200), (600, 760), (1400, 1440))
    for day in CHANGES[zone]:
        span = around(day, zone)
        found = at_work(hours, ZoneInfo(zone), span)
        inside = {minute for one in found for minute in minutes(one)}
        assert inside == {one for one in minutes(span) if is_at_work(hours, ZoneInfo(zone), one)}


@st.composite
def searches(draw: st.DrawFn, zone: str) -> tuple[Search, Span]:
    span = around(draw(st.sampled_from(CHANGES[zone])), zone, days=1)
    cuts = st.lists(st.integers(0, 1440), max_size=6, unique=True).map(sorted)

    def hours() -> tuple[Stretch, ...]:
        found = draw(cuts)
        return tuple(Stretch(start=a, end=b) for a, b in zip(found[::2], found[1::2], strict=False))

    days = [span.start.date() + timedelta(days=n) for n in range(5)]
    exceptions = {day: hours() for day in draw(st.sets(st.sampled_from(days), max_size=2))}
    some_minutes = st.integers(1, 300).map(lambda n: n * MINUTE)
    places = st.integers(-300, 4 * 1440).map(lambda n: span.start + n * MINUTE)
    taken = draw(st.lists(st.builds(Span.of, places, some_minutes), max_size=6))
    return (
        Search(
            hours=WorkingHours(weekly=tuple(hours() for _ in range(7)), exceptions=exceptions),
            zone=ZoneInfo(zone),
            taken=tuple(taken),
            length=draw(st.integers(1, 90)) * MINUTE,
            buffer=draw(st.integers(0, 30)) * MINUTE,
        ),
        span,
    )


def compare(case: tuple[Search, Span]) -> None:
    asked, span = case
    found = free(asked, span)
    ours = {minute for one in found for minute in minutes(Span.of(one.first, one.last + MINUTE))}
    assert ours == free_minutes(asked, span)
    named = list(starts(found, asked.zone, step=1))
    assert named == sorted(minute for minute in ours if not comes_twice(minute, asked.zone))
    for one in found:
        assert all(is_free(asked, span, minute) for minute in (one.first, one.last))
    assert not any(one.stretch(asked.length).overlaps(other.stretch(asked.length)) for one, other in pairwise(found))


@settings(max_examples=15)
@given(data=st.data())
def test_what_is_free_is_what_the_oracle_finds_in_some_zone(data: st.DataObject) -> None:
    compare(data.draw(searches(data.draw(st.sampled_from(sorted(CHANGES))))))


@pytest.mark.long
@every_zone
@settings(max_examples=50)  # a minute at a time
@given(data=st.data())
def test_what_is_free_is_what_the_oracle_finds(zone: str, data: st.DataObject) -> None:
    compare(data.draw(searches(zone)))


def test_time_is_merged_where_it_touches() -> None:
    nine, ten, eleven, noon = (local(f"2026-11-30 {hour}:00") for hour in ("09", "10", "11", "12"))
    apart = Span(start=noon, end=noon + TEN)
    assert merged([Span(start=ten, end=eleven), apart, Span(start=nine, end=ten)]) == (
        Span(start=nine, end=eleven),
        apart,
    )


OLD = When.at(datetime(2026, 12, 2, 10, 0), zone="Europe/Berlin", duration=FIFTY)  # a Wednesday
EARLIEST = local("2026-11-28 10:00")


def suggested(
    *taken: Span,
    old: When = OLD,
    hours: WorkingHours = ASSUMED,
    client_zone: ZoneInfo = LONDON,
    earliest: datetime = EARLIEST,
    count: int = 9,
) -> tuple[Suggestion, ...]:
    return suggest(search(*taken, hours=hours), old, client_zone=client_zone, earliest=earliest, count=count)


def test_the_best_of_each_day_come_before_the_second_best_of_any() -> None:
    found = suggested()
    assert [f"{one.when.local:%a %d %H:%M}" for one in found] == [
        "Wed 02 11:00",
        "Thu 03 10:00",
        "Tue 01 10:00",
        "Fri 04 10:00",
        "Mon 30 10:00",
        "Mon 07 10:00",
        "Wed 09 10:00",
        "Tue 08 10:00",
        "Thu 10 10:00",
    ]
    assert [str(one.reason) for one in found[:3]] == [
        "On the same day, at another time.",
        "A day later, at the same time.",
        "A day earlier, at the same time.",
    ]
    assert str(found[6].reason) == "A week later, at the same time."


def test_suggestions_overlap_neither_each_other_nor_the_old_time() -> None:
    found = suggested(count=12)
    spans = [one.when.span.padded(TEN) for one in found]
    assert not any(one.overlaps(other) for one, other in combinations([*spans, OLD.span], 2))
    assert max(Counter(one.when.local.date() for one in found).values()) <= 3


def test_nothing_is_suggested_at_night_for_the_client_unless_the_old_time_is() -> None:
    new_york = ZoneInfo("America/New_York")
    late = When.at(datetime(2026, 12, 2, 15, 0), zone="Europe/Berlin", duration=FIFTY)
    by_day = suggested(old=late, client_zone=new_york)
    assert by_day
    assert not any(at_night(one.when.span, new_york) for one in by_day)
    by_night = suggested(client_zone=new_york)  # at four in the morning
    assert by_night[1].when.local.time() == time(10)


def test_it_is_looked_farther_as_long_as_there_are_not_enough() -> None:
    away = between("2026-11-28 00:00", "2026-12-14 00:00")
    found = suggested(away)
    assert len(found) == 9
    assert min(one.when.local.date() for one in found) == date(2026, 12, 14)
    assert not suggested(between("2026-11-28 00:00", "2027-03-01 00:00"))


def test_nothing_is_suggested_before_the_earliest_time() -> None:
    found = suggested(earliest=local("2026-12-03 12:00"))
    assert found
    assert min(one.when.span.start for one in found) >= local("2026-12-03 12:00")


def test_a_time_off_the_round_ones_is_suggested_at_its_own_minutes_too() -> None:
    old = When.at(datetime(2026, 12, 2, 10, 10), zone="Europe/Berlin", duration=FIFTY)
    found = suggested(old=old)
    assert found[1].when.local == datetime(2026, 12, 3, 10, 10)
    assert STEP == 15


def test_a_time_is_kept_at_its_wall_time_over_a_change_of_clocks() -> None:
    old = When.at(datetime(2027, 3, 24, 10, 0), zone="Europe/Berlin", duration=FIFTY)
    found = suggested(old=old, earliest=local("2027-03-24 12:00"))
    monday = next(one for one in found if one.when.local.date() == date(2027, 3, 29))
    assert monday.when.local.time() == time(10)
    assert monday.when.span.start.hour == 8


@pytest.mark.parametrize(
    ("day", "clock", "words"),
    [
        ("2026-12-16", "10:00", "2 weeks later, at the same time."),
        ("2026-11-25", "10:00", "A week earlier, at the same time."),
        ("2026-12-09", "12:00", "On the same weekday a week later, at another time."),
        ("2026-11-18", "12:00", "On the same weekday 2 weeks earlier, at another time."),
        ("2026-12-05", "10:00", "3 days later, at the same time."),
        ("2026-11-29", "10:00", "3 days earlier, at the same time."),
        ("2026-12-05", "12:00", "3 days later, at another time."),
        ("2026-12-01", "12:00", "A day earlier, at another time."),
    ],
)
def test_each_suggestion_says_how_it_differs(day: str, clock: str, words: str) -> None:
    begin = datetime.fromisoformat(f"{day} {clock}")
    hour = begin.hour * 60
    exceptions = {begin.date(): (Stretch(start=hour, end=hour + 50),)}
    hours = WorkingHours(weekly=((),) * 7, exceptions=exceptions)
    (only,) = suggested(hours=hours, earliest=local("2026-11-01 00:00"))
    assert str(only.reason) == words


@given(data=st.data())
def test_whatever_is_suggested_is_free_by_the_oracle(data: st.DataObject) -> None:
    zone = data.draw(st.sampled_from(sorted(CHANGES)))
    asked, span = data.draw(searches(zone))
    old = When.of(Span.of(span.start, asked.length), zone=zone)
    found = suggest(asked, old, client_zone=ZoneInfo(zone), earliest=span.start, count=5)
    for one in found:
        everywhere = Span.of(span.start, timedelta(weeks=60))
        assert is_free(asked, everywhere, one.when.span.start)
        assert When.at(one.when.local, zone=zone, duration=asked.length) == one.when, "no wall time that comes twice"
