"""The owner of a CalDAV calendar at another program: plain requests, the whole event rewritten as text."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlsplit
from uuid import uuid4
from zoneinfo import ZoneInfo

from icalendar import Calendar, Timezone

from connector.domain.span import Span
from tests.fakes.servers import Server

_EVENT = """BEGIN:VCALENDAR\r
VERSION:2.0\r
PRODID:-//Another program//EN\r
BEGIN:VEVENT\r
UID:{uid}\r
DTSTAMP:20261101T000000Z\r
DTSTART:{span.start:%Y%m%dT%H%M%SZ}\r
DTEND:{span.end:%Y%m%dT%H%M%SZ}\r
SUMMARY:Dentist\r
{extra}END:VEVENT\r
END:VCALENDAR\r
"""
_ALARM = "BEGIN:VALARM\nACTION:DISPLAY\nTRIGGER:-PT15M\nDESCRIPTION:soon\nEND:VALARM\n"
_TIMES = ("DTSTART", "DTEND", "DURATION")


class Owner:
    """Acts in one calendar of a running server."""

    def __init__(self, server: Server, url: str) -> None:
        self.server = server
        self.url = url

    def note(self, href: str, text: str) -> None:
        self.write(href, ("DESCRIPTION", f"DESCRIPTION:{text}"), ("COLOR", "COLOR:turquoise"))

    def colour(self, href: str) -> None:
        self.write(href, ("COLOR", "COLOR:crimson"))

    def remind(self, href: str) -> None:
        self.rewrite(href, (r"END:VEVENT", f"{_ALARM}END:VEVENT"))

    def text(self, href: str) -> str:
        return self.server.send("GET", self._at(href)).decode()

    def move(self, href: str, span: Span) -> None:
        start, end = f"DTSTART:{span.start:%Y%m%dT%H%M%SZ}", f"DTEND:{span.end:%Y%m%dT%H%M%SZ}"
        self._retime(href, start, end)

    def retitle(self, href: str, title: str) -> None:
        self.write(href, ("SUMMARY", f"SUMMARY:{title}"))

    def make_all_day(self, href: str) -> None:
        day = instant(self.event(href).start).date()
        self._retime(href, *(f"{name};VALUE=DATE:{one:%Y%m%d}" for name, one in _edges(day, day + timedelta(days=1))))

    def make_recurring(self, href: str) -> None:
        self.write(href, ("RRULE", "RRULE:FREQ=WEEKLY;COUNT=4"))

    def rezone(self, href: str, zone: str) -> None:
        """Write the same instants in another zone, whose rules come along as RFC 5545 asks."""
        event = self.event(href)
        edges = ((name, instant(one).astimezone(ZoneInfo(zone))) for name, one in _edges(event.start, event.end))
        self._retime(href, *(f"{name};TZID={zone}:{one:%Y%m%dT%H%M%S}" for name, one in edges))
        if f"\nTZID:{zone}" not in self.text(href):
            self.rewrite(href, (r"BEGIN:VEVENT", f"{_rules(zone)}BEGIN:VEVENT"))

    def delete(self, href: str) -> None:
        self.server.send("DELETE", self._at(href))

    def wipe(self) -> None:
        """Delete every event."""
        for href in self.hrefs():
            self.delete(href)

    def add(self, span: Span, *, busy: bool = True, extra: str = "") -> str:
        lines = extra if busy else f"{extra}TRANSP:TRANSPARENT\r\n"
        return self.add_text(_EVENT.format(uid=uuid4(), span=span, extra=lines))

    def add_text(self, text: str) -> str:
        """Store any text as a new event and return its href."""
        return self.put(f"{urlsplit(self.url).path}{uuid4()}.ics", text)

    def copy(self, href: str, *, marked: bool = True) -> str:
        """Write an event under another address: with a UID of its own, or without our mark in its place."""
        text, place = self.text(href).replace("\r\n", "\n"), f"{href.rpartition('/')[0]}/{uuid4()}.ics"
        if marked:
            text = re.sub(r"UID:.*", f"UID:{uuid4()}", text, count=1)
        else:
            text = re.sub(r"X-PENCILLED.*\n", "", text)
            self.delete(href)
        return self.put(place, text.replace("\n", "\r\n"))

    def listing(self) -> bytes:
        """List the collection; Radicale stumbles over an event that goes while it lists, so it is asked again."""
        for _ in range(5):
            try:
                return self.server.send("PROPFIND", self.url, None, {"Depth": "1"})
            except HTTPError as stumbled:
                if stumbled.code != 500:
                    raise
        return self.server.send("PROPFIND", self.url, None, {"Depth": "1"})

    def hrefs(self) -> list[str]:
        """Return the addresses of all events."""
        return re.findall(r"<(?:\w+:)?href>([^<]*\.ics)</", self.listing().decode())

    def size(self) -> int:
        return len(self.hrefs())

    def event(self, href: str) -> Any:
        """Return an event, or the first of a series, as a calendar program understands it."""
        events = Calendar.from_ical(self.text(href)).walk("VEVENT")
        return next(one for one in events if "RECURRENCE-ID" not in one)

    def rewrite(self, href: str, *edits: tuple[str, str]) -> None:
        """Replace the first match of each pattern and store the event without asking what it was."""
        text = self.text(href).replace("\r\n", "\n")
        for pattern, replacement in edits:
            text = re.sub(pattern, replacement, text, count=1)
        self.put(href, text.replace("\n", "\r\n"))

    def write(self, href: str, *lines: tuple[str, str]) -> None:
        """Write properties of the event itself in the place of those it had; an empty line takes one away."""
        kept = _without(self.text(href), {name for name, _ in lines})
        added = "".join(f"{line}\n" for _, line in lines if line)
        self.put(href, kept.replace("BEGIN:VEVENT\n", f"BEGIN:VEVENT\n{added}", 1).replace("\n", "\r\n"))

    def put(self, href: str, text: str) -> str:
        self.server.send("PUT", self._at(href), text.encode(), {"Content-Type": "text/calendar; charset=utf-8"})
        return href

    def _retime(self, href: str, start: str, end: str) -> None:
        self.write(href, *((name, "") for name in _TIMES), ("", start), ("", end))

    def _at(self, href: str) -> str:
        return href if "://" in href else f"{self.server.url.rstrip('/')}{href}"


@cache
def _rules(zone: str) -> str:
    rules: bytes = Timezone.from_tzid(zone, first_date=date(2026, 1, 1), last_date=date(2028, 1, 1)).to_ical()
    return rules.decode().replace("\r\n", "\n")


def instant(value: date) -> datetime:
    """Return the instant of a time, or of the midnight a day begins with."""
    moment = value if isinstance(value, datetime) else datetime.combine(value, time())
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _edges(start: date, end: date) -> tuple[tuple[str, date], tuple[str, date]]:
    return ("DTSTART", start), ("DTEND", end)


def _without(text: str, names: set[str]) -> str:
    """Return a calendar, unfolded, without some properties of its events; those of alarms and zones stay."""
    return "\n".join(_kept(re.sub(r"\r?\n[ \t]", "", text).replace("\r\n", "\n").split("\n"), names))


def _kept(lines: list[str], names: set[str]) -> Iterator[str]:
    inside: list[str] = []
    for line in lines:
        word, _, component = line.partition(":")
        if word == "END":
            inside.pop()
        if inside[-1:] != ["VEVENT"] or re.split("[;:]", line)[0] not in names:
            yield line
        if word == "BEGIN":
            inside.append(component)
