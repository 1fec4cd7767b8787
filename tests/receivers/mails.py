"""A mail as a receiver finds it: who wrote to whom, and the lines of its calendar part.

Shares no code with what we send. Nothing is repaired here: what a receiver would stumble over is left as it is.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from email import message_from_bytes
from email.utils import parseaddr
from functools import lru_cache
from zoneinfo import ZoneInfo

_LINE = re.compile(
    r'(?P<name>[A-Za-z0-9-]+)(?P<parameters>(?:;[A-Za-z0-9-]+=(?:"[^"]*"|[^";:]*))*):(?P<value>.*)', re.DOTALL
)
_PARAMETER = re.compile(r';([A-Za-z0-9-]+)=(?:"([^"]*)"|([^";:]*))')


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One property."""

    name: str
    parameters: Mapping[str, str]
    value: str

    @property
    def address(self) -> str:
        """The address of a person, without its scheme."""
        return self.value.lower().removeprefix("mailto:")

    def instant(self, zone: str) -> datetime | None:
        """When it is for somebody in this zone: a time without a zone is theirs (RFC 5545 section 3.3.5)."""
        try:
            local = datetime.strptime(self.value.removesuffix("Z"), "%Y%m%dT%H%M%S")  # noqa: DTZ007 - zoned below
        except ValueError:
            return None
        its_zone = UTC if self.value.endswith("Z") else ZoneInfo(self.parameters.get("TZID", zone))
        return local.replace(tzinfo=its_zone).astimezone(UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Invitation:
    """The calendar part of a mail.

    Attributes:
        sender: The address in From.
        recipient: The address in To.
        method_parameter: That of the part's Content-Type; empty if there is none.
        text: The part as it was written.
        head: The properties above the first event.
        tail: Those below it.
        events: The properties of each event.
    """

    sender: str
    recipient: str
    method_parameter: str
    text: bytes
    head: tuple[Line, ...]
    tail: tuple[Line, ...]
    events: tuple[tuple[Line, ...], ...]

    def all(self, name: str) -> list[Line]:
        """Return the first event's properties of a name."""
        return [line for line in self.events[0] if line.name == name] if self.events else []

    def one(self, name: str) -> Line | None:
        """Return the first event's first property of a name."""
        return next(iter(self.all(name)), None)

    def value(self, name: str) -> str:
        """Return the value of that property; empty if there is none."""
        line = self.one(name)
        return line.value if line else ""

    def each(self) -> list[Invitation]:
        """Return each of its events as if it were alone."""
        return [replace(self, events=(event,)) for event in self.events]

    @property
    def uid(self) -> str:
        """Which event it is about."""
        return self.value("UID")

    @property
    def method(self) -> str:
        """What the calendar itself says, wherever it says it."""
        return next((line.value for line in (*self.head, *self.tail) if line.name == "METHOD"), "")

    @property
    def place(self) -> str:
        """Where it is, as a person reads it."""
        return re.sub(r"\\(.)", r"\1", self.value("LOCATION"))

    @property
    def organizer(self) -> str:
        """Whose event it is."""
        line = self.one("ORGANIZER")
        return line.address if line else ""

    @property
    def sequence(self) -> int:
        """The revision; none counts as 0 (RFC 5545 section 3.8.7.4)."""
        value = self.value("SEQUENCE")
        return int(value) if value.isdecimal() else 0

    @property
    def stamp(self) -> datetime | None:
        """When it was made."""
        line = self.one("DTSTAMP")
        return line.instant("UTC") if line else None


@lru_cache(maxsize=1024)
def read(mail: bytes) -> Invitation | None:
    """Read the calendar part of a mail; None if it has none that a mail program acts on."""
    message = message_from_bytes(mail)
    part = next((part for part in message.walk() if part.get_content_type() == "text/calendar"), None)
    if part is None:
        return None
    text = part.get_payload(decode=True)
    assert isinstance(text, bytes)
    head, tail, events = _sorted(_lines(text))
    return Invitation(
        sender=parseaddr(str(message["From"]))[1].lower(),
        recipient=parseaddr(str(message["To"]))[1].lower(),
        method_parameter=str(part.get_param("method") or "").upper(),
        text=text,
        head=head,
        tail=tail,
        events=events,
    )


def read_calendar(text: bytes) -> Invitation:
    """Read a calendar that was fetched, and so has neither a sender nor a recipient."""
    head, tail, events = _sorted(_lines(text))
    return Invitation(sender="", recipient="", method_parameter="", text=text, head=head, tail=tail, events=events)


def _lines(text: bytes) -> list[Line]:
    unfolded = re.sub(rb"\r?\n[ \t]", b"", text).decode()
    matches = [_LINE.fullmatch(line) for line in re.split(r"\r?\n", unfolded) if line]
    return [
        Line(
            name=match["name"].upper(),
            parameters={name.upper(): quoted or bare for name, quoted, bare in _PARAMETER.findall(match["parameters"])},
            value=match["value"],
        )
        for match in matches
        if match is not None
    ]


def _sorted(lines: list[Line]) -> tuple[tuple[Line, ...], tuple[Line, ...], tuple[tuple[Line, ...], ...]]:
    head: list[Line] = []
    tail: list[Line] = []
    events: list[list[Line]] = []
    depth: list[str] = []
    for line in lines:
        if line.name == "BEGIN":
            depth.append(line.value)
            events += [[]] if line.value == "VEVENT" else []
        elif line.name == "END":
            depth = depth[:-1]
        elif depth == ["VCALENDAR"]:
            (tail if events else head).append(line)
        elif depth == ["VCALENDAR", "VEVENT"]:
            events[-1].append(line)
    return tuple(head), tuple(tail), tuple(tuple(event) for event in events)
