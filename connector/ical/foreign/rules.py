"""Recurrence rules as they are written (RFC 5545 section 3.3.10)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum

from connector.ical.foreign.clock import Zone
from connector.ical.foreign.values import Moment, NonsenseError, moment

_LONGEST = 8_000  # characters of a rule: every number it may name, twice over
_DAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
_DAY = re.compile(r"([+-]?\d{1,2})?(MO|TU|WE|TH|FR|SA|SU)", re.ASCII)
_NUMBER = re.compile(r"[+-]?\d{1,10}", re.ASCII)
_MANY = 8  # numbers that cost no more than one does
_LEAP_SECOND = 60


class Frequency(IntEnum):
    """How long a period of a rule is."""

    YEARLY = 0
    MONTHLY = 1
    WEEKLY = 2
    DAILY = 3
    HOURLY = 4
    MINUTELY = 5
    SECONDLY = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A rule as it was written; what it does not say is empty.

    Attributes:
        interval: In periods.
        until: The last time that may be meant; a date means all of that day.
        by_day: (n, weekday) with Monday 0; n is 0 for every one of the period.
        week_start: Monday is 0.
    """

    frequency: Frequency
    interval: int = 1
    count: int | None = None
    until: Moment | None = None
    by_second: tuple[int, ...] = ()
    by_minute: tuple[int, ...] = ()
    by_hour: tuple[int, ...] = ()
    by_day: tuple[tuple[int, int], ...] = ()
    by_month_day: tuple[int, ...] = ()
    by_year_day: tuple[int, ...] = ()
    by_week: tuple[int, ...] = ()
    by_month: tuple[int, ...] = ()
    by_position: tuple[int, ...] = ()
    week_start: int = 0

    @property
    def numbers(self) -> int:
        """How many numbers and days it names."""
        times = len(self.by_second) + len(self.by_minute) + len(self.by_hour)
        days = len(self.by_day) + len(self.by_month_day) + len(self.by_year_day) + len(self.by_week)
        return times + days + len(self.by_month) + len(self.by_position)

    @property
    def steps(self) -> int:
        """What looking at one day or period costs."""
        return 1 + self.numbers // _MANY


_LISTS = {  # the name of a part: the attribute, the lowest and the highest number; whether they count from the end, too
    "BYSECOND": ("by_second", 0, 60, False),
    "BYMINUTE": ("by_minute", 0, 59, False),
    "BYHOUR": ("by_hour", 0, 23, False),
    "BYMONTHDAY": ("by_month_day", 1, 31, True),
    "BYYEARDAY": ("by_year_day", 1, 366, True),
    "BYWEEKNO": ("by_week", 1, 53, True),
    "BYMONTH": ("by_month", 1, 12, False),
    "BYSETPOS": ("by_position", 1, 366, True),
}


_KNOWN = frozenset({"FREQ", "INTERVAL", "COUNT", "UNTIL", "BYDAY", "WKST", "RSCALE", "SKIP", *_LISTS})


def read(text: str, *, zone: Zone, home: Zone) -> Rule:
    """Read a rule; its end is meant in `zone` if that does not say UTC, and at `home` if it is a date.

    Raises: NonsenseError.
    """
    if len(text) > _LONGEST:
        raise NonsenseError("a rule of more than every number")
    parts = _parts(text)
    if parts.get("RSCALE", "GREGORIAN") != "GREGORIAN" or parts.get("SKIP", "OMIT") != "OMIT":
        raise NonsenseError("a rule of another calendar")  # RFC 7529
    try:
        frequency = Frequency[parts.get("FREQ", "")]
    except KeyError as error:
        raise NonsenseError(text) from error
    lists = {
        attribute: _numbers(parts[name], low, high, from_end=from_end)
        for name, (attribute, low, high, from_end) in _LISTS.items()
        if name in parts
    }
    return Rule(
        frequency=frequency,
        interval=_positive(parts.get("INTERVAL", "1")),
        count=_positive(parts["COUNT"]) if "COUNT" in parts else None,
        until=moment(parts["UNTIL"], zone=zone, home=home) if "UNTIL" in parts else None,
        by_day=_days(parts.get("BYDAY", ""), frequency),
        week_start=_weekday(parts.get("WKST", "MO")),
        **lists,
    )


def _parts(text: str) -> Mapping[str, str]:
    """Return the parts of a rule by their names; whatever nobody knows might make it another one."""
    parts: dict[str, str] = {}
    for part in text.upper().split(";"):
        name, equals, value = (piece.strip() for piece in part.partition("="))
        is_known = name in _KNOWN or name.startswith("X-")
        if name and not (equals and is_known and parts.get(name, value) == value):
            raise NonsenseError(text)
        if value:
            parts[name] = value
    return parts


def _positive(text: str) -> int:
    number = _number(text)
    if number < 1:
        raise NonsenseError(text)
    return number


def _number(text: str) -> int:
    if not _NUMBER.fullmatch(text):
        raise NonsenseError(text)
    return int(text)


def _numbers(text: str, low: int, high: int, *, from_end: bool) -> tuple[int, ...]:
    numbers = {_number(part.strip()) for part in text.split(",")}
    for number in numbers:
        if not low <= (abs(number) if from_end else number) <= high:
            raise NonsenseError(text)
    if high == _LEAP_SECOND:
        numbers = {min(number, high - 1) for number in numbers}
    return tuple(sorted(numbers))


def _days(text: str, frequency: Frequency) -> tuple[tuple[int, int], ...]:
    """Return the weekdays; which one of them it is counts in months and years alone."""
    days = set()
    for part in text.split(",") if text else ():
        day = _DAY.fullmatch(part.strip())
        if day is None:
            raise NonsenseError(text)
        number = int(day[1] or 0) if frequency <= Frequency.MONTHLY else 0
        days.add((number, _weekday(day[2])))
    return tuple(sorted(days))


def _weekday(text: str) -> int:
    if text not in _DAYS:
        raise NonsenseError(text)
    return _DAYS.index(text)
