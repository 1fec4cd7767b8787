"""When a practitioner works: minutes of the wall days of their zone, for a week, and for single dates instead."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

from connector.domain.span import Span
from connector.errors import RuleError

MINUTES = 24 * 60  # of a wall day, however long it lasts
MOST_STRETCHES = 12  # a day
MOST_EXCEPTIONS = 400
ENOUGH = 10  # sessions that tell of a practitioner's hours by themselves
_WEEK = 7
_ROUND = 30  # minutes: hours are learnt to the half hour


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Stretch:
    """Minutes of a wall day: `[start, end)`, counted on its clock from midnight."""

    start: int
    end: int

    def __post_init__(self) -> None:
        if not 0 <= self.start < self.end <= MINUTES:
            raise RuleError(
                "Working hours begin before they end, and lie within one day: between 00:00 and 24:00. Hours over "
                "midnight are two stretches, one of each day.",
                code="hours_out_of_day",
                field="hours",
            )


Day = tuple[Stretch, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkingHours:
    """The stretches of each weekday, Monday first, and of single dates: these replace what the weekday has.

    A minute is inside if what the wall clock shows in it is, its date included. So what comes twice when clocks go back
    is inside both times, and what a day leaves out when they go forward never is.
    """

    weekly: tuple[Day, ...]
    exceptions: Mapping[date, Day] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if len(self.weekly) != _WEEK:
            raise ValueError("a week has seven days")
        if len(self.exceptions) > MOST_EXCEPTIONS:
            raise RuleError(
                "Working hours have at most %(most)s exceptions. Leave out those of days that are over.",
                code="hours_exceptions_out_of_range",
                field="exceptions",
                most=MOST_EXCEPTIONS,
            )
        object.__setattr__(self, "weekly", tuple(map(_tidied, self.weekly)))  # for everybody else the class is frozen
        object.__setattr__(
            self, "exceptions", {day: _tidied(hours) for day, hours in sorted(self.exceptions.items())}
        )  # as above

    def on(self, day: date) -> Day:
        """Return the hours of a date."""
        return self.exceptions.get(day, self.weekly[day.weekday()])


def learnt(booked: Iterable[Span], zone: ZoneInfo) -> WorkingHours:
    """Return the hours that somebody seems to work, by the sessions that they have given or will.

    A weekday is worked from the beginning of its earliest session to the end of its latest, to the half hour. As long
    as fewer than `ENOUGH` are known, that is added to what is assumed of everybody.
    """
    spans = list(booked)
    days: dict[int, list[Stretch]] = defaultdict(list)
    for span in spans:
        for day, stretch in _by_day(span, zone):
            days[day.weekday()].append(stretch)
    if len(spans) < ENOUGH:
        for weekday, hours in enumerate(ASSUMED.weekly):
            days[weekday] += hours
    return WorkingHours(weekly=tuple(_hull(days[weekday]) for weekday in range(_WEEK)))


def _by_day(span: Span, zone: ZoneInfo) -> Iterator[tuple[date, Stretch]]:
    """Yield what the wall clock shows from the beginning of a span to its end, day by day, rounded outward."""
    start, end = span.start.astimezone(zone), span.end.astimezone(zone)
    first, last = start.hour * 60 + start.minute, end.hour * 60 + end.minute
    day = start.date()
    while day <= end.date():
        begin = first // _ROUND * _ROUND if day == start.date() else 0
        finish = -(-last // _ROUND) * _ROUND if day == end.date() else MINUTES
        if begin < finish:
            yield day, Stretch(start=begin, end=finish)
        day += timedelta(days=1)


def _hull(stretches: Iterable[Stretch]) -> Day:
    every = list(stretches)
    if not every:
        return ()
    return (Stretch(start=min(one.start for one in every), end=max(one.end for one in every)),)


def _tidied(hours: Iterable[Stretch]) -> Day:
    """Put the hours of a day in order, those that touch made one.

    Raises: RuleError for too many, and for those that overlap: one of the two is a mistake.
    """
    stretches = sorted(hours)
    if len(stretches) > MOST_STRETCHES:
        raise RuleError(
            "A day has at most %(most)s stretches of working hours. Give fewer.",
            code="hours_stretches_out_of_range",
            field="hours",
            most=MOST_STRETCHES,
        )
    if any(one.end > other.start for one, other in pairwise(stretches)):
        raise RuleError(
            "Two stretches of working hours of one day overlap. Correct one of them, or make them one.",
            code="hours_overlap",
            field="hours",
        )
    tidy: list[Stretch] = []
    for one in stretches:
        if tidy and tidy[-1].end == one.start:
            tidy[-1] = Stretch(start=tidy[-1].start, end=one.end)
        else:
            tidy.append(one)
    return tuple(tidy)


_OFFICE = (Stretch(start=9 * 60, end=17 * 60),)
ASSUMED = WorkingHours(weekly=(_OFFICE,) * 5 + ((),) * 2)
"""Monday to Friday, 9 to 17: of somebody of whom nothing is known."""
