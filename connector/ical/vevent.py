"""A calendar event as text: ours to build, to merge into, and to read back (RFC 5545).

Text is changed line by line, so whatever the practitioner or their programs added stays as it was written.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from icalendar import Calendar, Event
from icalendar.parser import Contentline, Contentlines, Parameters
from icalendar.prop import vText

from connector.domain.entry import Content, Showing
from connector.domain.reconcile import name_in
from connector.domain.span import Span

LONGEST = 256 * 1024  # bytes of one event; others write to calendars, too, and a huge event would be slow to parse
MARK = "X-PENCILLED"
ENTRY = "X-PENCILLED-ENTRY"
_UNFOLDED = 74  # an ASCII line of so many characters needs no folding
PRODID = "-//Pencilled//Pencilled//EN"

_STATUS = {Showing.CONFIRMED: "CONFIRMED", Showing.TENTATIVE: "TENTATIVE", Showing.FIRM: "CONFIRMED"}
_FOLD = re.compile(r"\r?\n[ \t]")
_IDENTITY = re.compile(rf"^({MARK}|{ENTRY}|UID)(?:;[^:\r\n]*)?:([^\r\n]*)", re.IGNORECASE | re.MULTILINE)
_RECURRENCE = frozenset({"RRULE", "RDATE", "EXDATE", "EXRULE", "RECURRENCE-ID"})


class Mark(StrEnum):
    """The value of our own property, by which we know an event as ours and a firm hold from a session."""

    SESSION = "session"
    HOLD = "hold"
    FIRM = "hold-firm"


_MARK = {Showing.CONFIRMED: Mark.SESSION, Showing.TENTATIVE: Mark.HOLD, Showing.FIRM: Mark.FIRM}


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """What an event of ours tells of itself, whatever else has become of it.

    Attributes:
        name: The name it was made under: its mark's, else its UID where that is one of ours.
        marked: Whether it bears our mark.
    """

    name: str | None
    marked: bool


class UnreadableError(ValueError):
    """The text is not one calendar event, or is too long."""


def build(name: str, content: Content, *, stamp: datetime) -> bytes:
    """Write a new event.

    Args:
        name: Becomes the UID, and is never seen by people.
        content: UTC times go out as they are, so no VTIMEZONE is needed.
        stamp: Aware UTC, whole seconds; when it was written.
    Returns: One VCALENDAR holding one VEVENT, without organizer, attendees, alarms or METHOD.
    """
    utc_stamp = _utc(stamp)
    lines = (
        "BEGIN:VCALENDAR",
        "VERSION:2.0",
        f"PRODID:{PRODID}",
        "BEGIN:VEVENT",
        _text("UID", name),
        f"DTSTAMP:{utc_stamp}",
        f"CREATED:{utc_stamp}",
        f"LAST-MODIFIED:{utc_stamp}",
        "SEQUENCE:0",
        *_times(content.span),
        *_words(content),
        *_status(content),
        _entry(name),
        "CLASS:PRIVATE",
        "END:VEVENT",
        "END:VCALENDAR",
    )
    return _join(lines)


def merge(stored: bytes, content: Content, *, name: str, stamp: datetime) -> bytes:
    """Write `content` into a stored event: time, status, title, location and mark are ours, all else stays.

    A time that is already right keeps its zone. An event that was made all-day or recurring becomes single again.
    SEQUENCE rises when time or status change.

    Raises: UnreadableError.
    """
    lines = _lines(stored)
    same_time, same_showing = _same(lines, stored, content)
    ours = {
        "DTSTAMP": f"DTSTAMP:{_utc(stamp)}",
        "LAST-MODIFIED": f"LAST-MODIFIED:{_utc(stamp)}",
        "SUMMARY": _text("SUMMARY", content.title),
        "LOCATION": _text("LOCATION", content.location) if content.location else None,
        **{_name(line): line for line in (*_status(content), _entry(name))},
        **dict.fromkeys(_RECURRENCE),
    }
    if not same_time:
        start, end = _times(content.span)
        ours |= {"DTSTART": start, "DTEND": end, "DURATION": None}
    if not (same_time and same_showing):
        ours["SEQUENCE"] = f"SEQUENCE:{_sequence(lines) + 1}"
    return _join(_replaced(lines, ours))


def read(data: bytes) -> Content | None:
    """Return what an event shows, with its instants in UTC whatever zone they were written in.

    None if it is what we never write: all-day, recurring, in floating time, cancelled, shown as free, or unreadable.
    """
    try:
        events = _parsed(data).events
        if len(events) != 1 or any(name in events[0] for name in _RECURRENCE):
            return None
        return _content(events[0])
    except (ValueError, ArithmeticError, AttributeError, KeyError, IndexError, TypeError):
        return None  # icalendar raises any of these for a broken value


def identity(text: str) -> Identity | None:
    """Return what tells that an event is ours; None if nothing does. The text need not make any sense otherwise."""
    found: dict[str, str] = {}
    for line in _IDENTITY.finditer(_FOLD.sub("", text)):
        found.setdefault(line[1].upper(), line[2])
    marked = MARK in found or ENTRY in found
    name = name_in(found.get(ENTRY, "")) or name_in(found.get("UID", ""))
    return Identity(name=name, marked=marked) if marked or name else None


def uid(data: bytes) -> str | None:
    """Return the UID of the first event in `data`; None if there is none.

    Raises: UnreadableError.
    """
    for depth, line in _leveled(_lines(data)):
        if depth == ["VCALENDAR", "VEVENT"] and _name(line) == "UID":
            return line.partition(":")[2].strip()
    return None


def _content(event: Event) -> Content | None:
    """Return what one single event shows; broken values raise whatever icalendar raises."""
    start, end = event.DTSTART, event.end
    if not isinstance(start, datetime) or not isinstance(end, datetime) or not (start.tzinfo and end.tzinfo):
        return None
    status = str(event.get("STATUS", "CONFIRMED")).upper()
    if status == "CANCELLED" or str(event.get("TRANSP", "OPAQUE")).upper() == "TRANSPARENT" or start >= end:
        return None
    showing = Showing.TENTATIVE if status == "TENTATIVE" else Showing.CONFIRMED
    if showing is Showing.CONFIRMED and str(event.get(MARK, "")) == Mark.FIRM:
        showing = Showing.FIRM
    return Content(
        span=Span.of(start, end),
        title=str(event.get("SUMMARY", "")),
        location=str(event.get("LOCATION", "")),
        showing=showing,
    )


def _same(lines: list[str], stored: bytes, content: Content) -> tuple[bool, bool]:
    """Whether time and status are those of `content`; parses only what was written by somebody else."""
    properties = {_name(line): line for inside, line in _leveled(lines) if inside == ["VCALENDAR", "VEVENT"]}
    if (
        properties.get("DTSTART", "").startswith("DTSTART:")
        and not _RECURRENCE & properties.keys()
        and "DTEND" in properties
    ):
        same_time = (properties["DTSTART"], properties["DTEND"]) == _times(content.span)
        return same_time, all(properties.get(_name(line)) == line for line in _status(content))
    actual = read(stored)
    if actual is None:
        return False, False
    return actual.span == content.span, actual.showing is content.showing


def _parsed(data: bytes) -> Calendar:
    component = Calendar.from_ical(_decoded(data))
    if not isinstance(component, Calendar):
        raise UnreadableError("not a VCALENDAR")
    return component


def _decoded(data: bytes) -> str:
    if len(data) > LONGEST:
        raise UnreadableError(f"an event of {len(data)} bytes; at most {LONGEST} are read")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UnreadableError("not UTF-8") from error


def _lines(data: bytes) -> list[str]:
    """Return the unfolded lines of `data`, which holds at least one complete event."""
    try:
        lines = [str(line).rstrip("\r") for line in Contentlines.from_ical(_decoded(data)) if line]  # type: ignore[no-untyped-call]
    except ValueError as error:
        raise UnreadableError(str(error)) from error
    if not any(depth == ["VCALENDAR"] and line.upper() == "END:VEVENT" for depth, line in _leveled(lines)):
        raise UnreadableError("no VEVENT inside a VCALENDAR")
    return lines


def _leveled(lines: Iterable[str]) -> Iterator[tuple[list[str], str]]:
    """Yield each line with the components it stands in; BEGIN and END stand in the one around them."""
    inside: list[str] = []
    for line in lines:
        word, _, component = line.upper().partition(":")
        if word == "END" and (not inside or inside.pop() != component.strip()):
            raise UnreadableError(f"{line!r} ends nothing")
        yield list(inside), line
        if word == "BEGIN":
            inside.append(component.strip())
    if inside:
        raise UnreadableError(f"{inside[-1]} has no end")


def _replaced(lines: list[str], ours: dict[str, str | None]) -> Iterator[str]:
    """Yield the lines with ours put in the place of their namesakes, and overrides of single occurrences left out."""
    missing = {name: line for name, line in ours.items() if line is not None}
    for inside, line in _single_event(lines):
        name = _name(line)
        if inside == ["VCALENDAR", "VEVENT"] and name in ours:
            if name in missing:
                yield missing.pop(name)
            continue
        if inside == ["VCALENDAR"] and line.upper() == "END:VEVENT":
            yield from missing.values()
            missing = {}
        yield line


def _single_event(lines: list[str]) -> Iterator[tuple[list[str], str]]:
    """Yield the lines, each with the components it stands in, without METHOD and without all events but one."""
    overrides = _overrides(lines)
    for number, (inside, line) in enumerate(_leveled(lines)):
        is_method = inside == ["VCALENDAR"] and _name(line) == "METHOD"
        if not is_method and not any(number in override for override in overrides):
            yield inside, line


def _overrides(lines: list[str]) -> list[range]:
    """Return the lines of all events but the main one: the first that is not a single occurrence of a series."""
    events: list[tuple[range, bool]] = []
    start, is_occurrence = 0, False
    for number, (inside, line) in enumerate(_leveled(lines)):
        if inside == ["VCALENDAR"] and line.upper() == "BEGIN:VEVENT":
            start, is_occurrence = number, False
        elif inside == ["VCALENDAR"] and line.upper() == "END:VEVENT":
            events.append((range(start, number + 1), is_occurrence))
        elif inside == ["VCALENDAR", "VEVENT"] and _name(line) == "RECURRENCE-ID":
            is_occurrence = True
    main = next((place for place, is_occurrence in events if not is_occurrence), events[0][0])
    return [place for place, _ in events if place is not main]


def _sequence(lines: list[str]) -> int:
    for inside, line in _leveled(lines):
        if inside == ["VCALENDAR", "VEVENT"] and _name(line) == "SEQUENCE":
            value = line.partition(":")[2].strip()
            return int(value) if value.isdecimal() and len(value) < len(str(2**31)) else 0
    return 0


def _name(line: str) -> str:
    return line.partition(":")[0].partition(";")[0].upper()


def _times(span: Span) -> tuple[str, str]:
    return f"DTSTART:{_utc(span.start)}", f"DTEND:{_utc(span.end)}"


def _status(content: Content) -> tuple[str, str, str]:
    return f"STATUS:{_STATUS[content.showing]}", "TRANSP:OPAQUE", f"{MARK}:{_MARK[content.showing]}"


def _entry(name: str) -> str:
    return _text(ENTRY, name)


def _words(content: Content) -> Iterator[str]:
    yield _text("SUMMARY", content.title)
    if content.location:
        yield _text("LOCATION", content.location)


def _text(name: str, value: str) -> str:
    """Write a TEXT property; control characters other than a line break may not stand in one (RFC 5545, 3.3.11)."""
    value = "".join(c if c >= " " or c in "\n\t" else " " for c in value)
    return str(Contentline.from_parts(name, Parameters(), vText(value)))


def _utc(value: datetime) -> str:
    if value.utcoffset():
        raise ValueError(f"{value!r} is not in UTC")
    return f"{value:%Y%m%dT%H%M%SZ}"


def _join(lines: Iterable[str]) -> bytes:
    return b"".join(_folded(line) + b"\r\n" for line in lines)


def _folded(line: str) -> bytes:
    """Fold a line after 75 octets (RFC 5545 section 3.1), never inside a character."""
    if len(line) <= _UNFOLDED and line.isascii():
        return line.encode()
    folded: bytes = Contentline(line).to_ical()  # type: ignore[no-untyped-call]
    return folded
