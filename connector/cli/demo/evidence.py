"""How the demo checks without asking Pencilled: plain requests to the calendar server, the mails as caught."""

from __future__ import annotations

import base64
import http.client
import re
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from typing import TypeVar
from xml.etree import ElementTree as ET
from zoneinfo import ZoneInfo

import icalendar

T = TypeVar("T")
_LIST = b'<?xml version="1.0"?><propfind xmlns="DAV:"><prop><getetag/></prop></propfind>'
_LOOKS = 5
_HORIZON = timedelta(days=120)
_LINK = re.compile(r"https?://\S+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """One event as it stands in the calendar; times are aware."""

    href: str
    uid: str
    title: str
    start: datetime
    status: str
    transparency: str
    notes: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Invitation:
    """The iCalendar part of a mail."""

    method: str
    uid: str
    sequence: int
    start: datetime


class CalendarServer:
    """The practitioner's calendar, read with nothing but HTTP."""

    def __init__(self, url: str, username: str, password: str) -> None:
        self.url = url
        login = base64.b64encode(f"{username}:{password}".encode()).decode()
        self._headers = {"Authorization": f"Basic {login}"}

    def make(self) -> None:
        """Create the calendar itself, as its owner would have done long ago."""
        self._ask("MKCALENDAR", self.url, {})

    def events(self) -> list[Seen]:
        """Return what stands in the calendar, earliest first."""
        listing = ET.fromstring(self._listing())  # noqa: S314 - our own server
        hrefs = [node.text or "" for node in listing.iter("{DAV:}href")]
        events = [self.event(href) for href in hrefs if href.endswith(".ics")]
        # Half a year ahead Pencilled places a hold for a moment, to prove that it keeps its time: left out here.
        horizon = datetime.now(UTC) + _HORIZON  # noqa: TID251 - the demo plays today
        near = (event for event in events if event is not None and event.start < horizon)
        return sorted(near, key=lambda event: event.start)

    def _listing(self) -> bytes:
        for _ in range(_LOOKS):
            try:
                return self._ask("PROPFIND", self.url, {"Depth": "1"}, _LIST)
            except urllib.error.HTTPError as error:  # Radicale fails where an event goes while it lists
                if error.code != http.client.INTERNAL_SERVER_ERROR:
                    raise
        return self._ask("PROPFIND", self.url, {"Depth": "1"}, _LIST)

    def event(self, href: str) -> Seen | None:
        """Return one event; None if it has gone since it was listed."""
        try:
            content = self._ask("GET", self._absolute(href), {})
        except urllib.error.HTTPError as error:
            if error.code in (http.client.NOT_FOUND, http.client.GONE):
                return None
            raise
        calendar = icalendar.Calendar.from_ical(content)
        (event,) = calendar.walk("VEVENT")
        return Seen(
            href=href,
            uid=str(event["UID"]),
            title=str(event["SUMMARY"]),
            start=event.decoded("DTSTART"),
            status=str(event["STATUS"]),
            transparency=str(event["TRANSP"]),
            notes=str(event.get("DESCRIPTION", "")),
        )

    def type_note(self, href: str, note: str) -> None:
        """Do what the practitioner does when they open the event and type something into it."""
        calendar = icalendar.Calendar.from_ical(self._ask("GET", self._absolute(href), {}))
        (event,) = calendar.walk("VEVENT")
        event.add("DESCRIPTION", note)
        headers = {"Content-Type": "text/calendar; charset=utf-8"}
        self._ask("PUT", self._absolute(href), headers, calendar.to_ical())

    def drag(self, href: str, start: datetime) -> None:
        """Do what the practitioner does when they drag the event to another time."""
        calendar = icalendar.Calendar.from_ical(self._ask("GET", self._absolute(href), {}))
        (event,) = calendar.walk("VEVENT")
        length = event.decoded("DTEND") - event.decoded("DTSTART")
        for name, instant in (("DTSTART", start), ("DTEND", start + length)):
            del event[name]
            event.add(name, instant.astimezone(UTC))
        headers = {"Content-Type": "text/calendar; charset=utf-8"}
        self._ask("PUT", self._absolute(href), headers, calendar.to_ical())

    def delete(self, href: str) -> None:
        """Do what the practitioner does when they delete the event."""
        self._ask("DELETE", self._absolute(href), {})

    def _absolute(self, href: str) -> str:
        return re.sub(r"^(https?://[^/]+)/.*", r"\1", self.url) + href

    def _ask(self, method: str, url: str, headers: dict[str, str], body: bytes | None = None) -> bytes:
        request = urllib.request.Request(url, data=body, method=method, headers=self._headers | headers)  # noqa: S310
        with urllib.request.urlopen(request, timeout=20) as answer:  # noqa: S310 - our own server on the loopback
            content: bytes = answer.read()
        return content


def invitation(mail: EmailMessage) -> Invitation | None:
    """Return the iCalendar part of a mail, or None."""
    for part in mail.walk():
        if part.get_content_type() == "text/calendar":
            calendar = icalendar.Calendar.from_ical(str(part.get_content()))
            (event,) = calendar.walk("VEVENT")
            return Invitation(
                method=str(calendar["METHOD"]),
                uid=str(event["UID"]),
                sequence=int(event.get("SEQUENCE", 0)),
                start=event.decoded("DTSTART"),
            )
    return None


def link_in(mail: EmailMessage, containing: str) -> str:
    """Return the first address in the mail's plain text that has this in it."""
    return next(iter(links_in(mail, containing)))


def links_in(mail: EmailMessage, containing: str) -> list[str]:
    """Return the addresses in the mail's plain text that have this in them."""
    part = mail.get_body(("plain",))
    text = str(part.get_content()) if part is not None else ""
    links: list[str] = _LINK.findall(text)
    return [link.rstrip(".,>)") for link in links if containing in link]


def eventually(look: Callable[[], T], right: Callable[[T], bool], *, seconds: float = 20) -> T:
    """Look again and again until it is right, or return what was there last."""
    deadline = time.monotonic() + seconds
    while True:
        value = look()
        if right(value) or time.monotonic() > deadline:
            return value
        time.sleep(0.05)


def local(moment: datetime, zone: str) -> str:
    """Write an instant as a clock in that zone shows it."""
    return f"{moment.astimezone(ZoneInfo(zone)):%a %d %b %Y, %H:%M}"


def by_status(events: Sequence[Seen], status: str) -> list[Seen]:
    """Return the events of that STATUS."""
    return [event for event in events if event.status == status]
