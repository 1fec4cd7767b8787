from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from threading import Barrier

import pytest
import sqlalchemy as sa

from connector.storage import ledger
from connector.storage.database import Database
from connector.storage.due import due
from connector.storage.ledger import Claim, Key, Kind, Urgency

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
SECOND = timedelta(seconds=1)
BRIEF = timedelta(milliseconds=30)
KEY = Key(Kind.CALENDAR, "one")


def touch(database: Database, key: Key = KEY, *, due_at: datetime = NOW, lane: str = "") -> None:
    with database.begin() as db:
        ledger.touch(db, key, due_at=due_at, lane=lane)


def forget(database: Database, key: Key = KEY) -> None:
    with database.begin() as db:
        ledger.forget(db, key)


def claimed(database: Database, key: Key = KEY, *, now: datetime = NOW, lease: timedelta = ledger.LEASE) -> Claim:
    claim = ledger.claim(database, key, now=now, lease=lease)
    assert claim is not None
    return claim


def row(database: Database, key: Key = KEY) -> sa.Row[tuple[object, ...]]:
    with database.read() as db:
        return db.execute(sa.select(due).where(due.c.kind == key.kind.value, due.c.id == key.id)).one()


def test_a_touched_key_is_due_and_can_be_claimed(database: Database) -> None:
    touch(database)
    assert list(ledger.due_keys(database, NOW)) == [KEY]
    claim = claimed(database)
    assert (claim.key, claim.desired, claim.attempts, claim.lane) == (KEY, 1, 0, "")
    assert list(ledger.due_keys(database, NOW)) == []


def test_a_key_is_not_claimed_before_it_is_due(database: Database) -> None:
    touch(database, due_at=NOW + SECOND)
    assert ledger.claim(database, KEY, now=NOW) is None
    assert list(ledger.due_keys(database, NOW)) == []
    assert ledger.next_due(database, NOW) == NOW + SECOND
    assert ledger.claim(database, KEY, now=NOW + SECOND)


def test_a_key_never_touched_cannot_be_claimed(database: Database) -> None:
    assert ledger.claim(database, KEY, now=NOW) is None


def test_the_earliest_touch_decides_when_a_key_is_due(database: Database) -> None:
    for seconds in (9, 3, 6):
        touch(database, due_at=NOW + seconds * SECOND)
    assert ledger.next_due(database, NOW) == NOW + 3 * SECOND
    assert row(database).desired == 3


def test_of_sixteen_threads_one_gets_the_claim(database: Database) -> None:
    barrier = Barrier(16)

    def attempt(key: Key) -> Claim | None:
        barrier.wait(30)
        return ledger.claim(database, key, now=NOW)

    with ThreadPoolExecutor(16) as pool:
        for number in range(10):
            key = Key(Kind.CALENDAR, str(number))
            touch(database, key)
            won = [claim for claim in pool.map(attempt, [key] * 16) if claim]
            assert len(won) == 1


def test_a_finished_key_is_due_no_more(database: Database) -> None:
    touch(database)
    assert ledger.finish(database, claimed(database))
    assert ledger.claim(database, KEY, now=NOW + timedelta(days=365)) is None
    assert ledger.next_due(database, NOW - SECOND) is None
    stored = row(database)
    assert (stored.applied, stored.due_at, stored.lease_until) == (1, None, None)


def test_what_was_asked_for_is_counted_beside_what_was_done(database: Database) -> None:
    touch(database)
    assert (row(database).desired, row(database).applied) == (1, 0)
    claim = claimed(database)
    touch(database)
    ledger.finish(database, claim)
    assert (row(database).desired, row(database).applied) == (2, 1)
    ledger.finish(database, claimed(database))
    assert (row(database).desired, row(database).applied) == (2, 2)


def test_a_finished_key_may_come_back_by_itself(database: Database) -> None:
    touch(database)
    ledger.finish(database, claimed(database), again_at=NOW + SECOND)
    assert ledger.claim(database, KEY, now=NOW) is None
    assert ledger.claim(database, KEY, now=NOW + SECOND)


def test_a_key_touched_during_a_run_is_due_at_once_when_the_run_ends(database: Database) -> None:
    touch(database)
    claim = claimed(database)
    touch(database)
    assert ledger.claim(database, KEY, now=NOW) is None
    assert ledger.follower(database, claim, NOW) is None
    ledger.finish(database, claim, again_at=NOW + timedelta(days=1))
    assert ledger.follower(database, claim, NOW) == (KEY, Urgency.ACT)
    assert claimed(database).desired == 2


