"""When a CalDAV collection is not free: its events are read and expanded here, since few servers can tell."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import Any
from zoneinfo import ZoneInfo

import recurring_ical_events
from caldav.elements import cdav
from icalendar import Calendar

from connector.domain.span import Span
from connector.ical import vevent
from connector.ports import Busy
from providers.caldav import dav
from providers.caldav.events import Events

_FREE = frozenset({"TRANSPARENT"})
_OFF = frozenset({"CANCELLED"})
_TOO_OFTEN = frozenset({"SECONDLY", "MINUTELY"})
_DAY = timedelta(days=1)  # all-day events are dates, which begin and end elsewhere at other instants
_LONGEST = 4 * 1024 * 1024  # bytes of one event with all its exceptions
# What icalendar and recurring-ical-events raise when an event makes no sense.
_NONSENSE = (ValueError, ArithmeticError, AttributeError, KeyError, IndexError, TypeError, LookupError)


def busy(events: Events, span: Span) -> list[Busy]:
    """Return what is not free in `span`; an event that makes no sense is left out and hides no other.

    Raises: ProviderError.
    """
    answer = events.http.request("REPORT", events.url, headers=dav.headers(1), body=dav.query(span.start, span.end))
    zone: tzinfo | None = None
    intervals = []
    for row in dav.multistatus(answer).rows:
        text = row.text(cdav.CalendarData) or ""
        if not text or len(text) > _LONGEST:
            continue
        if zone is None and not _is_anchored(text):
            zone = _zone(events)
        href, name = events.canonical(row.href), _name(text)
        intervals += [Busy(span=occurrence, href=href, name=name) for occurrence in _occupied(text, span, zone or UTC)]
    return sorted(intervals, key=lambda interval: interval.span)


def _name(text: str) -> str | None:
    identity = vevent.identity(text)
    return (identity.name or "") if identity else None


def _occupied(text: str, span: Span, zone: tzinfo) -> Iterator[Span]:
    try:
        calendar = Calendar.from_ical(text)
        if any(_TOO_OFTEN & set(_frequencies(event)) for event in calendar.walk("VEVENT")):
            yield span  # too many to expand: the whole time counts as not free
            return
        occurrences = recurring_ical_events.of(calendar, skip_bad_series=True).between(
            span.start - _DAY, span.end + _DAY
        )
    except _NONSENSE:
        return
    for event in occurrences:
        try:
            occurrence = _span(event, zone)
        except _NONSENSE:
            continue
        if occurrence and occurrence.overlaps(span):
            yield occurrence


def _span(event: Any, zone: tzinfo) -> Span | None:
    """Return the time an occurrence takes; None if it leaves the time free."""
    if str(event.get("TRANSP", "")).upper() in _FREE or str(event.get("STATUS", "")).upper() in _OFF:
        return None
    start, end = _instant(event.start, zone), _instant(event.end, zone)
    return Span.of(start, end) if start < end else None


def _instant(value: date, zone: tzinfo) -> datetime:
    """Return the instant of a date or time; one without a zone is meant in the calendar's own."""
    moment = value if isinstance(value, datetime) else datetime.combine(value, time())
    return moment if moment.tzinfo else moment.replace(tzinfo=zone)


def _frequencies(event: Any) -> Iterator[str]:
    rules = event.get("RRULE", [])
    for rule in rules if isinstance(rules, list) else [rules]:
        yield from (str(frequency).upper() for frequency in rule.get("FREQ", []))


def _is_anchored(text: str) -> bool:
    """Whether every start in the text says which instant it means."""
    starts = [line for line in text.splitlines() if line.startswith("DTSTART")]
    return all("TZID=" in line or line.rstrip().endswith("Z") for line in starts)


def _zone(events: Events) -> tzinfo:
    """Return the collection's own zone (RFC 4791 section 5.2.2), by which its all-day events are meant; else UTC."""
    body = dav.propfind(cdav.CalendarTimeZone)
    answer = events.http.request("PROPFIND", events.url, headers=dav.headers(0), body=body)
    texts = (row.text(cdav.CalendarTimeZone) for row in dav.rows_about(answer))
    for line in next(filter(None, texts), "").splitlines():
        name, _, value = line.partition(":")
        if name.upper() == "TZID":
            try:
                return ZoneInfo(value.strip())
            except (ValueError, OSError, LookupError):
                return UTC
    return UTC
