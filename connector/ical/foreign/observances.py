"""The clock that a VTIMEZONE describes (RFC 5545 section 3.6.5), kept by what it says and never by its name."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from itertools import islice
from threading import Lock

from connector.ical.foreign import lines, recurrence, rules, values
from connector.ical.foreign.budget import Budget, TooDenseError
from connector.ical.foreign.clock import UNIVERSAL, Zone, shifted
from connector.ical.foreign.rules import Frequency, Rule
from connector.ical.foreign.values import NonsenseError

_COMPILED = 256  # zones that are kept
_LONGEST = 64 * 1024  # bytes of one that is read
_STEPS = 500  # that its rules may take for a year
_YEARS = 64  # of one that are kept
_OFFSET = re.compile(r"([+-]?)(\d\d)(\d\d)(\d\d)?", re.ASCII)
_SAMPLE = 2024  # a leap year, in which every day there is comes
_FURTHEST = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Observance:
    """One STANDARD or DAYLIGHT part: from each of its onsets on, the clock is `after` ahead of UTC.

    Attributes:
        onsets: Those that are named one by one, on the wall as it was `before`, in order.
        rule: The further ones, every year from the first of `onsets` on.
        until: On the same wall; the last that the rule may mean.
    """

    before: timedelta
    after: timedelta
    onsets: tuple[datetime, ...]
    rule: Rule | None
    until: datetime

    def within(self, year: int) -> Iterator[datetime]:
        """Yield the onsets of a year, in no order."""
        yield from (onset for onset in self.onsets if onset.year == year)
        if self.rule and self.onsets[0].year <= year <= self.until.year:
            low, high = datetime(year, 1, 1), datetime(year, 12, 31, 23, 59, 59)  # noqa: DTZ001 - wall times
            high, budget = min(high, self.until), Budget(2 * _STEPS)
            yield from recurrence.starts(self.rule, self.onsets[0], low=low, high=high, budget=budget)

    def last(self, year: int) -> datetime | None:
        """Return the last onset before a year begins."""
        named = [onset for onset in self.onsets if onset.year < year][-1:]
        begun = min(year - 1, self.until.year)
        ruled = [onset for one in (begun - 1, begun) for onset in self.within(one)] if self.rule else []
        return max([*named, *(onset for onset in ruled if onset.year < year)], default=None)

    def shown(self, onset: datetime) -> datetime:
        """Return from when on the wall it holds: a time that is skipped or comes twice is read as before."""
        return shifted(onset, max(timedelta(), self.after - self.before))


class Compiled:
    """A clock that goes as observances tell."""

    def __init__(self, observances: tuple[Observance, ...]) -> None:
        self._observances = observances
        self._earliest = min(observances, key=lambda one: one.onsets[0]).before
        self._years: dict[int, tuple[list[datetime], list[timedelta]]] = {}
        self._lock = Lock()

    def offset(self, wall: datetime) -> timedelta:
        """Return how far it is ahead of UTC when it shows a time."""
        times, offsets = self._years.get(wall.year) or self._year(wall.year)
        return offsets[bisect_right(times, wall)]

    def _year(self, year: int) -> tuple[list[datetime], list[timedelta]]:
        """Return from when on each offset holds in a year, and the offsets, with the one it begins with in front."""
        begun = [(shifted(last, -one.before), one.after) for one in self._observances if (last := one.last(year))]
        changes = sorted(
            (one.shown(onset), onset, one.after) for one in self._observances for onset in one.within(year)
        )
        offsets = [max(begun)[1] if begun else self._earliest, *(after for _, _, after in changes)]
        found = [time for time, _, _ in changes], offsets
        with self._lock:
            if len(self._years) >= _YEARS:
                self._years.clear()
            self._years[year] = found
        return found


@lru_cache(maxsize=_COMPILED)
def compiled(content: bytes) -> Zone | None:
    """Return the clock that the lines of a VTIMEZONE describe; None if they make no sense.

    Only yearly rules are followed, since nobody changes their clocks more often, and few days of each year.
    """
    if len(content) > _LONGEST:
        return None
    found = lines.component(content)
    try:
        parts = tuple(map(_observance, found.parts)) if found else ()
        clock = Compiled(parts) if parts else None
        _check(parts)
    except (NonsenseError, TooDenseError, OverflowError):
        return None
    return clock


def _check(parts: tuple[Observance, ...]) -> None:
    """Raise TooDenseError if a year takes more steps than any zone's does."""
    budget = Budget(_STEPS)
    for rule in filter(None, (one.rule for one in parts)):
        first, last = datetime(_SAMPLE, 1, 1), datetime(_SAMPLE, 12, 31, 23, 59, 59)  # noqa: DTZ001 - wall times
        for _ in recurrence.starts(rule, first, low=first, high=last, budget=budget):
            budget.spend()


def _observance(part: lines.Component) -> Observance:
    """Read a STANDARD or DAYLIGHT part.

    Raises: NonsenseError.
    """
    before, after = _offset(part.value("TZOFFSETFROM")), _offset(part.value("TZOFFSETTO"))
    start = _wall(part.value("DTSTART"), before)
    named = [_wall(text.strip(), before) for line in part.all("RDATE") for text in line.value.split(",")]
    rule: Rule | None = None
    until = datetime.max  # noqa: DTZ901 - a wall time
    if line := part.first("RRULE"):
        rule = rules.read(line.value, zone=UNIVERSAL, home=UNIVERSAL)
        if rule.until:
            until = shifted(rule.until.wall, _FURTHEST if rule.until.is_date else before)
        if rule.frequency is not Frequency.YEARLY or rule.count is not None or rule.interval != 1:
            named += _few(rule, start)
            rule = None
    return Observance(before, after, tuple(sorted({start, *named})), rule, until)


def _few(rule: Rule, start: datetime) -> list[datetime]:
    """Return the onsets of a rule that tells how many they are.

    Raises: NonsenseError if it does not, or they are not yearly.
    """
    if rule.frequency is not Frequency.YEARLY or rule.count is None:
        raise NonsenseError("clocks change by the year")
    end, budget = datetime.max, Budget(_STEPS * 4)  # noqa: DTZ901 - a wall time
    return list(islice(recurrence.starts(rule, start, low=start, high=end, budget=budget), _STEPS))


def _wall(text: str, before: timedelta) -> datetime:
    """Return an onset on the wall as it was before it; some write it in UTC."""
    moment = values.moment(text.partition("/")[0], zone=UNIVERSAL, home=UNIVERSAL)
    return shifted(moment.wall, before) if text.upper().endswith("Z") else moment.wall


def _offset(text: str) -> timedelta:
    parts = _OFFSET.fullmatch(text)
    if parts is None:
        raise NonsenseError(text)
    ahead = timedelta(hours=int(parts[2]), minutes=int(parts[3]), seconds=int(parts[4] or 0))
    if ahead >= _FURTHEST:
        raise NonsenseError(text)
    return -ahead if parts[1] == "-" else ahead
