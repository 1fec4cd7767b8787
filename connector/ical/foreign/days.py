"""The days of a period that a recurrence rule means, as ordinals of the proleptic Gregorian calendar."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import MAXYEAR, date, datetime

from connector.ical.foreign.budget import Budget
from connector.ical.foreign.rules import Frequency, Rule

_MONTHS = 12
_WEEK = 7
_MIDDLE = 3  # days of a week before the year in which it still is the first
_MANY = 8  # numbers or weekdays that are looked for in a step
_LAST = date.max.toordinal()


def of_period(rule: Rule, first: datetime, number: int, budget: Budget) -> Sequence[int]:
    """Return the days of one period, in order; its number is as `recurrence` counts them."""
    match rule.frequency:
        case Frequency.YEARLY:
            return _of_year(rule, first, number, budget)
        case Frequency.MONTHLY:
            return _of_month(rule, first, number, budget)
        case Frequency.WEEKLY:
            return _of_week(rule, first, number)
        case _:
            return (number,) if fits(rule, number) else ()


def fits(rule: Rule, day: int) -> bool:
    """Whether a rule allows a day, looked at by itself."""
    if rule.by_day and (0, _weekday(day)) not in rule.by_day:
        return False
    if not (rule.by_month or rule.by_month_day or rule.by_year_day or rule.by_week):
        return True
    at = date.fromordinal(day)
    if rule.by_month and at.month not in rule.by_month:
        return False
    if rule.by_month_day and not _is_numbered(day, *_month(at.year, at.month), rule.by_month_day):
        return False
    if rule.by_year_day and not _is_numbered(day, _new_year(at.year), _new_year(at.year + 1), rule.by_year_day):
        return False
    return not rule.by_week or _is_in_week(rule, day, at.year)


def week_of(day: int, rule: Rule) -> int:
    """Return the first day of the week in which a day lies."""
    return day - (_weekday(day) - rule.week_start) % _WEEK


def _of_year(rule: Rule, first: datetime, year: int, budget: Budget) -> Sequence[int]:
    months, month_days, by_day = rule.by_month, rule.by_month_day, rule.by_day
    if not (month_days or by_day or rule.by_year_day or rule.by_week):
        months, month_days = months or (first.month,), (first.day,)
    if rule.by_week:  # in which nothing is numbered
        by_day = tuple((0, name) for _, name in by_day)
        if not (month_days or by_day or rule.by_year_day):
            by_day = ((0, first.weekday()),)
    stretches = [_month(year, month) for month in months or range(1, _MONTHS + 1)]
    budget.spend(len(stretches) * (len(by_day) + len(month_days)) // _MANY)
    whole_year = [(_new_year(year), _new_year(year + 1))]
    sets = []
    if month_days:
        sets.append({day for start, end in stretches for day in _numbered(range(start, end), month_days)})
    if rule.by_year_day:
        sets.append(set(_numbered(range(*whole_year[0]), rule.by_year_day)))
    if by_day:
        around = stretches if months else whole_year
        sets.append({day for start, end in around for day in _weekdays(start, end, by_day)})
    days = set.intersection(*sets) if sets else set(range(*whole_year[0]))
    budget.spend(sum(map(len, sets)))
    if months:
        days = {day for day in days if any(start <= day < end for start, end in stretches)}
    return sorted(day for day in days if not rule.by_week or _is_in_week(rule, day, year))


def _of_month(rule: Rule, first: datetime, number: int, budget: Budget) -> Sequence[int]:
    year, month = divmod(number, _MONTHS)
    if rule.by_month and month + 1 not in rule.by_month:
        return ()
    start, end = _month(year, month + 1)
    days: Iterable[int] = range(start, end)
    month_days = rule.by_month_day
    if not (month_days or rule.by_day or rule.by_year_day or rule.by_week):
        month_days = (first.day,)
    if month_days:
        days = set(_numbered(range(start, end), month_days))
    if rule.by_day:
        days = set(days) & set(_weekdays(start, end, rule.by_day))
    if rule.by_year_day:
        days = set(days) & set(_numbered(range(_new_year(year), _new_year(year + 1)), rule.by_year_day))
    found = sorted(day for day in days if not rule.by_week or _is_in_week(rule, day, year))
    budget.spend(len(found))
    return found


def _of_week(rule: Rule, first: datetime, start: int) -> Sequence[int]:
    days = range(max(start, 1), min(start + _WEEK, _LAST + 1))
    is_told = rule.by_day or rule.by_month_day or rule.by_year_day or rule.by_week
    return [day for day in days if (is_told or _weekday(day) == first.weekday()) and fits(rule, day)]


def _weekday(day: int) -> int:
    """Return the weekday of a day; Monday is 0."""
    return (day - 1) % _WEEK


def _new_year(year: int) -> int:
    """Return the first day of a year, or the day after the last there is."""
    return date(year, 1, 1).toordinal() if year <= MAXYEAR else _LAST + 1


def _month(year: int, month: int) -> tuple[int, int]:
    """Return the first day of a month, and that of the next."""
    end = date(year, month + 1, 1).toordinal() if month < _MONTHS else _new_year(year + 1)
    return date(year, month, 1).toordinal(), end


def _numbered(days: range, numbers: Iterable[int]) -> Iterator[int]:
    """Yield those of some days that have these numbers: 1 is the first, -1 the last."""
    for number in numbers:
        place = number - 1 if number > 0 else len(days) + number
        if 0 <= place < len(days):
            yield days[place]


def _is_numbered(day: int, start: int, end: int, numbers: Sequence[int]) -> bool:
    return day - start + 1 in numbers or day - end in numbers


def _weekdays(start: int, end: int, wanted: Iterable[tuple[int, int]]) -> Iterator[int]:
    """Yield the weekdays of a stretch: all of a name, or the nth from its beginning or its end."""
    for number, name in wanted:
        days = range(start + (name - _weekday(start)) % _WEEK, end, _WEEK)
        yield from _numbered(days, (number,)) if number else days


def _is_in_week(rule: Rule, day: int, year: int) -> bool:
    """Whether a day of a year lies in one of the weeks that BYWEEKNO names; weeks at its ends may be a neighbour's."""
    if day < _first_week(rule, year):
        year -= 1
    elif day >= _first_week(rule, year + 1):
        year += 1
    start, end = _first_week(rule, year), _first_week(rule, year + 1)
    week = (day - start) // _WEEK
    return week + 1 in rule.by_week or week - (end - start) // _WEEK in rule.by_week


def _first_week(rule: Rule, year: int) -> int:
    """Return the first day of week number one: the first with four days of its year."""
    start = _new_year(max(year, 1))
    into = (_weekday(start) - rule.week_start) % _WEEK
    return start - into if into <= _MIDDLE else start + _WEEK - into
