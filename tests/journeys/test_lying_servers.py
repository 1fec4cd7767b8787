"""Servers that forget, are set back, or keep quiet: nothing is empty for good, and no client is told anything."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from connector.domain.connection import Calendar
from connector.domain.notice import PauseReason
from connector.storage import calendars, ledger
from connector.storage.database import Database
from connector.storage.ledger import Key, Kind
from tests.fakes._caldav_store import Kind as Server
from tests.fakes.caldav_liar import LyingServer
from tests.journeys import services
from tests.journeys.services import CaldavService, Service
from tests.services.practice import KeptLetters, Practice

SLUGS = ["caldav", "google", "outlook", "memory"]
on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
pytestmark = on_sqlite


@dataclass
class There:
    """A practice whose calendar is at a service that lies."""

    practice: Practice
    service: Service
    calendar: Calendar

    def work(self) -> None:
        self.practice.carry_out(Kind.PULL, Kind.CALENDAR, of=[self.calendar])

    def look(self) -> None:
        """Look there now, and do what follows."""
        with self.practice.database.begin() as db:
            ledger.touch(db, Key(Kind.PULL, str(self.calendar.id)), due_at=self.practice.now, lane=self.calendar.lane)
        self.work()

    def settle(self) -> None:
        for _ in range(4):
            self.look()
            self.practice.wait(seconds=61)
        self.look()

    def shown(self) -> list[tuple[str, str]]:
        return sorted((f"{event.start:%d %H:%M}", event.title) for event in self.service.shown())

    def letters(self) -> list[str]:
        sender = self.practice.runtime.sender
        assert isinstance(sender, KeptLetters)
        return [letter.notice.kind.value for letter in sender.letters]

    def paused(self) -> str | None:
        with self.practice.database.read() as db:
            return calendars.calendar(db, self.calendar.id).paused


@contextmanager
def practising(database: Database, service: Service) -> Iterator[There]:
    practice = Practice(database)
    practice.runtime = replace(practice.runtime, network=service.network, load_provider=lambda _: service.provider)
    there = There(practice, service, services.connect(practice, practice.runtime, service))
    there.settle()
    yield there


@pytest.fixture(params=SLUGS)
def there(request: pytest.FixtureRequest, database: Database, tmp_path: Path) -> Iterator[There]:
    with ExitStack() as held:
        server = held.enter_context(LyingServer(Server.SABRE))
        service = held.enter_context(services.service(request.param, tmp_path, server))
        yield held.enter_context(practising(database, service))


@pytest.fixture(params=list(Server))
def on_caldav(request: pytest.FixtureRequest, database: Database, tmp_path: Path) -> Iterator[There]:
    with ExitStack() as held:
        server = held.enter_context(LyingServer(request.param))
        service = held.enter_context(services.service("caldav", tmp_path, server))
        yield held.enter_context(practising(database, service))


def test_a_calendar_that_its_server_has_set_back_is_put_right_and_nobody_is_told(there: There) -> None:
    practice = there.practice
    booked = practice.book(48)
    offer = practice.offer(booked, 72, 96)
    there.settle()
    saved = there.service.snapshot()
    practice.accept(offer, 1)
    practice.book(60)
    there.settle()
    right, letters = there.shown(), there.letters()
    there.service.set_back(saved)
    assert there.shown() != right
    practice.wait(hours=25)
    there.settle()
    assert there.shown() == right
    assert there.letters() == letters


def test_a_deletion_that_is_never_told_is_found_by_the_nightly_comparison(there: There) -> None:
    practice = there.practice
    booked = practice.book(48)
    there.settle()
    there.service.hide_deletions()
    (event,) = there.service.shown()
    there.service.hand.delete(event.href)
    there.settle()
    assert practice.kinds_told(booked, client=False) == []
    practice.wait(hours=25)
    there.settle()
    assert practice.kinds_told(booked, client=False) == ["delete_asked"]


def test_a_calendar_that_was_deleted_and_made_again_is_not_empty_for_good(on_caldav: There) -> None:
    there, practice = on_caldav, on_caldav.practice
    service = there.service
    assert isinstance(service, CaldavService)
    booked = practice.book(48)
    practice.offer(booked, 72, 96)
    there.settle()
    right, told = there.shown(), practice.kinds_told(booked, client=True)
    service.delete_calendar()
    there.settle()
    assert there.paused() == PauseReason.MISSING
    service.make_again()
    there.settle()
    assert there.shown() == right
    assert there.paused() is None
    assert practice.kinds_told(booked, client=True) == told
