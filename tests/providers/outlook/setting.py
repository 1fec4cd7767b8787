"""An account at the fake of Microsoft Graph, for the tests of the Outlook provider."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from threading import Lock
from zoneinfo import ZoneInfo

from connector.domain.span import Span
from connector.ports import Account
from providers.outlook.calendar import OutlookCalendar
from providers.outlook.http import Web
from providers.outlook.provider import Outlook, OutlookAccount
from tests.conftest import Clock
from tests.fakes.graph import Graph, Ticks
from tests.fakes.graph_mailbox import Mailbox
from tests.providers.contract import Service

NOW = datetime(2026, 11, 22, 10, tzinfo=UTC)
WEB = Web()  # making a client reads all certificates there are: once is enough


class Kept:
    """A token store in memory; it keeps text, as the real one does, and lets one caller renew at a time."""

    def __init__(self, credentials: Mapping[str, str]) -> None:
        self._text = json.dumps(dict(credentials))
        self._lock = Lock()
        self.renewals = 0
        self.loads = 0

    def load(self) -> Mapping[str, str]:
        self.loads += 1
        kept: dict[str, str] = json.loads(self._text)
        return kept

    def renew(
        self, seen: Mapping[str, str], refresh: Callable[[Mapping[str, str]], Mapping[str, str]]
    ) -> Mapping[str, str]:
        with self._lock:
            now = self.load()
            if now != dict(seen):
                return now
            self.renewals += 1
            self._text = json.dumps(dict(refresh(now)))
            return self.load()


class Hand:
    """The practitioner in Outlook itself."""

    def __init__(self, mailbox: Mailbox, calendar: str) -> None:
        self.mailbox = mailbox
        self.calendar = calendar

    def note(self, href: str, text: str) -> None:
        self.mailbox.touch(href, body={"contentType": "text", "content": text})

    def text(self, href: str) -> str:
        return str(self.mailbox.events[href]["body"]["content"])

    def move(self, href: str, span: Span) -> None:
        self.mailbox.touch(href, span=span, isAllDay=False)

    def retitle(self, href: str, title: str) -> None:
        self.mailbox.touch(href, subject=title)

    def make_all_day(self, href: str) -> None:
        start, _ = self.mailbox.events[href]["_span"]
        day = Span.of(start.replace(hour=0, minute=0, second=0), timedelta(days=1))
        self.mailbox.touch(href, span=day, isAllDay=True)

    def make_recurring(self, href: str) -> None:
        pattern = {"type": "weekly", "interval": 1, "daysOfWeek": ["thursday"]}
        self.mailbox.touch(href, recurrence={"pattern": pattern, "range": {"type": "noEnd"}})

    def rezone(self, href: str, zone: str) -> None:
        edges = (one.astimezone(ZoneInfo(zone)) for one in self.mailbox.events[href]["_span"])
        start, end = ({"dateTime": f"{edge:%Y-%m-%dT%H:%M:%S}", "timeZone": zone} for edge in edges)
        self.mailbox.touch(href, start=start, end=end, originalStartTimeZone=zone)

    def colour(self, href: str) -> None:
        self.mailbox.touch(href, categories=["Blue"])

    def remind(self, href: str) -> None:
        self.mailbox.touch(href, isReminderOn=True, reminderMinutesBeforeStart=15)

    def delete(self, href: str) -> None:
        self.mailbox.delete(href)

    def wipe(self) -> None:
        """Delete every event."""
        for href in self.hrefs():
            self.delete(href)

    def add(self, span: Span, *, busy: bool = True) -> str:
        return self.mailbox.add(self.calendar, span, showAs="busy" if busy else "free")

    def copy(self, href: str, *, marked: bool = True) -> str:
        with self.mailbox.lock:
            event = self.mailbox.events[href]
            names = ("subject", "location", "showAs", "isAllDay")
            copy = self.mailbox.add(self.calendar, Span.of(*event["_span"]), **{name: event[name] for name in names})
            if marked:
                self.mailbox.events[copy]["_properties"] = dict(event["_properties"])
            else:
                self.mailbox.events[copy]["iCalUId"] = event["transactionId"]  # as an import keeps it
                self.mailbox.delete(href)
        return copy

    def hrefs(self) -> list[str]:
        with self.mailbox.lock:
            return [href for href, event in self.mailbox.events.items() if event["_calendar"] == self.calendar]

    def size(self) -> int:
        return len(self.hrefs())


@dataclass
class Setting:
    """A signed-in account with one calendar, its service, and the provider that reaches it."""

    graph: Graph
    provider: Outlook
    clock: Clock
    ticks: Ticks
    kept: Kept
    remote_id: str

    @property
    def mailbox(self) -> Mailbox:
        return self.graph.mailbox

    @property
    def hand(self) -> Hand:
        return Hand(self.mailbox, self.remote_id)

    def account(self) -> OutlookAccount:
        return self.provider.account(self.kept, self.graph.network)

    def calendar(self) -> OutlookCalendar:
        """Return the calendar as a fresh process opens it."""
        return self.account().open(self.remote_id)


@dataclass
class OutlookService(Service):
    """What the contract asks about; people sign in at it instead of typing a password."""

    kept: Kept

    def account(self) -> Account:
        assert isinstance(self.provider, Outlook)
        return self.provider.account(self.kept, self.network)


@contextmanager
def outlook(*, personal: bool = True) -> Iterator[Setting]:
    """Run a service and sign in to it; whatever was asked of it against the rules fails the test at its end."""
    clock, ticks = Clock(NOW), Ticks()
    with Graph(Mailbox(personal=personal), ticks=ticks, clock=clock) as graph:
        provider = Outlook(clock=clock, monotonic=ticks, web=WEB)
        begun = provider.begin(graph.network, "state-1")
        answer = graph.entra.authorize(begun.url, personal=personal)
        kept = Kept(provider.complete(graph.network, begun.memory, answer))
        remote_id = next(iter(graph.mailbox.calendars))
        yield Setting(graph, provider, clock, ticks, kept, remote_id)
        assert graph.all_faults() == []
        assert graph.early == []
