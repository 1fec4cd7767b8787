"""Calendar objects as others write them, and when they take time, written shortly."""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from datetime import UTC, datetime, timedelta, tzinfo

from connector.domain.span import Span
from connector.domain.unreadable import Unreadable
from connector.ical.foreign.occupied import occupied
from connector.ical.foreign.zones import home

SPRING = Span.of(datetime(2027, 3, 1, tzinfo=UTC), timedelta(days=60))
START, HOUR = "DTSTART:20270317T100000Z", "DURATION:PT1H"
ONCE = ["0317T1000-1100"]  # what these two take


def event(*lines: str, uid: str = "a") -> str:
    return "\r\n".join(("BEGIN:VEVENT", f"UID:{uid}", *lines, "END:VEVENT", ""))


def calendar(*parts: str) -> str:
    """Return an object that holds parts, each with a line break at its end."""
    return f"BEGIN:VCALENDAR\r\nVERSION:2.0\r\n{''.join(parts)}END:VCALENDAR\r\n"


def timezone(
    name: str, *, winter: str = "+0100", summer: str = "+0200", onset: str = "19700101T020000", rule: str = "YEARLY"
) -> str:
    """Return a VTIMEZONE whose clocks change on the last Sundays of March and October."""
    parts = (("STANDARD", summer, winter, 10), ("DAYLIGHT", winter, summer, 3))
    lines = "".join(
        f"BEGIN:{kind}\r\nDTSTART:{onset}\r\nRRULE:FREQ={rule};BYMONTH={month};BYDAY=-1SU\r\n"
        f"TZOFFSETFROM:{before}\r\nTZOFFSETTO:{after}\r\nEND:{kind}\r\n"
        for kind, before, after, month in parts
    )
    return f"BEGIN:VTIMEZONE\r\nTZID:{name}\r\n{lines}END:VTIMEZONE\r\n"


def read(
    content: str | bytes,
    *,
    span: Span = SPRING,
    zone: tzinfo = UTC,
    owner: AbstractSet[str] = frozenset(),
) -> tuple[list[str], Unreadable | None]:
    """Return when an object takes time, such as `0317T1000-1100`, and what of it could not be read."""
    data = content.encode() if isinstance(content, str) else content
    reading = occupied(data, span, home=home(zone), owner=owner)
    return [_short(one) for one in reading.times], reading.unreadable


def taken(*lines: str, zone: tzinfo = UTC, owner: AbstractSet[str] = frozenset()) -> list[str]:
    """Return when one event with these lines takes time; all of it can be read."""
    times, unreadable = read(calendar(event(*lines)), zone=zone, owner=owner)
    assert unreadable is None
    return times


def _short(span: Span) -> str:
    end = f"{span.end:%H%M}" if span.end.date() == span.start.date() else f"{span.end:%m%dT%H%M}"
    return f"{span.start:%m%dT%H%M}-{end}"