def test_after_the_lease_another_takes_over_and_the_first_is_fenced_off(database: Database) -> None:
    touch(database)
    frozen = claimed(database, lease=BRIEF)
    successor = await_claim(database)
    assert successor.token > frozen.token
    assert not ledger.renew(database, frozen)
    assert not ledger.finish(database, frozen)
    assert ledger.refuse(database, frozen, now=NOW, error="x") is None
    assert not ledger.release(database, frozen)
    assert ledger.postpone(database, frozen, now=NOW, retry_after=None, error="x") is None
    assert ledger.renew(database, successor)
    assert ledger.finish(database, successor)


def test_a_check_holds_while_the_claim_does_and_fails_once_another_has_claimed(database: Database) -> None:
    touch(database)
    frozen = claimed(database, lease=BRIEF)
    successor = await_claim(database)
    with database.begin() as db:
        assert not ledger.check(db, frozen)
        assert ledger.check(db, successor)
    assert ledger.finish(database, successor)
    with database.begin() as db:
        assert not ledger.check(db, successor)


def test_a_claim_whose_lease_has_run_out_counts_until_another_has_claimed_the_key(database: Database) -> None:
    touch(database)
    late = claimed(database, lease=timedelta(seconds=-1))
    with database.begin() as db:
        assert ledger.check(db, late)
    claimed(database)
    with database.begin() as db:
        assert not ledger.check(db, late)


def test_nobody_claims_a_key_between_a_check_and_the_end_of_its_transaction(database: Database) -> None:
    touch(database)
    late = claimed(database, lease=timedelta(seconds=-1))
    with ThreadPoolExecutor(1) as pool:
        with database.begin() as db:
            assert ledger.check(db, late)
            successor = pool.submit(ledger.claim, database, KEY, now=NOW)
            with database.read() as other:
                assert other.execute(sa.select(due.c.token)).scalar_one() == late.token
            assert not successor.done()
        assert successor.result(60)


def await_claim(database: Database) -> Claim:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        claim = ledger.claim(database, KEY, now=NOW)
        if claim:
            return claim
        time.sleep(0.01)  # the database's own clock is all there is to wait for
    raise AssertionError("the lease never ended")


def test_a_renewed_lease_lives_on(database: Database) -> None:
    touch(database)
    claim = claimed(database, lease=BRIEF)
    assert ledger.renew(database, claim, lease=timedelta(seconds=30))
    time.sleep(2 * BRIEF.total_seconds())  # past the first lease
    assert ledger.claim(database, KEY, now=NOW) is None


def test_leases_do_not_care_for_the_callers_clock(database: Database) -> None:
    touch(database)
    claimed(database)
    assert ledger.claim(database, KEY, now=NOW + timedelta(days=365)) is None


@pytest.mark.parametrize("attempts", [0, 1, 4, 7, 8, 60])
def test_back_off_is_between_five_seconds_and_fifteen_minutes_and_doubles(database: Database, attempts: int) -> None:
    touch(database)
    longest = min(timedelta(minutes=15), timedelta(seconds=5) * 2 ** min(attempts + 1, 20))
    delays = []
    for _ in range(20):
        with database.begin() as db:
            db.execute(sa.update(due).values(attempts=attempts, due_at=NOW))
        again_at = ledger.postpone(database, claimed(database), now=NOW, retry_after=None, error="x")
        assert again_at is not None
        delays.append(again_at - NOW)
    assert min(delays) >= timedelta(seconds=5)
    assert max(delays) <= longest
    assert len(set(delays)) > 10
    assert row(database).attempts == attempts + 1


def test_postponed_work_comes_back_and_success_forgets_the_failures(database: Database) -> None:
    touch(database)
    again_at = ledger.postpone(database, claimed(database), now=NOW, retry_after=None, error="TransientError")
    assert again_at is not None
    assert row(database).last_error == "TransientError"
    assert ledger.claim(database, KEY, now=again_at - SECOND) is None
    claim = claimed(database, now=again_at)
    assert claim.attempts == 1
    ledger.finish(database, claim)
    assert (row(database).attempts, row(database).last_error) == (0, None)


def test_a_touch_brings_postponed_work_forward_but_never_before_the_service_allows(database: Database) -> None:
    touch(database)
    ledger.postpone(database, claimed(database), now=NOW, retry_after=None, error="x")
    touch(database)
    ledger.postpone(database, claimed(database), now=NOW, retry_after=timedelta(hours=1), error="x")
    touch(database)
    assert ledger.claim(database, KEY, now=NOW + timedelta(minutes=59)) is None
    ledger.finish(database, claimed(database, now=NOW + timedelta(hours=1)))
    touch(database)
    claimed(database)


