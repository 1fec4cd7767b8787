"""A practice whose calendar is at a service that lies, with everything done by hand and nothing in the background."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from connector.domain.connection import Calendar
from connector.ports import Letter
from connector.storage import calendars, ledger
from connector.storage.database import Database
from connector.storage.ledger import Key, Kind
from tests.journeys import services
from tests.journeys.services import Service
from tests.services.practice import KeptLetters, Practice


@dataclass
class There:
    """The practice, the service, and the calendar that is connected."""

    practice: Practice
    service: Service
    calendar: Calendar

    def work(self) -> None:
        """Read and write there what is due, and have everybody told."""
        self.practice.carry_out(Kind.PULL, Kind.CALENDAR, of=[self.calendar])
        self.practice.mail()

    def look(self) -> None:
        """Look there now, and do what follows."""
        with self.practice.database.begin() as db:
            ledger.touch(db, Key(Kind.PULL, str(self.calendar.id)), due_at=self.practice.now, lane=self.calendar.lane)
        self.work()

    def settle(self) -> None:
        """Let what was done there be noticed, settle, and take effect."""
        for _ in range(4):
            self.look()
            self.wait(seconds=61)
        self.look()

    def resync(self) -> None:
        """What `pencilled resync` makes due."""
        with self.practice.database.begin() as db:
            calendars.ask_for_comparison(db, self.calendar.id, repair=True)
            ledger.touch(
                db, Key(Kind.CALENDAR, str(self.calendar.id)), due_at=self.practice.now, lane=self.calendar.lane
            )
        self.look()

    def wait(self, **by: float) -> None:
        """Let time pass, here and there."""
        self.practice.wait(**by)
        self.service.pass_time(timedelta(**by))

    def go_on(self, **by: float) -> None:
        """Let time pass with everything done as it becomes due."""
        left = timedelta(**by)
        while left > timedelta():
            step = min(left, timedelta(minutes=20))
            self.wait(seconds=step.total_seconds())
            self.work()
            left -= step

    def shown(self) -> list[tuple[str, str]]:
        """What stands there."""
        return sorted((f"{event.start:%d %H:%M}", event.title) for event in self.service.shown())

    def times(self) -> list[datetime]:
        """When what stands there begins."""
        return [event.start for event in self.service.shown()]

    @property
    def all_letters(self) -> list[Letter]:
        """Every letter to anybody."""
        self.practice.mail()
        sender = self.practice.runtime.sender
        assert isinstance(sender, KeptLetters)
        return sender.letters

    def letters(self) -> list[str]:
        """What everybody was told, letter by letter."""
        return [letter.notice.kind.value for letter in self.all_letters]

    def paused(self) -> str | None:
        return self.stored().paused

    def stored(self) -> Calendar:
        with self.practice.database.read() as db:
            return calendars.calendar(db, self.calendar.id)


@contextmanager
def practising(database: Database, service: Service) -> Iterator[There]:
    """Connect the calendar of a running service, and read it once."""
    practice = Practice(database)
    practice.runtime = replace(practice.runtime, network=service.network, load_provider=lambda _: service.provider)
    there = There(practice, service, services.connect(practice, practice.runtime, service))
    there.settle()
    yield there
