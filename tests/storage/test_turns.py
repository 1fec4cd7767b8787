"""What goes first of all that is due: acts of people, then what may have happened, then upkeep."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
import sqlalchemy as sa

from connector.storage import ledger
from connector.storage.database import Database
from connector.storage.due import due
from connector.storage.ledger import Key, Kind, Urgency

from .test_ledger import KEY, NOW, SECOND, claimed, row, touch
from .test_ledger_queries import counted, explained

HOUR = timedelta(hours=1)
POLL = Key(Kind.PULL, "poll")
MANY = [2_000, pytest.param(100_000, marks=pytest.mark.long)]


def look(database: Database, key: Key, *, lane: str = "") -> None:
    with database.begin() as db:
        ledger.touch(db, key, due_at=NOW, lane=lane, urgency=Urgency.LOOK)


def fill(database: Database, polls: int, *, lanes: int = 100) -> None:
    """So many polls that have been due for an hour, spread over so many accounts, and the database knows how many."""
    query = sa.text(
        "INSERT INTO due (kind, id, lane, urgency, due_at, desired, applied, token, attempts) "
        "WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < :polls) "
        "SELECT 'pull', CAST(n AS TEXT), 'google:' || (n % :lanes), 2, :due_at, 1, 0, 1, 0 FROM numbers"
    )
    query = query.bindparams(sa.bindparam("due_at", type_=due.c.due_at.type))
    with database.begin() as db:
        db.execute(query, {"polls": polls, "lanes": lanes, "due_at": NOW - HOUR})
        db.exec_driver_sql("ANALYZE due")


@pytest.mark.parametrize("polls", MANY)
def test_an_act_is_first_however_many_polls_have_been_due_for_longer(database: Database, polls: int) -> None:
    fill(database, polls)
    touch(database)
    look(database, POLL)
    assert list(ledger.due_keys(database, NOW))[:2] == [KEY, POLL]


@pytest.mark.parametrize("polls", MANY)
def test_what_is_first_is_found_by_its_urgency_and_what_follows_by_its_lane(database: Database, polls: int) -> None:
    fill(database, polls, lanes=polls)
    touch(database, lane="google:7")
    with explained(database) as asked:
        ledger.due_keys(database, NOW)
    assert asked[0].count("ix_due_urgency") >= 2, "an act is found without reading what else is due"
    claim = claimed(database)
    with explained(database) as followed:
        ledger.follower(database, claim, NOW)
    [indexes] = [re.findall(r"ix_due_\w+", plan) for plan in followed]
    assert indexes[-1] == "ix_due_lane", "nothing is read of what is due in other lanes"
    assert set(indexes) <= {"ix_due_lane", "ix_due_urgency"}  # as good where nothing is as urgent
    with explained(database) as waiting:
        ledger.longest_waiting(database, NOW)
    used = {index for plan in (*asked, *waiting) for index in re.findall(r"ix_due_\w+", plan)}
    assert used <= {"ix_due_urgency", "ix_due_due_at", "ix_due_leased"}
    assert not any("Seq Scan" in plan or "SCAN due\n" in plan + "\n" for plan in (*asked, *followed, *waiting))


@pytest.mark.parametrize("polls", MANY)
def test_a_claim_reads_its_own_row_and_the_leases_of_its_lane_however_much_is_due(
    database: Database, polls: int
) -> None:
    """So do its renewal and its end: a claim costs the same whatever else waits."""
    fill(database, polls, lanes=polls)
    touch(database, lane="google:7")
    with explained(database) as plans:
        claim = claimed(database)
        assert ledger.renew(database, claim)
        assert ledger.finish(database, claim)
    print(plans)
    indexes = [re.findall(r"pk_due|sqlite_autoindex_due_1|ix_due_\w+", plan) for plan in plans]
    assert all(indexes)
    assert {index for used in indexes for index in used} <= {"pk_due", "sqlite_autoindex_due_1", "ix_due_leased"}
    assert not any("Seq Scan" in plan or "SCAN due" in plan for plan in plans)


def test_of_what_is_as_urgent_the_longest_due_is_first(database: Database) -> None:
    first, second = Key(Kind.OFFER, "b"), Key(Kind.CONVERSATION, "a")
    for key, due_at in ((second, NOW - SECOND), (POLL, NOW - HOUR), (first, NOW - 2 * SECOND)):
        touch(database, key, due_at=due_at)
    assert list(ledger.due_keys(database, NOW)) == [first, second, POLL]


def test_polls_leave_one_seat_of_a_lane_to_acts(database: Database) -> None:
    polls = [Key(Kind.PULL, str(number)) for number in range(6)]
    for key in polls:
        touch(database, key, due_at=NOW - HOUR, lane="caldav:one.example")
    touch(database, lane="caldav:one.example")
    assert list(ledger.due_keys(database, NOW)) == [KEY, *polls[:2]], "who is woken for needs a seat"
    claims = [ledger.claim(database, key, now=NOW) for key in polls]
    assert sum(claim is not None for claim in claims) == ledger.SEATS - 1
    assert list(ledger.due_keys(database, NOW)) == [KEY]
    claimed(database)


def test_a_lane_of_one_seat_serves_polls_as_well(database: Database) -> None:
    touch(database, POLL, lane="caldav:one.example")
    assert list(ledger.due_keys(database, NOW, seats=1)) == [POLL]
    assert ledger.claim(database, POLL, now=NOW, seats=1)


def test_many_polls_of_one_lane_do_not_hide_those_of_others(database: Database) -> None:
    fill(database, 60, lanes=1)
    touch(database, POLL, lane="google:other")
    assert list(ledger.due_keys(database, NOW, 10, seats=3))[-1] == POLL


@pytest.mark.parametrize("seats", [1, 4])
def test_a_look_reads_no_more_than_it_takes_where_every_account_has_a_lane(database: Database, seats: int) -> None:
    """Each of these lanes is full once one key is taken of it, and nobody looks at what is beyond them."""
    fill(database, 2_000, lanes=2_000)
    with counted(database, most=3) as queries:
        assert len(ledger.due_keys(database, NOW, 100, seats=seats)) == 100
    assert sum("ORDER BY" in query for query in queries) == 1


def test_lanes_with_long_queues_one_behind_another_take_few_looks(database: Database) -> None:
    for lane in range(20):
        with database.begin() as db:
            for number in range(20):
                late = timedelta(minutes=60 - lane)
                ledger.touch(db, Key(Kind.PULL, f"{lane} {number}"), due_at=NOW - late, lane=f"caldav:{lane}.example")
    with counted(database, most=10):
        keys = ledger.due_keys(database, NOW, 20, seats=1)
    assert {key.id.split()[0] for key in keys} == {str(lane) for lane in range(20)}


def test_what_follows_in_a_lane_is_the_most_urgent(database: Database) -> None:
    lane = "caldav:one.example"
    touch(database, Key(Kind.CHANNEL, "first"), lane=lane)
    claim = claimed(database, Key(Kind.CHANNEL, "first"))
    assert claim.urgency is Urgency.UPKEEP
    touch(database, POLL, due_at=NOW - HOUR, lane=lane)
    assert ledger.follower(database, claim, NOW) == (POLL, Urgency.UPKEEP)
    look(database, Key(Kind.BUSY, "look"), lane=lane)
    assert ledger.follower(database, claim, NOW) == (Key(Kind.BUSY, "look"), Urgency.LOOK)
    touch(database, lane=lane)
    touch(database, Key(Kind.CALENDAR, "elsewhere"), due_at=NOW - HOUR, lane="caldav:two.example")
    assert ledger.follower(database, claim, NOW) == (KEY, Urgency.ACT)


def test_a_lane_that_is_closed_is_passed_over_and_not_claimed_from(database: Database) -> None:
    touch(database, lane="caldav:dead.example")
    touch(database, POLL, lane="caldav:well.example")
    closed = frozenset({"caldav:dead.example"})
    assert list(ledger.due_keys(database, NOW, closed=closed)) == [POLL]
    assert ledger.longest_waiting(database, NOW, closed={"caldav:well.example"}) is None
    assert ledger.claim(database, KEY, now=NOW, closed=closed) is None
    assert ledger.claim(database, POLL, now=NOW, closed=closed)


def test_the_longest_waiting_is_no_act_and_could_be_claimed(database: Database) -> None:
    touch(database, due_at=NOW - 2 * HOUR)
    assert ledger.longest_waiting(database, NOW) is None
    held = Key(Kind.PULL, "held")
    for key, late, lane in ((held, 9, "full"), (Key(Kind.PULL, "waits"), 8, "full"), (POLL, 7, "free")):
        touch(database, key, due_at=NOW - late * SECOND, lane=lane)
    look(database, Key(Kind.BUSY, "look"))
    claimed(database, held)
    assert ledger.longest_waiting(database, NOW, seats=1) == POLL


def test_a_key_is_as_urgent_as_the_most_urgent_touch_since_it_was_done(database: Database) -> None:
    for urgency, expected in ((Urgency.UPKEEP, 2), (Urgency.ACT, 0), (Urgency.LOOK, 0)):
        with database.begin() as db:
            ledger.touch(db, POLL, due_at=NOW, urgency=urgency)
        assert row(database, POLL).urgency == expected
    ledger.finish(database, claimed(database, POLL))
    look(database, POLL)
    assert row(database, POLL).urgency == Urgency.LOOK
    ledger.finish(database, claimed(database, POLL), again_at=NOW)
    assert claimed(database, POLL).urgency is Urgency.UPKEEP


@pytest.mark.parametrize("end", ["finish", "postpone", "refuse", "release"])
def test_what_was_asked_for_during_a_run_or_did_not_go_through_is_as_urgent_as_before(
    database: Database, end: str
) -> None:
    look(database, POLL)
    claim = claimed(database, POLL)
    if end == "finish":
        look(database, POLL)
        ledger.finish(database, claim, again_at=NOW + HOUR)
    elif end == "postpone":
        ledger.postpone(database, claim, now=NOW, retry_after=None, error="x")
    elif end == "refuse":
        ledger.refuse(database, claim, now=NOW, error="x")
    else:
        ledger.release(database, claim)
    assert row(database, POLL).urgency == Urgency.LOOK


def test_what_follows_and_what_a_claim_costs_is_one_query_each(database: Database) -> None:
    fill(database, 50, lanes=1)
    touch(database, lane="google:0")
    with counted(database, most=3) as queries:
        ledger.follower(database, claimed(database), NOW)
    locks = [query for query in queries if "pg_advisory_xact_lock" in query]
    assert len(queries) - len(locks) == 1
    assert len(locks) == (0 if database.embedded else 1)
