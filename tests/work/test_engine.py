from __future__ import annotations

import threading
import time
from datetime import timedelta

import pytest
import sqlalchemy as sa
import structlog

from connector.errors import LeaseLostError, RefusedError, SettingsError, TransientError
from connector.storage import ledger
from connector.storage.database import Database
from connector.storage.due import due
from connector.storage.fence import fenced
from connector.storage.ledger import Claim, Key, Kind, Turn, Urgency
from connector.work.engine import Engine, Running
from tests.conftest import Clock

from .conftest import OFTEN, WAIT_SECONDS, Recorder, StartEngine, settled, touch
from .worker import real_time

KEY = Key(Kind.CALENDAR, "one")
OTHER = Key(Kind.CALENDAR, "other")


def counted(engine: Engine, how: str) -> None:
    """Wait until a claim has ended that way."""
    deadline = time.monotonic() + WAIT_SECONDS
    while not engine.counts.get(how):
        assert time.monotonic() < deadline, engine.counts
        time.sleep(0.005)  # the end of a claim wakes nobody


def test_a_touch_is_carried_out_without_the_pump(sqlite_database: Database, start_engine: StartEngine) -> None:
    handled = Recorder()
    start_engine(sqlite_database, handled)
    for number in range(1, 21):
        touch(sqlite_database, KEY)
        assert handled.wait_for(number)[-1].desired == number


def test_a_commit_nobody_was_woken_for_is_found_by_the_pump(
    sqlite_database: Database, start_engine: StartEngine
) -> None:
    handled = Recorder()
    start_engine(sqlite_database, handled, tick=OFTEN)
    sqlite_database.on_touched = None
    touch(sqlite_database, KEY)
    handled.wait_for(1)


def test_what_is_due_soon_is_carried_out_in_time_without_the_pump(
    sqlite_database: Database, start_engine: StartEngine
) -> None:
    handled = Recorder()
    start_engine(sqlite_database, handled)
    due_at = real_time() + timedelta(milliseconds=200)
    touch(sqlite_database, KEY, due_at=due_at)
    handled.wait_for(1)
    assert timedelta() <= real_time() - due_at < timedelta(seconds=WAIT_SECONDS)


def test_a_handler_says_when_to_look_again(sqlite_database: Database, start_engine: StartEngine) -> None:
    handled = Recorder(lambda claim, _: real_time() + timedelta(milliseconds=50) if claim.desired == 1 else None)
    start_engine(sqlite_database, handled)
    touch(sqlite_database, KEY)
    handled.wait_for(3)


def test_work_that_failed_for_now_comes_back_when_the_service_allows(
    sqlite_database: Database, start_engine: StartEngine, clock: Clock
) -> None:
    def fail_once(claim: Claim, _running: Running) -> None:
        if not claim.attempts:
            raise TransientError("busy", retry_after=timedelta(hours=1))

    handled = Recorder(fail_once)
    engine = start_engine(sqlite_database, handled, clock=clock, tick=OFTEN)
    touch(sqlite_database, KEY, due_at=clock())
    counted(engine, "postponed")
    assert ledger.next_due(sqlite_database, clock()) == clock() + timedelta(hours=1)
    clock.advance(timedelta(hours=1))
    assert handled.wait_for(2)[1].attempts == 1


def test_a_refused_key_tells_why_but_not_whose(sqlite_database: Database, start_engine: StartEngine) -> None:
    def refuse(_claim: Claim, _running: Running) -> None:
        raise RefusedError("no write access to https://cal.example/anna/ for anna@example.org")

    engine = start_engine(sqlite_database, Recorder(refuse))
    touch(sqlite_database, KEY)
    counted(engine, "refused")
    (refused,) = ledger.refused(sqlite_database)
    assert refused.key == KEY
    assert refused.error.startswith("RefusedError: no write access to … for …")


def test_a_fault_of_ours_is_told_without_its_words_and_the_work_comes_back(
    sqlite_database: Database, start_engine: StartEngine, clock: Clock
) -> None:
    def stumble(claim: Claim, _running: Running) -> None:
        if not claim.attempts:
            raise KeyError("anna@example.org")

    handled = Recorder(stumble)
    with structlog.testing.capture_logs() as logs:
        engine = start_engine(sqlite_database, handled, clock=clock, tick=OFTEN)
        touch(sqlite_database, KEY, due_at=clock())
        counted(engine, "failed")
        clock.advance(timedelta(minutes=15))
        handled.wait_for(2)
        counted(engine, "done")
    assert [(log["event"], log["id"]) for log in logs if log["log_level"] == "error"] == [("work_failed", "one")]
    assert "anna" not in repr(logs)


def test_a_key_touched_during_its_run_is_run_again_and_never_beside_itself(
    sqlite_database: Database, start_engine: StartEngine
) -> None:
    running, release = threading.Event(), threading.Event()

    def work(_claim: Claim, _running: Running) -> None:
        running.set()
        assert release.wait(WAIT_SECONDS)

    handled = Recorder(work)
    engine = start_engine(sqlite_database, handled)
    touch(sqlite_database, KEY)
    assert running.wait(WAIT_SECONDS)
    for _ in range(5):
        touch(sqlite_database, KEY)
    engine.wake({KEY: Turn(real_time(), Urgency.ACT)})
    assert len(handled.claims) == 1
    release.set()
    assert handled.wait_for(2)[1].desired == 6


