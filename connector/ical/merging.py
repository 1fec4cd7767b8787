"""What is ours, written into an event that others have touched: every byte of theirs stays as it was (RFC 5545).

An object is parted into logical lines, which are bytes with all their folds. Those of our own properties are replaced.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from connector.domain.entry import Content, EntryLink, leads_to
from connector.ical import properties, reading
from connector.ical.foreign import text

_LOGICAL = re.compile(rb"[^\n]*(?:\n[\r\n]*+[ \t][^\n]*)*+(?:\n[\r\n]*+)?")
_FOLD = re.compile(rb"\r?\n[\r\n]*+[ \t]")
_HEAD = 400  # bytes of a line in which its name stands, however it is folded
_DEEPEST = 16  # components inside one another
# Read while merging.
_OURS = frozenset({"DTSTART", "DTEND", "STATUS", "TRANSP", "SEQUENCE", "UID", "URL", properties.MARK})


class UnreadableError(ValueError):
    """The bytes are not one calendar event, or not one that can be changed without losing something of it."""


@dataclass(frozen=True, slots=True)
class _Line:
    """A logical line: its bytes, its name in capitals, and the components it stands in.

    BEGIN and END stand in the component around theirs; `component` is the name of that.
    """

    raw: bytes
    name: str
    inside: tuple[str, ...]
    component: str = ""

    @property
    def text(self) -> str:
        return _FOLD.sub(b"", self.raw).decode(errors="replace").strip("\r\n")

    @property
    def is_of_event(self) -> bool:
        return self.inside == ("VCALENDAR", "VEVENT")


def merge(
    stored: bytes,
    content: Content,
    *,
    name: str,
    stamp: datetime,
    session_id: UUID | None = None,
    link: EntryLink | None = None,
) -> bytes:
    """Write `content` into a stored event: time, status, title, location and mark are ours, all else stays.

    So is a URL that leads to the page of `session_id`: `link` takes its place, or that of none. Another is somebody's
    own.

    A time that is already right keeps its zone. An event that was made all-day or recurring becomes single again.
    SEQUENCE rises when time or status change.

    Raises: UnreadableError.
    """
    lines = _main_event(list(_lines(stored)))
    texts = _texts(lines)
    same_time, same_showing = _same(texts, stored, content)
    ours: dict[str, str | None] = {
        "DTSTAMP": f"DTSTAMP:{properties.utc(stamp)}",
        "LAST-MODIFIED": f"LAST-MODIFIED:{properties.utc(stamp)}",
        "LOCATION": None,
        **{_named(line): line for line in (*properties.words(content), *properties.status(content))},
        properties.ENTRY: properties.entry(name),
        **dict.fromkeys(reading.RECURRENCE),
    }
    url = texts.get("URL", "").partition(":")[2]
    if session_id is not None and (not url or leads_to(url, session_id)):
        ours["URL"] = properties.link(link.url) if link is not None else None
    if not same_time:
        start, end = properties.times(content.span)
        ours |= {"DTSTART": start, "DTEND": end, "DURATION": None}
    if not (same_time and same_showing):
        ours["SEQUENCE"] = f"SEQUENCE:{_sequence(texts.get('SEQUENCE', '')) + 1}"
    merged = b"".join(_replaced(lines, ours, b"\r\n" if b"\r\n" in stored else b"\n"))
    shown = reading.read(merged)
    if shown is None or (shown.span, shown.showing) != (content.span, content.showing):
        raise UnreadableError("others would not read in it what was written")
    return merged


def _lines(stored: bytes) -> Iterator[_Line]:
    """Part an object into its logical lines.

    Raises: UnreadableError where a component does not end, or ends out of turn.
    """
    inside: list[str] = []
    for raw in filter(None, _LOGICAL.findall(stored.removeprefix(b"\xef\xbb\xbf"))):
        name = text.name(_FOLD.sub(b"", raw[:_HEAD]))
        component = text.component(_FOLD.sub(b"", raw)) if name in {"BEGIN", "END"} else ""
        if name == "END" and (not inside or inside.pop() != component):
            raise UnreadableError("something ends that did not begin")
        yield _Line(raw, name, tuple(inside), component)
        if name == "BEGIN":
            inside.append(component)
        if len(inside) > _DEEPEST:
            raise UnreadableError("too many things inside one another")
    if inside:
        raise UnreadableError("something began that does not end")


def _main_event(lines: Sequence[_Line]) -> list[_Line]:
    """Return the lines without METHOD and without all events but the main one.

    That is the first that is not a single occurrence of a series. Raises: UnreadableError if there is none, or there
    are events of another name.
    """
    events: list[tuple[range, bool]] = []
    uids, start, is_occurrence = set(), 0, False
    for number, line in enumerate(lines):
        if line.inside == ("VCALENDAR",) and line.component == "VEVENT":
            if line.name == "BEGIN":
                start, is_occurrence = number, False
            else:
                events.append((range(start, number + 1), is_occurrence))
        elif line.is_of_event:
            is_occurrence = is_occurrence or line.name == "RECURRENCE-ID"
            uids |= {_value(line.raw)} if line.name == "UID" else set()
    if not events or len(uids) > 1:
        raise UnreadableError("not one event")
    main = next((place for place, is_occurrence in events if not is_occurrence), events[0][0])
    others = {number for place, _ in events if place is not main for number in place}
    return [
        line
        for number, line in enumerate(lines)
        if number not in others and not (line.name == "METHOD" and line.inside == ("VCALENDAR",))
    ]


def _texts(lines: Sequence[_Line]) -> Mapping[str, str]:
    """Return the properties of the event that are looked at while merging, each as one line; the first of each name."""
    found: dict[str, str] = {}
    for line in lines:
        if line.is_of_event and line.name in _OURS | reading.RECURRENCE:
            found.setdefault(line.name, line.text)
    return found


def _same(texts: Mapping[str, str], stored: bytes, content: Content) -> tuple[bool, bool]:
    """Whether time and status are those of `content`; reads only what was written by somebody else."""
    if texts.get("DTSTART", "").startswith("DTSTART:") and "DTEND" in texts and not reading.RECURRENCE & texts.keys():
        same_time = (texts["DTSTART"], texts["DTEND"]) == properties.times(content.span)
        return same_time, all(texts.get(_named(line)) == line for line in properties.status(content))
    actual = reading.read(stored)
    if actual is None:
        return False, False
    return actual.span == content.span, actual.showing is content.showing


def _replaced(lines: Sequence[_Line], ours: Mapping[str, str | None], ending: bytes) -> Iterator[bytes]:
    """Yield the lines with ours put in the place of their namesakes."""
    missing = {name: properties.folded(line) + ending for name, line in ours.items() if line is not None}
    for line in lines:
        if line.is_of_event and line.name in ours:
            yield missing.pop(line.name, b"")
            continue
        if line.inside == ("VCALENDAR",) and line.name == "END" and line.component == "VEVENT":
            yield from missing.values()
            missing = {}
        yield line.raw


def _value(raw: bytes) -> str:
    return _FOLD.sub(b"", raw).partition(b":")[2].decode(errors="replace").strip()


def _named(line: str) -> str:
    return line.partition(":")[0].partition(";")[0].upper()


def _sequence(line: str) -> int:
    value = line.partition(":")[2].strip()
    return int(value) if value.isdecimal() and len(value) < len(str(2**31)) else 0
