"""A calendar event of ours as text (RFC 5545): how it is built, what it is known by; read and merged beside."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime

from connector.domain.entry import Content, EntryLink
from connector.domain.reconcile import name_in
from connector.ical import properties
from connector.ical.merging import UnreadableError, merge
from connector.ical.properties import ENTRY, MARK
from connector.ical.reading import read, uid

__all__ = ["ENTRY", "MARK", "PRODID", "Identity", "UnreadableError", "build", "identity", "merge", "read", "uid"]

PRODID = "-//Pencilled//Pencilled//EN"
_FOLD = re.compile(r"\r?\n[ \t]")
_IDENTITY = re.compile(rf"^({MARK}|{ENTRY}|UID)[ \t]*(?:;[^:\r\n]*)?:([^\r\n]*)", re.IGNORECASE | re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """What an event of ours tells of itself, whatever else has become of it.

    Attributes:
        name: The name it was made under: its mark's, else its UID where that is one of ours.
        marked: Whether it bears our mark.
    """

    name: str | None
    marked: bool


def build(name: str, content: Content, *, stamp: datetime, link: EntryLink | None = None) -> bytes:
    """Write a new event.

    Args:
        name: Becomes the UID, and is never seen by people.
        content: UTC times go out as they are, so no VTIMEZONE is needed.
        stamp: Aware UTC, whole seconds; when it was written.
        link: Where it leads.
    Returns: One VCALENDAR holding one VEVENT, without organizer, attendees, alarms or METHOD.
    """
    utc_stamp = properties.utc(stamp)
    lines = (
        "BEGIN:VCALENDAR",
        "VERSION:2.0",
        f"PRODID:{PRODID}",
        "BEGIN:VEVENT",
        properties.text("UID", name),
        f"DTSTAMP:{utc_stamp}",
        f"CREATED:{utc_stamp}",
        f"LAST-MODIFIED:{utc_stamp}",
        "SEQUENCE:0",
        *properties.times(content.span),
        *properties.words(content),
        *properties.status(content),
        *([properties.link(link.url)] if link is not None else []),
        properties.entry(name),
        "CLASS:PRIVATE",
        "END:VEVENT",
        "END:VCALENDAR",
    )
    return b"".join(properties.folded(line) + b"\r\n" for line in lines)


def identity(text: str) -> Identity | None:
    """Return what tells that an event is ours; None if nothing does. The text need not make any sense otherwise."""
    found: dict[str, str] = {}
    for line in _IDENTITY.finditer(_FOLD.sub("", text)):
        found.setdefault(line[1].upper(), line[2])
    marked = MARK in found or ENTRY in found
    name = name_in(found.get(ENTRY, "")) or name_in(found.get("UID", ""))
    return Identity(name=name, marked=marked) if marked or name else None