def test_stopping_gives_the_lease_back_with_the_work_undone(
    sqlite_database: Database, start_engine: StartEngine
) -> None:
    def endless(_claim: Claim, running: Running) -> None:
        while True:
            running.renew()

    handled = Recorder(endless)
    engine = start_engine(sqlite_database, handled)
    touch(sqlite_database, KEY)
    handled.wait_for(1)
    engine.stop()
    assert engine.counts == {"stopped": 1}
    assert ledger.claim(sqlite_database, KEY, now=real_time())


def test_whoever_has_lost_the_claim_is_told_at_the_next_record(
    sqlite_database: Database, start_engine: StartEngine
) -> None:
    lost = threading.Event()

    def work(_claim: Claim, running: Running) -> None:
        ledger.clear_leases(sqlite_database)
        try:
            with fenced(sqlite_database, running):
                pass
        except LeaseLostError:
            lost.set()
            raise

    engine = start_engine(sqlite_database, work)
    touch(sqlite_database, KEY)
    assert lost.wait(WAIT_SECONDS)
    counted(engine, "lost")


def test_a_slow_service_does_not_take_every_thread(sqlite_database: Database, start_engine: StartEngine) -> None:
    release = threading.Event()

    def work(claim: Claim, _running: Running) -> None:
        if claim.lane:
            assert release.wait(WAIT_SECONDS)

    handled = Recorder(work)
    start_engine(sqlite_database, handled, threads=2, lane_limit=4)
    for number in range(5):
        touch(sqlite_database, Key(Kind.CALENDAR, str(number)), lane="slow")
    touch(sqlite_database, OTHER)
    handled.wait_for_keys({OTHER})
    release.set()


def test_a_full_lane_is_worked_off_without_the_pump(sqlite_database: Database, start_engine: StartEngine) -> None:
    handled = Recorder(lambda _claim, running: running.renew())
    start_engine(sqlite_database, handled, lane_limit=1)
    keys = {Key(Kind.CALENDAR, str(number)) for number in range(20)}
    with sqlite_database.begin() as db:
        for key in keys:
            ledger.touch(db, key, due_at=real_time(), lane="slow")
    handled.wait_for_keys(keys)


def test_keys_that_wait_for_a_thread_are_not_woken_for_again_and_again(
    sqlite_database: Database, start_engine: StartEngine
) -> None:
    release = threading.Event()

    def work(_claim: Claim, _running: Running) -> None:
        release.wait(WAIT_SECONDS)

    handled = Recorder(work)
    engine = start_engine(sqlite_database, handled, threads=2, tick=OFTEN)
    for number in range(10):
        touch(sqlite_database, Key(Kind.CALENDAR, str(number)))
    handled.wait_for(2)
    for _ in range(50):
        engine.wake_again(ledger.due_keys(sqlite_database, real_time()))
    queued = sum(queue.qsize() for queue in engine._broker.queues.values())
    assert queued <= 10
    release.set()


def test_a_database_fault_during_a_look_is_told_and_does_not_stop_the_engine(
    sqlite_database: Database, start_engine: StartEngine
) -> None:
    handled = Recorder()
    with structlog.testing.capture_logs() as logs:
        engine = start_engine(sqlite_database, handled)
        with sqlite_database.begin() as db:
            db.exec_driver_sql("ALTER TABLE due RENAME TO away")
        engine.wake({KEY: Turn(real_time(), Urgency.ACT)})
        counted(engine, "failed")
        with sqlite_database.begin() as db:
            db.exec_driver_sql("ALTER TABLE away RENAME TO due")
    assert "look_failed" in [log["event"] for log in logs]
    touch(sqlite_database, KEY)
    handled.wait_for(1)


def test_the_leases_of_a_process_before_us_end_when_we_start(
    sqlite_database: Database, start_engine: StartEngine
) -> None:
    touch(sqlite_database, KEY)
    ledger.claim(sqlite_database, KEY, now=real_time())
    handled = Recorder()
    start_engine(sqlite_database, handled)
    handled.wait_for(1)


@pytest.mark.parametrize("url", ["", "memory", "amqp://127.0.0.1"])
def test_an_unusable_broker_is_refused_by_the_name_of_its_setting(sqlite_database: Database, url: str) -> None:
    with pytest.raises(SettingsError, match="CONNECTOR_BROKER_URL"):
        Engine(sqlite_database, Recorder(), broker_url=url, clock=real_time)


def test_nothing_is_left_due_after_many_touches_from_many_threads(
    sqlite_database: Database, start_engine: StartEngine
) -> None:
    engine = start_engine(sqlite_database, Recorder())
    keys = [Key(Kind.CALENDAR, str(number)) for number in range(5)]

    def touch_all() -> None:
        for _ in range(10):
            for key in keys:
                touch(sqlite_database, key)

    threads = [threading.Thread(target=touch_all) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    settled(sqlite_database)
    with sqlite_database.read() as db:
        assert db.execute(sa.select(due.c.desired, due.c.applied)).all() == [(40, 40)] * 5
    assert set(engine.counts) == {"done"}
