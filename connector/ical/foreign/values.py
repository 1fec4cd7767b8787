"""Dates, times and durations as they are written in calendar objects (RFC 5545 section 3.3)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta

from connector.ical.foreign.clock import UNIVERSAL, Zone, shifted

DAY = timedelta(days=1)

_DATE = re.compile(r"(\d{4})(\d\d)(\d\d)(?:[Tt](\d\d)(\d\d)(\d\d)?([Zz])?)?", re.ASCII)
_DURATION = re.compile(
    r"\+?P(?=.)(?:(\d{1,6})W)?(?:(\d{1,6})D)?(?:T(?=.)(?:(\d{1,8})H)?(?:(\d{1,8})M)?(?:(\d{1,9})S)?)?",
    re.ASCII | re.IGNORECASE,
)
_LEAP_SECOND = 60


class NonsenseError(ValueError):
    """A value is not what RFC 5545 says that it is."""


@dataclass(frozen=True, slots=True)
class Moment:
    """A time on the wall of a zone; for a date its midnight there."""

    wall: datetime
    zone: Zone
    is_date: bool = False

    @property
    def instant(self) -> datetime:
        """The instant it means: naive UTC."""
        return shifted(self.wall, -self.zone.offset(self.wall))

    def wall_in(self, zone: Zone) -> datetime:
        """Return what the clock of another zone shows at that instant."""
        if self.is_date or zone is self.zone:
            return self.wall
        rough = shifted(self.instant, zone.offset(self.instant))
        return shifted(self.instant, zone.offset(rough))


@dataclass(frozen=True, slots=True)
class Form:
    """How the dates and times of one line are meant.

    Attributes:
        zone: Where a time is meant that does not say UTC.
        home: Where a date is meant.
        as_date: Whether it is a date, whatever time is written after it.
    """

    zone: Zone
    home: Zone
    as_date: bool

    def read(self, text: str) -> Moment:
        """Read a DATE or a DATE-TIME.

        Raises: NonsenseError.
        """
        return moment(text, zone=self.zone, home=self.home, as_date=self.as_date)


@dataclass(frozen=True, slots=True)
class Length:
    """How long something takes: days of the calendar first, however many hours they have, then exact time."""

    days: int
    exact: timedelta

    def end(self, start: Moment) -> datetime:
        """Return when something that starts then ends: naive UTC."""
        if not self.days:
            return shifted(start.instant, self.exact)
        day = shifted(start.wall, timedelta(days=self.days))
        return shifted(Moment(day, start.zone).instant, self.exact)

    @property
    def longest(self) -> timedelta:
        """What it takes at most, on the clock."""
        return timedelta(days=self.days) + self.exact + DAY


def moment(text: str, *, zone: Zone, home: Zone, as_date: bool = False) -> Moment:
    """Read a DATE or a DATE-TIME.

    Args:
        text: Such as `20270317`, `20270317T100000` or `20270317T090000Z`.
        zone: Where a time is meant that does not say UTC.
        home: Where a date is meant.
        as_date: Whether it is a date, whatever time is written after it.
    Raises: NonsenseError.
    """
    parts = _DATE.fullmatch(text)
    if parts is None:
        raise NonsenseError(text)
    year, month, day = int(parts[1]), int(parts[2]), int(parts[3])
    try:
        if as_date or parts[4] is None:
            return Moment(datetime(year, month, day), home, is_date=True)  # noqa: DTZ001 - a date
        second = int(parts[6] or 0)
        second -= second == _LEAP_SECOND
        wall = datetime(year, month, day, int(parts[4]), int(parts[5]), second)  # noqa: DTZ001 - a wall time
    except ValueError as error:
        raise NonsenseError(text) from error
    return Moment(wall, UNIVERSAL if parts[7] else zone)


def length(text: str) -> Length:
    """Read a DURATION that does not go backwards.

    Raises: NonsenseError.
    """
    parts = _DURATION.fullmatch(text)
    if parts is None:
        raise NonsenseError(text)
    weeks, days, hours, minutes, seconds = (int(part or 0) for part in parts.groups())
    return Length(7 * weeks + days, timedelta(hours=hours, minutes=minutes, seconds=seconds))


def between(start: Moment, end: Moment) -> Length:
    """Return the length from one moment to another, as it holds for every repetition.

    Days between dates are days of the calendar. Between times it is exact, unless the clock goes forward in
    between so far that nothing would be left of it.

    Raises: NonsenseError if the end lies before the start.
    """
    if start.is_date and end.is_date:
        days = (end.wall - start.wall).days
        if days < 0:
            raise NonsenseError("it ends before it starts")
        return Length(max(days, 1), timedelta())
    exact, shown = end.instant - start.instant, end.wall - start.wall
    if exact <= timedelta() < shown and start.zone is end.zone:
        exact = shown
    if exact < timedelta():
        raise NonsenseError("it ends before it starts")
    return Length(0, exact) if exact or not start.is_date else Length(1, exact)
