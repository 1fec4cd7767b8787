"""The properties of an event that are ours, as lines (RFC 5545)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from enum import StrEnum

from icalendar.parser import Contentline, Parameters
from icalendar.prop import vText

from connector.domain.entry import Content, Showing
from connector.domain.span import Span

MARK = "X-PENCILLED"
ENTRY = "X-PENCILLED-ENTRY"
_UNFOLDED = 74  # an ASCII line of so many characters needs no folding
_STATUS = {Showing.CONFIRMED: "CONFIRMED", Showing.TENTATIVE: "TENTATIVE", Showing.FIRM: "CONFIRMED"}


class Mark(StrEnum):
    """The value of our own property, by which we know an event as ours and a firm hold from a session."""

    SESSION = "session"
    HOLD = "hold"
    FIRM = "hold-firm"


_MARK = {Showing.CONFIRMED: Mark.SESSION, Showing.TENTATIVE: Mark.HOLD, Showing.FIRM: Mark.FIRM}


def times(span: Span) -> tuple[str, str]:
    """Return DTSTART and DTEND, in UTC."""
    return f"DTSTART:{utc(span.start)}", f"DTEND:{utc(span.end)}"


def status(content: Content) -> tuple[str, str, str]:
    """Return STATUS, TRANSP and our mark."""
    return f"STATUS:{_STATUS[content.showing]}", "TRANSP:OPAQUE", f"{MARK}:{_MARK[content.showing]}"


def entry(name: str) -> str:
    """Return the name an event was made under."""
    return text(ENTRY, name)


def words(content: Content) -> Iterator[str]:
    """Yield SUMMARY, and LOCATION if it has one."""
    yield text("SUMMARY", content.title)
    if content.location:
        yield text("LOCATION", content.location)


def link(url: str) -> str:
    """Return URL, whose value is no text and has nothing escaped in it (RFC 5545, 3.8.4.6)."""
    if not url.isprintable() or " " in url:
        raise ValueError(f"{url!r} is no address")
    return f"URL:{url}"


def text(name: str, value: str) -> str:
    """Write a TEXT property; control characters other than a line break may not stand in one (RFC 5545, 3.3.11)."""
    value = "".join(c if c >= " " or c in "\n\t" else " " for c in value)
    return str(Contentline.from_parts(name, Parameters(), vText(value)))


def utc(value: datetime) -> str:
    """Return an instant as it is written."""
    if value.utcoffset():
        raise ValueError(f"{value!r} is not in UTC")
    return f"{value:%Y%m%dT%H%M%SZ}"


def folded(line: str) -> bytes:
    """Fold a line after 75 octets (RFC 5545 section 3.1), never inside a character."""
    if len(line) <= _UNFOLDED and line.isascii():
        return line.encode()
    octets: bytes = Contentline(line).to_ical()  # type: ignore[no-untyped-call]
    return octets
