"""Storms become a few pulls, and no acknowledged notification is lost, not even by a process that is killed."""

from __future__ import annotations

import http.client
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from itertools import count
from pathlib import Path

import pytest

from connector.domain.connection import Calendar
from connector.domain.span import Span
from connector.ports import Notification
from connector.runtime import Runtime
from connector.services.accounts.notifications import PULL_GAP
from connector.storage import calendars, channels, ledger
from connector.storage.database import Database
from connector.storage.ledger import Claim, Key, Kind
from connector.work import dispatch
from connector.work.engine import Engine, Running
from providers.memory import provider as memory
from providers.memory.provider import MemoryCalendar
from tests.domain.examples import NOW
from tests.services import connected
from tests.services.channels import pull
from tests.services.practice import Practice
from tests.serving import served
from tests.work.worker import real_time

from .stage import THREADS, Caller, add_channel, google_headers, live, pushing_calendars, runtime_of, webhooks_alone

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
WAIT_SECONDS = 120.0
CALLERS = 8


@pytest.fixture
def practice(sqlite_database: Database) -> Iterator[Practice]:
    practice = Practice(sqlite_database, now=real_time().replace(microsecond=0))
    yield practice
    memory.forget(str(practice.kim.id))


class Storm:
    """Calendars in which things happen, each with a notification, and an engine that pulls."""

    def __init__(self, practice: Practice, runtime: Runtime, calendars: int) -> None:
        self.practice = practice
        self.runtime = runtime
        self.calendars = [connected.connect(practice, name=f"calendar {n}") for n in range(calendars)]
        self.notifications = [add_channel(practice, calendar) for calendar in self.calendars]
        with practice.database.begin() as db:
            for calendar in self.calendars:  # each channel is renewed some time, but not in this storm
                key = Key(Kind.CHANNEL, str(calendar.id))
                ledger.touch(db, key, due_at=practice.now + timedelta(days=1), lane=calendar.lane)
        self._handle = dispatch.handler(runtime)
        self._changed = threading.Condition()
        self._hours = count()

    def remote(self, calendar: Calendar) -> MemoryCalendar:
        return connected.remote(self.practice, calendar.remote_id)

    def happen(self, n: int) -> Notification:
        """Let something happen in one of the calendars and return its notification."""
        which = n % len(self.calendars)
        start = NOW + timedelta(hours=next(self._hours))
        self.remote(self.calendars[which]).add_foreign(Span.of(start, timedelta(hours=1)))
        return self.notifications[which]

    def handle(self, claim: Claim, running: Running) -> datetime | None:
        try:
            return self._handle(claim, running)
        finally:
            with self._changed:
                self._changed.notify_all()

    def pulls(self) -> list[int]:
        return [self.remote(calendar).requests["changes"] for calendar in self.calendars]

    def read_to_the_end(self) -> bool:
        """Whether everything that has happened has been read."""
        with self.practice.database.read() as db:
            tokens = [calendars.calendar(db, calendar.id).sync_token for calendar in self.calendars]
        return all(
            token == f"{remote._era}:{remote._version}"
            for token, remote in zip(tokens, map(self.remote, self.calendars), strict=True)
        )

    def wait(self) -> None:
        """Wait until nothing is left to read: each time a worker has done something, look."""
        with self._changed:
            assert self._changed.wait_for(self.read_to_the_end, WAIT_SECONDS), self.pulls()


def storm(runtime: Runtime, practice: Practice, *, notifications: int, calendars: int) -> tuple[list[int], int]:
    """Push over HTTP as fast as several connections can.

    Returns: How often each calendar was pulled for it, and how many pauses between two pulls the storm outlasted.
    """
    scene = Storm(practice, live(runtime), calendars)
    engine = Engine(practice.database, scene.handle, broker_url="memory://", clock=scene.runtime.clock, threads=4)
    with served(webhooks_alone(scene.runtime), threads=THREADS) as port:
        engine.start()
        try:
            scene.wait()
            before = scene.pulls()
            began = real_time()

            def call(numbers: range) -> list[int]:
                caller = Caller(port)
                statuses = [caller.post("/hooks/google", google_headers(scene.happen(n))) for n in numbers]
                caller.close()
                return statuses

            with ThreadPoolExecutor(CALLERS) as pool:
                responses = list(pool.map(call, (range(start, notifications, CALLERS) for start in range(CALLERS))))
            assert {status for statuses in responses for status in statuses} == {204}
            assert sum(len(statuses) for statuses in responses) == notifications
            scene.wait()
            pauses = (real_time() - began) // PULL_GAP
            return [after - earlier for earlier, after in zip(before, scene.pulls(), strict=True)], pauses
        finally:
            engine.stop()


def test_a_storm_for_many_calendars_pulls_each_a_handful_of_times_and_misses_nothing(
    practice: Practice, sqlite_url: str
) -> None:
    pulls, pauses = storm(runtime_of(practice, sqlite_url), practice, notifications=2000, calendars=20)
    assert max(pulls) <= max(6, 2 + pauses), pulls
    assert min(pulls) >= 1, pulls


def test_a_burst_for_one_calendar_is_two_pulls_or_three(practice: Practice, sqlite_url: str) -> None:
    """Three where the burst outlasts the pause between two."""
    pulls, pauses = storm(runtime_of(practice, sqlite_url), practice, notifications=1000, calendars=1)
    assert sum(pulls) <= max(3, 2 + pauses)


@pytest.mark.parametrize("run", [0, 1, *(pytest.param(n, marks=pytest.mark.long) for n in (2, 4, 8, 12))])
def test_nothing_acknowledged_is_lost_when_the_process_is_killed(practice: Practice, sqlite_url: str, run: int) -> None:
    like = connected.connect(practice)
    pull(practice, like)
    notifications = pushing_calendars(practice, like, 500 + 120 * run)
    acknowledged: list[Notification] = []
    enough = threading.Event()

    def call(mine: list[Notification]) -> None:
        caller = Caller(port)
        try:
            for notification in mine:
                assert caller.post("/hooks/google", google_headers(notification)) == 204
                acknowledged.append(notification)
                if len(acknowledged) >= 150 + 100 * run:  # another moment each time
                    enough.set()
        except (OSError, http.client.HTTPException):
            pass  # killed in the middle of it
        finally:
            caller.close()

    command = [sys.executable, "-m", "tests.webhooks.server", sqlite_url]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        port = int(process.stdout.readline())
        with ThreadPoolExecutor(CALLERS) as pool:
            calls = [pool.submit(call, notifications[start::CALLERS]) for start in range(CALLERS)]
            assert enough.wait(WAIT_SECONDS)
            process.send_signal(signal.SIGKILL)
    for future in calls:
        future.result()
    assert 150 <= len(acknowledged) < len(notifications)
    with practice.database.read() as db:
        work = [channels.status(db, notification.channel_id) for notification in acknowledged]
    later = real_time()
    assert [row for row in work if row is None or row.due_at is None or row.due_at > later] == []
