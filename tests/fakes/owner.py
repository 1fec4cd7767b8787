"""The owner of a CalDAV calendar at another program: plain requests, the whole event rewritten as text."""

from __future__ import annotations

import re
from urllib.error import HTTPError
from uuid import uuid4

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


class Owner:
    """Acts in one calendar of a running server."""

    def __init__(self, server: Server, url: str) -> None:
        self.server = server
        self.url = url

    def note(self, href: str, text: str) -> None:
        self.rewrite(href, (r"END:VEVENT", f"DESCRIPTION:{text}\nCOLOR:turquoise\nEND:VEVENT"))

    def text(self, href: str) -> str:
        return self.server.send("GET", self._at(href)).decode()

    def move(self, href: str, span: Span) -> None:
        start, end = f"DTSTART:{span.start:%Y%m%dT%H%M%SZ}", f"DTEND:{span.end:%Y%m%dT%H%M%SZ}"
        self.rewrite(href, (r"DTSTART.*", start), (r"DTEND.*", end))

    def make_all_day(self, href: str) -> None:
        day = r";VALUE=DATE:\g<1>0"
        self.rewrite(href, (r"DTSTART:(\d{6}).*", f"DTSTART{day}8"), (r"DTEND:(\d{6}).*", f"DTEND{day}9"))

    def delete(self, href: str) -> None:
        self.server.send("DELETE", self._at(href))

    def add(self, span: Span, *, busy: bool = True) -> None:
        self.add_text(_EVENT.format(uid=uuid4(), span=span, extra="" if busy else "TRANSP:TRANSPARENT\r\n"))

    def add_text(self, text: str) -> str:
        """Store any text as a new event and return its href."""
        return self.put(f"{self.url}{uuid4()}.ics", text)

    def listing(self) -> bytes:
        """List the collection; Radicale stumbles over an event that goes while it lists, so it is asked again."""
        for _ in range(5):
            try:
                return self.server.send("PROPFIND", self.url, None, {"Depth": "1"})
            except HTTPError as stumbled:
                if stumbled.code != 500:
                    raise
        return self.server.send("PROPFIND", self.url, None, {"Depth": "1"})

    def size(self) -> int:
        answer = self.listing()
        return len(re.findall(rb"<(?:\w+:)?href>[^<]*\.ics</", answer))

    def rewrite(self, href: str, *edits: tuple[str, str]) -> None:
        """Replace the first match of each pattern and store the event without asking what it was."""
        text = self.text(href).replace("\r\n", "\n")
        for pattern, replacement in edits:
            text = re.sub(pattern, replacement, text, count=1)
        self.put(href, text.replace("\n", "\r\n"))

    def put(self, href: str, text: str) -> str:
        self.server.send("PUT", self._at(href), text.encode(), {"Content-Type": "text/calendar; charset=utf-8"})
        return href

    def _at(self, href: str) -> str:
        return href if "://" in href else f"{self.server.url.rstrip('/')}{href}"
