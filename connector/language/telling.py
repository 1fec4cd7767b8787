"""Times and places in words: on the reader's clock, in the reader's way of writing, with the zone named."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any, assert_never
from zoneinfo import ZoneInfo

from babel.dates import format_skeleton, get_day_names, get_timezone_location, get_timezone_name

from connector.domain.session import Location, LocationKind
from connector.domain.span import Span, When, zone_named
from connector.language.catalogues import Language
from connector.language.offered import Languages
from connector.language.values import PLAINER, hour
from connector.language.values import day as written_day

_LONGEST_ABBREVIATION = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeText:
    """A stretch of time in pieces, for a page that sets them apart.

    Attributes:
        day: The day on which it begins.
        hours: From when to when; with its day, if it ends on another one.
        zone: The name of the reader's zone.
        elsewhere: The same on the other person's clock; empty if that shows the same.
    """

    day: str
    hours: str
    zone: str
    elsewhere: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Teller:
    """Tells one reader about times and places.

    Attributes:
        language: What they are told in, written as their country does.
        zone: An IANA name.
    """

    language: Language
    zone: str

    @classmethod
    def to(cls, *, locale: str, zone: str, languages: Languages) -> Teller:
        """Tell somebody of this locale and zone, in their language if it is offered."""
        return cls(language=languages.of(locale), zone=zone)

    def when(self, when: When) -> str:
        """Tell a stretch of time in full; also on the clock it was agreed on, if that shows another hour."""
        start, end = when.span.start, when.span.end
        here, there = zone_named(self.zone), zone_named(when.zone)
        on_own_clock = self._span(when, here)
        if all(t.astimezone(here).utcoffset() == t.astimezone(there).utcoffset() for t in (start, end)):
            return on_own_clock
        same_day = start.astimezone(here).date() == start.astimezone(there).date()
        other = self._span(when, there, day_named=not same_day)
        return self.language.say("%(here)s, which is %(there)s", here=on_own_clock, there=other)

    def parts(self, when: When, *, other: str = "") -> TimeText:
        """Tell a stretch of time in pieces.

        Args:
            when: What is told.
            other: The zone of whoever else is concerned; by default the one the time was agreed in.
        """
        here, there = zone_named(self.zone), zone_named(other or when.zone)
        start, end = when.span.start, when.span.end
        differs = any(t.astimezone(here).utcoffset() != t.astimezone(there).utcoffset() for t in (start, end))
        same_day = start.astimezone(here).date() == start.astimezone(there).date()
        return TimeText(
            day=self._date(start.astimezone(here)),
            hours=self._hours(when, here),
            zone=self._zone_of(when, here),
            elsewhere=self._span(when, there, day_named=not same_day) if differs else "",
        )

    def stretch(self, span: Span) -> str:
        """Tell from when until when something lasts: of whole days, their dates alone."""
        here = zone_named(self.zone)
        start, end = (at.astimezone(here) for at in (span.start, span.end))
        if start.time() != time() or end.time() != time():
            return self._span(When.of(span, zone=self.zone), here)
        last = end - timedelta(days=1)  # on the wall
        if last.date() <= start.date():
            return self._date(start)
        return self.language.say_as("days", "%(first)s to %(last)s", first=self._date(start), last=self._date(last))

    def instant(self, at: datetime) -> str:
        """Tell an instant in full."""
        zone = zone_named(self.zone)
        local = at.astimezone(zone)
        return f"{self._date(local)}, {self._clock(local)} ({self._zone_name(zone, local, exact=_comes_twice(local))})"

    def brief(self, at: datetime) -> str:
        """Tell an instant for a subject line: day, time and the zone's abbreviation."""
        local = at.astimezone(zone_named(self.zone))
        day_named = format_skeleton("MMMEd", local, locale=self.language.formats)
        return f"{day_named}, {self._clock(local)} {self._abbreviation(local)}".translate(PLAINER)

    def line(self, at: datetime) -> str:
        """Tell an instant in a table whose zone is named nearby: its date in short, and the time of day."""
        local = at.astimezone(zone_named(self.zone))
        date_named = format_skeleton("yMMMd", local, locale=self.language.formats).translate(PLAINER)
        return f"{date_named}, {self._clock(local)}"

    def point(self, at: datetime) -> str:
        """Tell an instant inside a sentence: its date in short, the time of day and the zone's abbreviation."""
        local = at.astimezone(zone_named(self.zone))
        date_named = format_skeleton("yMMMEd", local, locale=self.language.formats)
        return f"{date_named}, {self._clock(local)} {self._abbreviation(local)}".translate(PLAINER)

    def day(self, day: date) -> str:
        """Tell a day."""
        return written_day(day, self.language.formats)

    def weekday(self, number: int) -> str:
        """Tell a day of the week; Monday is 0."""
        return str(get_day_names("wide", "stand-alone", locale=self.language.formats)[number])

    def times_of_day(self, start: int, end: int) -> str:
        """Tell a stretch of a day whose zone is named nearby, in minutes that its clock shows."""
        first, last = (hour(time(minute // 60 % 24, minute % 60), self.language.formats) for minute in (start, end))
        return self.language.say_as("times of day", "%(start)s–%(end)s", start=first, end=last)  # noqa: RUF001 - how a stretch of time is written

    def time_of_day(self, at: datetime, zone: str = "") -> str:
        """Tell a time of day whose zone is named nearby; on the clock of another, with the weekday if that differs."""
        here = at.astimezone(zone_named(self.zone))
        there = at.astimezone(zone_named(zone or self.zone))
        if here.date() == there.date():
            return self._time(there)
        weekday = format_skeleton("E", there, locale=self.language.formats).translate(PLAINER)
        return self.language.say_as("weekday and time", "%(weekday)s %(time)s", weekday=weekday, time=self._time(there))

    def hours(self, span: Span) -> str:
        """Tell from when to when, on a day that is named nearby; with its day, if it ends on another one."""
        return self._hours(When.of(span, zone=self.zone), zone_named(self.zone))

    def clock(self, at: datetime) -> str:
        """Tell an instant on a day that is named nearby: the time of day."""
        return self._clock(at.astimezone(zone_named(self.zone)))

    def short_day(self, value: date) -> str:
        """Tell a day in few letters: the weekday and the date, without the year."""
        return format_skeleton("MMMEd", value, locale=self.language.formats).translate(PLAINER)

    def say(self, message: str, /, **filled: Any) -> str:
        """Say a message, with times told on the reader's clock."""
        return self.language.say(message, **{name: self._told(value) for name, value in filled.items()})

    def say_n(self, message: str, plural: str, n: int, /, **filled: Any) -> str:
        """Say a message about a number of things, likewise; `%(n)s` is the number."""
        return self.language.say_n(message, plural, n, **{name: self._told(value) for name, value in filled.items()})

    def zone_at(self, at: datetime, zone: str = "") -> str:
        """Name a zone, by default the reader's, as it is called at that instant."""
        there = zone_named(zone or self.zone)
        local = at.astimezone(there)
        return self._zone_name(there, local, exact=_comes_twice(local))

    def place(self, location: Location) -> str:
        """Tell a place."""
        match location.kind:
            case LocationKind.IN_PERSON:
                return location.text
            case LocationKind.ONLINE:
                return self.language.say_as("place", "online, %(place)s", place=location.text)
            case LocationKind.PHONE:
                return self.language.say_as("place", "by phone, %(place)s", place=location.text)
            case _:
                assert_never(location.kind)

    def _told(self, value: Any) -> Any:
        match value:
            case When():
                return self.point(value.span.start)
            case datetime():
                return self.point(value)
            case tuple() | list():
                return [self._told(one) for one in value]
            case _:
                return value

    def _span(self, when: When, zone: ZoneInfo, *, day_named: bool = True) -> str:
        day = f"{self._date(when.span.start.astimezone(zone))}, " if day_named else ""
        return f"{day}{self._hours(when, zone)} ({self._zone_of(when, zone)})"

    def _hours(self, when: When, zone: ZoneInfo) -> str:
        start, end = (t.astimezone(zone) for t in (when.span.start, when.span.end))
        changes = _clocks_change(start, end)
        marks = [f" [{_offset(t)}]" if changes else "" for t in (start, end)]
        if start.date() == end.date():
            first, last = (self._time(t) + mark for t, mark in zip((start, end), marks, strict=True))
            return self.language.say_as("times of day", "%(start)s–%(end)s", start=first, end=last)  # noqa: RUF001 - how a stretch of time is written
        first, last = (self._clock(t) + mark for t, mark in zip((start, end), marks, strict=True))
        return self.language.say("%(start)s until %(day)s, %(end)s", start=first, end=last, day=self._date(end))

    def _zone_of(self, when: When, zone: ZoneInfo) -> str:
        start, end = (t.astimezone(zone) for t in (when.span.start, when.span.end))
        exact = (_comes_twice(start) or _comes_twice(end)) and not _clocks_change(start, end)
        return self._zone_name(zone, start, exact=exact)

    def _clock(self, local: datetime) -> str:
        return self.language.clock(local.time())

    def _date(self, local: datetime) -> str:
        return written_day(local.date(), self.language.formats)

    def _time(self, local: datetime) -> str:
        return hour(local.time(), self.language.formats)

    def _zone_name(self, zone: ZoneInfo, local: datetime, *, exact: bool) -> str:
        """Name a zone as people do; `exact` where the clock shows the time twice and one of the two is meant."""
        name = _plain_name(zone, self.language, local, exact=exact)
        return (f"{name}, {_offset(local)}" if exact else name).translate(PLAINER)

    def _abbreviation(self, local: datetime) -> str:
        short = get_timezone_name(local, "short", locale=self.language.formats)
        for name in (short, local.tzname() or ""):
            if name.isalpha() and name.isupper() and len(name) <= _LONGEST_ABBREVIATION:
                return name
        return _offset(local)


def _plain_name(zone: ZoneInfo, language: Language, local: datetime, *, exact: bool) -> str:
    """Return “Central European Time, Berlin”, “local time in Kyiv” or “Coordinated Universal Time”."""
    own = get_timezone_name(local, "long", locale=language.locale)
    if "/" not in zone.key or zone.key.startswith("Etc/"):
        return own
    city = get_timezone_location(zone, locale=language.locale, return_city=True).rpartition("/")[2]
    general = get_timezone_name(zone, "long", locale=language.locale, zone_variant="generic")
    named = not own.startswith("GMT+") and not own.startswith("GMT-")
    if named and (exact or "(" in general):  # brackets: no name of its own, only a country's
        return f"{own}, {city}"
    if "(" not in general:
        return f"{general}, {city}"
    return language.say("local time in %(city)s", city=city)


def _clocks_change(start: datetime, end: datetime) -> bool:
    """Whether the clocks change meanwhile, at an hour that comes twice: then the end may well be told as earlier."""
    return (_comes_twice(start) or _comes_twice(end)) and start.utcoffset() != end.utcoffset()


def _comes_twice(local: datetime) -> bool:
    return local.replace(fold=0).utcoffset() != local.replace(fold=1).utcoffset()


def _offset(local: datetime) -> str:
    offset = local.utcoffset() or timedelta(0)
    sign = "-" if offset < timedelta(0) else "+"
    hours, minutes = divmod(int(abs(offset).total_seconds()) // 60, 60)
    return f"UTC{sign}{hours}" + (f":{minutes:02}" if minutes else "")
