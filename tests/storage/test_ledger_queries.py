"""Which keys are offered to be claimed, lane by lane, and what it costs to find them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from threading import Barrier
from typing import Any

import pytest
import sqlalchemy as sa

from connector.storage import ledger, turns
from connector.storage.database import Database
from connector.storage.due import due
from connector.storage.ledger import Claim, Key, Kind, Urgency

from .test_ledger import KEY, NOW, SECOND, claimed, touch


def test_a_lane_has_so_many_seats_and_who_finds_it_full_stays_due(database: Database) -> None:
    keys = [Key(Kind.CALENDAR, str(number)) for number in range(6)]
    for number, key in enumerate(keys):
        touch(database, key, due_at=NOW - (9 - number) * SECOND, lane="caldav:one.example")
    other = Key(Kind.CALENDAR, "other")
    touch(database, other, lane="caldav:two.example")
    assert list(ledger.due_keys(database, NOW, seats=2)) == [*keys[:2], other]
    claims = [ledger.claim(database, key, now=NOW, seats=2) for key in keys]
    assert [claim is not None for claim in claims] == [True, True, False, False, False, False]
    assert list(ledger.due_keys(database, NOW, seats=2)) == [other]
    assert claims[0]
    ledger.finish(database, claims[0])
    assert ledger.follower(database, claims[0], NOW) == (keys[2], Urgency.ACT)
    assert ledger.claim(database, keys[2], now=NOW, seats=2)


def test_a_lane_has_four_seats_where_nothing_else_is_said(database: Database) -> None:
    keys = [Key(Kind.CALENDAR, str(number)) for number in range(6)]
    for number, key in enumerate(keys):
        touch(database, key, due_at=NOW - (9 - number) * SECOND, lane="caldav:one.example")
    assert list(ledger.due_keys(database, NOW)) == keys[:4]
    claims = [ledger.claim(database, key, now=NOW) for key in keys]
    assert [claim is not None for claim in claims] == [True, True, True, True, False, False]


def test_a_full_lane_is_passed_over_beside_work_that_has_no_lane(database: Database) -> None:
    held, waiting = Key(Kind.CALENDAR, "held"), Key(Kind.CALENDAR, "waiting")
    for key in (held, waiting):
        touch(database, key, lane="caldav:one.example")
    touch(database)
    assert ledger.claim(database, held, now=NOW, seats=1)
    assert list(ledger.due_keys(database, NOW, seats=1)) == [KEY]


def test_a_touch_without_a_lane_leaves_the_key_in_its_own(database: Database) -> None:
    touch(database, lane="caldav:one.example")
    touch(database)
    assert claimed(database).lane == "caldav:one.example"


def test_a_long_queue_for_one_lane_does_not_hide_the_others(database: Database) -> None:
    for number in range(30):
        touch(database, Key(Kind.CALENDAR, str(number)), due_at=NOW - timedelta(hours=1), lane="slow")
    touch(database)
    assert KEY in ledger.due_keys(database, NOW, 10, seats=2)


@pytest.mark.parametrize("lane", ["", "wide"])
def test_more_due_keys_than_one_look_takes_are_found_in_one_query(database: Database, lane: str) -> None:
    for number in range(12):
        touch(database, Key(Kind.OFFER, f"{number:02}"), due_at=NOW - (20 - number) * SECOND, lane=lane)
    with counted(database, most=3) as queries:
        picked = ledger.due_keys(database, NOW, 5, seats=50)
    assert [key.id for key in picked] == [f"{number:02}" for number in range(5)]
    assert sum("ORDER BY" in query for query in queries) == 1


def test_racing_claims_never_take_more_seats_than_a_lane_has(database: Database) -> None:
    barrier = Barrier(16)
    keys = [Key(Kind.CALENDAR, str(number)) for number in range(16)]

    def attempt(key: Key) -> Claim | None:
        barrier.wait(30)
        return ledger.claim(database, key, now=NOW, seats=3)

    for key in keys:
        touch(database, key, lane="slow")
    with ThreadPoolExecutor(16) as pool:
        for _ in range(5):
            won = [claim for claim in pool.map(attempt, keys) if claim]
            assert len(won) == 3
            for claim in won:
                ledger.release(database, claim)


def test_the_oldest_overdue_key_is_one_nobody_has_claimed(database: Database) -> None:
    assert ledger.oldest_overdue(database, NOW) == timedelta()
    touch(database, due_at=NOW - timedelta(minutes=3))
    touch(database, Key(Kind.OFFER, "x"), due_at=NOW - timedelta(minutes=1))
    assert ledger.oldest_overdue(database, NOW) == timedelta(minutes=3)
    claimed(database)
    assert ledger.oldest_overdue(database, NOW) == timedelta(minutes=1)


@contextmanager
def counted(database: Database, *, most: int) -> Iterator[list[str]]:
    """Collect the queries made inside, and fail at once when there are more than that."""
    queries: list[str] = []

    def count(_db: sa.Connection, _cursor: object, statement: str, *_: object) -> None:
        if statement.startswith("SELECT"):
            queries.append(statement)
            assert len(queries) <= most, "the look does not end"

    engine = database._writers if not database.embedded else database._readers
    sa.event.listen(engine, "before_cursor_execute", count)
    try:
        yield queries
    finally:
        sa.event.remove(engine, "before_cursor_execute", count)


@contextmanager
def explained(database: Database) -> Iterator[list[str]]:
    """Collect the plan of every query made inside."""
    plans: list[str] = []

    def explain(db: sa.Connection, _cursor: object, statement: str, parameters: Any, *_: object) -> None:
        if statement.startswith(("SELECT", "UPDATE")):
            dbapi = db.connection.dbapi_connection
            assert dbapi is not None
            inner = dbapi.cursor()
            inner.execute(("EXPLAIN QUERY PLAN " if database.embedded else "EXPLAIN ") + statement, parameters)
            plans.append("\n".join(str(line) for line in inner.fetchall()))
            inner.close()

    engines = {database._writers, database._readers} if database.embedded else {database._writers}
    for engine in engines:
        sa.event.listen(engine, "before_cursor_execute", explain)
    yield plans
    for engine in engines:
        sa.event.remove(engine, "before_cursor_execute", explain)


def fill(database: Database, rows: int) -> None:
    """Many keys with nothing to do, and fifty that are due."""
    common = {"kind": "calendar", "lane": "", "desired": 1, "applied": 1, "token": 1, "attempts": 0}
    with database.begin() as db:
        db.execute(sa.insert(due), [common | {"id": f"idle {number}", "due_at": None} for number in range(rows)])
        db.execute(sa.insert(due), [common | {"id": f"due {number}", "due_at": NOW} for number in range(50)])
        db.exec_driver_sql("ANALYZE due")


def test_what_is_due_is_found_through_the_partial_index(database: Database) -> None:
    fill(database, 5000)
    with explained(database) as plans:
        assert len(ledger.due_keys(database, NOW)) == 50
        with database.read() as db:
            turns._leases_by_lane(db)
        ledger.next_due(database, NOW)
        ledger.oldest_overdue(database, NOW)
        ledger.refused(database)
    asked, *indexes = [re.findall(r"ix_due_\w+", plan) for plan in plans]
    assert len(asked) == len(Urgency)
    assert set(asked) <= {"ix_due_urgency", "ix_due_due_at"}  # as good where little is due
    assert indexes == [["ix_due_leased"], ["ix_due_due_at"], ["ix_due_due_at"], ["ix_due_refused"]]
    assert not any("Seq Scan" in plan or "SCAN due\n" in plan + "\n" for plan in plans)


def test_with_nothing_due_nothing_is_found(database: Database) -> None:
    fill(database, 500)
    assert len(ledger.due_keys(database, NOW)) == 50
    assert list(ledger.due_keys(database, NOW - SECOND)) == []
    assert ledger.next_due(database, NOW) is None