def test_a_service_may_not_keep_us_away_for_longer_than_a_day(database: Database) -> None:
    touch(database)
    request = timedelta(days=10_000)
    assert ledger.postpone(database, claimed(database), now=NOW, retry_after=request, error="x") == NOW + timedelta(1)


def test_what_is_refused_is_tried_again_ever_more_slowly_and_visibly_until_it_is_done(database: Database) -> None:
    touch(database)
    now = NOW
    for refusals in range(9):
        again_at = ledger.refuse(database, claimed(database, now=now), now=now, error="RefusedError")
        assert again_at is not None
        assert timedelta(minutes=1) <= again_at - now <= min(timedelta(hours=1), timedelta(minutes=2) * 2**refusals)
        (refused,) = ledger.refused(database)
        assert (refused.key, refused.since, refused.error, refused.again_at) == (KEY, NOW, "RefusedError", again_at)
        now = again_at
    ledger.finish(database, claimed(database, now=now), again_at=now)
    assert ledger.refused(database) == []
    assert claimed(database, now=now).refusals == 0


def test_what_is_refused_is_due_at_once_when_something_else_has_succeeded_there(database: Database) -> None:
    touch(database)
    ledger.refuse(database, claimed(database), now=NOW, error="x")
    with database.begin() as db:
        assert ledger.hasten_refused(db, [Kind.PULL], [KEY.id], now=NOW) == 0
        assert ledger.hasten_refused(db, [KEY.kind], [KEY.id], now=NOW) == 1
        assert ledger.hasten_refused(db, [KEY.kind], [KEY.id], now=NOW) == 0
    assert claimed(database).refusals == 1


def test_what_is_refused_is_not_hastened_before_its_service_allows(database: Database) -> None:
    touch(database)
    ledger.refuse(database, claimed(database), now=NOW, retry_after=timedelta(hours=2), error="x")
    with database.begin() as db:
        ledger.hasten_refused(db, [KEY.kind], [KEY.id], now=NOW)
    assert ledger.claim(database, KEY, now=NOW + timedelta(minutes=119)) is None
    claimed(database, now=NOW + timedelta(hours=2))


def test_a_key_touched_during_a_run_does_not_wait_because_of_what_the_run_tried(database: Database) -> None:
    touch(database)
    claim = claimed(database)
    touch(database)
    ledger.refuse(database, claim, now=NOW, error="RefusedError")
    claimed(database)


def test_a_released_key_is_as_due_as_before(database: Database) -> None:
    touch(database)
    first = claimed(database)
    assert ledger.release(database, first)
    second = claimed(database)
    assert (second.desired, second.attempts) == (first.desired, 0)


def test_a_process_that_is_alone_ends_all_leases_and_fences_off_their_holders(database: Database) -> None:
    touch(database)
    killed = claimed(database)
    assert ledger.clear_leases(database) == 1
    assert not ledger.renew(database, killed)
    claimed(database)


def test_a_forgotten_key_is_gone(database: Database) -> None:
    touch(database)
    forget(database)
    assert list(ledger.due_keys(database, NOW)) == []
    with database.read() as db:
        assert db.execute(sa.select(due)).first() is None


def test_a_key_forgotten_and_touched_during_a_run_is_not_run_twice_at_a_time(database: Database) -> None:
    touch(database)
    claim = claimed(database)
    with database.begin() as db:
        ledger.forget(db, KEY)
        ledger.touch(db, KEY, due_at=NOW + SECOND)
    assert ledger.claim(database, KEY, now=NOW + SECOND) is None
    assert ledger.finish(database, claim)
    assert ledger.claim(database, KEY, now=NOW) is None
    claimed(database, now=NOW + SECOND)


@pytest.mark.parametrize("end", ["finish", "postpone", "refuse"])
def test_a_key_forgotten_during_a_run_stays_forgotten(database: Database, end: str) -> None:
    touch(database)
    claim = claimed(database)
    forget(database)
    match end:
        case "finish":
            ledger.finish(database, claim, again_at=NOW)
        case "postpone":
            ledger.postpone(database, claim, now=NOW, retry_after=None, error="x")
        case _:
            ledger.refuse(database, claim, now=NOW, error="x")
    assert ledger.claim(database, KEY, now=NOW + timedelta(days=365)) is None
    assert ledger.refused(database) == []


def test_a_claim_on_a_forgotten_row_cannot_pass_for_one_on_its_successor(database: Database) -> None:
    touch(database)
    frozen = claimed(database, lease=timedelta(seconds=-1))
    forget(database)
    touch(database)
    claimed(database)
    assert not ledger.renew(database, frozen)
