"""How a language writes what is filled into its messages: dates, lengths of time, lists."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, time, timedelta

from babel import Locale
from babel.dates import format_date, format_time
from babel.lists import format_list
from babel.units import format_unit

_WITHOUT_COUNTRY = {"en": "en_150"}  # English as read outside the United States: day before month, 24 hours
_DAY = 86400
_UNITS = ((_DAY, "day"), (3600, "hour"), (60, "minute"), (1, "second"))
# Narrow spaces, and the hyphens that only show at a line's end: boxes in some mail programs.
PLAINER = str.maketrans({"\u202f": " ", "\u2009": " ", "\u00ad": ""})


def formats(locale: Locale) -> Locale:
    """Return how to write dates for a locale: as its country does, or as most of those who write its language do."""
    return locale if locale.territory else Locale.parse(_WITHOUT_COUNTRY.get(locale.language, locale.language))


def moment(value: date | time, locale: Locale) -> str:
    """Write a date, a time of day, or both, on the clock that it is on."""
    match value:
        case datetime():
            return f"{moment(value.date(), locale)}, {moment(value.time(), locale)}"
        case date():
            return format_date(value, "full", locale=formats(locale)).translate(PLAINER)
        case _:
            return format_time(value, "short", locale=formats(locale)).translate(PLAINER)


def length(value: timedelta, locale: Locale) -> str:
    """Write a length of time in the largest unit that tells it exactly: 50 minutes, 24 hours (a deadline), 3 days."""
    seconds = int(value.total_seconds())
    for size, unit in _UNITS:
        if seconds % size == 0 and (seconds >= 2 * size or size < _DAY):
            return format_unit(seconds // size, unit, "long", locale=locale).translate(PLAINER)
    raise AssertionError("every length is some number of seconds")


def listed(parts: Sequence[str], locale: Locale) -> str:
    """Write a list: names between commas; what has commas itself, between semicolons."""
    if any("," in part for part in parts):
        return "; ".join(parts)
    return format_list(parts, "standard", locale=locale)
