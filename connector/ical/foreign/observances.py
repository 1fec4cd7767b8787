"""What the parts of a VTIMEZONE say: from when on a clock is how far ahead of UTC (RFC 5545 section 3.6.5)."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import MINYEAR, datetime, timedelta
from itertools import islice

from connector.ical.foreign import recurrence, rules, values
from connector.ical.foreign.budget import Budget, TooDenseError
from connector.ical.foreign.clock import UNIVERSAL, shifted
from connector.ical.foreign.lines import Component
from connector.ical.foreign.rules import Frequency, Rule
from connector.ical.foreign.values import NonsenseError

_STEPS = 100  # that a rule may take for a year; nobody's clock changes so often
_OFFSET = re.compile(r"([+-]?)(\d\d):?(\d\d)(?::?(\d\d))?", re.ASCII)
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
    rule: Rule | None = None
    until: datetime = datetime.max  # noqa: DTZ901 - a wall time

    def within(self, year: int, budget: Budget) -> Iterator[datetime]:
        """Yield the onsets of a year, in no order.

        Raises: TooDenseError.
        """
        low, high = datetime(year, 1, 1), datetime(year, 12, 31, 23, 59, 59)  # noqa: DTZ001 - wall times
        named = self.onsets[bisect_left(self.onsets, low) : bisect_right(self.onsets, high)]
        budget.spend(len(named))
        yield from named
        if self.rule and self.onsets[0].year <= year <= self.until.year:
            high = min(high, self.until)
            yield from recurrence.starts(self.rule, self.onsets[0], low=low, high=high, budget=budget)

    def last(self, year: int, budget: Budget) -> datetime | None:
        """Return the last onset before a year begins.

        Raises: TooDenseError.
        """
        place = bisect_left(self.onsets, datetime(year, 1, 1))  # noqa: DTZ001 - a wall time
        named = self.onsets[:place][-1:]
        begun = min(year - 1, self.until.year)
        years = range(max(begun - 1, MINYEAR), begun + 1) if self.rule else ()
        ruled = [onset for one in years for onset in self.within(one, budget)]
        return max([*named, *(onset for onset in ruled if onset.year < year)], default=None)

    def shown(self, onset: datetime) -> datetime:
        """Return from when on the wall it holds: a time that is skipped or comes twice is read as before."""
        return shifted(onset, max(timedelta(), self.after - self.before))


def always(ahead: timedelta) -> Observance:
    """Return the only part of a clock that never changes."""
    return Observance(ahead, ahead, (datetime.min,))  # noqa: DTZ901 - a wall time


def read(part: Component, budget: Budget) -> Observance:
    """Read a STANDARD or DAYLIGHT part; what does not say how far the clock was ahead before changes nothing there.

    Only yearly rules are followed, since nobody changes their clocks more often, and few days of each year.

    Raises: NonsenseError; TooDenseError if all parts together take more than they may.
    """
    after = _offset(part.value("TZOFFSETTO"))
    line = part.first("TZOFFSETFROM")
    before = _offset(line.value) if line else after
    start = _wall(part.value("DTSTART"), before)
    named = [_wall(text.strip(), before) for line in part.all("RDATE") for text in line.value.split(",")]
    rule: Rule | None = None
    until = datetime.max  # noqa: DTZ901 - a wall time
    if line := part.first("RRULE"):
        rule = rules.read(line.value, zone=UNIVERSAL, home=UNIVERSAL)
        if rule.until:
            until = shifted(rule.until.wall, _FURTHEST if rule.until.is_date else before)
        if rule.frequency is not Frequency.YEARLY or rule.count is not None or rule.interval != 1:
            named += _few(rule, start, budget)
            rule = None
        else:
            _check(rule, budget)
    return Observance(before, after, tuple(sorted({start, *named})), rule, until)


def offset(part: Component) -> timedelta | None:
    """Return how far a clock is ahead of UTC from the onset of a part on; None if that makes no sense."""
    try:
        return _offset(part.value("TZOFFSETTO"))
    except NonsenseError:
        return None


def _few(rule: Rule, start: datetime, budget: Budget) -> list[datetime]:
    """Return the onsets of a rule that tells how many they are.

    Raises: NonsenseError if it does not, or they are not yearly; TooDenseError.
    """
    if rule.frequency is not Frequency.YEARLY or rule.count is None:
        raise NonsenseError("clocks change by the year")
    end = datetime.max  # noqa: DTZ901 - a wall time
    return list(islice(recurrence.starts(rule, start, low=start, high=end, budget=budget), rule.count))


def _check(rule: Rule, budget: Budget) -> None:
    """Raise NonsenseError if a year takes more steps than any zone's does; TooDenseError if there are none left."""
    first, last = datetime(_SAMPLE, 1, 1), datetime(_SAMPLE, 12, 31, 23, 59, 59)  # noqa: DTZ001 - wall times
    year = Budget(_STEPS)
    try:
        for _ in recurrence.starts(rule, first, low=first, high=last, budget=year):
            year.spend()
    except TooDenseError as error:
        budget.spend(_STEPS)
        raise NonsenseError("clocks change a few times a year") from error
    budget.spend(_STEPS - year.left)


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
