"""The claim that work is done under: renewed before it ends, and checked wherever something is recorded."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from connector.errors import LeaseLostError, StoppingError
from connector.storage import ledger
from connector.storage.database import Database
from connector.storage.due import due
from connector.storage.fence import fenced
from connector.storage.ledger import Claim, Key, Kind
from connector.work.engine import Running

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
KEY = Key(Kind.CALENDAR, "one")
OTHER = Key(Kind.CALENDAR, "other")
LEASE = timedelta(seconds=60)


@dataclass
class Stopwatch:
    seconds: float = 0.0

    def __call__(self) -> float:
        return self.seconds


def claimed(database: Database, *, lease: timedelta = LEASE) -> Claim:
    with database.begin() as db:
        ledger.touch(db, KEY, due_at=NOW)
    claim = ledger.claim(database, KEY, now=NOW, lease=lease)
    assert claim is not None
    return claim


def lose(database: Database) -> Claim:
    """Let somebody else have the key."""
    ledger.clear_leases(database)
    claim = ledger.claim(database, KEY, now=NOW)
    assert claim is not None
    return claim


def running(database: Database, claim: Claim, clock: Stopwatch, *, stop: bool = False) -> Running:
    stopping = threading.Event()
    if stop:
        stopping.set()
    return Running(database, claim, lease=LEASE, stop=stopping, monotonic=clock)


def lease_until(database: Database) -> object:
    with database.read() as db:
        return db.execute(sa.select(due.c.lease_until).where(due.c.id == KEY.id)).scalar_one()


def test_a_claim_is_renewed_once_a_third_of_its_lease_is_gone_and_not_before(database: Database) -> None:
    clock = Stopwatch()
    fence = running(database, claimed(database, lease=timedelta(seconds=1)), clock)
    before = lease_until(database)
    clock.seconds = 19.9
    fence.renew()
    assert lease_until(database) == before
    clock.seconds = 20.0
    fence.renew()
    renewed = lease_until(database)
    assert renewed != before
    clock.seconds = 39.9
    fence.renew()
    assert lease_until(database) == renewed


def test_a_claim_that_waited_is_renewed_from_when_it_was_made(database: Database) -> None:
    clock = Stopwatch(100.0)
    claim = claimed(database)
    lose(database)
    fence = Running(database, claim, lease=LEASE, stop=threading.Event(), since=75.0, monotonic=clock)
    with pytest.raises(LeaseLostError):
        fence.renew()


def test_whoever_wakes_after_the_lease_renews_it_if_nobody_else_has_claimed(database: Database) -> None:
    clock = Stopwatch()
    fence = running(database, claimed(database, lease=timedelta(seconds=-1)), clock)
    clock.seconds = 1000.0
    fence.renew()
    assert ledger.claim(database, KEY, now=NOW) is None


def test_a_process_that_stops_says_so_at_the_next_batch_and_keeps_its_claim_until_then(database: Database) -> None:
    clock = Stopwatch()
    fence = running(database, claimed(database), clock, stop=True)
    with pytest.raises(StoppingError):
        fence.renew()
    clock.seconds = 30.0
    fence.keep()


def test_a_record_is_made_while_the_claim_is_ours(database: Database) -> None:
    fence = running(database, claimed(database), Stopwatch())
    with fenced(database, fence) as db:
        ledger.touch(db, OTHER, due_at=NOW)
    assert OTHER in ledger.due_keys(database, NOW)


def test_a_lost_claim_records_nothing_at_all(database: Database) -> None:
    fence = running(database, claimed(database), Stopwatch())
    successor = lose(database)
    with pytest.raises(LeaseLostError), fenced(database, fence) as db:
        ledger.touch(db, OTHER, due_at=NOW)
    assert OTHER not in ledger.due_keys(database, NOW)
    assert ledger.finish(database, successor)
