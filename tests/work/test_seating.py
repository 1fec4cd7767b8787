"""Neither one lane nor many slow ones together take a process's threads from the others."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count

import pytest

from connector.storage.ledger import Claim, Key, Kind, Urgency
from connector.work import seating
from connector.work.seating import SLOW, Seating

THREADS, SEATS = 8, 4
LONG = SLOW.total_seconds() + 1
DEAD, WELL = "caldav:dead.example", "caldav:well.example"


class Threads:
    """A process with so many threads, and a hand on its clock; claims are numbered."""

    def __init__(self) -> None:
        self.now = 0.0
        self.seating = Seating(threads=THREADS, seats=SEATS, monotonic=lambda: self.now)
        self._numbers: Iterator[int] = count()

    def take(self, lane: str, *, attempts: int = 0) -> Claim | None:
        number = next(self._numbers)
        key = Key(Kind.PULL, str(number))
        claim = Claim(key=key, token=number, desired=1, attempts=attempts, lane=lane, urgency=Urgency.UPKEEP)
        is_passed_over = lane in self.seating.closed()
        is_taken = self.seating.take(claim)
        assert not (is_passed_over and is_taken)
        return claim if is_taken else None

    def take_all(self, lane: str) -> list[Claim]:
        """Take as many of a lane as there are."""
        return list(iter(lambda: self.take(lane), None))

    def run(self, lane: str, how: str = "done", *, seconds: float = 0.1) -> None:
        claim = self.take(lane)
        assert claim is not None
        self.now += seconds
        self.seating.leave(claim, how)

    def prove(self, lane: str) -> None:
        for _ in range(SEATS):
            self.run(lane)


@pytest.fixture
def threads() -> Threads:
    return Threads()


def test_a_lane_nobody_knows_has_one_claim_at_a_time_and_one_more_for_each_that_went_through(threads: Threads) -> None:
    sizes = []
    for _ in range(SEATS + 1):
        claims = threads.take_all(WELL)
        sizes.append(len(claims))
        for claim in claims[1:]:
            threads.seating.leave(claim, "stopped")
        threads.seating.leave(claims[0], "done")
    assert sizes == [1, 2, 3, 4, 4]


def test_what_does_not_go_through_halves_the_claims_of_its_lane(threads: Threads) -> None:
    threads.prove(WELL)
    sizes = []
    for _ in range(4):
        threads.run(WELL, "postponed")
        claims = threads.take_all(WELL)
        sizes.append(len(claims))
        for claim in claims:
            threads.seating.leave(claim, "lost")
    assert sizes == [2, 1, 1, 1]


def test_an_answer_that_says_no_is_an_answer(threads: Threads) -> None:
    threads.prove(WELL)
    threads.run(WELL, "refused")
    assert len(threads.take_all(WELL)) == SEATS


def test_an_answer_that_says_no_earns_its_lane_no_more_claims(threads: Threads) -> None:
    for _ in range(SEATS):
        threads.run(WELL, "refused")
    assert len(threads.take_all(WELL)) == 1


def test_dead_hosts_that_nobody_knows_take_a_thread_each(threads: Threads) -> None:
    hosts = [f"caldav:dead{number}.example" for number in range(3)]
    assert [len(threads.take_all(host)) for host in hosts] == [1, 1, 1]
    assert threads.take(WELL)
    threads.now += LONG
    assert [len(threads.take_all(host)) for host in hosts] == [0, 0, 0]


def test_a_process_that_has_just_started_knows_from_the_ledger_which_hosts_are_dead(threads: Threads) -> None:
    hosts = [f"caldav:dead{number}.example" for number in range(100)]
    assert len([host for host in hosts if threads.take(host, attempts=1)]) == THREADS // 2
    assert set(hosts[THREADS // 2 :]) <= threads.seating.closed(), "they are not claimed and given back once more"
    assert threads.take(WELL)


def test_many_hosts_that_are_known_to_be_dead_take_half_of_the_threads_together(threads: Threads) -> None:
    hosts = [f"caldav:dead{number}.example" for number in range(100)]
    for host in hosts:
        threads.run(host, "postponed", seconds=LONG)
    assert len([host for host in hosts if threads.take(host)]) == THREADS // 2
    assert threads.take(WELL)


def test_lanes_that_were_well_and_die_at_once_leave_threads_to_others(threads: Threads) -> None:
    hosts = [f"caldav:host{number}.example" for number in range(3)]
    for host in hosts:
        threads.prove(host)
    taken = sum(len(threads.take_all(host)) for host in hosts)
    assert taken == len(hosts) + THREADS // 2
    assert threads.take(WELL)


def test_a_lane_is_slow_while_what_it_does_takes_long_and_none_goes_through(threads: Threads) -> None:
    for lane in (DEAD, WELL):
        threads.prove(lane)
        assert threads.take(lane)
    threads.now += LONG
    threads.run(WELL)
    others = threads.take_all(DEAD)
    assert len(others) == 3
    assert threads.take(WELL) is None, "half of the threads are shared out"
    threads.seating.leave(others[0], "postponed")
    assert threads.take(WELL), "its long claim holds its first thread only, for others go through"


def test_a_claim_that_went_through_slowly_leaves_its_lane_slow_until_one_goes_through_quickly(threads: Threads) -> None:
    hosts = [f"caldav:slow{number}.example" for number in range(9)]
    for host in hosts:
        threads.run(host, seconds=LONG)
    held = [claim for host in hosts if (claim := threads.take(host))]
    assert len(held) == THREADS // 2
    threads.seating.leave(held[0], "done")
    assert threads.take(held[0].lane)


def test_what_waits_for_no_service_is_never_kept_waiting(threads: Threads) -> None:
    for number in range(THREADS):
        threads.run(f"caldav:dead{number}.example", "postponed", seconds=LONG)
    assert all(threads.take("") for _ in range(2 * THREADS))


def test_lanes_are_forgotten_when_there_are_too_many_but_not_while_they_run(
    threads: Threads, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(seating, "_REMEMBERED", 20)
    monkeypatch.setattr(seating, "_TROUBLED", 5)
    held = threads.take(WELL)
    for number in range(100):
        threads.run(f"caldav:dead{number}.example", "postponed")
    assert len(threads.seating._lanes) <= 21
    assert len(threads.seating._troubled) == 5
    assert held is not None
    threads.seating.leave(held, "done")
