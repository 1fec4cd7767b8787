"""A program that subscribes to a calendar: it takes what it fetched last for the whole, and is strict about changes.

Most programs only replace what they had (RFC 7986 section 5.7). This one, like Outlook with a calendar from the
internet, goes by UID and SEQUENCE as well: what has moved without a higher SEQUENCE is not believed (RFC 5545 section
3.8.7.4).
"""

from __future__ import annotations

from tests.receivers.mails import Invitation, read_calendar
from tests.receivers.models import Shown


class Subscriber:
    """One person's calendar from one address."""

    def __init__(self) -> None:
        self.held: dict[str, Invitation] = {}
        self.faults: list[str] = []

    def fetch(self, text: bytes) -> None:
        """Take what the address holds now."""
        calendar = read_calendar(text)
        events = {event.uid: event for event in calendar.each()}
        if calendar.method != "PUBLISH" or len(events) != len(calendar.events):
            self.faults.append("no published calendar, or a UID twice")
        for event in events.values():
            self._check(event, self.held.get(event.uid))
        self.held = events

    @property
    def entries(self) -> list[Shown]:
        """Where something stands that is not cancelled."""
        return [_shown(event) for event in self.held.values() if event.value("STATUS") != "CANCELLED"]

    def _check(self, event: Invitation, before: Invitation | None) -> None:
        if event.one("ATTENDEE") is not None:
            self.faults.append("asks somebody to come")
        if event.one("ORGANIZER") is None or event.stamp is None or not event.value("SUMMARY"):
            self.faults.append("lacks what must be in what is published (RFC 5546 section 3.2.1)")
        if before is None:
            return
        if event.sequence < before.sequence or (event.stamp and before.stamp and event.stamp < before.stamp):
            self.faults.append("goes back to an earlier revision")
        if event.sequence == before.sequence and _shown(event) != _shown(before):
            self.faults.append("moves without a higher SEQUENCE")


def _shown(event: Invitation) -> Shown:
    start, end = event.one("DTSTART"), event.one("DTEND")
    return (start.instant("UTC") if start else None, end.instant("UTC") if end else None, event.place)
