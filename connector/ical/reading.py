"""What an event that may be ours shows, whatever has become of it; read as foreign objects are (decision 40)."""

from __future__ import annotations

import re
from datetime import UTC

from connector.domain.entry import Content, Showing
from connector.domain.span import Span
from connector.ical.foreign import events, lines, values
from connector.ical.foreign.budget import Budget
from connector.ical.foreign.clock import Known
from connector.ical.foreign.events import Setting
from connector.ical.foreign.lines import Component
from connector.ical.foreign.values import Moment, NonsenseError
from connector.ical.foreign.zones import Zones
from connector.ical.properties import MARK, Mark

RECURRENCE = frozenset({"RRULE", "RDATE", "EXDATE", "EXRULE", "RECURRENCE-ID"})
_ESCAPED = re.compile(r"\\([\\;,nN])")
_NOWHERE = Known(UTC)  # where times are meant that name no zone anybody knows: nobody can tell


def read(data: bytes) -> Content | None:
    """Return what an event shows, with its instants in UTC whatever zone they were written in.

    None if it is what we never write: all-day, recurring, in floating time, cancelled, shown as free, or unreadable.
    """
    scan = lines.scan(lines.filtered(data, words=True))
    if len(scan.events) != 1 or not (scan.is_calendar and scan.is_whole):
        return None
    event = scan.events[0]
    if any(line.name in RECURRENCE for line in event.lines):
        return None
    status = event.value("STATUS").upper()
    if status == "CANCELLED" or event.value("TRANSP").upper() == "TRANSPARENT":
        return None
    span = _span(event, Setting(zones=Zones(scan.zones, _NOWHERE), owner=frozenset(), budget=Budget()))
    if span is None:
        return None
    return Content(
        span=span, title=_words(event, "SUMMARY"), location=_words(event, "LOCATION"), showing=_showing(event, status)
    )


def uid(data: bytes) -> str | None:
    """Return the UID of the first event in `data`; None if there is none."""
    found = lines.scan(lines.filtered(data)).events
    return found[0].value("UID") or None if found else None


def _span(event: Component, setting: Setting) -> Span | None:
    """Return the time an event takes; None if that is not a time between two instants."""
    start_line, end, duration = event.first("DTSTART"), event.first("DTEND"), event.first("DURATION")
    if start_line is None:
        return None
    try:
        start = events.moment(start_line, setting)
        if end:
            length = values.between(_known(start), _known(events.moment(end, setting)))
        elif duration:
            length = values.length(duration.value)
        else:
            return None
        instants = _known(start).instant, length.end(start)
    except NonsenseError:
        return None
    if setting.zones.guesses:
        return None
    begin, finish = (instant.replace(tzinfo=UTC) for instant in instants)
    return Span(start=begin, end=finish) if begin < finish else None


def _known(moment: Moment) -> Moment:
    if moment.is_date or moment.zone is _NOWHERE:
        raise NonsenseError("nobody knows which instant that is")
    return moment


def _showing(event: Component, status: str) -> Showing:
    if status == "TENTATIVE":
        return Showing.TENTATIVE
    return Showing.FIRM if event.value(MARK) == Mark.FIRM else Showing.CONFIRMED


def _words(event: Component, name: str) -> str:
    return _ESCAPED.sub(lambda escaped: "\n" if escaped[1] in "nN" else escaped[1], event.value(name))
