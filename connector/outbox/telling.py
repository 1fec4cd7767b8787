"""Times and places in words: on the reader's clock, in the reader's way of writing, with the zone named."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo

from babel import Locale, UnknownLocaleError
from babel.dates import format_date, format_skeleton, format_time, get_timezone_location, get_timezone_name

from connector.domain.session import Location
from connector.domain.span import When, zone_named
from connector.outbox.wording import language_of, phrase

_WITHOUT_COUNTRY = {"en": "en_150"}  # English as read outside the United States: day before month, 24 hours
# Narrow and fixed spaces, and the hyphens that only show at a line's end: boxes in some mail programs.
_PLAINER = str.maketrans({"\u202f": " ", "\u2009": " ", "\u00a0": " ", "\u00ad": ""})
_LONGEST_ABBREVIATION = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Teller:
    """Tells one reader about times; `locale` such as en, de_AT or en-US, `zone` an IANA name."""

    locale: str
    zone: str

    @property
    def language(self) -> str:
        """The language to tell it in."""
        return language_of(self.locale)

    def when(self, when: When) -> str:
        """Tell a stretch of time in full; also on the clock it was agreed on, if that shows another hour."""
        start, end = when.span.start, when.span.end
        here, there = zone_named(self.zone), zone_named(when.zone)
        on_own_clock = self._span(when, here)
        if all(t.astimezone(here).utcoffset() == t.astimezone(there).utcoffset() for t in (start, end)):
            return on_own_clock
        same_day = start.astimezone(here).date() == start.astimezone(there).date()
        other = self._span(when, there, day_named=not same_day)
        return phrase(self.language, "elsewhere", here=on_own_clock, there=other)

    def instant(self, at: datetime) -> str:
        """Tell an instant in full."""
        zone = zone_named(self.zone)
        local = at.astimezone(zone)
        time = phrase(self.language, "clock", time=self._time(local))
        return f"{self._date(local)}, {time} ({self._zone_name(zone, local, exact=_comes_twice(local))})"

    def brief(self, at: datetime) -> str:
        """Tell an instant for a subject line: day, time and the zone's abbreviation."""
        local = at.astimezone(zone_named(self.zone))
        day = format_skeleton("MMMEd", local, locale=_formats(self.locale))
        return f"{day}, {self._time(local)} {self._abbreviation(local)}".translate(_PLAINER)

    def place(self, location: Location) -> str:
        """Tell a place."""
        return phrase(self.language, location.kind.value, place=location.text)

    def _span(self, when: When, zone: ZoneInfo, *, day_named: bool = True) -> str:
        start, end = (t.astimezone(zone) for t in (when.span.start, when.span.end))
        is_ambiguous = _comes_twice(start) or _comes_twice(end)
        clock_changes = is_ambiguous and start.utcoffset() != end.utcoffset()
        first, last = (self._time(t) + (f" [{_offset(t)}]" if clock_changes else "") for t in (start, end))
        if start.date() == end.date():
            times = phrase(self.language, "times", start=first, end=last)
        else:
            times = phrase(self.language, "times_over_midnight", start=first, end=last, day=self._date(end))
        day = f"{self._date(start)}, " if day_named else ""
        return f"{day}{times} ({self._zone_name(zone, start, exact=is_ambiguous and not clock_changes)})"

    def _date(self, local: datetime) -> str:
        return format_date(local, "full", locale=_formats(self.locale)).translate(_PLAINER)

    def _time(self, local: datetime) -> str:
        return format_time(local, "short", locale=_formats(self.locale)).translate(_PLAINER)

    def _zone_name(self, zone: ZoneInfo, local: datetime, *, exact: bool) -> str:
        """Name a zone as people do; `exact` where the clock shows the time twice and one of the two is meant."""
        name = _plain_name(zone, self.language, local, exact=exact)
        return (f"{name}, {_offset(local)}" if exact else name).translate(_PLAINER)

    def _abbreviation(self, local: datetime) -> str:
        short = get_timezone_name(local, "short", locale=_formats(self.locale))
        for name in (short, local.tzname() or ""):
            if name.isalpha() and name.isupper() and len(name) <= _LONGEST_ABBREVIATION:
                return name
        return _offset(local)


def _plain_name(zone: ZoneInfo, language: str, local: datetime, *, exact: bool) -> str:
    """Return “Central European Time, Berlin”, “local time in Kyiv” or “Coordinated Universal Time”."""
    own = get_timezone_name(local, "long", locale=language)
    if "/" not in zone.key or zone.key.startswith("Etc/"):
        return own
    city = get_timezone_location(zone, locale=language, return_city=True).rpartition("/")[2]
    general = get_timezone_name(zone, "long", locale=language, zone_variant="generic")
    named = not own.startswith("GMT+") and not own.startswith("GMT-")
    if named and (exact or "(" in general):  # brackets: no name of its own, only a country's
        return f"{own}, {city}"
    if "(" not in general:
        return f"{general}, {city}"
    return phrase(language, "local_time", city=city)


@cache
def _formats(locale: str) -> Locale:
    """Return how to write dates: as the reader's country does, in the language of the letter."""
    language = language_of(locale)
    try:
        parsed = Locale.parse(locale.replace("-", "_"))
    except (UnknownLocaleError, ValueError, TypeError):
        parsed = None
    if parsed is not None and parsed.language == language and parsed.territory:
        return parsed
    return Locale.parse(_WITHOUT_COUNTRY.get(language, language))


def _comes_twice(local: datetime) -> bool:
    return local.replace(fold=0).utcoffset() != local.replace(fold=1).utcoffset()


def _offset(local: datetime) -> str:
    offset = local.utcoffset() or timedelta(0)
    sign = "-" if offset < timedelta(0) else "+"
    hours, minutes = divmod(int(abs(offset).total_seconds()) // 60, 60)
    return f"UTC{sign}{hours}" + (f":{minutes:02}" if minutes else "")
