"""Whoever dies in the middle of it: everything arrives, in order for each session."""

from __future__ import annotations

from itertools import count, groupby

from connector.outbox.http import Reach
from connector.outbox.outcomes import HttpPoster
from connector.ports import Posted, Posting
from connector.storage import ledger
from connector.storage.outcomes import DeliveryState
from tests.domain.examples import when
from tests.fakes.outcome_host import OutcomeHost
from tests.services.outcomes.telling import INNER, Telling
from tests.services.outcomes.test_delivering import SESSIONS
from tests.services.practice import Practice


class DeathError(BaseException):
    """The process ends: nothing of it is recorded, and its lease stays."""


class Mortal(HttpPoster):
    """Posts, and dies once the host has it, before that is recorded: every third time, on the other side of it too."""

    numbers = count(1)

    def post(self, posting: Posting) -> Posted:
        number = next(self.numbers)
        if number % 7 == 3:
            raise DeathError
        posted = super().post(posting)
        if number % 5 == 2:
            raise DeathError
        return posted


def test_a_hundred_outcomes_arrive_in_order_however_often_we_die(
    practice: Practice, telling: Telling, host: OutcomeHost
) -> None:
    telling.add(types=SESSIONS)
    practice.prompt = False
    booked = [practice.book(48 + 2 * n) for n in range(10)]
    for step in range(1, 10):
        for n, session in enumerate(booked):
            practice.move(session, when(48 + 2 * n + 200 * step))
    practice.runtime.poster = Mortal(reach=Reach(inner_hosts=INNER))
    deaths = 0
    while any(one.state is DeliveryState.PENDING for one in telling.deliveries()):
        ledger.clear_leases(practice.database)
        try:
            telling.deliver()
        except DeathError:
            deaths += 1
        assert deaths < 1000
    assert deaths > 10
    first_seen: dict[str, list[str]] = {}
    for one in host.received:
        first_seen.setdefault(str(one.said["data"]["session_id"]), []).append(one.id)
    assert sum(len(set(ids)) for ids in first_seen.values()) == 100
    by_id = {one.id: one.said["data"]["revision"] for one in host.received}
    for ids in first_seen.values():
        once = [key for key, _ in groupby(ids)]  # a repeat comes right after what it repeats
        assert len(once) == len(set(once)) == 10
        revisions = [by_id[key] for key in once]
        assert revisions == sorted(revisions)
