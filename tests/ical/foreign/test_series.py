"""When a series takes time: what its rule means, what is excluded, moved, and different from some day on."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from connector.domain.span import Span
from connector.domain.unreadable import Unreadable
from tests.ical.foreign.objects import HOUR, ONCE, START, calendar, event, read, taken

MONDAYS = ("DTSTART;TZID=Europe/Berlin:20240101T090000", HOUR, "RRULE:FREQ=WEEKLY;BYDAY=MO")
MARCH = Span.of(datetime(2027, 3, 1, tzinfo=UTC), timedelta(days=31))


def in_march(*events: str) -> list[str]:
    times, unreadable = read(calendar(*events), span=MARCH)
    assert unreadable is None
    return times


def test_a_series_keeps_its_time_on_the_wall() -> None:
    assert in_march(event(*MONDAYS)) == [
        "0301T0800-0900",
        "0308T0800-0900",
        "0315T0800-0900",
        "0322T0800-0900",
        "0329T0700-0800",
    ]


def test_every_monday_and_the_second_tuesday_are_both_meant() -> None:
    times = in_march(event("DTSTART:20270301T100000Z", HOUR, "RRULE:FREQ=MONTHLY;BYDAY=MO,2TU"))
    assert [time[:4] for time in times] == ["0301", "0308", "0309", "0315", "0322", "0329"]


@pytest.mark.parametrize(
    ("rule", "days"),
    [
        ("FREQ=DAILY;INTERVAL=10", ["0302", "0312", "0322"]),
        ("FREQ=DAILY;COUNT=62", ["0301", "0302", "0303"]),
        ("FREQ=WEEKLY;COUNT=20;BYDAY=MO,FR", ["0301", "0305", "0308"]),
        ("FREQ=MONTHLY;BYMONTHDAY=-1,15", ["0315", "0331"]),
        ("FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1,1", ["0301", "0331"]),
        ("FREQ=YEARLY;BYDAY=10MO", ["0308"]),
        ("FREQ=YEARLY;BYMONTH=3;BYDAY=-1SU", ["0328"]),
        ("FREQ=YEARLY;BYWEEKNO=10;BYDAY=MO,SU", ["0308", "0314"]),
        ("FREQ=YEARLY;BYYEARDAY=60,-306", ["0301"]),
        ("FREQ=YEARLY;BYMONTHDAY=13;BYDAY=SA;BYMONTH=3", ["0313"]),
        ("FREQ=HOURLY;INTERVAL=240", ["0302", "0312", "0322"]),
        ("FREQ=MINUTELY;BYDAY=MO;BYHOUR=9;BYMINUTE=0;BYMONTHDAY=8", ["0308"]),
        ("FREQ=DAILY;UNTIL=20270302", ["0301", "0302"]),
        ("FREQ=DAILY;UNTIL=20270302T090000Z", ["0301", "0302"]),
        ("FREQ=DAILY;UNTIL=20270302T085959Z", ["0301"]),
    ],
)
def test_a_rule_means_what_the_standard_says(rule: str, days: list[str]) -> None:
    assert [time[:4] for time in in_march(event("DTSTART:20270101T090000Z", HOUR, f"RRULE:{rule}"))] == days


def test_the_first_time_counts_even_where_the_rule_leaves_it_out() -> None:
    assert in_march(event("DTSTART:20270302T090000Z", HOUR, "RRULE:FREQ=MONTHLY;BYMONTHDAY=10")) == [
        "0302T0900-1000",
        "0310T0900-1000",
    ]


def test_a_rule_without_any_day_is_no_trouble() -> None:
    assert taken(START, HOUR, "RRULE:FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30;COUNT=3") == ONCE


def test_excluded_times_are_known_by_their_instant_however_they_are_written() -> None:
    excluded = ("EXDATE:20270301T080000Z", "EXDATE;TZID=America/New_York:20270308T030000,20270315T040000")
    assert in_march(event(*MONDAYS, *excluded)) == ["0322T0800-0900", "0329T0700-0800"]


def test_an_excluded_day_is_excluded_as_a_whole() -> None:
    days = "EXDATE;VALUE=DATE:20270301,20270308,20270315"
    assert in_march(event(*MONDAYS, days)) == ["0322T0800-0900", "0329T0700-0800"]


def test_further_dates_may_bring_their_own_length() -> None:
    dates = ("RDATE:20270318T100000Z", "RDATE;VALUE=PERIOD:20270319T100000Z/PT2H,20270320T100000Z/20270320T103000Z")
    assert in_march(event(START, HOUR, *dates)) == [
        *ONCE,
        "0318T1000-1100",
        "0319T1000-1200",
        "0320T1000-1030",
    ]


def test_a_moved_occurrence_is_where_it_was_moved_to() -> None:
    moved = event("RECURRENCE-ID:20270308T080000Z", "DTSTART:20270309T120000Z", HOUR, "RRULE:FREQ=DAILY")
    cancelled = event("RECURRENCE-ID;VALUE=DATE:20270315", "DTSTART:20270315T080000Z", HOUR, "STATUS:CANCELLED")
    assert in_march(event(*MONDAYS), moved, cancelled) == [
        "0301T0800-0900",
        "0309T1200-1300",
        "0322T0800-0900",
        "0329T0700-0800",
    ]


def test_a_moved_occurrence_that_makes_no_sense_is_told_and_stays_where_it_was() -> None:
    moved = event("RECURRENCE-ID:20270308T080000Z", "DTSTART:soon", HOUR)
    assert read(calendar(event(*MONDAYS), moved), span=MARCH) == (in_march(event(*MONDAYS)), Unreadable.START)


@pytest.mark.parametrize("place", ["RECURRENCE-ID:", "RECURRENCE-ID:2027-03-08", "RECURRENCE-ID;VALUE=DATE:soon"])
@pytest.mark.parametrize("line", ["STATUS:CONFIRMED", "STATUS:CANCELLED", "TRANSP:TRANSPARENT"])
def test_an_occurrence_of_nobody_knows_when_is_told_and_its_series_stays(place: str, line: str) -> None:
    moved = event(place, "DTSTART:20270309T120000Z", HOUR, "SEQUENCE:2", line)
    own = ["0309T1200-1300"] if line == "STATUS:CONFIRMED" else []
    times = sorted([*in_march(event(*MONDAYS)), *own])
    assert read(calendar(event(*MONDAYS), moved), span=MARCH) == (times, Unreadable.START)


def test_an_occurrence_whose_series_is_not_there_counts_by_itself() -> None:
    assert in_march(event("RECURRENCE-ID:20270308T080000Z", START, HOUR)) == ONCE


def test_of_two_versions_the_highest_sequence_counts() -> None:
    versions = [event(f"DTSTART:202703{day}T100000Z", HOUR, f"SEQUENCE:{n}") for day, n in ((17, 9), (18, 10), (19, 2))]
    assert in_march(*versions) == ["0318T1000-1100"]
    moved = [
        event("RECURRENCE-ID:20270308T080000Z", f"DTSTART:202703{day}T100000Z", HOUR, f"SEQUENCE:{n}")
        for day, n in (("09", 2), ("10", 1))
    ]
    assert "0309T1000-1100" in in_march(event(*MONDAYS), *moved)
    assert "0310T1000-1100" not in in_march(event(*MONDAYS), *moved)


def test_from_some_day_on_all_later_occurrences_are_different() -> None:
    onwards = event(
        "RECURRENCE-ID;RANGE=THISANDFUTURE;TZID=Europe/Berlin:20270315T090000",
        "DTSTART;TZID=Europe/Berlin:20270316T140000",
        "DURATION:PT30M",
    )
    assert in_march(event(*MONDAYS), onwards) == [
        "0301T0800-0900",
        "0308T0800-0900",
        "0316T1300-1330",
        "0323T1300-1330",
        "0330T1200-1230",
    ]


def test_from_some_day_on_an_instant_moves_with_the_clock_of_the_series() -> None:
    onwards = event("RECURRENCE-ID;RANGE=THISANDFUTURE:20270315T080000Z", "DTSTART:20270316T130000Z", "DURATION:PT30M")
    assert in_march(event(*MONDAYS), onwards)[2:] == ["0316T1300-1330", "0323T1300-1330", "0330T1200-1230"]


def test_from_some_day_on_it_may_be_cancelled() -> None:
    onwards = event(
        "RECURRENCE-ID;RANGE=THISANDFUTURE:20270315T080000Z", "DTSTART:20270315T080000Z", "STATUS:CANCELLED"
    )
    assert in_march(event(*MONDAYS), onwards) == ["0301T0800-0900", "0308T0800-0900"]


# Hours that do not exist, or come twice


def test_an_hour_that_does_not_exist_takes_the_hour_after_it() -> None:
    berlin = ("DTSTART;TZID=Europe/Berlin:20270328T020000", "DTEND;TZID=Europe/Berlin:20270328T030000")
    assert taken(*berlin) == ["0328T0100-0200"]


def test_a_series_goes_on_in_the_night_in_which_its_time_does_not_exist() -> None:
    lines = ("DTSTART;TZID=Europe/Berlin:20270327T023000", "DTEND;TZID=Europe/Berlin:20270327T030000")
    assert taken(*lines, "RRULE:FREQ=DAILY;COUNT=3") == ["0327T0130-0200", "0328T0130-0200", "0329T0030-0100"]


def test_an_hour_that_comes_twice_is_the_first() -> None:
    autumn = Span.of(datetime(2027, 10, 30, tzinfo=UTC), timedelta(days=3))
    text = calendar(event("DTSTART;TZID=Europe/Berlin:20271031T023000", HOUR))
    assert read(text, span=autumn) == (["1031T0030-0130"], None)


def test_what_an_object_says_of_its_zone_beside_its_events_does_not_move_them() -> None:
    weekly = event("DTSTART:20270301T090000Z", HOUR, "RRULE:FREQ=WEEKLY;COUNT=3")
    for name in ("America/New_York", "Nowhere"):  # whose clocks are changed on the 14th
        assert in_march(f"X-WR-TIMEZONE:{name}\r\n", weekly) == ["0301T0900-1000", "0308T0900-1000", "0315T0900-1000"]


# Long ones


def test_of_occurrences_that_last_for_months_the_last_before_counts() -> None:
    times = taken("DTSTART:20200101T000000Z", "DURATION:P90D", "RRULE:FREQ=MONTHLY", "EXDATE:20270201T000000Z")
    assert times[0] == "0101T0000-0401T0000"
    assert times[1:] == ["0301T0000-0530T0000", "0401T0000-0630T0000"]


def test_occurrences_of_another_zone_are_found_at_the_edges() -> None:
    day = Span.of(datetime(2027, 3, 17, tzinfo=UTC), timedelta(hours=1))
    text = calendar(event("DTSTART;TZID=Pacific/Kiritimati:20260101T140000", HOUR, "RRULE:FREQ=DAILY"))
    assert read(text, span=day) == (["0317T0000-0100"], None)


def test_a_series_of_days_lies_in_the_practitioners_days() -> None:
    times = taken("DTSTART;VALUE=DATE:20270101", "RRULE:FREQ=MONTHLY", zone=ZoneInfo("America/Los_Angeles"))
    assert times == ["0301T0800-0302T0800", "0401T0700-0402T0700"]
