"""Events of a practitioner's calendars that could not be read, as everybody is shown them; what they are about is not.

Pages, commands and doctor all ask here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection as Db

from connector.domain.connection import Calendar
from connector.domain.unreadable import Unread, Unreadable
from connector.language.messages import marked
from connector.storage import unread

_ASK = marked("Where you can find it, save it anew or delete it there; else ask whoever runs the calendar service.")
_SET_REPEAT = marked("Open it in your calendar, set how it repeats anew and save it, or delete it.")
WHY: Mapping[Unreadable, tuple[str, str]] = {
    Unreadable.WITHHELD: (marked("the calendar service names it, but does not hand it out"), _ASK),
    Unreadable.NO_CALENDAR: (marked("it is not written as an event"), _ASK),
    Unreadable.TOO_LONG: (marked("it is too long, and only its beginning was read"), _SET_REPEAT),
    Unreadable.NOT_WHOLE: (marked("part of it is missing"), _ASK),
    Unreadable.START: (
        marked("when it begins makes no sense"),
        marked("Open it in your calendar, set its time anew and save it, or delete it."),
    ),
    Unreadable.END: (
        marked("when it ends makes no sense"),
        marked("Open it in your calendar, set its end anew and save it, or delete it."),
    ),
    Unreadable.RULE: (marked("how it repeats makes no sense"), _SET_REPEAT),
    Unreadable.ZONE: (
        marked("the time zone that it names makes no sense, so it may be at another hour"),
        marked("Open it in your calendar, set its time and its time zone anew and save it, or delete it."),
    ),
    Unreadable.TOO_DENSE: (
        marked("it repeats too often to be counted, so its time is taken from the first to the last"),
        _SET_REPEAT,
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class UnreadReason:
    """Some events that could not be read, all for one reason.

    Attributes:
        why: What is wrong with each of them, a message.
        advice: What its practitioner can do about each of them: a message, a sentence.
        starts: When a few of them begin, aware UTC, where that could be read.
    """

    events: int
    reason: Unreadable
    why: str
    advice: str
    since: datetime
    starts: tuple[datetime, ...]

    @property
    def words(self) -> str:
        """All of it for whoever reads UTC."""
        starts = "; ".join(f"{start:%d %b %Y, %H:%M} UTC" for start in self.starts)
        others = "; and others" if self.events > len(self.starts) else ""
        when = f", beginning {starts}{others}" if starts else ""
        return f"{counted(self.events)}{when} (since {self.since:%d %b %Y, %H:%M} UTC): {self.why}"


@dataclass(frozen=True, slots=True, kw_only=True)
class UnreadView:
    """What of a calendar could not be read when it was last read, at `read_at`."""

    calendar: Calendar
    reasons: tuple[UnreadReason, ...]

    @property
    def events(self) -> int:
        """How many events in all."""
        return sum(one.events for one in self.reasons)

    @property
    def since(self) -> datetime:
        """Since when there are any."""
        return min(one.since for one in self.reasons)

    @property
    def read_at(self) -> datetime | None:
        """When it was last read."""
        return self.calendar.busy_at

    @property
    def sentence(self) -> str:
        """All of it for whoever reads UTC, to be ended with a full stop."""
        read = f", last read on {self.read_at:%d %b %Y, %H:%M} UTC" if self.read_at else ""
        reasons = "; ".join(one.words for one in self.reasons)
        return (
            f"{counted(self.events)} could not be read{read}, so nobody knows whether its practitioner is free then: "
            f"{reasons}. To be corrected, or deleted, in the calendar itself"
        )


def counted(events: int) -> str:
    """Say how many events."""
    return "1 event" if events == 1 else f"{events} events"


def of_calendars(db: Db, calendars: Sequence[Calendar]) -> tuple[UnreadView, ...]:
    """Return what could not be read, one view for each of the calendars of which not all could be."""
    found: Mapping[UUID, Sequence[Unread]] = unread.of_calendars(db, [calendar.id for calendar in calendars])
    return tuple(
        UnreadView(calendar=calendar, reasons=tuple(map(_reason, found[calendar.id])))
        for calendar in calendars
        if calendar.id in found
    )


def _reason(one: Unread) -> UnreadReason:
    why, advice = WHY[one.reason]
    return UnreadReason(
        events=one.events, reason=one.reason, why=why, advice=advice, since=one.since, starts=one.starts
    )
