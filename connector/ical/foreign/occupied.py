"""When the events of one calendar object take time, whoever has written it.

Any bytes at all are read within a budget and without an exception. What could not be read is told beside what could.
"""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NamedTuple

from connector.domain.span import Span
from connector.domain.standing import Nature
from connector.domain.unreadable import Unreadable
from connector.ical.foreign import events, lines
from connector.ical.foreign.budget import STEPS, Budget, TooDenseError
from connector.ical.foreign.clock import Zone
from connector.ical.foreign.events import Event, Setting
from connector.ical.foreign.series import Overrides, Series, Time
from connector.ical.foreign.window import Window
from connector.ical.foreign.zones import Zones


class Mark(NamedTuple):
    """What is to be known of a time beside when it is; `occurrence` is as `Busy` has it."""

    nature: Nature
    occurrence: datetime | None


@dataclass(frozen=True, slots=True)
class Reading:
    """When an object takes time, and why that may not be all; None if it is.

    `starts_at` is when the event begins of which not all could be read, where that could be; `marks` says more of each
    of the times.
    """

    times: tuple[Span, ...]
    unreadable: Unreadable | None
    starts_at: datetime | None = None
    marks: tuple[Mark, ...] = ()


def occupied(
    content: bytes, span: Span, *, home: Zone, owner: AbstractSet[str] = frozenset(), steps: int = STEPS
) -> Reading:
    """Return when the events of an object take time within `span`, recurrences expanded.

    Args:
        content: A calendar object, or what `lines.filtered` has kept of it.
        span: What is asked about.
        home: Where dates are meant, and times that name no zone anybody knows.
        owner: How whoever's calendar it is are called as attendees, as `events.name` evens it out: what they have
            declined is free.
        steps: How much work it is worth.
    """
    scan = lines.scan(lines.filtered(content))
    budget = Budget(steps)
    setting = Setting(zones=Zones(scan.zones, home, budget), owner=owner, budget=budget)
    reader = _Reader(setting, Window.of(span))
    reader.read(scan)
    times = [reader.times[key] for key in sorted(reader.times)]
    return Reading(
        tuple(Span(start=one.start.replace(tzinfo=UTC), end=one.end.replace(tzinfo=UTC)) for one in times),
        reader.fault,
        reader.starts_at,
        tuple(
            Mark(one.nature, None if one.occurrence is None else one.occurrence.replace(tzinfo=UTC)) for one in times
        ),
    )


class _Reader:
    """Gathers what the events of one object take, and the first thing that could not be read."""

    def __init__(self, setting: Setting, window: Window) -> None:
        self.times: dict[tuple[datetime, datetime], Time] = {}
        self.fault: Unreadable | None = None
        self.starts_at: datetime | None = None  # the event with that fault
        self._setting = setting
        self._window = window

    def read(self, scan: lines.Scan) -> None:
        if not (scan.is_calendar or scan.events):
            self._note(Unreadable.NO_CALENDAR)
        if scan.is_cut:
            self._note(Unreadable.TOO_LONG)
        elif not scan.is_whole:
            self._note(Unreadable.NOT_WHOLE)
        for group in grouped(self._events(scan)):
            overrides = Overrides([event for event in group if event.replaces])
            for event in group:
                if event.is_occurrence or (event.is_single and not overrides.events):
                    self._single(event)
                else:
                    self._series(Series(event, overrides, self._setting, self._window), event)
        if self._setting.budget.is_overdrawn:
            self._note(Unreadable.TOO_DENSE)

    def _events(self, scan: lines.Scan) -> Iterator[Event]:
        """Yield the events that can be read: no more than there are lines."""
        for component in scan.events:
            event = events.read(component, self._setting)
            if isinstance(event, Event):
                yield event
            elif event:
                self._note(event)

    def _series(self, series: Series, main: Event) -> None:
        self._note(*(main.faults if main.takes_time else ()), event=main)
        guesses = self._setting.zones.guesses
        try:
            for time in series.times():
                self._add(time)
        except TooDenseError:
            self._note(Unreadable.TOO_DENSE, event=main)
            self._take(series.extent())
        self._note(*series.faults, *([Unreadable.ZONE] if self._setting.zones.guesses > guesses else ()), event=main)

    def _single(self, event: Event) -> None:
        if event.is_occurrence and not event.replaces:
            self._note(Unreadable.START, event=event)  # even if it is free: the series is not as it was written
        if event.takes_time:
            self._note(*event.faults, event=event)
            of = (event.replaces or event.start).instant if event.is_occurrence else None
            self._take(Time(event.start.instant, event.length.end(event.start), event.nature, of))

    def _take(self, time: Time) -> None:
        if self._window.touches(time.start, time.end):
            self._add(time)

    def _add(self, time: Time) -> None:
        """Note a time, once: if anything that stands then is called out of office, it is."""
        known = self.times.get((time.start, time.end))
        if known is None or time.nature is Nature.OUT_OF_OFFICE:
            self.times[time.start, time.end] = time

    def _note(self, *faults: Unreadable, event: Event | None = None) -> None:
        if faults and self.fault is None:
            self.fault = faults[0]
            self.starts_at = event.start.instant.replace(tzinfo=UTC) if event else None


def grouped(found: Iterator[Event]) -> Iterator[list[Event]]:
    """Yield the events of each UID, only the latest SEQUENCE of what stands for the same; without UID each alone."""
    groups: dict[object, dict[object, list[Event]]] = {}
    for number, event in enumerate(found):
        group = groups.setdefault(event.uid or number, {})
        place: object = event.replaces and (event.replaces.is_date, event.replaces.instant)
        if event.is_occurrence and not place:
            place = number  # nobody knows what else stands for the same
        rivals = group.setdefault(place, [])  # all of one SEQUENCE
        if rivals and event.sequence > rivals[0].sequence:
            rivals.clear()
        if not rivals or event.sequence == rivals[0].sequence:
            rivals.append(event)
    for group in groups.values():
        yield [event for rivals in group.values() for event in rivals]
