"""What processes count is added up in the database, at a low pace, and never falls."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
import structlog

from connector.counters import LETTERS, WORK_ENDED, Series, Tally
from connector.storage import counters
from connector.storage.database import Database
from connector.storage.ledger import Key, Kind
from connector.work.counting import Counting
from tests.conftest import Clock
from tests.scraped import scrape
from tests.web.stage import make_runtime

from .conftest import OFTEN, WAIT_SECONDS, Recorder, StartEngine, Worker, settled, touch
from .test_engine import counted as ended
from .worker import DOUBLES, MARKS

DONE = WORK_ENDED.series(kind="pull", how="done")


def totals(database: Database) -> dict[Series, int]:
    with database.read() as db:
        return dict(counters.totals(db))


@contextmanager
def writes(database: Database) -> Iterator[list[str]]:
    """Collect the statements that change something."""
    statements: list[str] = []

    def note(_db: sa.Connection, _cursor: object, statement: str, *_: Any) -> None:
        if not statement.startswith(("BEGIN", "SELECT", "PRAGMA")):
            statements.append(statement)

    sa.event.listen(database._writers, "before_cursor_execute", note)
    try:
        yield statements
    finally:
        sa.event.remove(database._writers, "before_cursor_execute", note)


def test_all_that_was_counted_is_stored_in_one_statement_and_nothing_in_none(database: Database) -> None:
    tally = Tally()
    counting = Counting(database, tally=tally)
    with writes(database) as statements:
        counting._store()
        assert statements == []
        for how in ("done", "done", "refused", "lost"):
            tally.add(WORK_ENDED, kind="pull", how=how)
        tally.add(LETTERS, medium="email", fate="sent")
        counting._store()
        counting._store()
    assert len(statements) == 1
    assert totals(database)[DONE] == 2
    assert len(totals(database)) == 4


def test_counts_go_on_where_the_process_before_has_stopped(database: Database) -> None:
    for _ in range(3):
        tally = Tally()
        counting = Counting(database, tally=tally)
        counting.start()
        tally.add(WORK_ENDED, kind="pull", how="done")
        counting.stop()
    assert totals(database) == {DONE: 3}


def test_many_threads_and_processes_at_once_lose_nothing(database: Database) -> None:
    tallies = [Tally() for _ in range(4)]
    countings = [Counting(database, tally=tally, every=timedelta(milliseconds=5)) for tally in tallies]

    def count(tally: Tally) -> None:
        for _ in range(500):
            for how in ("done", "lost", "refused", "failed"):
                tally.add(WORK_ENDED, kind="pull", how=how)

    for counting in countings:
        counting.start()
    threads = [threading.Thread(target=count, args=(tally,)) for tally in tallies for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for counting in countings:
        counting.stop()
    assert set(totals(database).values()) == {4000}


def test_what_could_not_be_stored_is_stored_the_next_time_and_told(sqlite_database: Database) -> None:
    tally = Tally()
    counting = Counting(sqlite_database, tally=tally)
    tally.add(WORK_ENDED, kind="pull", how="done")
    with sqlite_database.begin() as db:
        db.exec_driver_sql("ALTER TABLE counters RENAME TO away")
    with structlog.testing.capture_logs() as logs:
        counting._store()
    assert [(log["event"], log["log_level"]) for log in logs] == [("counts_not_stored", "warning")]
    with sqlite_database.begin() as db:
        db.exec_driver_sql("ALTER TABLE away RENAME TO counters")
    counting._store()
    assert totals(sqlite_database) == {DONE: 1}


def test_counters_never_fall_when_the_worker_starts_again(
    sqlite_database: Database, sqlite_url: str, clock: Clock, start_engine: StartEngine
) -> None:
    runtime = make_runtime(sqlite_database, sqlite_url, clock)
    seen = []
    for number in range(3):
        engine = start_engine(sqlite_database, Recorder())
        touch(sqlite_database, Key(Kind.PULL, str(number)))
        ended(engine, "done")
        engine.stop()
        seen.append(scrape(runtime).all("work_ended_total")["done", "pull"])
    assert seen == [1, 2, 3]


@pytest.mark.long
@pytest.mark.postgresql
@pytest.mark.redis
def test_the_counts_of_two_worker_processes_are_added_up(
    postgresql_database: Database,
    postgresql_url: str,
    redis_url: str,
    clock: Clock,
    start_worker: Callable[[str, str, str, timedelta], Worker],
) -> None:
    database = postgresql_database
    with database.begin() as db:
        db.exec_driver_sql(MARKS)
        db.exec_driver_sql(DOUBLES)
    workers = [start_worker(postgresql_url, redis_url, "mark", timedelta(seconds=60)) for _ in range(2)]
    for worker in workers:
        assert worker.hear() == "ready"
    for number in range(40):
        touch(database, Key(Kind.PULL, str(number)))
    settled(database)
    for worker in workers:
        worker.process.send_signal(signal.SIGTERM)
        worker.process.wait(WAIT_SECONDS)
    runtime = make_runtime(database, postgresql_url, clock)
    assert scrape(runtime)["work_ended_total"] == {("done", "pull"): 40}


def test_counts_are_stored_while_the_process_goes_on(sqlite_database: Database) -> None:
    tally = Tally()
    counting = Counting(sqlite_database, tally=tally, every=OFTEN)
    counting.start()
    tally.add(WORK_ENDED, kind="pull", how="done")
    deadline = time.monotonic() + WAIT_SECONDS
    while totals(sqlite_database) != {DONE: 1}:
        assert time.monotonic() < deadline
        time.sleep(0.01)  # storing wakes nobody
    counting.stop()
