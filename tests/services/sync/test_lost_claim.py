"""A claim that is lost anywhere: nothing is recorded under it, and what was written under it is put right."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from random import Random

import pytest

from connector.domain.connection import Calendar
from connector.domain.offer import Offer
from connector.domain.session import Session
from connector.services.scheduling import offers
from connector.storage.ledger import Kind
from providers.memory import provider as memory
from tests.domain.examples import KIM, when
from tests.services.connected import connect, on_sqlite, push, remote, settle
from tests.services.frozen import POINTS, FreezingDatabase, Point, Worker
from tests.services.practice import Practice

HOURS = (72, 96, 120, 144, 168, 192, 216, 240)


@pytest.fixture
def frozen_database(database_url: str) -> Iterator[FreezingDatabase]:
    database = FreezingDatabase(database_url)
    yield database
    database.dispose()


@pytest.fixture
def practice(frozen_database: FreezingDatabase) -> Iterator[Practice]:
    made = Practice(frozen_database)
    yield made
    memory.forget(str(made.kim.id))


@pytest.fixture
def calendar(practice: Practice) -> Calendar:
    """A calendar in which the name of an event that was deleted can be used again: a late creation makes it anew."""
    made = connect(practice)
    practice.carry_out()
    remote(practice).spends_names = False
    return made


def withdraw(practice: Practice, offer: Offer, n: int) -> None:
    alternative = offer.alternatives[n]
    with practice.database.begin() as db:
        offers.withdraw_alternative(db, practice.policy, offer.id, alternative.id, by=KIM, now=practice.now)


def move(practice: Practice, offer: Offer, n: int, hours: float) -> None:
    alternative = offer.alternatives[n]
    with practice.database.begin() as db:
        to = when(hours)
        offers.move_alternative(db, practice.policy, offer.id, alternative.id, to, by=KIM, now=practice.now)


def shown(practice: Practice) -> list[datetime]:
    return sorted(content.span.start for content in remote(practice).shown())


def kept(practice: Practice) -> list[datetime]:
    return [start for start, _end, _state in practice.kept()]


def withdraw_three_and_move_five(practice: Practice, offer: Offer) -> None:
    for n in (1, 3, 6):
        withdraw(practice, offer, n)
    for n in (0, 2, 4, 5, 7):
        move(practice, offer, n, HOURS[n] + 3)


def move_and_move_back(practice: Practice, offer: Offer) -> None:
    for n in range(8):
        move(practice, offer, n, HOURS[n] + 3)
    practice.carry_out(Kind.CALENDAR)
    for n in range(8):
        move(practice, offer, n, HOURS[n])


def accept(practice: Practice, offer: Offer) -> None:
    practice.accept(offer, 3)


def withdraw_all(practice: Practice, offer: Offer) -> None:
    practice.withdraw(offer)


MEANWHILE: dict[str, Callable[[Practice, Offer], None]] = {
    "withdrawn and moved": withdraw_three_and_move_five,
    "moved and back": move_and_move_back,
    "accepted": accept,
    "withdrawn": withdraw_all,
}


def story(
    practice: Practice, calendar: Calendar, point: Point, n: int, act: Callable[[Practice, Offer], None], **how: bool
) -> tuple[Worker, Session]:
    """Offer eight times to a worker that is frozen while another shows them, and shows what becomes of them."""
    booked = practice.book(48)
    practice.carry_out(Kind.CALENDAR)
    offer = practice.offer(booked, *HOURS)

    def meanwhile() -> None:
        practice.carry_out(Kind.CALENDAR)
        act(practice, offer)
        practice.carry_out(Kind.CALENDAR)
        assert shown(practice) == kept(practice)

    database = practice.database
    assert isinstance(database, FreezingDatabase)
    worker = Worker(practice, database, remote(practice), point, n, meanwhile, **how)
    ending = worker.work(calendar)
    assert worker.struck
    assert ending is None or ending.how == "lost"
    return worker, booked


def assert_true_for_good(practice: Practice, calendar: Calendar, session: Session) -> None:
    """The calendar is as wanted, and no later look takes what was left for the practitioner's doing."""
    assert shown(practice) == kept(practice)
    practice.carry_out()  # the letters
    told = practice.happened(session)
    for _ in range(2):
        settle(practice, calendar)
        practice.carry_out()
        assert shown(practice) == kept(practice)
    assert practice.happened(session) == told
    push(practice, calendar)
    remote(practice).requests.clear()
    practice.carry_out(Kind.CALENDAR)
    assert remote(practice).requests["put"] + remote(practice).requests["remove"] == 0


@on_sqlite
@pytest.mark.parametrize("act", MEANWHILE)
@pytest.mark.parametrize("n", [0, 3])
@pytest.mark.parametrize("point", ["before write", "after write"])
def test_what_a_worker_writes_after_it_has_lost_its_claim_is_put_right_by_the_next(
    practice: Practice, calendar: Calendar, point: Point, n: int, act: str
) -> None:
    _, booked = story(practice, calendar, point, n, MEANWHILE[act])
    practice.carry_out(Kind.CALENDAR)
    assert_true_for_good(practice, calendar, booked)


@pytest.mark.parametrize("n", [0, 1])
def test_a_claim_lost_before_a_record_records_nothing(practice: Practice, calendar: Calendar, n: int) -> None:
    _, booked = story(practice, calendar, "before record", n, withdraw_three_and_move_five)
    practice.carry_out(Kind.CALENDAR)
    assert_true_for_good(practice, calendar, booked)


@on_sqlite
@pytest.mark.parametrize("act", MEANWHILE)
def test_a_late_write_of_a_killed_worker_is_put_right_a_lease_later(
    practice: Practice, calendar: Calendar, act: str
) -> None:
    _, booked = story(practice, calendar, "before write", 3, MEANWHILE[act], killed=True)
    practice.wait(seconds=61)
    practice.carry_out(Kind.CALENDAR)
    assert_true_for_good(practice, calendar, booked)


@pytest.mark.long
@pytest.mark.sweep
@pytest.mark.parametrize("seed", range(40))
def test_any_claim_lost_anywhere_leaves_the_calendar_as_it_should_be(
    practice: Practice, calendar: Calendar, seed: int
) -> None:
    random = Random(seed)
    remote(practice).spends_names = random.random() < 0.3
    point = random.choice(POINTS)
    n = random.randrange(2 if point == "before record" else 8)
    killed = point != "before record" and random.random() < 0.3
    acts = [MEANWHILE["moved and back"]] * random.randrange(2) + [random.choice(list(MEANWHILE.values()))]

    def act(practice: Practice, offer: Offer) -> None:
        for one in acts:
            one(practice, offer)
            practice.carry_out(Kind.CALENDAR)

    _, booked = story(practice, calendar, point, n, act, killed=killed)
    practice.wait(seconds=61 if killed else 0)
    practice.carry_out(Kind.CALENDAR)
    assert_true_for_good(practice, calendar, booked)
