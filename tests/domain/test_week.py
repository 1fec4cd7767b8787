"""How the days of a week are drawn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.domain.week import MOST_BESIDE, QUARTERS, hours, placed, week_of


@dataclass(frozen=True)
class Thing:
    start: int
    end: int


def at(begin: str, end: str) -> Thing:
    return Thing(*(60 * int(hour) + int(minute) for hour, _, minute in (one.partition(":") for one in (begin, end))))


def places(*things: Thing) -> list[tuple[int, int, int, int]]:
    return [(one.row, one.rows, one.lane, one.lanes) for one in placed(things)]


@pytest.mark.parametrize(
    ("thing", "row", "rows"),
    [
        (at("9:00", "9:50"), 37, 4),
        (at("9:10", "9:15"), 37, 1),
        (at("9:14", "9:16"), 37, 2),
        (at("0:00", "1:30"), 1, 6),  # since the day before
        (at("23:00", "24:00"), 93, 4),  # into the next
        (at("23:59", "24:00"), 96, 1),
    ],
)
def test_something_is_drawn_in_the_quarters_that_it_touches(thing: Thing, row: int, rows: int) -> None:
    assert places(thing) == [(row, rows, 1, 1)]


def test_two_at_once_lie_side_by_side_and_what_follows_takes_all_of_the_width() -> None:
    assert places(at("10:30", "11:00"), at("9:30", "10:30"), at("9:00", "10:00")) == [
        (37, 4, 1, 2),
        (39, 4, 2, 2),
        (43, 2, 1, 1),
    ]


def test_a_lane_is_used_again_once_it_is_free() -> None:
    all_morning = at("9:00", "12:00")
    assert places(all_morning, at("9:00", "10:00"), at("10:00", "11:00")) == [
        (37, 12, 1, 2),
        (37, 4, 2, 2),
        (41, 4, 2, 2),
    ]


def test_the_usual_hours_are_shown_and_whatever_else_something_stands_in() -> None:
    assert hours([placed([at("9:00", "10:00")]), ()]) == (8, 18)
    assert hours([placed([at("7:45", "10:00")]), placed([at("18:00", "18:05")])]) == (7, 19)
    assert hours([placed([at("0:00", "1:00"), at("23:00", "24:00")])]) == (0, 24)


def test_a_week_begins_where_its_reader_begins_it() -> None:
    sunday = date(2026, 3, 29)
    assert [week_of(sunday, first_weekday=first) for first in (0, 6)] == [date(2026, 3, 23), sunday]


some_things = st.lists(
    st.builds(lambda start, length: Thing(start, min(start + length, 1440)), st.integers(0, 1439), st.integers(1, 600)),
    max_size=15,
)


@given(some_things)
def test_everything_is_drawn_once_inside_of_its_day_and_over_nothing_else(things: Sequence[Thing]) -> None:
    drawn = placed(things)
    assert sorted((one.what.start, one.what.end) for one in drawn) == sorted((one.start, one.end) for one in things)
    taken: set[tuple[int, int]] = set()
    for one in drawn:
        assert 1 <= one.row <= one.row + one.rows - 1 <= QUARTERS
        assert 15 * (one.row - 1) <= one.what.start < one.what.end <= 15 * (one.row + one.rows - 1)
        assert 1 <= one.lane <= one.lanes <= MOST_BESIDE
        cells = {(row, one.lane) for row in range(one.row, one.row + one.rows)}
        assert one.lane == MOST_BESIDE or not cells & taken
        taken |= cells
