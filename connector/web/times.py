"""Times as a page writes them: in the reader's zone and language, the zone always named."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from babel import Locale
from babel.dates import format_date, format_skeleton, format_time, get_timezone_location, get_timezone_name

from connector.domain.span import Span, When, zone_named

_LANGUAGES = ("en", "de")
_ANYWHERE = {"en": "en_150"}  # English outside the United States, as the letters write it: day first, 24 hours
_LOCAL = {"en": "local time", "de": "Ortszeit"}
_OCLOCK = {"en": "", "de": "\u00a0Uhr"}
_NARROW_SPACES = str.maketrans({"\u202f": "\u00a0", "\u2009": "\u00a0"})  # some fonts lack them


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeText:
    """A session's time in words; `elsewhere` is the same in the other person's zone where their clocks differ."""

    day: str
    hours: str
    zone: str
    elsewhere: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reader:
    """Who reads: an IANA zone and a locale such as en, en_GB or de; for a language the pages lack, English."""

    zone: str
    locale: str

    @property
    def language(self) -> str:
        """The language of the page: en or de."""
        return str(self._locale.language)

    def time(self, when: When, *, other: str = "") -> TimeText:
        """Write when something takes place.

        Args:
            when: The time that was agreed.
            other: The zone of whoever else is concerned; by default the one the time was agreed in.
        """
        zone, there = zone_named(self.zone), zone_named(other or when.zone)
        start = when.span.start
        differs = start.astimezone(zone).replace(tzinfo=None) != start.astimezone(there).replace(tzinfo=None)
        return TimeText(
            day=self._day(start, zone),
            hours=self._hours(when.span, zone),
            zone=self._zone(start, zone, exact=not _clocks_change(when.span, zone)),
            elsewhere=self._elsewhere(when.span, zone, there) if differs else "",
        )

    def line(self, when: When) -> str:
        """Write the same on one line."""
        text = self.time(when)
        return f"{text.day}, {text.hours} {text.zone}"

    def moment(self, instant: datetime) -> str:
        """Write an instant with its day and zone: a deadline, an answer."""
        zone = zone_named(self.zone)
        local = instant.astimezone(zone)
        return f"{self._day(instant, zone)}, {self._clock(local)}{self._oclock} {self._zone(instant, zone)}"

    def brief(self, instant: datetime) -> str:
        """Write an instant where the zone is named nearby: a line in a table."""
        local = instant.astimezone(zone_named(self.zone))
        return f"{format_skeleton('yMMMd', local, locale=self._locale)}, {self._clock(local)}{self._oclock}"

    def zone_at(self, instant: datetime, zone: str = "") -> str:
        """Name a zone as it is called at that instant, with its city."""
        return self._zone(instant, zone_named(zone or self.zone))

    @property
    def _locale(self) -> Locale:
        return locale_of(self.locale)

    @property
    def _oclock(self) -> str:
        return _OCLOCK[self.language]

    def _day(self, instant: datetime, zone: ZoneInfo) -> str:
        return format_date(instant.astimezone(zone), "full", locale=self._locale)

    def _date(self, local: datetime) -> str:
        return format_skeleton("MMMEd", local, locale=self._locale)

    def _clock(self, local: datetime) -> str:
        return format_time(local, "short", locale=self._locale).translate(_NARROW_SPACES)

    def _hours(self, span: Span, zone: ZoneInfo) -> str:
        start, end = span.start.astimezone(zone), span.end.astimezone(zone)
        clocks_change = _clocks_change(span, zone)  # then 02:30 may well come before 02:20
        first, last = (
            f"{self._clock(local)} [{_offset(local)}]" if clocks_change else self._clock(local)
            for local in (start, end)
        )
        if start.date() != end.date():
            return f"{first}{self._oclock} – {last}{self._oclock} ({self._date(end)})"  # noqa: RUF001 - as below
        return f"{first} – {last}{self._oclock}"  # noqa: RUF001 - an en dash is how a stretch of time is written

    def _zone(self, instant: datetime, zone: ZoneInfo, *, exact: bool = True) -> str:
        local = instant.astimezone(zone)
        own = get_timezone_name(local, "long", locale=self._locale)
        if "/" not in zone.key or zone.key.startswith("Etc/"):
            return own
        city = get_timezone_location(zone, locale=self._locale, return_city=True).rpartition("/")[2]
        general = get_timezone_name(zone, "long", locale=self._locale, zone_variant="generic")
        twice = local.replace(fold=0).utcoffset() != local.replace(fold=1).utcoffset()
        if twice and exact:  # only the exact name tells which of the two is meant
            return f"{own} ({city})"
        return f"{_LOCAL[self.language] if '(' in general else general} ({city})"  # brackets: it has no name of its own

    def _elsewhere(self, span: Span, zone: ZoneInfo, there: ZoneInfo) -> str:
        hours = f"{self._hours(span, there)} {self._zone(span.start, there)}"
        if span.start.astimezone(zone).date() == span.start.astimezone(there).date():
            return hours
        return f"{self._date(span.start.astimezone(there))}, {hours}"


def locale_of(tag: str) -> Locale:
    """Return the locale of a tag such as de-AT; English for one the pages have no words in."""
    language, _, region = tag.replace("-", "_").partition("_")
    language = language.lower() if language.lower() in _LANGUAGES else "en"
    with suppress(ValueError, LookupError):
        parsed = Locale.parse(f"{language}_{region.upper()}")
        if parsed.territory:
            return parsed
    return Locale.parse(_ANYWHERE.get(language, language))


def length(value: timedelta) -> str:
    """Write a duration in English: 50 minutes, 24 hours, 3 days."""
    seconds = int(value.total_seconds())
    for size, unit in ((86400, "day"), (3600, "hour"), (60, "minute"), (1, "second")):
        if seconds % size == 0 and (seconds >= 2 * size or size < 86400):  # noqa: PLR2004 - one day is 24 hours
            count = seconds // size
            if count:
                return f"{count} {unit}" if count == 1 else f"{count} {unit}s"
    return "no time"


def _clocks_change(span: Span, zone: ZoneInfo) -> bool:
    """Whether the clocks change meanwhile."""
    return span.start.astimezone(zone).utcoffset() != span.end.astimezone(zone).utcoffset()


def _offset(local: datetime) -> str:
    text = f"{local:%z}"
    return f"UTC{text[:3]}:{text[3:5]}"
