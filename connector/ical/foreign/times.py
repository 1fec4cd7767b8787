"""The times of a day that a recurrence rule means."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, datetime, time

from connector.ical.foreign.budget import Budget
from connector.ical.foreign.rules import Frequency, Rule

_HOUR, _MINUTE, DAY = 3600, 60, 86_400  # seconds
_UNITS = {Frequency.HOURLY: _HOUR, Frequency.MINUTELY: _MINUTE, Frequency.SECONDLY: 1}


def of(wall: datetime) -> int:
    """Return the time of a wall clock: seconds since midnight."""
    return wall.hour * _HOUR + wall.minute * _MINUTE + wall.second


def on(day: int, seconds: int) -> datetime:
    """Return a time of a day, by its ordinal and the seconds since midnight."""
    hour, rest = divmod(seconds, _HOUR)
    return datetime.combine(date.fromordinal(day), time(hour, *divmod(rest, _MINUTE)))


def of_day(rule: Rule, first: datetime, budget: Budget) -> Sequence[int]:
    """Return the times that a rule means on each of its days: seconds since midnight, in order."""
    hours = rule.by_hour or (first.hour,)
    minutes = rule.by_minute or (first.minute,)
    seconds = rule.by_second or (first.second,)
    budget.spend(len(hours) * len(minutes) * len(seconds))
    return _product(hours, minutes, seconds)


def periods(rule: Rule, first: datetime, day: int, part: range, budget: Budget) -> Iterator[list[datetime]]:
    """Yield the times of each hour, minute or second of a day that is one of the rule's periods.

    `part` are the seconds of the day that matter.
    """
    unit = _UNITS[rule.frequency]
    begun = (first.toordinal() * DAY + of(first)) // unit
    minutes = (rule.by_minute or (first.minute,)) if unit == _HOUR else (0,)
    seconds = (rule.by_second or (first.second,)) if unit >= _MINUTE else (0,)
    inside = _product((0,), minutes, seconds)
    numbers = range(part.start // unit, (part.stop - 1) // unit + 1)
    for number in _numbers(rule, numbers, day * DAY // unit - begun, budget):
        budget.spend(len(inside))
        yield [on(day, number * unit + offset) for offset in inside]


def _numbers(rule: Rule, numbers: range, since: int, budget: Budget) -> Iterator[int]:
    """Yield which of the hours, minutes or seconds of a day are periods of the rule, in order.

    The day is gone through by the rule's interval, or by what BYHOUR and its like allow, whichever is less; `since` of
    them lie between the first period and its beginning.
    """
    unit = _UNITS[rule.frequency]
    hours = rule.by_hour or range(24)
    minutes = (rule.by_minute or range(60)) if unit < _HOUR else (0,)
    seconds = (rule.by_second or range(60)) if unit < _MINUTE else (0,)
    stepped = range(numbers.start + -(since + numbers.start) % rule.interval, numbers.stop, rule.interval)
    allowed = len(hours) * len(minutes) * len(seconds)
    budget.spend(min(len(stepped), allowed))
    if allowed < len(stepped):
        filtered = (moment // unit for moment in _product(hours, minutes, seconds))
        yield from (number for number in filtered if number in stepped)
        return
    for number in stepped:
        hour, rest = divmod(number * unit, _HOUR)
        minute, second = divmod(rest, _MINUTE)
        if hour in hours and minute in minutes and second in seconds:
            yield number


def _product(hours: Sequence[int], minutes: Sequence[int], seconds: Sequence[int]) -> Sequence[int]:
    return sorted(h * _HOUR + m * _MINUTE + s for h in hours for m in minutes for s in seconds)
