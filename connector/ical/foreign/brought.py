"""The clock that a VTIMEZONE describes, kept by what it says and never by its name.

Years are worked out when they are first asked for. Whichever object asks pays for them, whether they are kept or not:
so an object is read the same way each time, and none can make others wait.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from threading import Lock

from connector.ical.foreign import lines, observances
from connector.ical.foreign.budget import STEPS, Budget, TooDenseError
from connector.ical.foreign.clock import shifted
from connector.ical.foreign.observances import Observance
from connector.ical.foreign.values import NonsenseError
from connector.lately import Lately

LONGEST = 64 * 1024  # bytes of a description that are read
LARGEST = 16 * 1024 * 1024  # bytes of all descriptions that are kept, with what was worked out
_STEPS = 2_000  # that reading one may take, and a year of it
_SIZE = 8  # times the bytes of a description: what it takes when it is read, at most
_YEARS, _CHANGES = 16, 8  # kept of each: so many years, of so many changes at most
_YEAR = 2_000  # bytes of one that is kept, at most
_LINE = 32  # bytes of a description that are worth a step
_PARTS = frozenset({"STANDARD", "DAYLIGHT"})


@dataclass(frozen=True, slots=True)
class Year:
    """From when on each offset holds in a year: the first of them from before it; `cost` are the steps it took."""

    times: Sequence[datetime]
    offsets: Sequence[timedelta]
    cost: int


class Description:
    """A VTIMEZONE that was read; `is_whole` if all of it makes sense, and `cost` are the steps it took."""

    def __init__(self, parts: tuple[Observance, ...], *, is_whole: bool, cost: int) -> None:
        self.is_whole = is_whole
        self.cost = cost
        self.least = 1 + len(parts) // 2  # steps of any year
        self.parts = sorted(parts, key=lambda one: one.onsets[0])
        self._years: dict[int, Year] = {}
        self._lock = Lock()

    def year(self, number: int) -> Year:
        """Return what it says of a year; what takes more steps than any zone does is not to be had at all."""
        kept = self._years.get(number)
        if kept:
            return kept
        try:
            year = self._worked_out(number)
        except TooDenseError:
            return Year((), (), STEPS + 1)
        if len(year.times) <= _CHANGES:
            with self._lock:
                if len(self._years) >= _YEARS:
                    self._years.clear()
                self._years[number] = year
        return year

    def _worked_out(self, number: int) -> Year:
        parts, budget = self.parts, Budget(_STEPS)
        begun = [(shifted(last, -one.before), one.after) for one in parts if (last := one.last(number, budget))]
        changes = sorted((one.shown(onset), onset, one.after) for one in parts for onset in one.within(number, budget))
        offsets = [max(begun)[1] if begun else parts[0].before, *(after for _, _, after in changes)]
        return Year([time for time, _, _ in changes], offsets, _STEPS - budget.left)


class Clock:
    """A clock that goes as is described, for one object; what that cannot pay for goes as the clock usually does."""

    def __init__(self, description: Description, budget: Budget) -> None:
        self.is_whole = description.is_whole
        self._description = description
        self._budget = budget
        self._years: dict[int, Year] = {}

    def offset(self, wall: datetime) -> timedelta:
        """Return how far it is ahead of UTC when it shows a time."""
        year = self._years.get(wall.year) or self._asked(wall.year)
        return year.offsets[bisect_right(year.times, wall)] if year else self._description.parts[-1].after

    def _asked(self, number: int) -> Year | None:
        description, budget = self._description, self._budget
        year = description.year(number) if budget.afford(description.least) else None
        if year is None or not budget.afford(year.cost):
            return None
        self._years[number] = year
        return year


_kept = Lately[Description](LARGEST)


def clock(content: bytes, budget: Budget) -> Clock | None:
    """Return the clock that the lines of a VTIMEZONE describe; None if nothing of them makes sense."""
    if len(content) > LONGEST or not budget.afford(1 + len(content) // _LINE):
        return None
    description = _kept.get(content)
    if description is None:
        description = _read(content)
        _kept.put(content, description, size=len(content) * _SIZE + _YEARS * _YEAR)
    return Clock(description, budget) if budget.afford(description.cost) and description.parts else None


def _read(content: bytes) -> Description:
    """Read a description; whatever part of it makes no sense is left out.

    Where all parts have the clock equally far ahead of UTC, it need not make sense since when.
    """
    found = lines.component(content)
    written = [part for part in found.parts if part.kind in _PARTS] if found else []
    budget, parts, is_whole = Budget(_STEPS), [], True
    try:
        for part in written:
            try:
                parts.append(observances.read(part, budget))
            except NonsenseError:
                is_whole = False
    except TooDenseError:
        return Description((), is_whole=False, cost=_STEPS)
    ahead = {observances.offset(part) for part in written}
    if len(ahead) == 1 and (only := ahead.pop()) is not None:
        parts, is_whole = [observances.always(only)], True
    return Description(tuple(parts), is_whole=is_whole, cost=_STEPS - budget.left)
