"""The lines of a calendar object that matter for busy time, out of bytes that anybody may have written (RFC 5545).

Bytes are unfolded before anything is decoded, since folds cut characters in two. One pass of one expression keeps a
dozen properties; what it keeps is calendar text again, so it can be stored, and read once more, in the place of the
object. However long the object is, that text is short.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache

from connector.ical.foreign import text

LONGEST = 12 * 1024 * 1024  # bytes of one object that are looked at
MOST = 50_000  # lines that are kept of one object
LONGEST_LINE = 64 * 1024  # bytes of a line that is kept
LONGEST_KEPT = 4 * 1024 * 1024  # bytes of all of them
MOST_BOOKED, LONGEST_BOOKED = 500_000, LONGEST  # likewise of a whole calendar that somebody brings along

_PLAIN = (
    rb"BEGIN|END|DTSTART|DTEND|DURATION|RRULE|RDATE|EXDATE|RECURRENCE-ID|STATUS|TRANSP|UID|SEQUENCE|TZID|TZOFFSETFROM"
    rb"|TZOFFSETTO|X-MICROSOFT-CDO-BUSYSTATUS|X-NEXTCLOUD-OUT-OF-OFFICE|X-PENCILLED|X-PENCILLED-ENTRY"
)
_NAMES = _PLAIN + rb"|ATTENDEE(?=[^\n]*PARTSTAT=\"?DECLINED)"
_WANTED = re.compile(rb"\n(?=[ABDERSTUX])(" + _NAMES + rb")" + text.NAME_END + rb"([^\n]*)", re.IGNORECASE)
_WORDED = re.compile(rb"\n(" + _NAMES + rb"|EXRULE|SUMMARY|LOCATION)" + text.NAME_END + rb"([^\n]*)", re.IGNORECASE)
_BOOKED = re.compile(
    rb"\n(" + _PLAIN + rb"|EXRULE|LOCATION|ATTENDEE|ORGANIZER)" + text.NAME_END + rb"([^\n]*)", re.IGNORECASE
)
_KEPT = re.compile(rb"\n([A-Z-]+)([;:][^\n]*)")
_CUT = b"X-CUT"  # what is left open where lines were left out
_WORDS = frozenset({"SUMMARY", "LOCATION"})
_TIMED = frozenset({"DTSTART", "DTEND", "DURATION", "RRULE", "RDATE", "RECURRENCE-ID"})  # where there are events alone
_OUTER = frozenset({"VCALENDAR", "VEVENT", "VTODO", "VJOURNAL", "VFREEBUSY", "VTIMEZONE"})  # none inside another
_DEEPEST = 16  # components inside one another


@dataclass(frozen=True, slots=True)
class Line:
    """One property: its name in capitals, its parameters as they were written, its value.

    Blanks around a value are left out, unless they are words of people.
    """

    name: str
    parameters: str
    value: str

    def parameter(self, name: str) -> str | None:
        """Return the value of a parameter without quotes; None if it has none of that name."""
        if not self.parameters:
            return None
        found = _parameter(name).match(self.parameters)
        return found[1].strip(' \t"') if found else None


@dataclass(slots=True)
class Component:
    """What stands between BEGIN and END: its own properties, not those of components inside it."""

    kind: str
    start: int = 0
    lines: list[Line] = field(default_factory=list)
    parts: list[Component] = field(default_factory=list)
    is_whole: bool = True

    def first(self, name: str) -> Line | None:
        """Return the first property of a name."""
        for line in self.lines:
            if line.name == name:
                return line
        return None

    def all(self, name: str) -> Iterator[Line]:
        """Yield every property of a name."""
        return (line for line in self.lines if line.name == name)

    def value(self, name: str) -> str:
        """Return the first value of a property; empty if there is none."""
        line = self.first(name)
        return line.value if line else ""


@dataclass(frozen=True, slots=True)
class Scan:
    """What an object consists of.

    Attributes:
        events: Every VEVENT that began.
        zones: The lines of each VTIMEZONE, by its `text.zone_name`; empty for one without.
        is_calendar: Whether any VCALENDAR began.
        is_whole: Whether everything that began ended, each in its turn.
        is_cut: Whether it was longer than is looked at.
    """

    events: tuple[Component, ...]
    zones: dict[str, bytes]
    is_calendar: bool
    is_whole: bool
    is_cut: bool


def filtered(data: bytes, *, words: bool = False) -> bytes:
    """Return the lines that matter, unfolded, one a line; what is too long is cut, and its end left open.

    What people have written into it matters only if `words` says so.
    """
    return _filtered(data, _WORDED if words else _WANTED, most=MOST, longest=LONGEST_KEPT)


def booked(data: bytes) -> bytes:
    """Return likewise the lines that matter to whoever wants to know who meets when, and where."""
    return _filtered(data, _BOOKED, most=MOST_BOOKED, longest=LONGEST_BOOKED)


def _filtered(data: bytes, wanted: re.Pattern[bytes], *, most: int, longest: int) -> bytes:
    is_cut = len(data) > LONGEST
    end = max(data.rfind(b"\n", 0, LONGEST), 0) if is_cut else len(data)
    kept: list[bytes] = []
    size = 0
    for line in wanted.finditer(text.unfolded(data, end)):
        rest = line[2]
        if len(rest) > LONGEST_LINE:
            is_cut = True
            continue
        size += len(rest)
        if len(kept) >= most or size > longest:
            is_cut = True
            break
        kept.append(line[1].upper() + rest)
    if is_cut:
        kept.append(b"BEGIN:" + _CUT)
    return b"\n".join(kept)


def scan(lines: bytes) -> Scan:
    """Return the components of an object from the lines that `filtered` has kept."""
    builder = _Builder(b"\n" + lines)
    for line in _KEPT.finditer(builder.text):
        name = line[1].decode()
        if name == "BEGIN":
            builder.begin(text.kind(line[2]), line.start())
        elif name == "END":
            builder.end(text.kind(line[2]), line.end())
        else:
            builder.add(name, line[2])
    return builder.finish()


def component(lines: bytes) -> Component | None:
    """Return the first component that began, with all that is inside it."""
    builder = _Builder(b"\n" + lines)
    outermost = None
    for line in _KEPT.finditer(builder.text):
        name = line[1].decode()
        if name == "BEGIN":
            opened = builder.begin(text.kind(line[2]), line.start())
            outermost = outermost or opened
        elif name == "END":
            builder.end(text.kind(line[2]), line.end())
        else:
            builder.add(name, line[2], always=True)
    return outermost


class _Builder:
    """Puts lines into the components they stand in; whatever ends out of turn is not whole."""

    def __init__(self, text: bytes) -> None:
        self.text = text
        self._open: list[Component] = []
        self._events: list[Component] = []
        self._zones: dict[str, bytes] = {}
        self._is_calendar = False
        self._is_whole = True

    def begin(self, kind: str, start: int) -> Component:
        if kind in _OUTER:
            calendars = sum(one.kind == "VCALENDAR" for one in self._open) if kind != "VCALENDAR" else 0
            self._close_until(calendars, start)
        opened = Component(kind, start)
        if kind == "VEVENT":
            self._events.append(opened)
        elif kind == "VCALENDAR":
            self._is_calendar = True
        if len(self._open) >= _DEEPEST:
            self._is_whole = False
            return opened
        if self._open:
            self._open[-1].parts.append(opened)
        self._open.append(opened)
        return opened

    def end(self, kind: str, end: int) -> None:
        place = next((n for n in reversed(range(len(self._open))) if self._open[n].kind == kind), None)
        if place is None:
            self._is_whole = False  # who knows what it ends, and where that began
            return
        self._close_until(place + 1, end)
        if kind == "VEVENT" and any(not part.is_whole for part in self._open[place].parts):
            self._open[place].is_whole = False  # who knows which of its lines were taken for those of an alarm
        self._note_zone(self._open.pop(), end)

    def add(self, name: str, rest: bytes, *, always: bool = False) -> None:
        kind = self._open[-1].kind if self._open else ""
        if self._open and (always or kind in {"VEVENT", "VTIMEZONE"}):
            self._open[-1].lines.append(_line(name, rest))
        elif name in _TIMED and kind in {"", "VCALENDAR"}:
            self._is_whole = False  # it is of an event that did not begin

    def finish(self) -> Scan:
        is_cut = any(one.kind == _CUT.decode() for one in self._open)
        self._close_until(0, len(self.text))
        return Scan(tuple(self._events), self._zones, self._is_calendar, self._is_whole, is_cut)

    def _close_until(self, place: int, end: int) -> None:
        """Close what is open from a place on, none of which has ended by itself."""
        for left_open in self._open[place:]:
            left_open.is_whole = self._is_whole = False
            self._note_zone(left_open, end)
        del self._open[place:]

    def _note_zone(self, closed: Component, end: int) -> None:
        if closed.kind == "VTIMEZONE":
            self._zones.setdefault(text.zone_name(closed.value("TZID")), self.text[closed.start : end].strip())


def _line(name: str, rest: bytes) -> Line:
    parameters, value = text.parted(name, rest.decode(errors="replace"))
    return Line(name, parameters, value if name in _WORDS else value.strip())


@cache
def _parameter(name: str) -> re.Pattern[str]:
    """Return the expression that finds a parameter, outside of what is quoted, in one go."""
    wanted = rf"[ \t]*{re.escape(name)}[ \t]*="
    before = rf'(?:[^;"]++|"[^"]*"|"|;(?!{wanted}))*+'
    return re.compile(rf'{before};{wanted}[ \t]*("[^"]*"|[^;"]*)', re.IGNORECASE)
