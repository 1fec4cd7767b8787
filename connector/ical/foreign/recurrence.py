"""The times that a recurrence rule means in a stretch (RFC 5545 section 3.3.10).

A rule is asked by the clock on the wall; zones and what is excluded are somebody else's. The first period that matters
is found by arithmetic, so that a rule of 1990 costs no more than one of today.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import islice

from connector.ical.foreign import days, times
from connector.ical.foreign.budget import Budget
from connector.ical.foreign.clock import shifted
from connector.ical.foreign.rules import Frequency, Rule

_LENGTHS = {
    Frequency.WEEKLY: timedelta(weeks=1),
    Frequency.DAILY: timedelta(days=1),
    Frequency.HOURLY: timedelta(hours=1),
    Frequency.MINUTELY: timedelta(minutes=1),
    Frequency.SECONDLY: timedelta(seconds=1),
}
_MONTHS = 12
_WEEK = 7


def starts(rule: Rule, first: datetime, *, low: datetime, high: datetime, budget: Budget) -> Iterator[datetime]:
    """Yield the times of a rule in `[low, high]`, on the wall and in order; `until` is left to who knows zones.

    `first` is DTSTART on the wall: nothing lies before it, and it is not added where the rule leaves it out.

    Raises: TooDenseError.
    """
    if rule.count is None:
        yield from _between(rule, first, max(low, first), high, budget)
    elif not rule.numbers and rule.frequency in _LENGTHS:
        last = _last(first, _LENGTHS[rule.frequency], rule.interval * (rule.count - 1))
        yield from _between(rule, first, max(low, first), min(high, last), budget)
    else:
        counted = islice(_between(rule, first, first, high, budget), rule.count)
        yield from (wall for wall in counted if wall >= low)


def _last(first: datetime, length: timedelta, number: int) -> datetime:
    try:
        return shifted(first, length * number)
    except OverflowError:
        return shifted(first, timedelta.max)


def _between(rule: Rule, first: datetime, low: datetime, high: datetime, budget: Budget) -> Iterator[datetime]:
    if low > high:
        return
    candidates = _by_clock if rule.frequency > Frequency.DAILY else _by_day
    for wall in candidates(rule, first, low, high, budget):
        if wall > high:
            return
        if wall >= low:
            yield wall


def _by_day(rule: Rule, first: datetime, low: datetime, high: datetime, budget: Budget) -> Iterator[datetime]:
    """Yield the times of every period that touches the stretch, in order."""
    clock = times.of_day(rule, first, budget)
    for number in _periods(rule, first, low, high):
        budget.spend(rule.steps)
        meant = days.of_period(rule, first, number, budget)
        budget.spend(len(meant) * len(clock))
        yield from _picked(rule, [times.on(day, seconds) for day in meant for seconds in clock])


def _by_clock(rule: Rule, first: datetime, low: datetime, high: datetime, budget: Budget) -> Iterator[datetime]:
    """Yield the times of a rule whose periods are shorter than a day, day by day."""
    begin, end = low.toordinal(), high.toordinal()
    for day in range(begin, end + 1):
        budget.spend(rule.steps)
        if days.fits(rule, day):
            part = range(times.of(low) if day == begin else 0, times.of(high) + 1 if day == end else times.DAY)
            for period in times.periods(rule, first, day, part, budget):
                yield from _picked(rule, period)


def _picked(rule: Rule, period: list[datetime]) -> list[datetime]:
    """Return what BYSETPOS leaves of a period (which is in order)."""
    if not rule.by_position:
        return period
    size = len(period)
    places = {place - 1 if place > 0 else size + place for place in rule.by_position}
    return [period[place] for place in sorted(places) if 0 <= place < size]


def _periods(rule: Rule, first: datetime, low: datetime, high: datetime) -> range:
    """Return the numbers of the periods that touch the stretch: of years, months, or days.

    Years count from 0, months from January of year 0, days as ordinals; a week has the number of its first day.
    """
    last, step = high.toordinal(), rule.interval
    match rule.frequency:
        case Frequency.YEARLY:
            start, begin, last = first.year, low.year, high.year
        case Frequency.MONTHLY:
            start, begin, last = (wall.year * _MONTHS + wall.month - 1 for wall in (first, low, high))
        case Frequency.WEEKLY:
            start, begin = days.week_of(first.toordinal(), rule), days.week_of(low.toordinal(), rule)
            step *= _WEEK
        case _:
            start, begin = first.toordinal(), low.toordinal()
    return range(start + max(0, (begin - start) // step) * step, last + 1, step)
