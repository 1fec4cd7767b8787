"""A broker that is lost is told once, with its cause and next try, and once more when it is back."""

from __future__ import annotations

import io
import logging
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import structlog

from connector.storage.database import Database
from connector.storage.ledger import Key, Kind
from connector.work.engine import Engine

from .conftest import WAIT_SECONDS, Recorder, StartEngine, touch
from .redis_server import RedisServer, redis_server
from .worker import real_time

pytestmark = [pytest.mark.slow, pytest.mark.redis]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisServer]:
    with redis_server(tmp_path) as server:
        yield server


class Restarts(logging.Handler):
    """Waits until consumers have begun anew so often, as Dramatiq says itself."""

    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self._count = threading.Semaphore(0)

    def emit(self, record: logging.LogRecord) -> None:
        if record.msg.startswith("Restarting consumer"):
            self._count.release()

    def wait_for(self, count: int) -> None:
        for _ in range(count):
            assert self._count.acquire(timeout=WAIT_SECONDS)


class Log:
    """What was logged at warning level or above, by us and, unheard by structlog, by Dramatiq."""

    def __init__(self, entries: list[Any], printed: io.StringIO) -> None:
        self._entries = entries
        self.printed = printed
        self.restarts = Restarts()

    @property
    def warnings(self) -> list[Any]:
        return [entry for entry in list(self._entries) if entry["log_level"] in {"warning", "error", "critical"}]

    def events(self) -> list[str]:
        return [entry["event"] for entry in self.warnings]

    def wait_for(self, event: str) -> None:
        deadline = time.monotonic() + WAIT_SECONDS
        while event not in self.events():
            assert time.monotonic() < deadline, self.warnings
            time.sleep(0.02)  # a log wakes nobody


@contextmanager
def logged() -> Iterator[Log]:
    """Keep what is logged, and what goes past structlog to standard error."""
    printed, root = io.StringIO(), logging.getLogger()
    handler = logging.StreamHandler(printed)
    handler.setLevel(logging.WARNING)
    root.addHandler(handler)
    dramatiq = logging.getLogger("dramatiq")
    level = dramatiq.level
    try:
        with structlog.testing.capture_logs() as entries:
            log = Log(entries, printed)
            dramatiq.addHandler(log.restarts)
            dramatiq.setLevel(logging.INFO)
            yield log
            dramatiq.removeHandler(log.restarts)
    finally:
        dramatiq.setLevel(level)
        root.removeHandler(handler)


def key(number: int) -> Key:
    return Key(Kind.PULL, str(number))


@pytest.mark.parametrize("fault", ["killed", pytest.param("frozen", marks=pytest.mark.long)])
def test_an_outage_of_redis_is_told_once_with_cause_and_next_try_and_so_is_its_end(
    sqlite_database: Database, start_engine: StartEngine, server: RedisServer, fault: str
) -> None:
    handled = Recorder()
    with logged() as log:
        start_engine(sqlite_database, handled, broker_url=server.url, tick=timedelta(milliseconds=100))
        touch(sqlite_database, key(0))
        handled.wait_for_keys({key(0)})
        server.kill() if fault == "killed" else server.freeze()
        log.wait_for("broker_lost")
        for number in range(1, 30):
            touch(sqlite_database, key(number), due_at=real_time())
        log.restarts.wait_for(4)  # two of each consumer; the pump tries more often
        assert log.events() == ["broker_lost"]
        server.start() if fault == "killed" else server.thaw()
        handled.wait_for_keys({key(number) for number in range(1, 30)})
        log.wait_for("broker_back")
    lost, back = (entry for entry in log.warnings if entry["event"] in {"broker_lost", "broker_back"})
    assert lost["error"].partition(":")[0] in {"ConnectionClosed", "ConnectionError", "TimeoutError"}
    assert lost["error"].partition(": ")[2]
    assert lost["again_in"] in {"2 s", "3 s"}
    assert lost["attempts"] == 1
    assert back["attempts"] > 1
    assert log.printed.getvalue() == ""


def test_a_process_that_only_wakes_tells_an_outage_once_as_well(sqlite_database: Database, server: RedisServer) -> None:
    def nothing(*_: object) -> None:
        """Web processes carry out nothing."""

    engine = Engine(sqlite_database, nothing, broker_url=server.url, clock=real_time)
    engine.attach()
    try:
        with logged() as log:
            server.kill()
            for number in range(3):
                touch(sqlite_database, key(number))
                time.sleep(2.1 if number else 0)  # beyond the moment in which nobody tries again
            assert log.events() == ["broker_lost"]
            server.start()
            deadline = time.monotonic() + WAIT_SECONDS
            while "broker_back" not in log.events():
                assert time.monotonic() < deadline
                touch(sqlite_database, key(9))
                time.sleep(0.2)
            assert log.events() == ["broker_lost", "broker_back"]
    finally:
        engine.stop()
