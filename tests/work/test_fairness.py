"""Nobody waits for another's server, and no act waits for upkeep: counted in claims, by which are made before which."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest
import sqlalchemy as sa

from connector.domain.unreadable import Unreadable
from connector.errors import TransientError
from connector.storage import ledger
from connector.storage.database import Database
from connector.storage.due import due
from connector.storage.ledger import Claim, Key, Kind, Urgency
from connector.work.engine import SHARE, Running
from tests.ical.foreign.objects import HOUR as HOUR_LONG
from tests.ical.foreign.objects import START, calendar, event, read

from .conftest import OFTEN, WAIT_SECONDS, Recorder, StartEngine
from .worker import real_time

THREADS = 8
HOUR = timedelta(hours=1)
ACT = Key(Kind.CALENDAR, "hold")
BOMB = Key(Kind.BUSY, "bomb")
EXHAUSTING = calendar(event(START, HOUR_LONG, "RRULE:FREQ=SECONDLY"))
BAD = ("caldav:dead.example", "caldav:silent.example", "caldav:endless.example")


class Gate:
    """A handler that lets so many claims through as it is told to, and those of lanes that are named as failed."""

    def __init__(self) -> None:
        self.dead: frozenset[str] | None = None
        self._permits = threading.Semaphore(0)
        self._is_open = threading.Event()

    def __call__(self, claim: Claim, _running: Running) -> None:
        if self.dead is not None and claim.lane not in self.dead:
            return
        while not self._is_open.is_set() and not self._permits.acquire(timeout=0.05):
            pass
        if self.dead is not None:
            raise TransientError("no answer in time")

    def let(self, claims: int) -> None:
        self._permits.release(claims)

    def open(self) -> None:
        self._is_open.set()


class Ends:
    """The keys of which a claim has ended."""

    def __init__(self) -> None:
        self.keys: set[Key] = set()
        self._changed = threading.Condition()

    def add(self, key: Key) -> None:
        with self._changed:
            self.keys.add(key)
            self._changed.notify_all()

    def wait_for(self, keys: set[Key]) -> None:
        with self._changed:
            assert self._changed.wait_for(lambda: keys <= self.keys, WAIT_SECONDS), keys - self.keys


@pytest.fixture
def gate(start_engine: StartEngine) -> Iterator[Gate]:  # noqa: ARG001 - which waits for its claims when it stops
    gate = Gate()
    yield gate
    gate.open()


def fill(database: Database, polls: int) -> None:
    """So many polls, each of an account of its own, that have been due for an hour."""
    common = {"kind": "pull", "desired": 1, "applied": 0, "token": 1, "attempts": 0, "due_at": real_time() - HOUR}
    rows = [common | {"id": f"poll {number}", "lane": f"google:{number}"} for number in range(polls)]
    with database.begin() as db:
        db.execute(sa.insert(due), rows)


def act(database: Database, *keys: Key) -> None:
    with database.begin() as db:
        for key in keys:
            ledger.touch(db, key, due_at=real_time(), lane=f"google:{key.id}")


@pytest.mark.parametrize("bad", [BAD, pytest.param([f"caldav:{n}.example" for n in range(7)], id="seven")])
def test_hosts_that_do_not_answer_keep_no_others_waiting(
    sqlite_database: Database, start_engine: StartEngine, gate: Gate, bad: tuple[str, ...]
) -> None:
    """While they hold their threads, everything of a hundred others is carried out, however much they have due."""
    gate.dead = frozenset(bad)
    well = {Key(kind, f"well {number}") for number in range(100) for kind in (Kind.PULL, Kind.CALENDAR)}
    with sqlite_database.begin() as db:
        for lane in bad:
            for number in range(20):
                ledger.touch(db, Key(Kind.PULL, f"{lane} {number}"), due_at=real_time() - HOUR, lane=lane)
        for key in sorted(well, key=lambda key: key.id):
            ledger.touch(db, key, due_at=real_time(), lane=f"caldav:{key.id.split()[1]}.well.example")
    handled = Recorder(gate)
    start_engine(sqlite_database, handled, threads=THREADS, tick=OFTEN)
    handled.wait_for_keys(well)
    held = [claim for claim in handled.claims if claim.lane in bad]
    assert {claim.lane for claim in held} == set(bad)
    assert len(held) == len(bad), "a thread for each, until it has answered once"


def test_acts_at_well_hosts_end_before_dead_ones_are_released_and_whatever_a_bomb_takes(
    sqlite_database: Database, start_engine: StartEngine
) -> None:
    """A calendar whose event exhausts its steps is read again and again meanwhile."""
    dead, ended = frozenset(BAD[:2]), Ends()
    acts = {Key(Kind.CALENDAR, f"well {number}") for number in range(100)}
    released = threading.Event()

    def handle(claim: Claim, _running: Running) -> datetime | None:
        if claim.lane in dead:
            assert released.wait(WAIT_SECONDS)
        elif claim.key == BOMB:
            assert read(EXHAUSTING)[1] is Unreadable.TOO_DENSE
        ended.add(claim.key)
        return real_time() if claim.key == BOMB and not acts <= ended.keys else None

    with sqlite_database.begin() as db:
        for lane in dead:
            for number in range(20):
                ledger.touch(db, Key(Kind.PULL, f"{lane} {number}"), due_at=real_time() - HOUR, lane=lane)
        ledger.touch(db, BOMB, due_at=real_time() - HOUR, lane="caldav:bomb.example")
    start_engine(sqlite_database, handle, threads=THREADS, tick=OFTEN)
    ended.wait_for({BOMB})
    try:
        act(sqlite_database, *acts)
        ended.wait_for(acts)
        assert not any(key.id.startswith(tuple(dead)) for key in ended.keys)
    finally:
        released.set()


def test_hosts_that_have_not_answered_lately_take_half_of_the_threads_together(
    sqlite_database: Database, start_engine: StartEngine, gate: Gate
) -> None:
    bad = [f"caldav:dead{number}.example" for number in range(30)]
    with sqlite_database.begin() as db:
        for lane in bad:
            ledger.touch(db, Key(Kind.PULL, lane), due_at=real_time() - HOUR, lane=lane)
        db.execute(sa.update(due).values(attempts=3))
    gate.dead = frozenset(bad)
    handled = Recorder(gate)
    start_engine(sqlite_database, handled, threads=THREADS, tick=OFTEN)
    for number in range(30):
        act(sqlite_database, Key(Kind.CALENDAR, f"well {number}"))
    handled.wait_for_keys({Key(Kind.CALENDAR, f"well {number}") for number in range(30)})
    assert sum(claim.lane in bad for claim in handled.claims) <= THREADS // 2


@pytest.mark.parametrize("polls", [2_000, pytest.param(100_000, marks=pytest.mark.long)])
def test_an_act_goes_before_all_polls_that_are_due(
    sqlite_database: Database, start_engine: StartEngine, gate: Gate, polls: int
) -> None:
    """The polls of a whole look are on their way to the threads when it comes; each thread ends the one it has."""
    fill(sqlite_database, polls)
    handled = Recorder(gate)
    start_engine(sqlite_database, handled, threads=4, tick=OFTEN)
    handled.wait_for(4)
    act(sqlite_database, ACT)
    before = _let_through_until(ACT, handled, gate)
    assert before <= 4 + 2 * 4, "those that were running, and what was being handed out meanwhile"


def test_an_act_nobody_was_woken_for_goes_before_all_polls_as_well(
    sqlite_database: Database, start_engine: StartEngine, gate: Gate
) -> None:
    """A command sends no wake-ups to a worker in another process: the pump does, when it looks next."""
    fill(sqlite_database, 2_000)
    handled = Recorder(gate)
    engine = start_engine(sqlite_database, handled, threads=4)
    handled.wait_for(4)
    sqlite_database.on_touched = None
    act(sqlite_database, ACT)
    engine._pump._pump()
    assert _let_through_until(ACT, handled, gate) <= 4 + 2 * 4


def test_a_poll_that_waits_is_carried_out_however_many_acts_come(
    sqlite_database: Database, start_engine: StartEngine
) -> None:
    fill(sqlite_database, 1)
    handled = Recorder()
    acts = [Key(Kind.CONVERSATION, str(number)) for number in range(10 * SHARE)]
    with sqlite_database.begin() as db:
        for key in acts:
            ledger.touch(db, key, due_at=real_time(), lane="")
        db.execute(sa.update(due).where(due.c.kind == "pull").values(due_at=real_time() - HOUR))
    engine = start_engine(sqlite_database, handled, threads=2)
    engine._wakeups.may_wake(Key(Kind.PULL, "poll 0"), Urgency.UPKEEP, 0.0, again=True)
    handled.wait_for_keys({*acts, Key(Kind.PULL, "poll 0")})
    order = [claim.key.kind for claim in handled.claims]
    assert order.index(Kind.PULL) <= 2 * SHARE


def _let_through_until(key: Key, handled: Recorder, gate: Gate) -> int:
    """Let one claim after another end until the key is claimed, and return how many were begun before it."""
    begun = len(handled.claims)
    while key not in (order := [claim.key for claim in handled.claims]):
        gate.let(1)
        begun = len(handled.wait_for(begun + 1))
    return order.index(key)


@pytest.mark.postgresql
@pytest.mark.redis
def test_an_act_goes_before_all_polls_where_redis_carries_the_wake_ups(
    postgresql_database: Database, redis_url: str, start_engine: StartEngine, gate: Gate
) -> None:
    fill(postgresql_database, 600)
    handled = Recorder(gate)
    start_engine(postgresql_database, handled, broker_url=redis_url, threads=4, tick=OFTEN)
    handled.wait_for(4)
    act(postgresql_database, ACT)
    assert _let_through_until(ACT, handled, gate) <= 4 + 2 * 4
