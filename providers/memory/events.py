"""The events of the calendar service that lives in this process, and what their owner does with them there."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from itertools import count
from threading import RLock

from connector.domain.entry import Content, Showing
from connector.domain.span import Span
from connector.domain.standing import Nature


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """An event as the service holds it: what is ours of it, and what is the practitioner's.

    Attributes:
        shown: What it shows, whether or not it is something we ever write.
        zone: The IANA zone its times are written in; the instants are the same in any.
        name: The remote name it was made under, which copies keep; None for what is not ours.
        marked: Whether our mark has been kept.
        nature: Whether it may mean that its owner is away.
    """

    href: str
    version: int
    shown: Content
    note: str = ""
    busy: bool = True
    all_day: bool = False
    recurring: bool = False
    zone: str = "UTC"
    colour: str = ""
    reminder: bool = False
    name: str | None = None
    marked: bool = True
    nature: Nature = Nature.ORDINARY

    @property
    def content(self) -> Content | None:
        """What is read there; None for what we never write."""
        return None if self.all_day or self.recurring else self.shown

    @property
    def span(self) -> Span:
        """When it is."""
        return self.shown.span

    @property
    def etag(self) -> str:
        """Its version, as a strong ETag."""
        return f'"{self.version}"'


class MemoryEvents:
    """One calendar's events by href; safe to share between threads."""

    def __init__(self) -> None:
        self.events: dict[str, Event] = {}
        self._tombstones: dict[str, int] = {}
        self._versions = count(1)
        self._version = 0
        self._lock = RLock()

    def note(self, href: str, text: str) -> None:
        """Write a note into an event; what is ours stays."""
        self._change(href, note=text)

    def move(self, href: str, span: Span) -> None:
        """Drag an event to another time."""
        self._change(href, shown=replace(self.events[href].shown, span=span), all_day=False)

    def retitle(self, href: str, title: str) -> None:
        """Call an event something else."""
        self._change(href, shown=replace(self.events[href].shown, title=title))

    def make_all_day(self, href: str) -> None:
        """Make of an event what we never write: one of its whole day, in UTC."""
        shown = self.events[href].shown
        day = Span.of(shown.span.start.replace(hour=0, minute=0, second=0), timedelta(days=1))
        self._change(href, shown=replace(shown, span=day), all_day=True)

    def make_recurring(self, href: str) -> None:
        """Make of an event what we never write: the first of several."""
        self._change(href, recurring=True)

    def rezone(self, href: str, zone: str) -> None:
        """Write an event's times in another zone; the instants stay."""
        self._change(href, zone=zone)

    def colour(self, href: str) -> None:
        """Give an event a colour; what is ours stays."""
        self._change(href, colour="crimson")

    def remind(self, href: str) -> None:
        """Have an event announced; what is ours stays."""
        self._change(href, reminder=True)

    def delete(self, href: str) -> None:
        """Delete an event; its name can never be used again."""
        with self._lock:
            del self.events[href]
            self._tombstones[href] = self._next()

    def restore(self, event: Event) -> None:
        """Bring a deleted event back, as undo does."""
        with self._lock:
            self._tombstones.pop(event.href, None)
            self.events[event.href] = replace(event, version=self._next())

    def copy(self, event: Event, href: str, *, marked: bool = True) -> None:
        """Put a copy of an event of any calendar into this one, as other programs do: its UID stays."""
        with self._lock:
            self.events[href] = replace(event, href=href, version=self._next(), marked=marked)

    def readdress(self, href: str, new_href: str, span: Span | None = None) -> None:
        """Delete an event and write it at another address with the same UID, as programs move one."""
        with self._lock:
            event = self.events[href]
            shown = event.shown if span is None else replace(event.shown, span=span)
            self.delete(href)
            self.copy(replace(event, shown=shown), new_href)

    def wipe(self) -> None:
        """Delete every event, as another program may."""
        with self._lock:
            for href in list(self.events):
                self.delete(href)

    def add_foreign(
        self, span: Span, title: str = "Dentist", *, busy: bool = True, nature: Nature = Nature.ORDINARY
    ) -> str:
        """Add an event of the practitioner's own and return its href."""
        with self._lock:
            version = self._next()
            href = f"foreign-{version}"
            content = Content(span=span, title=title, location="", showing=Showing.CONFIRMED)
            self.events[href] = Event(href=href, version=version, shown=content, busy=busy, nature=nature)
            return href

    def shown(self) -> list[Content]:
        """Return what stands in the calendar and can be read, by time."""
        with self._lock:
            contents = [event.content for event in self.events.values() if event.content]
        return sorted(contents, key=lambda content: (content.span, content.title))

    def _change(self, href: str, **changes: object) -> None:
        with self._lock:
            self.events[href] = replace(self.events[href], version=self._next(), **changes)  # type: ignore[arg-type]

    def _next(self) -> int:
        self._version = next(self._versions)
        return self._version
