from __future__ import annotations

import os
import socket
import sqlite3
import threading
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
import sqlalchemy as sa
import structlog
from psycopg.types.string import StrDumper

from connector.errors import SettingsError
from connector.storage import ledger
from connector.storage.database import IDLE_TRANSACTION_MS, Database, is_busy, read_url
from connector.storage.due import due
from connector.storage.ledger import Key, Kind, Turn

HOUR = timedelta(hours=1)
NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
KEY = Key(Kind.CALENDAR, "one")
OTHER = Key(Kind.OFFER, "two")


def wakes(database: Database) -> list[dict[Key, datetime]]:
    calls: list[dict[Key, datetime]] = []
    database.on_touched = lambda touched: calls.append({key: turn.due_at for key, turn in touched.items()})
    return calls


def rows(database: Database) -> int:
    with database.read() as db:
        count: int = db.execute(sa.select(sa.func.count()).select_from(due)).scalar_one()
    return count


def test_a_commit_wakes_once_for_all_the_keys_it_made_due(database: Database) -> None:
    calls = wakes(database)
    with database.begin() as db:
        ledger.touch(db, KEY, due_at=NOW)
        ledger.touch(db, KEY, due_at=NOW)
        ledger.touch(db, OTHER, due_at=NOW)
        assert calls == []
    assert calls == [{KEY: NOW, OTHER: NOW}]


def test_a_commit_that_touched_nothing_wakes_nobody(database: Database) -> None:
    calls = wakes(database)
    with database.begin() as db:
        ledger.touch(db, KEY, due_at=NOW)
    with database.begin() as db:
        db.execute(sa.select(due))
    assert len(calls) == 1


def test_what_was_rolled_back_is_neither_kept_nor_woken_for(database: Database) -> None:
    calls = wakes(database)
    with pytest.raises(LookupError), database.begin() as db:  # noqa: PT012 - the write must come before the fault
        ledger.touch(db, KEY, due_at=NOW)
        raise LookupError
    assert calls == []
    assert rows(database) == 0


def test_a_wake_up_that_fails_does_not_fail_the_change(database: Database) -> None:
    def broken(_touched: Mapping[Key, Turn]) -> None:
        raise ConnectionError("somebody@example.org")

    database.on_touched = broken
    with structlog.testing.capture_logs() as logs, database.begin() as db:
        ledger.touch(db, KEY, due_at=NOW)
    assert rows(database) == 1
    [told] = logs
    assert (told["event"], told["keys"], told["log_level"]) == ("wake_failed", 1, "warning")
    assert told["error"].startswith("ConnectionError")


def test_a_second_write_transaction_in_one_thread_is_refused_at_once(database: Database) -> None:
    with database.begin(), pytest.raises(RuntimeError, match="pass its connection on"), database.begin():
        pass
    with database.begin() as db:
        ledger.touch(db, KEY, due_at=NOW)
    assert rows(database) == 1


def test_writing_through_a_reader_fails(database: Database) -> None:
    with pytest.raises(sa.exc.DBAPIError), database.read() as db:
        ledger.touch(db, KEY, due_at=NOW)
    assert rows(database) == 0


def test_a_reader_sees_one_snapshot_while_others_write(database: Database) -> None:
    count = sa.select(sa.func.count()).select_from(due)
    with database.read() as db:
        before = db.execute(count).scalar_one()
        with database.begin() as writer:
            ledger.touch(writer, KEY, due_at=NOW)
        assert db.execute(count).scalar_one() == before
    assert rows(database) == before + 1


def test_sixteen_threads_that_read_and_then_write_lose_nothing(database: Database) -> None:
    with database.begin() as db:
        ledger.touch(db, KEY, due_at=NOW)

    def add(_number: int) -> None:
        with database.begin() as db:
            desired = db.execute(sa.select(due.c.desired).with_for_update()).scalar_one()
            db.execute(sa.update(due).values(desired=desired + 1))

    with ThreadPoolExecutor(16) as pool:
        list(pool.map(add, range(160)))
    with database.read() as db:
        assert db.execute(sa.select(due.c.desired)).scalar_one() == 161


@pytest.mark.parametrize(("careful", "synchronous"), [(False, 1), (True, 2)])
def test_sqlite_is_set_up_for_one_writer_and_many_readers(sqlite_url: str, synchronous: int, *, careful: bool) -> None:
    database = Database(sqlite_url, careful=careful)
    expected = {"journal_mode": "wal", "foreign_keys": 1, "synchronous": synchronous}
    with database.begin() as db:
        values = {name: db.exec_driver_sql(f"PRAGMA {name}").scalar() for name in expected}
    database.dispose()
    assert values == expected


