"""One VEVENT as far as it matters for busy time."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta

from connector.domain.standing import Nature, Standing, nature_of, of_exchange
from connector.domain.unreadable import Unreadable
from connector.ical.foreign import rules, values
from connector.ical.foreign.budget import Budget
from connector.ical.foreign.clock import Zone
from connector.ical.foreign.lines import Component, Line
from connector.ical.foreign.rules import Rule
from connector.ical.foreign.values import Form, Length, Moment, NonsenseError
from connector.ical.foreign.zones import Zones

_HOUR = Length(0, timedelta(hours=1))  # what an event takes whose end makes no sense
_DAY = Length(1, timedelta())
_NO_TIME = Length(0, timedelta())
_DIGITS = 10
_VALUES = re.compile(r"[^,]+")
_RULE = 16  # characters of a rule that are worth a step
_DATES = frozenset({"RDATE", "EXDATE"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """Where events are read: the zones of their object, and how whoever owns the calendar is called as an attendee."""

    zones: Zones
    owner: AbstractSet[str]
    budget: Budget

    @property
    def home(self) -> Zone:
        """Where dates are meant, and times that name no zone."""
        return self.zones.home


@dataclass(slots=True, kw_only=True)
class Event:
    """A VEVENT: one occurrence, a series, or what has become of an occurrence of a series.

    Attributes:
        takes_time: Whether its time is not free.
        nature: Whether it may mean that its owner is away.
        is_occurrence: Whether it is of a series, which another event describes.
        replaces: Which of the series; None if that makes no sense.
        onwards: Whether it tells of all later occurrences, too.
        faults: What of it could not be read.
    """

    uid: str
    start: Moment
    length: Length
    takes_time: bool
    nature: Nature
    sequence: int
    component: Component
    is_occurrence: bool
    replaces: Moment | None = None
    onwards: bool = False
    rules: list[Rule] = field(default_factory=list)
    faults: list[Unreadable] = field(default_factory=list)

    @property
    def is_single(self) -> bool:
        """Whether it is no series, and none of it is excluded."""
        return not (self.rules or any(line.name in _DATES for line in self.component.lines))


def read(component: Component, setting: Setting) -> Event | Unreadable | None:
    """Return an event; a fault if it says not even when it starts; None if it takes no time and says no more."""
    guesses = setting.zones.guesses
    exchange = _exchange(component)
    standings = tuple(_standings(component, exchange, setting.owner))
    takes_time = all(standing.takes_time for standing in standings)
    start_line = component.first("DTSTART")
    try:
        start = moment(start_line or Line("DTSTART", "", ""), setting)
    except NonsenseError:
        return Unreadable.START if takes_time else None
    event = Event(
        uid=component.value("UID"),
        start=start,
        length=_NO_TIME,
        takes_time=takes_time,
        nature=nature_of(_called(component, exchange, standings)),
        sequence=_sequence(component.value("SEQUENCE")),
        component=component,
        is_occurrence=component.first("RECURRENCE-ID") is not None,
    )
    _read_place(event, setting)
    _read_length(event, setting)
    _read_rules(event, setting)
    if setting.zones.guesses > guesses:
        event.faults.append(Unreadable.ZONE)
    return event


def form(line: Line, setting: Setting, *, zone: Zone | None = None) -> Form:
    """Return how the dates and times of a line are meant: in `zone` if it names none itself; else at home."""
    tzid = line.parameter("TZID")
    return Form(
        zone=setting.zones.named(tzid) if tzid or zone is None else zone,
        home=setting.home,
        as_date=(line.parameter("VALUE") or "").upper() == "DATE",
    )


def moment(line: Line, setting: Setting, *, zone: Zone | None = None) -> Moment:
    """Read a property that is a date or a time, meant as `form` says.

    Raises: NonsenseError.
    """
    return form(line, setting, zone=zone).read(line.value)


def numbered(component: Component, name: str) -> Iterator[tuple[Line, Iterator[str]]]:
    """Yield every line of a property that may have several values, with each of them."""
    for line in component.all(name):
        yield line, (value for found in _VALUES.finditer(line.value) if (value := found[0].strip()))


def _read_place(event: Event, setting: Setting) -> None:
    """Read which occurrence of a series an event stands for, if it stands for one."""
    line = event.component.first("RECURRENCE-ID")
    if line is None:
        return
    with suppress(NonsenseError):
        event.replaces = moment(line, setting, zone=event.start.zone)
        event.onwards = (line.parameter("RANGE") or "").upper() == "THISANDFUTURE"


def _read_length(event: Event, setting: Setting) -> None:
    component, is_date = event.component, event.start.is_date
    end, duration = component.first("DTEND"), component.first("DURATION")
    try:
        if end:
            event.length = values.between(event.start, moment(end, setting, zone=event.start.zone))
        elif duration:
            event.length = values.length(duration.value)
        else:
            event.length = _DAY if is_date else _NO_TIME
    except NonsenseError:
        event.length = _DAY if is_date else _HOUR
        event.faults.append(Unreadable.END)


def _read_rules(event: Event, setting: Setting) -> None:
    if event.is_occurrence:
        return  # an occurrence of a series is no series
    for line in event.component.all("RRULE"):
        if not setting.budget.afford(1 + len(line.value) // _RULE):
            event.faults.append(Unreadable.TOO_DENSE)
            return
        try:
            event.rules.append(rules.read(line.value, zone=event.start.zone, home=setting.home))
        except NonsenseError:
            event.faults.append(Unreadable.RULE)


def _standings(component: Component, exchange: Standing | None, owner: AbstractSet[str]) -> Iterator[Standing]:
    """Yield what an event says of its time; Exchange's own word counts where the standard's is left out."""
    if component.value("STATUS").upper() == "CANCELLED":
        yield Standing.CANCELLED
    transparency = component.value("TRANSP").upper()
    if transparency == "TRANSPARENT":
        yield Standing.FREE
    elif exchange and not transparency:
        yield exchange
    for line in component.all("ATTENDEE"):
        if (line.parameter("PARTSTAT") or "").upper() == "DECLINED" and called(line) & owner:
            yield Standing.DECLINED


def _exchange(component: Component) -> Standing | None:
    """Return what Exchange's own word says of an event; None if it has none."""
    line = component.first("X-MICROSOFT-CDO-BUSYSTATUS")
    return of_exchange(line.value) if line else None


def _called(component: Component, exchange: Standing | None, standings: Sequence[Standing]) -> list[Standing]:
    """Return what an event says, and what services call it in their own words whatever the standard's property says."""
    said = [*standings, exchange] if exchange else [*standings]
    if component.first("X-NEXTCLOUD-OUT-OF-OFFICE") is not None:
        said.append(Standing.OUT_OF_OFFICE)
    return said


def called(line: Line) -> set[str]:
    """Return how an attendee is called, as `name` evens it out."""
    return {name(text) for text in (line.value, line.parameter("EMAIL") or "") if text}


def name(address: str) -> str:
    """Return the address of a calendar user in the one form in which they are compared."""
    return address.strip().casefold().removeprefix("mailto:").rstrip("/")


def _sequence(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) <= _DIGITS else 0
