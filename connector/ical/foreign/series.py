"""A series of events: what its rules and dates mean, what is excluded, and what has become of some occurrences."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import NamedTuple

from connector.domain.standing import Nature
from connector.domain.unreadable import Unreadable
from connector.ical.foreign import events, recurrence, values
from connector.ical.foreign.clock import UNIVERSAL, Zone, shifted
from connector.ical.foreign.events import Event, Setting
from connector.ical.foreign.rules import Rule
from connector.ical.foreign.values import DAY, Form, Length, Moment, NonsenseError
from connector.ical.foreign.window import Window

_NEAR = 2 * DAY  # of longer events only the last start before the window matters: all of them end after it
_TWICE = timedelta(hours=3)  # more than any clock goes back


class Time(NamedTuple):
    """When something takes time: naive UTC. `occurrence` is when the series has it, None for what is no series."""

    start: datetime
    end: datetime
    nature: Nature = Nature.ORDINARY
    occurrence: datetime | None = None


Start = tuple[datetime, Length | None]  # on the wall; a length where it is not the event's


@dataclass(frozen=True, slots=True)
class _Part:
    """A stretch of a series, with what its occurrences are like.

    Attributes:
        model: Whose length and showing they have.
        zone: Where they are meant.
        shift: By how much they were moved, on the wall.
        since, before: Which are meant, by the instants at which the series has them; None without such an end.
    """

    model: Event
    zone: Zone
    shift: timedelta = timedelta()
    since: datetime | None = None
    before: datetime | None = None


@dataclass(slots=True)
class _Excluded:
    """Occurrences that are not where the series has them."""

    instants: set[datetime] = field(default_factory=set)
    days: set[datetime] = field(default_factory=set)  # on the wall of the series

    def add(self, moment: Moment, start: Moment) -> None:
        """Exclude what a moment means: an instant, or a day if it or the series knows only days."""
        if moment.is_date or start.is_date:
            self.days.add(_day(moment.wall_in(start.zone)))
        else:
            self.instants.add(moment.instant)

    def cover(self, wall: datetime, instant: datetime) -> bool:
        return instant in self.instants or (bool(self.days) and _day(wall) in self.days)


class Overrides:
    """What has become of occurrences of a series."""

    def __init__(self, replacing: Sequence[Event]) -> None:
        self.events = replacing
        onwards = [(event, number) for number, event in enumerate(replacing) if event.onwards]
        self.onwards = sorted((event.replaces.instant, number) for event, number in onwards if event.replaces)
        self._earliest = min((event.start.instant for event, _ in onwards), default=None)

    def first(self, main: Event) -> datetime:
        """Return when the series starts, or what it is moved to."""
        start = main.start.instant
        return min(start, self._earliest or start)


class Series:
    """A main event and those that replace occurrences of it."""

    def __init__(self, main: Event, overrides: Overrides, setting: Setting, window: Window) -> None:
        self.faults: list[Unreadable] = []
        self._main = main
        self._start = main.start
        self._overrides = overrides
        self._budget = setting.budget
        self._setting = setting
        self._window = window
        self._excluded = _Excluded()

    def times(self) -> Iterator[Time]:
        """Yield when it takes time: naive UTC, in no order.

        Raises: TooDenseError.
        """
        self._budget.spend(len(self._overrides.events))
        parts = [part for part in _parts(self._main, self._overrides) if part.model.takes_time]
        if not parts:
            return
        reach = max(part.model.length.longest + abs(part.shift) for part in parts)
        self._exclude(reach)
        dates: list[Start] = [(self._start.wall, None), *self._dates(reach)]
        for part in parts:
            self._budget.spend(len(dates) + len(self._main.rules))
            yield from self._taken(part, dates)
            for rule in self._main.rules:
                yield from self._ruled(part, rule)

    def extent(self) -> Time:
        """Return the first and the last time that it may take, as far as that matters."""
        main, last = self._main, self._window.end
        ends = [rule.until for rule in main.rules]
        if all(ends) and main.component.first("RDATE") is None and not self._overrides.onwards:
            lasts = [shifted(shifted(until.instant, DAY), main.length.longest) for until in ends if until]
            last = max([main.length.end(main.start), *lasts])
        start, end = self._window.clipped(self._overrides.first(main), last)
        return Time(start, end, main.nature, main.start.instant)

    def _ruled(self, part: _Part, rule: Rule) -> Iterator[Time]:
        """Yield the times of a rule that reach into the window; of very long ones the last that began before."""
        reach = part.model.length.longest
        low, high = self._window.walls(min(reach, _NEAR), part.shift)
        if rule.until:
            high = min(high, self._last_wall(rule.until))
        yield from self._taken(part, self._starts(rule, low, high))
        floor, size = self._window.walls(reach, part.shift)[0], _NEAR
        while low > floor and low > self._start.wall:
            self._budget.spend()
            high, low = low, max(floor, shifted(low, -size))
            if before := list(self._taken(part, self._starts(rule, low, high))):
                yield before[-1]
                return
            size *= 2

    def _starts(self, rule: Rule, low: datetime, high: datetime) -> Iterator[Start]:
        walls = recurrence.starts(rule, self._start.wall, low=low, high=high, budget=self._budget)
        return ((wall, None) for wall in walls if rule.until is None or self._is_until(wall, rule.until))

    def _last_wall(self, until: Moment) -> datetime:
        """Return the last time on the wall of the series that may be meant."""
        if until.is_date or self._start.is_date:
            return shifted(_day(until.wall), DAY)
        is_same = until.zone is self._start.zone  # else its clock may show the hour twice
        return shifted(until.wall_in(self._start.zone), timedelta() if is_same else _TWICE)

    def _is_until(self, wall: datetime, until: Moment) -> bool:
        if until.is_date or self._start.is_date:
            return _day(wall) <= _day(until.wall)
        return Moment(wall, self._start.zone).instant <= until.instant

    def _taken(self, part: _Part, starts: Iterable[Start]) -> Iterator[Time]:
        """Yield the times that some starts take in the window, each where its part of the series has moved it."""
        model = part.model
        for wall, length in starts:
            instant = Moment(wall, self._start.zone).instant
            if self._excluded.cover(wall, instant) or not _is_in(part, instant):
                continue
            start = Moment(shifted(wall, part.shift) if part.shift else wall, part.zone)
            begin, end = start.instant, (length or model.length).end(start)
            if self._window.touches(begin, end):
                yield Time(begin, end, model.nature, instant)

    def _exclude(self, reach: timedelta) -> None:
        """Note what stands elsewhere, and the EXDATEs that matter; one that makes no sense excludes nothing."""
        for event in self._overrides.events:
            if event.replaces:
                self._excluded.add(event.replaces, self._start)
        for form, value in self._near("EXDATE", reach):
            with suppress(NonsenseError):
                self._excluded.add(form.read(value), self._start)

    def _dates(self, reach: timedelta) -> Iterator[Start]:
        """Yield the RDATEs that matter."""
        for form, value in self._near("RDATE", reach):
            first, _, rest = value.partition("/")
            try:
                moment = form.read(first)
                yield moment.wall_in(self._start.zone), _period(form, moment, rest) if rest else None
            except NonsenseError:
                self.faults.append(Unreadable.START)

    def _near(self, name: str, reach: timedelta) -> Iterator[tuple[Form, str]]:
        """Yield the values of a property that may matter in the window, by the day with which they begin."""
        low, high = self._window.walls(reach)
        first, last = _digits(low), _digits(high)
        forms: dict[str, Form] = {}
        for line, texts in events.numbered(self._main.component, name):
            if line.parameters not in forms:
                forms[line.parameters] = events.form(line, self._setting, zone=self._start.zone)
            form = forms[line.parameters]
            for value in texts:
                self._budget.spend()
                is_far = value[:8].isdigit() and not first <= value[:8] <= last and "/" not in value
                if not is_far:
                    yield form, value


def _period(form: Form, start: Moment, rest: str) -> Length:
    """Return how long a PERIOD takes, which tells its end or its length."""
    if rest[:1].upper() in {"P", "+"}:
        return values.length(rest)
    return values.between(start, form.read(rest))


def _parts(main: Event, overrides: Overrides) -> list[_Part]:
    """Part a series where RANGE=THISANDFUTURE says that all is different from there on."""
    own = main.start.zone
    parts = [_Part(main, own)]
    for instant, number in overrides.onwards:
        event = overrides.events[number]
        was = event.replaces.wall_in(own) if event.replaces else event.start.wall
        is_universal = event.start.zone is UNIVERSAL  # then it tells an instant; the series keeps its time on the wall
        wall, zone = (event.start.wall_in(own), own) if is_universal else (event.start.wall, event.start.zone)
        parts[-1] = replace(parts[-1], before=instant)
        parts.append(_Part(event, zone, wall - was, since=instant))
    return parts


def _is_in(part: _Part, instant: datetime) -> bool:
    return (part.since is None or instant >= part.since) and (part.before is None or instant < part.before)


def _day(wall: datetime) -> datetime:
    return wall.replace(hour=0, minute=0, second=0)


def _digits(wall: datetime) -> str:
    return wall.date().isoformat().replace("-", "")
