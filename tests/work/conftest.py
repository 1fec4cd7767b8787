from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import datetime, timedelta
from pathlib import Path
from typing import Protocol

import pytest
import sqlalchemy as sa

from connector.ports import Clock
from connector.storage import ledger
from connector.storage.database import Database
from connector.storage.due import due
from connector.storage.ledger import Claim, Key
from connector.work.engine import Engine, Handler, Running

from .worker import real_time

WAIT_SECONDS = 60.0  # far beyond what anything here takes: only a failing test waits so long
NEVER = timedelta(hours=1)
OFTEN = timedelta(milliseconds=20)
ROOT = Path(__file__).parents[2]


def touch(database: Database, key: Key, *, due_at: datetime | None = None, lane: str = "") -> None:
    with database.begin() as db:
        ledger.touch(db, key, due_at=due_at or real_time(), lane=lane)


def settled(database: Database) -> None:
    """Wait until nothing is due or claimed."""
    busy = sa.select(sa.func.count()).where(sa.or_(due.c.due_at.is_not(None), due.c.lease_until.is_not(None)))
    deadline = time.monotonic() + WAIT_SECONDS
    while True:
        with database.read() as db:
            left = db.execute(busy).scalar_one()
        if not left:
            return
        assert time.monotonic() < deadline, left
        time.sleep(0.02)  # the end of the last claim wakes nobody


class Recorder:
    """A handler that takes note of what it is given, and may be told what to do with it."""

    def __init__(self, then: Callable[[Claim, Running], datetime | None] | None = None) -> None:
        self.claims: list[Claim] = []
        self._then = then
        self._changed = threading.Condition()

    def __call__(self, claim: Claim, running: Running) -> datetime | None:
        with self._changed:
            self.claims.append(claim)
            self._changed.notify_all()
        return self._then(claim, running) if self._then else None

    def wait_for(self, count: int) -> list[Claim]:
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.claims) >= count, WAIT_SECONDS), self.claims
            return list(self.claims)

    def wait_for_keys(self, keys: set[Key]) -> None:
        with self._changed:
            complete = self._changed.wait_for(lambda: keys <= {claim.key for claim in self.claims}, WAIT_SECONDS)
            assert complete, keys - {claim.key for claim in self.claims}


class StartEngine(Protocol):
    def __call__(
        self,
        database: Database,
        handle: Handler,
        *,
        broker_url: str = "memory://",
        clock: Clock = real_time,
        threads: int = 4,
        lane_limit: int = ledger.SEATS,
        lease: timedelta = ledger.LEASE,
        tick: timedelta = NEVER,
        glance: timedelta | None = None,
    ) -> Engine: ...


@pytest.fixture
def start_engine() -> Iterator[StartEngine]:
    """Start engines whose pump, unless told otherwise, looks only once; all are stopped at the end."""
    with ExitStack() as stack:

        def start(
            database: Database,
            handle: Handler,
            *,
            broker_url: str = "memory://",
            clock: Clock = real_time,
            threads: int = 4,
            lane_limit: int = ledger.SEATS,
            lease: timedelta = ledger.LEASE,
            tick: timedelta = NEVER,
            glance: timedelta | None = None,
        ) -> Engine:
            engine = Engine(
                database,
                handle,
                broker_url=broker_url,
                clock=clock,
                threads=threads,
                lane_limit=lane_limit,
                lease=lease,
                tick=tick,
                wake=OFTEN,
                glance=glance,
            )
            engine.start()
            stack.callback(engine.stop)
            return engine

        yield start


class Worker:
    """A worker in a process of its own."""

    def __init__(self, url: str, broker_url: str, handler: str, lease: timedelta) -> None:
        lease_ms = str(round(lease / timedelta(milliseconds=1)))
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.work.worker", url, broker_url, handler, lease_ms],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def say(self, word: str) -> None:
        assert self.process.stdin
        self.process.stdin.write(word + "\n")
        self.process.stdin.flush()

    def hear(self) -> str:
        assert self.process.stdout
        return self.process.stdout.readline().strip()

    def end(self, how: signal.Signals) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
            self.process.send_signal(how)
        self.process.wait(WAIT_SECONDS)
        for pipe in (self.process.stdin, self.process.stdout):
            assert pipe
            pipe.close()


@pytest.fixture
def start_worker() -> Iterator[Callable[[str, str, str, timedelta], Worker]]:
    """Start worker processes; whatever still runs at the end is killed."""
    with ExitStack() as stack:

        def start(url: str, broker_url: str, handler: str, lease: timedelta) -> Worker:
            worker = Worker(url, broker_url, handler, lease)
            stack.callback(worker.end, signal.SIGKILL)
            return worker

        yield start
