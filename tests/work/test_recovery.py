"""Killed, frozen and forgetful: whatever happens to workers and brokers, every key converges and none runs twice."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from datetime import timedelta

import pytest
import redis
import sqlalchemy as sa

from connector.storage import ledger
from connector.storage.database import Database
from connector.storage.due import due
from connector.storage.ledger import Key, Kind
from connector.work.engine import Engine

from .conftest import OFTEN, Recorder, StartEngine, Worker, settled, touch
from .worker import DOUBLES, MARKS, real_time

pytestmark = pytest.mark.slow

KEY = Key(Kind.CALENDAR, "one")
SHORT = timedelta(milliseconds=400)
StartWorker = Callable[[str, str, str, timedelta], Worker]


def test_a_killed_process_leaves_work_that_the_next_one_resumes(
    sqlite_url: str, sqlite_database: Database, start_worker: StartWorker, start_engine: StartEngine
) -> None:
    touch(sqlite_database, KEY)
    worker = start_worker(sqlite_url, "memory://", "hang", ledger.LEASE)
    assert {worker.hear(), worker.hear()} == {"ready", "claimed one"}
    worker.end(signal.SIGKILL)
    assert ledger.claim(sqlite_database, KEY, now=real_time()) is None
    handled = Recorder()
    start_engine(sqlite_database, handled)
    handled.wait_for(1)
    settled(sqlite_database)


@pytest.mark.postgresql
@pytest.mark.redis
def test_a_killed_worker_is_replaced_by_another_once_its_lease_has_ended(
    postgresql_url: str,
    redis_url: str,
    postgresql_database: Database,
    start_worker: StartWorker,
    start_engine: StartEngine,
) -> None:
    touch(postgresql_database, KEY)
    worker = start_worker(postgresql_url, redis_url, "hang", SHORT)
    assert {worker.hear(), worker.hear()} == {"ready", "claimed one"}
    worker.end(signal.SIGKILL)
    handled = Recorder()
    start_engine(postgresql_database, handled, broker_url=redis_url, tick=OFTEN)
    handled.wait_for(1)
    settled(postgresql_database)


@pytest.mark.postgresql
@pytest.mark.redis
def test_a_worker_frozen_past_its_lease_finds_its_claim_gone(
    postgresql_url: str,
    redis_url: str,
    postgresql_database: Database,
    start_worker: StartWorker,
    start_engine: StartEngine,
) -> None:
    touch(postgresql_database, KEY)
    worker = start_worker(postgresql_url, redis_url, "freeze", SHORT)
    assert {worker.hear(), worker.hear()} == {"ready", "claimed one"}
    worker.process.send_signal(signal.SIGSTOP)
    handled = Recorder()
    start_engine(postgresql_database, handled, broker_url=redis_url, tick=OFTEN)
    handled.wait_for(1)
    settled(postgresql_database)
    worker.process.send_signal(signal.SIGCONT)
    worker.say("go on")
    assert worker.hear() == "lost"
    with postgresql_database.read() as db:
        assert db.execute(sa.select(due.c.desired, due.c.applied)).one() == (1, 1)


@pytest.mark.postgresql
@pytest.mark.redis
def test_a_wiped_redis_loses_nothing(redis_url: str, postgresql_database: Database, start_engine: StartEngine) -> None:
    keys = {Key(Kind.CALENDAR, str(number)) for number in range(40)}
    web = Engine(postgresql_database, Recorder(), broker_url=redis_url, clock=real_time)
    web.attach()
    for key in keys:
        touch(postgresql_database, key)
    with redis.Redis.from_url(redis_url) as api:
        assert api.llen("pencilled:due") == 40
        api.flushall()
        handled = Recorder()
        start_engine(postgresql_database, handled, broker_url=redis_url, tick=OFTEN)
        handled.wait_for(20)
        api.flushall()
    handled.wait_for_keys(keys)
    settled(postgresql_database)
    web.stop()


@pytest.mark.redis
def test_while_redis_is_away_changes_are_kept_and_nobody_waits(database: Database) -> None:
    web = Engine(database, Recorder(), broker_url="redis://127.0.0.1:1/0", clock=real_time)
    web.attach()
    started = real_time()
    for _ in range(20):
        touch(database, KEY)
    assert real_time() - started < timedelta(seconds=20), "one second a touch would be waiting"
    assert list(ledger.due_keys(database, real_time())) == [KEY]
    web.stop()


@pytest.mark.postgresql
@pytest.mark.redis
def test_two_workers_never_run_one_key_at_the_same_time_and_lose_no_change(
    postgresql_url: str, redis_url: str, postgresql_database: Database, start_worker: StartWorker
) -> None:
    with postgresql_database.begin() as db:
        db.execute(sa.text(MARKS))
        db.execute(sa.text(DOUBLES))
    workers = [start_worker(postgresql_url, redis_url, "mark", timedelta(seconds=5)) for _ in range(2)]
    assert [worker.hear() for worker in workers] == ["ready", "ready"]
    web = Engine(postgresql_database, Recorder(), broker_url=redis_url, clock=real_time)
    web.attach()
    keys = [Key(Kind.CALENDAR, str(number)) for number in range(5)]

    def touch_all() -> None:
        for _ in range(10):
            for key in keys:
                touch(postgresql_database, key)

    threads = [threading.Thread(target=touch_all) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    settled(postgresql_database)
    with postgresql_database.read() as db:
        assert db.execute(sa.select(due.c.desired, due.c.applied)).all() == [(40, 40)] * 5
        assert db.execute(sa.text("SELECT count(*) FROM doubles")).scalar_one() == 0
        assert db.execute(sa.text("SELECT count(*) FROM marks")).scalar_one() == 0
    web.stop()
    for worker in workers:
        worker.end(signal.SIGTERM)
    assert [worker.process.returncode for worker in workers] == [0, 0]
