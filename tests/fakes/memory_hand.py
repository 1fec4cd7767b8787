"""The practitioner at the calendar service that lives in this process."""

from __future__ import annotations

from connector.domain.span import Span
from providers.memory.provider import MemoryCalendar


class MemoryHand:
    """What they do there with another program."""

    def __init__(self, calendar: MemoryCalendar) -> None:
        self.calendar = calendar
        self.note = calendar.note
        self.delete = calendar.delete
        self.move = calendar.move
        self.retitle = calendar.retitle
        self.make_all_day = calendar.make_all_day
        self.make_recurring = calendar.make_recurring
        self.rezone = calendar.rezone
        self.colour = calendar.colour
        self.remind = calendar.remind

    def text(self, href: str) -> str:
        return self.calendar.events[href].note

    def add(self, span: Span, *, busy: bool = True) -> str:
        return self.calendar.add_foreign(span, busy=busy)

    def copy(self, href: str, *, marked: bool = True) -> str:
        copy = f"copy-of-{href}"
        self.calendar.copy(self.calendar.events[href], copy, marked=marked)
        if not marked:
            self.calendar.delete(href)
        return copy

    def size(self) -> int:
        return len(self.calendar.events)
