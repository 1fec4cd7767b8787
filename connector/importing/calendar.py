"""Sessions as a calendar holds them (RFC 5545): whoever is invited is the client, and a UID the external id.

Read by the reader of foreign objects, within its budgets: whatever the bytes are, each event is a session or refused,
and repeating ones are followed only so far ahead.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import islice
from urllib.parse import unquote
from zoneinfo import ZoneInfo

from connector.domain.span import LONGEST, SHORTEST, Span, When, zone_named
from connector.domain.text import visible
from connector.errors import RuleError
from connector.ical.foreign import events, lines
from connector.ical.foreign.budget import STEPS, Budget, TooDenseError
from connector.ical.foreign.clock import Known, Zone
from connector.ical.foreign.events import Event, Setting
from connector.ical.foreign.lines import Component
from connector.ical.foreign.occupied import grouped
from connector.ical.foreign.series import Overrides, Series
from connector.ical.foreign.window import Window
from connector.ical.foreign.zones import Zones
from connector.importing import rows
from connector.importing.rows import Read, Refused, Row, Someone

AHEAD = timedelta(days=400)  # so far a repeating event is followed
MOST = 200  # occurrences of one
_CALENDAR = re.compile(rb"(?:\xef\xbb\xbf)?\s*BEGIN[ \t]*:[ \t]*VCALENDAR", re.IGNORECASE)
_UTF_16 = {codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16", b"B\0": "utf-16-le", b"\0B": "utf-16-be"}
_BEGUN = re.compile(rb"^BEGIN[ \t]*:[ \t]*VEVENT[ \t]*\r?$", re.IGNORECASE | re.MULTILINE)
_ROOMS = frozenset({"ROOM", "RESOURCE"})
_LONGEST_PLACE, _LONGEST_NAME = 500, 200
_ONCE = ("DTSTART", "DTEND", "DURATION", "RECURRENCE-ID")
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class _File:
    """What all events of a file share.

    Attributes:
        owner: How whoever gives the sessions is called as an attendee.
        zone: Theirs: where times are shown that name no zone.
        now: Aware UTC.
        places: In which line of the file each event begins.
    """

    owner: AbstractSet[str]
    zone: str
    now: datetime
    places: dict[int, int]


def is_calendar(start: bytes) -> bool:
    """Whether a file that begins so is a calendar and no table."""
    return _CALENDAR.match(_utf_8(start)) is not None


def read(content: bytes, *, owner: AbstractSet[str], zone: str, now: datetime) -> Iterator[Read]:
    """Yield the sessions that a calendar holds, event by event.

    Args:
        content: The whole file.
        owner: The addresses of whoever gives the sessions: they are the client of none.
        zone: Where times are meant that name no zone.
        now: Aware UTC; repeating events are followed from here on.
    Raises: RuleError if it is no calendar, or longer than is read.
    """
    content = _utf_8(content)
    scan = lines.scan(lines.booked(content))
    if scan.is_cut:
        raise RuleError(
            "This calendar is too long to be read at once. Export a shorter time, such as what is to come.",
            code="import_too_long",
            field="file",
        )
    if not (scan.is_calendar or scan.events):
        raise RuleError("There is no calendar in this file.", code="import_no_calendar", field="file")
    numbers = {id(component): number for number, component in enumerate(scan.events)}
    begun = list(_places(content))
    places = {key: begun[number] for key, number in numbers.items() if len(begun) == len(numbers)}
    file = _File(frozenset(events.name(one) for one in owner), zone, now, places)
    home = Known(zone_named(zone))
    found: list[Event] = []
    for component in scan.events:
        setting = Setting(zones=Zones(scan.zones, home, Budget(), strict=True), owner=file.owner, budget=Budget())
        event = events.read(component, setting)
        if isinstance(event, Event):
            found.append(event)
        else:
            yield _refused(component, file, _unreadable())
    for group in grouped(iter(found)):
        yield from _of_group(group, scan, home, file)


def _utf_8(content: bytes) -> bytes:
    """Return a text in the encoding that calendars have to have; some programs on Windows write UTF-16."""
    encoding = _UTF_16.get(content[:2])
    return content.decode(encoding, "replace").encode() if encoding else content


def _of_group(group: list[Event], scan: lines.Scan, home: Zone, file: _File) -> Iterator[Read]:
    """Yield the sessions of all the events that share a UID."""
    budget = Budget(STEPS)
    setting = Setting(zones=Zones(scan.zones, home, budget, strict=True), owner=file.owner, budget=budget)
    overrides = Overrides([event for event in group if event.replaces])
    for event in group:
        if event.is_occurrence or (event.is_single and not overrides.events):
            yield _single(event, file)
        elif overrides.onwards:
            yield _refused(event.component, file, _changed_onwards())
        else:
            yield from _series(event, overrides, setting, file)


def _single(event: Event, file: _File) -> Read:
    try:
        _check(event, file)
        if event.is_occurrence and not event.replaces:
            raise _unreadable()
        mark = f"/{_basic(event.replaces.instant)}" if event.replaces else ""
        start, end = event.start.instant, event.length.end(event.start)
        return _row(event, start, end, mark, file, series=event.uid if event.replaces else "")
    except RuleError as error:
        return _refused(event.component, file, error)


def _series(event: Event, overrides: Overrides, setting: Setting, file: _File) -> Iterator[Read]:
    """Yield the occurrences to come of a repeating event, as far as they are followed."""
    times: list[tuple[datetime, datetime]] = []
    error: RuleError | None
    try:
        _check(event, file)
        window = Window.of(Span.of(file.now, AHEAD))
        series = Series(event, overrides, setting, window)
        times = [(one.start, one.end) for one in islice(series.times(), MOST + 1)]
        error = _too_dense() if len(times) > MOST else _unreadable() if series.faults else None
    except TooDenseError:
        error = _too_dense()
    except RuleError as refusal:
        error = refusal
    if error is not None:
        yield _refused(event.component, file, error)
        return
    for start, end in sorted(set(times)):
        try:
            yield _row(event, start, end, f"/{_basic(start)}", file, series=event.uid)
        except RuleError as refusal:
            yield replace(_refused(event.component, file, refusal), external_id=f"{event.uid}/{_basic(start)}")


def _check(event: Event, file: _File) -> None:
    """Raise RuleError for an event that is no session of anybody's."""
    component = event.component
    if any(component.first(name) for name in ("X-PENCILLED", "X-PENCILLED-ENTRY")):
        raise RuleError(
            "Pencilled itself has written this event into the calendar: the session is there already.",
            code="import_event_ours",
            field="file",
        )
    if component.value("STATUS").upper() == "CANCELLED":
        raise RuleError("The event is cancelled.", code="import_event_cancelled", field="file")
    if not event.takes_time:
        raise RuleError(
            "The event takes no time: it is shown as free, or its calendar's owner has declined it.",
            code="import_event_free",
            field="file",
        )
    if event.start.is_date:
        raise RuleError("The event takes whole days, and no session does.", code="import_event_days", field="file")
    says_twice = any(sum(1 for _ in component.all(name)) > 1 for name in _ONCE)
    if event.faults or not component.is_whole or component.first("EXRULE") or says_twice:
        raise _unreadable()
    if not event.uid:
        raise RuleError(
            "The event has no UID, by which it could be known again.", code="import_event_nameless", field="file"
        )
    _client(component, file)


