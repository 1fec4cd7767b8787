"""A Google account on the loopback, signed in to, with what its owner does there in another program."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property
from threading import Lock
from typing import Any
from zoneinfo import ZoneInfo

from connector.domain.span import Span
from connector.ports import Network
from providers.google.calendar import GoogleAccount, GoogleCalendar
from providers.google.provider import Google as Provider
from tests.conftest import Clock
from tests.fakes._google_store import Calendar
from tests.fakes.google import Google

NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)


@dataclass(eq=False)
class KeptTokens:
    """The credentials of one connection, as a database would keep them."""

    kept: Mapping[str, str]
    loads: int = 0
    renewals: int = 0
    _lock: Lock = field(default_factory=Lock)

    def load(self) -> Mapping[str, str]:
        self.loads += 1
        return self.kept

    def renew(
        self, seen: Mapping[str, str], refresh: Callable[[Mapping[str, str]], Mapping[str, str]]
    ) -> Mapping[str, str]:
        with self._lock:
            if dict(self.kept) == dict(seen):
                self.renewals += 1
                self.kept = refresh(seen)
            return self.kept


class Hand:
    """What the owner of a calendar does there with another program."""

    def __init__(self, fake: Google, calendar: Calendar) -> None:
        self.fake = fake
        self.calendar = calendar

    def edit(self, href: str, **changes: Any) -> None:
        with self.fake.lock:
            self.calendar.patch(href, changes, None, self.fake.clock())
            self.fake.channels.changed(self.calendar)

    def note(self, href: str, text: str) -> None:
        self.edit(href, description=text, colorId="7", reminders={"useDefault": True, "overrides": None})

    def text(self, href: str) -> str:
        return str(self.calendar.events[href])

    def move(self, href: str, span: Span) -> None:
        start, end = ({"dateTime": edge.isoformat(), "date": None} for edge in (span.start, span.end))
        self.edit(href, start=start, end=end)

    def retitle(self, href: str, title: str) -> None:
        self.edit(href, summary=title)

    def make_all_day(self, href: str) -> None:
        start, _ = self.calendar.extent(self.calendar.events[href])
        day = start.astimezone(ZoneInfo(self.calendar.zone)).date()
        edges = ({"date": f"{edge}", "dateTime": None, "timeZone": None} for edge in (day, day + timedelta(days=1)))
        self.edit(href, **dict(zip(("start", "end"), edges, strict=True)), transparency="transparent")

    def make_recurring(self, href: str) -> None:
        self.edit(href, recurrence=["RRULE:FREQ=WEEKLY;COUNT=4"])

    def rezone(self, href: str, zone: str) -> None:
        edges = (one.astimezone(ZoneInfo(zone)) for one in self.calendar.extent(self.calendar.events[href]))
        times = ({"dateTime": edge.isoformat(), "timeZone": zone} for edge in edges)
        self.edit(href, **dict(zip(("start", "end"), times, strict=True)))

    def colour(self, href: str) -> None:
        self.edit(href, colorId="11")

    def remind(self, href: str) -> None:
        self.edit(href, reminders={"useDefault": False, "overrides": [{"method": "popup", "minutes": 15}]})

    def delete(self, href: str) -> None:
        with self.fake.lock:
            self.calendar.delete(href, None, self.fake.clock())
            self.fake.channels.changed(self.calendar)

    def wipe(self) -> None:
        """Delete every event."""
        for event in self.calendar.live():
            self.delete(event["id"])

    def add(self, span: Span, *, busy: bool = True, **more: Any) -> str:
        body = {
            "summary": "Dentist",
            "start": {"dateTime": span.start.isoformat()},
            "end": {"dateTime": span.end.isoformat()},
            **({} if busy else {"transparency": "transparent"}),
            **more,
        }
        with self.fake.lock:
            event = self.calendar.insert(body, self.fake.clock())
            self.fake.channels.changed(self.calendar)
        return str(event["id"])

    def copy(self, href: str, *, marked: bool = True) -> str:
        with self.fake.lock:
            event = {key: value for key, value in self.calendar.events[href].items() if key != "id"}
            if not marked:
                del event["extendedProperties"]
                self.calendar.delete(href, None, self.fake.clock())
            made = self.calendar.insert(event, self.fake.clock())
            if not marked:
                made["iCalUID"] = event["iCalUID"]  # as an import keeps it
            self.fake.channels.changed(self.calendar)
        return str(made["id"])

    def size(self) -> int:
        return len(self.calendar.live())


@dataclass
class Setting:
    """A connected account whose only calendar is empty, and the Google it is at."""

    fake: Google
    clock: Clock
    provider: Provider
    tokens: KeptTokens

    @property
    def network(self) -> Network:
        return self.fake.network

    @cached_property
    def account(self) -> GoogleAccount:
        return self.provider.account(self.tokens, self.network)

    @property
    def calendar(self) -> GoogleCalendar:
        return self.account.open(self.remote.id)

    @property
    def remote(self) -> Calendar:
        return self.fake.calendars[self.fake.oauth.account]

    @property
    def hand(self) -> Hand:
        return Hand(self.fake, self.remote)

    def sign_in(self) -> Mapping[str, str]:
        """Go through the sign-in as the person at the browser does."""
        begun = self.provider.begin(self.network, "state-1")
        answer = self.fake.oauth.consent(begun.url)
        return self.provider.complete(self.network, begun.memory, answer)


@contextmanager
def signed_in() -> Iterator[Setting]:
    """Run a Google and connect to it; it fails on leaving if anything was sent that Google does not describe."""
    clock = Clock(NOW)
    provider = Provider(clock=clock)
    with Google(clock) as fake:
        setting = Setting(fake, clock, provider, KeptTokens({}))
        setting.tokens.kept = provider.reauthorized({}, setting.sign_in())
        fake.forget()
        try:
            yield setting
        finally:
            provider.close()
    assert fake.violations == []
    assert fake.oauth.faults == []
