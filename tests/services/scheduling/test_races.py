"""Fifty at once: however they interleave, no time is given twice and exactly one answer wins."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from threading import Barrier

from connector.domain.offer import OfferState
from connector.errors import OfferClosedError, TimeTakenError
from tests.domain.examples import when
from tests.services.practice import Practice

CROWD = 50


def at_once(attempts: list[Callable[[], str]]) -> Counter[str]:
    barrier = Barrier(len(attempts))

    def run(attempt: Callable[[], str]) -> str:
        barrier.wait()
        return attempt()

    with ThreadPoolExecutor(len(attempts)) as pool:
        return Counter(pool.map(run, attempts))


def overlaps(practice: Practice) -> list[object]:
    times = practice.kept()
    return [(a, b) for a, b in pairwise(sorted(times)) if b[0] < a[1]]


def test_fifty_clients_for_overlapping_times_are_booked_without_any_overlap(practice: Practice) -> None:
    people = [practice.another_client() for _ in range(CROWD)]

    def book(n: int) -> Callable[[], str]:
        def attempt() -> str:
            try:
                practice.book(48 + (n % 10) * 0.4, of=people[n])
            except TimeTakenError:
                return "taken"
            return "booked"

        return attempt

    outcome = at_once([book(n) for n in range(CROWD)])
    times = practice.kept()
    assert overlaps(practice) == []
    assert outcome["booked"] == len(times) >= 2
    assert outcome["taken"] == CROWD - len(times)


def test_fifty_answers_to_one_offer_have_one_winner(practice: Practice) -> None:
    booked = practice.book(48)
    offer = practice.offer(booked, 72, 96, 120)

    def answer(n: int) -> Callable[[], str]:
        def attempt() -> str:
            try:
                match n % 5:
                    case 3:
                        practice.reject(offer)
                        return "rejected"
                    case 4:
                        practice.withdraw(offer)
                        return "withdrawn"
                    case choice:
                        practice.accept(offer, choice)
                        return f"accepted {choice}"
            except OfferClosedError:
                return "refused"

        return attempt

    outcome = at_once([answer(n) for n in range(CROWD)])
    winners = {answer for answer in outcome if answer != "refused"}
    assert len(winners) == 1, outcome
    assert outcome["refused"] == CROWD - 10  # those who gave the winning answer again were told the same
    ended = practice.offer_now(offer)
    assert ended.state is not OfferState.OPEN
    kinds = practice.kinds_told(booked, client=True)
    assert len(kinds) == 3, kinds
    assert len(practice.kept()) == 1


def test_an_answer_races_the_deadline(practice: Practice) -> None:
    booked = practice.book(48)
    offer = practice.offer(booked, 72, 96)
    assert offer.expires_at is not None
    practice.now = offer.expires_at

    def lapse() -> str:
        practice.come_due(offer)
        return "looked"

    def accept() -> str:
        try:
            practice.accept(offer, 0)
        except OfferClosedError:
            return "refused"
        return "accepted"

    outcome = at_once([lapse if n % 2 else accept for n in range(20)])
    assert outcome == {"looked": 10, "refused": 10}
    assert practice.offer_now(offer).state is OfferState.LAPSED
    assert practice.session(booked).when == booked.when
    assert practice.kinds_told(booked, client=True) == ["booked", "offered", "lapsed"]


def test_two_offers_for_the_same_time_hold_it_once(practice: Practice) -> None:
    drafts = [practice.draft(practice.book(48 + n, of=practice.another_client()), 200, 210 + n) for n in range(10)]

    def send(n: int) -> Callable[[], str]:
        def attempt() -> str:
            try:
                practice.send(drafts[n])
            except TimeTakenError:
                return "taken"
            return "sent"

        return attempt

    assert at_once([send(n) for n in range(10)]) == {"sent": 1, "taken": 9}
    assert [start for start, _, _ in practice.kept()].count(when(200).span.start) == 1
    assert overlaps(practice) == []
