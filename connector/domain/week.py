"""How the days of a week are drawn: which quarters of an hour something takes, and beside what else it lies there."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Generic, Protocol, TypeVar

QUARTERS = 96
USUAL = (8, 18)  # the hours that are shown whatever stands in them
MOST_BESIDE = 4  # what is more at once lies over what lies in the last lane
_QUARTER = 15  # minutes


class Stretch(Protocol):
    """Something on a day, in minutes of its wall clock: `end` is later than `start`, and at most 1440."""

    @property
    def start(self) -> int:
        """When it begins."""

    @property
    def end(self) -> int:
        """When it ends."""


Thing = TypeVar("Thing", bound=Stretch)


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed(Generic[Thing]):
    """Where something is drawn in the column of its day.

    Attributes:
        row: The quarter of an hour in which it begins, from 1 on.
        rows: How many quarters it touches.
        lane: Its place beside what else stands then, from 1 on.
        lanes: How many lie beside each other there.
    """

    what: Thing
    row: int
    rows: int
    lane: int = 1
    lanes: int = 1


def week_of(day: date, *, first_weekday: int) -> date:
    """Return the first day of the week in which a day lies; Monday is weekday 0."""
    return day - timedelta(days=(day.weekday() - first_weekday) % 7)


def placed(things: Iterable[Thing]) -> tuple[Placed[Thing], ...]:
    """Return where each thing on one day is drawn, in the order in which they begin."""
    ordered = sorted((_in_rows(one) for one in things), key=lambda one: (one.row, -one.rows))
    return tuple(_side_by_side(ordered))


def hours(days: Iterable[Sequence[Placed[Thing]]]) -> tuple[int, int]:
    """Return from which hour to which days are shown: the usual ones, and whatever else something stands in."""
    first, last = USUAL
    for day in days:
        for one in day:
            first = min(first, (one.row - 1) // 4)
            last = max(last, -(-(one.row + one.rows - 1) // 4))
    return first, last


def _in_rows(one: Thing) -> Placed[Thing]:
    row = one.start // _QUARTER
    return Placed(what=one, row=row + 1, rows=max(1, -(-one.end // _QUARTER) - row))


def _side_by_side(ordered: Iterable[Placed[Thing]]) -> Iterator[Placed[Thing]]:
    """Yield the same in lanes, so many as there are at once in a stretch without a gap."""
    stretch: list[Placed[Thing]] = []
    until = 0
    for one in ordered:
        if one.row >= until:
            yield from _in_lanes(stretch)
            stretch = []
        stretch.append(one)
        until = max(until, one.row + one.rows)
    yield from _in_lanes(stretch)


def _in_lanes(stretch: Sequence[Placed[Thing]]) -> Iterator[Placed[Thing]]:
    free_from: list[int] = []  # by lane, the row from which on nothing lies in it
    chosen: list[int] = []
    for one in stretch:
        lane = next((n for n, row in enumerate(free_from) if row <= one.row), len(free_from))
        if lane == len(free_from):
            free_from.append(0)
        free_from[lane] = one.row + one.rows
        chosen.append(lane)
    lanes = min(len(free_from), MOST_BESIDE)
    for one, lane in zip(stretch, chosen, strict=True):
        yield replace(one, lane=min(lane + 1, lanes), lanes=lanes)
