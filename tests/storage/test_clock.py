from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa
from sqlalchemy import Connection
from sqlalchemy.exc import OperationalError

from connector import app
from connector.settings import Settings
from connector.storage.clock import EVERY, DatabaseClock
from connector.storage.database import Database
from connector.storage.due import ahead
from tests.conftest import Clock, free_port

FIVE_MINUTES = timedelta(minutes=5)
CLOSE = timedelta(minutes=1)  # far more than a busy machine takes for a question, far less than five minutes
WAIT_SECONDS = 60

pytestmark = pytest.mark.postgresql


class Elapsed:
    """Seconds that pass when a test says so."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


class CountedDatabase(Database):
    """Tells when its clock was read."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.read_again = threading.Semaphore(0)

    @contextmanager
    def read(self) -> Iterator[Connection]:
        with super().read() as db:
            yield db
        self.read_again.release()


def own_time(database: Database) -> datetime:
    with database.read() as db:
        return db.execute(sa.select(ahead(0.0))).scalar_one()


@pytest.mark.parametrize("error", [FIVE_MINUTES, -FIVE_MINUTES])
def test_a_process_whose_clock_is_five_minutes_off_tells_the_databases_time(
    postgresql_database: Database, error: timedelta
) -> None:
    clock = DatabaseClock(postgresql_database, process=lambda: app.process_clock() + error)
    before = own_time(postgresql_database).replace(microsecond=0)
    assert before <= clock() <= own_time(postgresql_database) + timedelta(seconds=1)
    assert abs(clock.offset + error) < CLOSE


def test_setting_the_clock_of_the_process_changes_nothing(postgresql_database: Database) -> None:
    process, elapsed = Clock(datetime(2026, 3, 2, 9, 0, tzinfo=UTC)), Elapsed()
    clock = DatabaseClock(postgresql_database, process=process, elapsed=elapsed)
    before = clock()
    process.advance(timedelta(hours=3))
    elapsed.seconds += 30
    assert clock() == before + timedelta(seconds=30)


def test_the_offset_is_measured_again_every_minute_without_anybody_waiting(postgresql_url: str) -> None:
    database, elapsed, process = CountedDatabase(postgresql_url), Elapsed(), Clock(app.process_clock())
    try:
        clock = DatabaseClock(database, process=process, elapsed=elapsed)
        clock()
        assert database.read_again.acquire(timeout=WAIT_SECONDS)
        process.advance(-FIVE_MINUTES)
        elapsed.seconds += EVERY.total_seconds()
        told = clock()  # what is known, and a minute more
        assert told - own_time(database) > CLOSE / 2
        assert database.read_again.acquire(timeout=WAIT_SECONDS)
        assert database.read_again.acquire(timeout=WAIT_SECONDS)  # one was ours
        for thread in threading.enumerate():
            if thread.name == "clock":
                thread.join(WAIT_SECONDS)
        assert abs(clock() - own_time(database)) < CLOSE / 2
        assert clock.offset > FIVE_MINUTES - CLOSE
    finally:
        database.dispose()


def test_while_the_database_is_away_what_is_known_is_told_on(postgresql_url: str) -> None:
    away = Database(f"postgresql://nobody@127.0.0.1:{free_port()}/none")
    database, elapsed = Database(postgresql_url), Elapsed()
    try:
        clock = DatabaseClock(database, process=app.process_clock, elapsed=elapsed)
        before = clock()
        clock._database = away
        elapsed.seconds += EVERY.total_seconds()
        assert clock() == before + EVERY
        with pytest.raises(OperationalError):
            DatabaseClock(away, process=app.process_clock)()
    finally:
        for thread in threading.enumerate():
            if thread.name == "clock":
                thread.join(WAIT_SECONDS)
        database.dispose()
        away.dispose()


def test_an_installation_goes_by_its_databases_clock(postgresql_url: str, sqlite_url: str) -> None:
    for url, kind in ((postgresql_url, DatabaseClock), (sqlite_url, type(app.system_clock))):
        runtime = app.build(Settings(database_url=url, broker_url="redis://", secret_keys=("k" * 32,)))
        try:
            assert isinstance(runtime.clock, kind)
        finally:
            runtime.database.dispose()
