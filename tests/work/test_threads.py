"""Every thread that carries due work lives on, whatever becomes of the broker, and a dead one is replaced."""

from __future__ import annotations

import ctypes
import logging
import threading
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from connector.storage.database import Database
from connector.storage.ledger import Key, Kind
from connector.work.engine import Engine

from .conftest import WAIT_SECONDS, Recorder, StartEngine, touch
from .redis_server import RedisServer, redis_server
from .worker import real_time

pytestmark = pytest.mark.slow

DELAYED = "due.DQ"
SOON = timedelta(seconds=2)
LATER = timedelta(seconds=25)  # within what is sent as a delayed message


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisServer]:
    with redis_server(tmp_path) as server:
        yield server


class Restarts(logging.Handler):
    """Counts how often Dramatiq has begun a consumer anew, as it says itself."""

    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self.counts: dict[str, int] = {}

    def emit(self, record: logging.LogRecord) -> None:
        if record.msg.startswith("Restarting consumer"):
            self.counts[record.name] = self.counts.get(record.name, 0) + 1

    def of(self, queue: str) -> int:
        return sum(count for name, count in self.counts.items() if f"({queue})" in name)


@pytest.fixture
def restarts() -> Iterator[Restarts]:
    handler, logger = Restarts(), logging.getLogger("dramatiq")
    level = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    yield handler
    logger.removeHandler(handler)
    logger.setLevel(level)


def eventually(holds: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + WAIT_SECONDS
    while not holds():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)  # threads end without telling
    return True


def threads(engine: Engine) -> dict[str, threading.Thread]:
    worker = engine._worker
    assert worker is not None
    consumers = {f"consumer of {queue}": thread for queue, thread in worker.consumers.items()}
    workers = {f"worker {number}": thread for number, thread in enumerate(worker.workers)}
    return {**consumers, **workers, "pump": engine._pump._thread}


def dead(engine: Engine) -> list[str]:
    return [name for name, thread in threads(engine).items() if not thread.is_alive()]


def taken(engine: Engine) -> bool:
    """Whether a delayed message waits in the memory of its consumer."""
    worker = engine._worker
    assert worker is not None
    return not worker.consumers[DELAYED].delay_queue.empty()


def delayed_wake_ups_work(database: Database, handled: Recorder) -> None:
    """A key that becomes due in a moment is looked at; the pump of these engines looks only once an hour.

    Right after a failure nobody sends wake-ups for a moment, so one key may go by.
    """
    keys: set[Key] = set()

    def looked_at() -> bool:
        if not keys & {claim.key for claim in list(handled.claims)}:
            keys.add(Key(Kind.CALENDAR, f"afterwards {len(keys)} {len(handled.claims)}"))
            for key in keys:
                touch(database, key, due_at=real_time() + SOON)
            time.sleep(SOON.total_seconds())
            return False
        return True

    assert eventually(looked_at)


@pytest.mark.redis
@pytest.mark.long
def test_every_thread_lives_on_when_redis_is_frozen_while_delayed_messages_wait(
    sqlite_database: Database, start_engine: StartEngine, server: RedisServer, restarts: Restarts
) -> None:
    handled = Recorder()
    engine = start_engine(sqlite_database, handled, broker_url=server.url)
    waiting = Key(Kind.CALENDAR, "waiting")
    touch(sqlite_database, waiting, due_at=real_time() + LATER)
    assert eventually(lambda: taken(engine))
    server.freeze()
    assert eventually(lambda: restarts.of(DELAYED) >= 2 or bool(dead(engine)))
    server.thaw()
    assert dead(engine) == []
    handled.wait_for_keys({waiting})  # what waited meanwhile is not lost, though no pump finds it
    delayed_wake_ups_work(sqlite_database, handled)
    assert dead(engine) == []


@pytest.mark.redis
@pytest.mark.long
def test_every_thread_lives_on_when_redis_is_killed_and_started_again_under_load(
    sqlite_database: Database, start_engine: StartEngine, server: RedisServer, restarts: Restarts
) -> None:
    handled = Recorder()
    engine = start_engine(sqlite_database, handled, broker_url=server.url)
    loading = threading.Event()

    def load() -> None:
        number = 0
        while not loading.wait(0.005):
            number += 1
            kind, due_at = (Kind.CALENDAR, real_time() + LATER) if number % 2 else (Kind.PULL, real_time())
            touch(sqlite_database, Key(kind, str(number)), due_at=due_at)  # in either queue

    loader = threading.Thread(target=load)
    loader.start()
    try:
        for round_number in range(1, 3):
            assert eventually(lambda: taken(engine))
            server.kill()
            wanted = 2 * round_number
            assert eventually(lambda: restarts.of(DELAYED) >= wanted or bool(dead(engine)))  # noqa: B023 - called here
            server.start()
            server.flush()
            delayed_wake_ups_work(sqlite_database, handled)
    finally:
        loading.set()
        loader.join()
    assert dead(engine) == []


@pytest.mark.redis
def test_every_thread_lives_on_when_redis_is_flushed_while_messages_are_under_way(
    sqlite_database: Database, start_engine: StartEngine, server: RedisServer
) -> None:
    handled = Recorder()
    engine = start_engine(sqlite_database, handled, broker_url=server.url)
    for number in range(50):
        touch(sqlite_database, Key(Kind.PULL, str(number)), due_at=real_time() + SOON / 50 * number)
        server.flush()
    delayed_wake_ups_work(sqlite_database, handled)
    assert dead(engine) == []


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")  # they die on purpose
def test_a_thread_that_dies_of_something_nobody_thought_of_is_replaced(
    sqlite_database: Database, start_engine: StartEngine
) -> None:
    handled = Recorder()
    engine = start_engine(sqlite_database, handled, tick=timedelta(milliseconds=50))
    before = threads(engine)
    for name, thread in before.items():
        assert thread.ident is not None
        ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread.ident), ctypes.py_object(SystemExit))
        assert eventually(lambda: not thread.is_alive()), name  # noqa: B023 - called here
    assert eventually(lambda: dead(engine) == [] and not set(threads(engine).values()) & set(before.values()))
    assert len(threads(engine)) == len(before)
    delayed_wake_ups_work(sqlite_database, handled)
