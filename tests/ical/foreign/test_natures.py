"""Whether an event may mean that its owner is away, and which of a series it is, as calendars' own lines tell."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from connector.domain.span import Span
from connector.domain.standing import Nature
from connector.ical.foreign.clock import UNIVERSAL
from connector.ical.foreign.occupied import Mark, occupied

SPAN = Span.of(datetime(2026, 12, 1, tzinfo=UTC), timedelta(days=30))
START = datetime(2026, 12, 3, 10, tzinfo=UTC)


def marks(*lines: str, more: str = "") -> list[Mark]:
    event = "\r\n".join(("BEGIN:VEVENT", "UID:x", "DTSTART:20261203T100000Z", "DTEND:20261203T110000Z", *lines))
    text = f"BEGIN:VCALENDAR\r\nVERSION:2.0\r\n{event}\r\nEND:VEVENT\r\n{more}END:VCALENDAR\r\n"
    return list(occupied(text.encode(), SPAN, home=UNIVERSAL).marks)


@pytest.mark.parametrize(
    ("line", "nature"),
    [
        ("X-MICROSOFT-CDO-BUSYSTATUS:OOF", Nature.OUT_OF_OFFICE),
        ("TRANSP:OPAQUE\r\nX-MICROSOFT-CDO-BUSYSTATUS:oof", Nature.OUT_OF_OFFICE),
        ("X-NEXTCLOUD-OUT-OF-OFFICE:42", Nature.OUT_OF_OFFICE),
        ("TRANSP:OPAQUE\r\nX-MICROSOFT-CDO-BUSYSTATUS:WORKINGELSEWHERE", Nature.NEVER),
        ("X-MICROSOFT-CDO-BUSYSTATUS:BUSY", Nature.ORDINARY),
        ("CLASS:PRIVATE", Nature.ORDINARY),
    ],
)
def test_a_line_of_the_service_tells_whether_somebody_is_away(line: str, nature: Nature) -> None:
    assert marks(line) == [Mark(nature, None)]


def test_an_occurrence_is_known_by_when_its_series_has_it_wherever_it_was_moved_to() -> None:
    moved = (
        "BEGIN:VEVENT\r\nUID:x\r\nRECURRENCE-ID:20261210T100000Z\r\nDTSTART:20261211T150000Z\r\n"
        "DTEND:20261211T160000Z\r\nX-MICROSOFT-CDO-BUSYSTATUS:OOF\r\nEND:VEVENT\r\n"
    )
    week = timedelta(weeks=1)
    assert marks("RRULE:FREQ=WEEKLY;COUNT=3", more=moved) == [
        Mark(Nature.ORDINARY, START),
        Mark(Nature.OUT_OF_OFFICE, START + week),
        Mark(Nature.ORDINARY, START + 2 * week),
    ]


def test_an_occurrence_alone_is_one_of_a_series() -> None:
    assert marks("RECURRENCE-ID:20261203T090000Z") == [Mark(Nature.ORDINARY, START - timedelta(hours=1))]
