"""How a language writes what is filled into its messages: dates, lengths of time, lists."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from functools import lru_cache

from babel import Locale, UnknownLocaleError
from babel.dates import format_date, format_time, format_timedelta, get_timezone_location, get_timezone_name
from babel.lists import format_list
from babel.units import format_unit

from connector.domain.span import zone_named

_WITHOUT_COUNTRY = {"en": "en_150"}  # English as read outside the United States: day before month, 24 hours
_DAY = 86400
_UNITS = ((_DAY, "day"), (3600, "hour"), (60, "minute"), (1, "second"))
_ANY_DAY = datetime(2000, 1, 1)  # noqa: DTZ001  in a zone that has one name all the year
NO_BREAK = "\u00a0"
# Narrow spaces, and the hyphens that only show at a line's end: boxes in some mail programs. The common space at which
# no line is broken is none, and stands wherever two things belong together, such as an hour and its “Uhr” or “PM”.
PLAINER = str.maketrans({"\u202f": NO_BREAK, "\u2009": " ", "\u00ad": ""})


def formats(locale: Locale) -> Locale:
    """Return how to write dates for a locale: as its country does, or as most of those who write its language do."""
    return locale if locale.territory else Locale.parse(_WITHOUT_COUNTRY.get(locale.language, locale.language))


@lru_cache(maxsize=1024)  # browsers may name any
def formats_of(reader: str, language: Locale) -> Locale:
    """Return how to write dates in a language: as the country of a reader does who reads it, if that is known."""
    try:
        parsed = Locale.parse(reader.replace("-", "_"))
    except (UnknownLocaleError, ValueError, TypeError):
        parsed = None
    return formats(parsed if parsed is not None and parsed.language == language.language else language)


def day(value: date, locale: Locale) -> str:
    """Write a date."""
    return format_date(value, "full", locale=formats(locale)).translate(PLAINER)


def hour(value: time, locale: Locale) -> str:
    """Write a time of day, as a number alone: what a language says beside it is a message."""
    return format_time(value, "short", locale=formats(locale)).translate(PLAINER)


def zone_name(key: str, locale: Locale) -> str:
    """Name a time zone as people do, whatever the season: “Central European Time, Berlin”; by its city, if need be."""
    zone = zone_named(key)
    if "/" not in key or key.startswith("Etc/"):
        return get_timezone_name(_ANY_DAY.replace(tzinfo=zone), "long", locale=locale)
    city = get_timezone_location(zone, locale=locale, return_city=True).rpartition("/")[2]
    general = get_timezone_name(zone, "long", locale=locale, zone_variant="generic")
    return (city if "(" in general else f"{general}, {city}").translate(PLAINER)


def length(value: timedelta, locale: Locale) -> str:
    """Write a length of time in the largest unit that tells it exactly: 50 minutes, 24 hours (a deadline), 3 days."""
    seconds = int(value.total_seconds())
    for size, unit in _UNITS:
        if seconds % size == 0 and (seconds >= 2 * size or size < _DAY):
            number = seconds // size
            if size == _DAY:  # by units some languages, Arabic among them, have no word for it
                days = timedelta(days=number)
                return format_timedelta(days, granularity="day", threshold=number, locale=locale).translate(PLAINER)
            return format_unit(number, unit, "long", locale=locale).translate(PLAINER)
    raise AssertionError("every length is some number of seconds")


def listed(parts: Sequence[str], locale: Locale) -> str:
    """Write a list: names between commas; what has commas itself, between semicolons."""
    if any("," in part for part in parts):
        return "; ".join(parts)
    return format_list(parts, "standard", locale=locale)