def test_another_programs_lock_on_sqlite_is_known_as_busy(sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("connector.storage.database.BUSY_TIMEOUT_MS", 10)
    first, second = Database(sqlite_url), Database(sqlite_url)
    with first.begin(), pytest.raises(sa.exc.OperationalError) as caught, second.begin():
        pass
    first.dispose()
    second.dispose()
    assert is_busy(caught.value)


def test_opening_a_new_sqlite_file_waits_for_whoever_writes_to_it(tmp_path: Path) -> None:
    path = tmp_path / "new.sqlite3"
    with closing(sqlite3.connect(path, isolation_level=None, check_same_thread=False)) as other:
        other.execute("BEGIN IMMEDIATE")  # with a rollback journal, as every new file begins
        written = threading.Timer(0.2, other.commit)
        written.start()
        database = Database(f"sqlite:///{path}")
        with database.read() as db:
            assert db.execute(sa.text("PRAGMA journal_mode")).scalar() == "wal"
        database.dispose()
        written.join()


def test_errors_do_not_show_the_values_that_were_bound(sqlite_database: Database) -> None:
    with pytest.raises(sa.exc.IntegrityError) as caught, sqlite_database.begin() as db:
        db.execute(sa.insert(due).values(kind="offer", id="client@example.org", lane=None))
    assert "client@example.org" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "driver"),
    [
        ("postgresql://u:p@127.0.0.1/x", "postgresql+psycopg"),
        ("postgresql+psycopg://u@127.0.0.1/x", "postgresql+psycopg"),
        ("postgres://u@127.0.0.1/x", "postgresql+psycopg"),
        ("sqlite:///x.sqlite3", "sqlite+pysqlite"),
    ],
)
def test_the_driver_is_ours_to_choose(url: str, driver: str) -> None:
    assert read_url(url).drivername == driver


@pytest.mark.parametrize("url", ["", "nonsense", "sqlite://", "sqlite:///:memory:", "mysql://u@127.0.0.1/x"])
def test_an_unusable_url_is_refused_by_the_name_of_its_setting(url: str) -> None:
    with pytest.raises(SettingsError, match="CONNECTOR_DATABASE_URL"):
        Database(url)


@pytest.mark.postgresql
def test_the_baton_is_held_by_one_and_passes_on_when_its_connection_dies(postgresql_url: str) -> None:
    first, second = Database(postgresql_url), Database(postgresql_url)
    ours, theirs = first.baton(7, silence=HOUR), second.baton(7, silence=HOUR)
    assert first.baton_holder(7) is None
    assert ours.held()
    assert ours.held()
    assert not theirs.held()
    assert second.baton_holder(7) == f"{os.getpid()}@{socket.gethostname()}"
    assert second.baton_holder(8) is None
    kill = "SELECT pg_terminate_backend(pid, 5000) FROM pg_locks WHERE locktype = 'advisory' AND granted"
    with second.begin() as db:
        db.execute(sa.text(kill))
    assert theirs.held()
    with pytest.raises(sa.exc.DBAPIError):
        ours.held()
    assert not ours.held()
    theirs.close()
    assert ours.held()
    ours.close()
    first.dispose()
    second.dispose()


@pytest.mark.postgresql
def test_the_baton_passes_on_from_a_process_that_has_fallen_silent(postgresql_url: str) -> None:
    first, second = Database(postgresql_url), Database(postgresql_url)
    frozen, theirs = first.baton(7, silence=timedelta(milliseconds=500)), second.baton(7, silence=HOUR)
    assert frozen.held()
    deadline = time.monotonic() + 60
    while not theirs.held():
        assert time.monotonic() < deadline
        time.sleep(0.01)  # the server tells nobody that it has ended a session
    with pytest.raises(sa.exc.DBAPIError):
        frozen.held()
    assert not frozen.held()
    frozen.close()
    theirs.close()
    first.dispose()
    second.dispose()


@pytest.mark.postgresql
def test_a_process_that_is_frozen_in_a_transaction_does_not_keep_its_locks(postgresql_database: Database) -> None:
    query = sa.text("SELECT current_setting('idle_in_transaction_session_timeout')")
    with postgresql_database.begin() as db:
        assert db.execute(query).scalar_one() == f"{IDLE_TRANSACTION_MS // 1000}s"


@pytest.mark.postgresql
def test_a_process_that_is_frozen_among_many_rows_does_not_keep_its_locks(postgresql_database: Database) -> None:
    """PostgreSQL times nothing in the middle of a pipeline, which is how the driver would send them."""
    seen: list[int] = []

    class Word(str):
        __slots__ = ()

    class Looking(StrDumper):
        def dump(self, obj: str) -> Any:
            assert self.connection is not None
            seen.append(self.connection.pgconn.pipeline_status)
            return super().dump(obj)

    with postgresql_database.begin() as db:
        driver: Any = db.connection.driver_connection
        driver.adapters.register_dumper(Word, Looking)
        db.execute(sa.text("CREATE TEMPORARY TABLE words (word text)"))
        db.execute(sa.text("INSERT INTO words VALUES (:word)"), [{"word": Word("a")}, {"word": Word("b")}])
        assert db.execute(sa.text("SELECT word FROM words ORDER BY word")).scalars().all() == ["a", "b"]
    assert set(seen) == {psycopg.pq.PipelineStatus.OFF}


def test_a_new_database_file_is_readable_by_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "private.sqlite3"
    database = Database(f"sqlite:///{path}")
    with database.begin() as db:
        db.execute(sa.text("CREATE TABLE names (name TEXT)"))
    database.dispose()
    assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.postgresql
def test_files_that_the_role_may_not_rewrite_are_named_and_not_passed_over(
    postgresql_url: str, postgresql_server: str
) -> None:
    with psycopg.connect(postgresql_server, autocommit=True) as server:
        server.execute("CREATE ROLE tenant LOGIN")
    limited = Database(sa.make_url(postgresql_url).set(username="tenant").render_as_string(hide_password=False))
    owner = Database(postgresql_url)
    try:
        assert "clients" in limited.rewrite_files(["clients"])
        assert owner.rewrite_files(["clients"]) == ""
    finally:
        limited.dispose()
        owner.dispose()
        with psycopg.connect(postgresql_server, autocommit=True) as server:
            server.execute("DROP ROLE tenant")