def _row(event: Event, start: datetime, end: datetime, mark: str, file: _File, *, series: str) -> Row:
    component = event.component
    begin, finish = start.replace(tzinfo=UTC), end.replace(tzinfo=UTC)
    if not SHORTEST <= finish - begin <= LONGEST:
        raise RuleError(
            "A session lasts between 1 minute and 24 hours. Choose a length in between.",
            code="session_length_out_of_range",
            field="minutes",
        )
    return Row(
        line=_line(component, file),
        external_id=rows.external_id(f"{event.uid}{mark}"),
        client=_client(component, file),
        when=When.of(Span.of(begin, finish), zone=_zone(event.start.zone) or file.zone),
        location=rows.location(visible(_text(component.value("LOCATION")), longest=_LONGEST_PLACE)),
        series=series,
    )


def _client(component: Component, file: _File) -> Someone:
    """Return the one person who is invited, but for whoever gives the session.

    Raises: RuleError if that is nobody, or several.
    """
    organizer = component.first("ORGANIZER")
    apart = file.owner | ({events.name(organizer.value)} if organizer else set())
    people = [
        line
        for line in component.all("ATTENDEE")
        if (line.parameter("CUTYPE") or "").upper() not in _ROOMS and not events.called(line) & apart
    ]
    people = list({events.name(line.value): line for line in people}.values())
    if not people:
        raise RuleError(
            "Nobody is invited to the event who could be the client.", code="import_event_alone", field="client"
        )
    if len(people) > 1:
        raise RuleError(
            "Several people are invited to the event (%(people)s), and a session has one client.",
            code="import_event_crowded",
            field="client",
            people=len(people),
        )
    [line] = people
    if (line.parameter("PARTSTAT") or "").upper() == "DECLINED":
        raise RuleError("The client has declined the event.", code="import_event_declined", field="client")
    email = unquote(line.value[len("mailto:") :]) if line.value.lower().startswith("mailto:") else ""
    name = visible(line.parameter("CN") or "", longest=_LONGEST_NAME)
    return rows.someone(email=email or (line.parameter("EMAIL") or ""), name="" if "@" in name else name)


def _unreadable() -> RuleError:
    return RuleError(
        "When the event takes place cannot be read for certain.", code="import_event_unreadable", field="when"
    )


def _too_dense() -> RuleError:
    return RuleError(
        "The event repeats more often than %(most)s times within %(days)s days. Book such a series by hand.",
        code="import_series_dense",
        field="when",
        most=MOST,
        days=AHEAD.days,
    )


def _changed_onwards() -> RuleError:
    return RuleError(
        "The series was changed from some day on, and it is not certain which session is which. Export it again with "
        "each session on its own, or book it by hand.",
        code="import_series_changed",
        field="when",
    )


def _refused(component: Component, file: _File, error: RuleError) -> Refused:
    identity = visible(component.value("UID"), longest=rows.LONGEST_ID)
    return Refused(line=_line(component, file), error=error, external_id=identity)


def _line(component: Component, file: _File) -> int:
    return file.places.get(id(component), 0)


def _zone(zone: Zone) -> str:
    """Return the IANA name of the clock that an event goes by; empty if it has none."""
    known = zone.zone if isinstance(zone, Known) else None
    return known.key if isinstance(known, ZoneInfo) else ""


def _places(content: bytes) -> Iterator[int]:
    """Yield in which lines events begin."""
    line, seen = 1, 0
    for found in _BEGUN.finditer(content):
        line += content.count(b"\n", seen, found.start())
        seen = found.start()
        yield line


def _text(value: str) -> str:
    """Return a TEXT as it was meant (RFC 5545 section 3.3.11)."""
    return _ESCAPED.sub(lambda found: "\n" if found[1] in "nN" else found[1], value)


def _basic(instant: datetime) -> str:
    return f"{instant:%Y%m%dT%H%M%SZ}"
