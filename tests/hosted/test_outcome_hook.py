"""The host's own function is told of outcomes: in order, again when it raises, and whatever it does hurts nobody."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from itertools import groupby
from uuid import UUID

import pytest
import structlog
from flask import Flask, current_app, g, has_app_context
from sqlalchemy.exc import OperationalError

from connector import app
from connector.domain.people import Actor, Role
from connector.errors import LeaseLostError, RuleError
from connector.hosted import outcome_hook
from connector.hosted.calls import Calls
from connector.hosted.outcome_hook import HookPoster, ToldOutcome
from connector.plugin import Pencilled
from connector.ports import NotPostedError, Posted, Poster, Posting, asking_first
from connector.services import standstill
from connector.services.outcomes import endpoints, in_process
from connector.storage import endpoints as stored
from connector.storage import ledger, outcomes
from connector.storage.database import Database
from connector.storage.endpoints import Endpoint
from connector.storage.ledger import Kind
from connector.storage.outcomes import Delivery, DeliveryState
from connector.work.engine import Ending
from tests.cli.keyboard import Cli
from tests.domain.examples import KIM, when
from tests.fakes.outcome_host import WAIT_SECONDS, OutcomeHost
from tests.hosted.hosts import PREFIX, settings
from tests.services.outcomes.telling import Telling
from tests.services.practice import SEAL, Practice
from tests.web.stage import Stage

OPERATOR = Actor(role=Role.OPERATOR, name="op")
BODY = b'{"id":"msg_1","type":"session.moved","timestamp":"2026-11-28T10:00:00Z","data":{"revision":3}}'


class DeathError(BaseException):
    """The process ends."""


class Hooked:
    """A practice in whose process the host is, which has a function for outcomes."""

    def __init__(self, practice: Practice) -> None:
        self.practice = practice
        self.host = Flask("booking")
        self.others: Poster | None = None
        self.told: list[ToldOutcome] = []
        self.then: Callable[[ToldOutcome], None] = lambda _told: None

    def begin(self, *, has_function: bool = True) -> None:
        """Start the host's program, with or without its function."""
        self.practice.runtime.poster = self.others
        outcome_hook.equip(self.practice.runtime, self.host, self._on_outcome if has_function else None)
        self.practice.runtime.begin_work()

    def _on_outcome(self, told: ToldOutcome) -> None:
        self.told.append(told)
        self.then(told)

    def deliver(self) -> list[Ending]:
        return self.practice.carry_out(Kind.OUTCOME)

    @property
    def endpoint(self) -> Endpoint:
        with self.practice.database.read() as db:
            return stored.get(db, in_process.ID)

    @property
    def deliveries(self) -> list[Delivery]:
        with self.practice.database.read() as db:
            return list(outcomes.page(db, endpoint_id=in_process.ID, limit=1000))[::-1]

    def types(self, session_id: UUID | None = None) -> list[str]:
        return [
            one.type
            for one in self.told
            if one.type.startswith("session.") and session_id in {None, UUID(one.data["session_id"])}
        ]


@pytest.fixture
def practice(sqlite_database: Database) -> Practice:
    return Practice(sqlite_database)


@pytest.fixture
def on_either(database: Database) -> Hooked:
    return _begun(Practice(database))


@pytest.fixture
def hooked(practice: Practice) -> Hooked:
    return _begun(practice)


def _begun(practice: Practice) -> Hooked:
    hooked = Hooked(practice)
    hooked.begin()
    return hooked


@pytest.fixture
def receiver() -> Iterator[OutcomeHost]:
    with OutcomeHost() as host:
        yield host


def test_function_is_told_what_a_webhook_is_told_in_the_hosts_application(
    hooked: Hooked, receiver: OutcomeHost
) -> None:
    practice, seen = hooked.practice, list[str]()
    Telling(practice, receiver).add()
    hooked.others = practice.runtime.poster
    hooked.begin()
    hooked.then = lambda _told: seen.append(current_app.name)
    session = practice.book()
    hooked.deliver()
    [posted] = [one for one in receiver.received if one.type == "session.booked"]
    [told] = [one for one in hooked.told if one.type == "session.booked"]
    assert (told.id, told.type, told.data) == (posted.id, "session.booked", posted.said["data"])
    assert told.at == practice.now
    assert told.data["session_id"] == str(session.id)
    assert set(seen) == {"booking"}
    with pytest.raises(TypeError):
        told.data["session_id"] = "other"  # type: ignore[index]


def test_what_happens_to_one_session_is_told_in_its_order_however_often_the_function_raises(on_either: Hooked) -> None:
    practice, raised = on_either.practice, [ValueError("Alex Client"), SystemExit(3), KeyboardInterrupt()]

    def fail(told: ToldOutcome) -> None:
        if told.data["session_id"] == str(first.id) and raised:
            raise raised.pop(0)

    first, other = practice.book(), practice.book(500)
    practice.move(first, when(72))
    practice.cancel(first)
    on_either.then = fail
    for _ in range(6):
        on_either.deliver()
        practice.wait(minutes=6)
    whole = ["session.booked", "session.moved", "session.cancelled"]
    assert on_either.types(other.id) == ["session.booked"]
    assert on_either.types(first.id) == [whole[0]] * 3 + whole
    assert {one.state for one in on_either.deliveries} == {DeliveryState.DELIVERED}


def test_fault_is_told_by_its_kind_and_place_and_names_nobody(hooked: Hooked) -> None:
    def fail(_told: ToldOutcome) -> None:
        raise ValueError("Alex Client")

    hooked.then = fail
    hooked.practice.book()
    with structlog.testing.capture_logs() as logs:
        hooked.deliver()
    [failed, *_] = [one for one in logs if one["event"] == "work_ended"]
    assert "on_outcome raised ValueError (tests.hosted.test_outcome_hook:" in failed["error"]
    assert failed["again_at"]
    assert "Alex" not in repr(logs)
    assert "Alex" not in repr(hooked.deliveries)


def test_function_that_is_yet_to_be_waited_for_was_not_told(hooked: Hooked) -> None:
    async def later(_told: ToldOutcome) -> None:
        raise AssertionError("nobody waits for it")

    def promises(told: ToldOutcome) -> object:
        return later(told)

    poster = outcome_hook.HookPoster(None, hooked.host, promises)
    hooked.practice.runtime.poster = poster
    hooked.practice.book()
    hooked.deliver()
    assert all(one.state is not DeliveryState.DELIVERED for one in hooked.deliveries)
    assert "give a plain function" in str(hooked.deliveries[0])


def test_function_is_told_again_by_whoever_dies_before_that_is_recorded(hooked: Hooked) -> None:
    practice, poster = hooked.practice, hooked.practice.runtime.poster
    assert poster is not None
    real, numbers = poster, iter(range(10_000))

    class Mortal:
        def post(self, posting: Posting) -> Posted:
            posted = real.post(posting)
            if next(numbers) % 3 == 1:
                raise DeathError
            return posted

    practice.prompt = False
    session = practice.book()
    for step in range(1, 10):
        practice.move(session, when(48 + 24 * step))
    practice.runtime.poster = Mortal()
    deaths = 0
    while any(one.state is DeliveryState.PENDING for one in hooked.deliveries):
        ledger.clear_leases(practice.database)
        try:
            hooked.deliver()
        except DeathError:
            deaths += 1
        assert deaths < 100
    ids = [one.id for one in hooked.told]
    once = [key for key, _ in groupby(ids)]  # a repeat comes right after what it repeats
    assert deaths > 2
    assert len(ids) > len(once) == len(set(once)) == 10
    assert hooked.types(session.id).count("session.booked") <= 2


def test_without_the_function_all_waits_and_with_it_again_that_is_told_first(hooked: Hooked) -> None:
    practice = hooked.practice
    session = practice.book()
    hooked.begin(has_function=False)
    hooked.begin(has_function=False)
    assert hooked.endpoint.disabled_why == in_process.TAKEN_AWAY
    practice.move(session, when(72))
    hooked.deliver()
    assert hooked.told == []
    hooked.begin()
    version = hooked.endpoint.version
    hooked.begin()
    assert hooked.endpoint.is_enabled
    assert hooked.endpoint.version == version
    practice.cancel(session)
    hooked.deliver()
    assert hooked.types() == ["session.booked", "session.moved", "session.cancelled"]


def test_nothing_is_told_while_a_restored_database_waits(hooked: Hooked) -> None:
    practice = hooked.practice
    practice.book()
    with practice.database.begin() as db:
        standstill.begin(db, practice.policy, by=OPERATOR, now=practice.now)
    hooked.begin()
    hooked.deliver()
    assert hooked.told == []
    with practice.database.begin() as db:
        standstill.end(db)
    practice.wait(minutes=5)
    hooked.deliver()
    assert "session.booked" in hooked.types()


def test_one_that_fails_for_three_days_is_disabled_as_others_and_tried_again_at_the_next_start(hooked: Hooked) -> None:
    practice = hooked.practice
    practice.policy = replace(practice.policy, operator="op@example.org")

    def fail(_told: ToldOutcome) -> None:
        raise ValueError

    hooked.then = fail
    session = practice.book()
    for _ in range(20):
        hooked.deliver()
        practice.wait(hours=6)
    assert hooked.endpoint.disabled_why == endpoints.FAILING
    many = len(hooked.told)
    hooked.then = lambda _told: None
    hooked.deliver()
    assert len(hooked.told) == many
    hooked.begin()
    hooked.deliver()
    assert hooked.told[-1].data["session_id"] == str(session.id)
    assert {one.state for one in hooked.deliveries} == {DeliveryState.DELIVERED}


def test_what_an_operator_has_disabled_stays_so_and_nobody_changes_the_rest(hooked: Hooked) -> None:
    practice = hooked.practice
    for act in (
        lambda db: endpoints.remove(db, in_process.ID),
        lambda db: endpoints.rotate_secret(db, SEAL, in_process.ID, now=practice.now),
        lambda db: endpoints.change(db, hooked.endpoint, inner_hosts=(), types=[], now=practice.now),
        lambda db: endpoints.add(db, SEAL, "python:on_outcome", inner_hosts=(), now=practice.now),
    ):
        with practice.database.begin() as db, pytest.raises(RuleError) as refused:
            act(db)
        assert refused.value.code in {"endpoint_in_process", "endpoint_url_malformed"}
    with practice.database.begin() as db:
        endpoints.disable(db, in_process.ID, now=practice.now)
    hooked.begin()
    assert hooked.endpoint.disabled_why == endpoints.BY_HAND
    with practice.database.begin() as db:
        endpoints.enable(db, in_process.ID, now=practice.now)
        endpoints.test(db, in_process.ID, by=KIM, now=practice.now)
    hooked.deliver()
    assert [one.type for one in hooked.told] == ["endpoint.test"]


def test_function_may_act_itself(on_either: Hooked) -> None:
    practice, calls = on_either.practice, Calls(lambda: on_either.practice.runtime)

    def act(told: ToldOutcome) -> None:
        practice.runtime.clock = practice.clock
        if told.type == "session.booked":
            calls.sessions.cancel(UUID(told.data["session_id"]), once=told.id)

    on_either.then = act
    session = practice.book()
    on_either.deliver()
    on_either.deliver()
    assert on_either.types(session.id) == ["session.booked", "session.cancelled"]


def test_claim_is_renewed_while_the_function_takes_its_time() -> None:
    renewed, knows_of_it = threading.Semaphore(0), list[bool]()

    def slow(_told: ToldOutcome) -> None:
        knows_of_it.append(has_app_context() and "user" not in g)
        for _ in range(4):
            assert renewed.acquire(timeout=WAIT_SECONDS)

    poster = HookPoster(None, Flask("booking"), slow, beat=timedelta(milliseconds=1))
    with asking_first(renewed.release):
        posted = poster.post(_posting())
    assert posted.status == 204
    assert knows_of_it == [True]
    assert not any(one.name == "on_outcome" for one in threading.enumerate())


def test_claim_that_is_lost_meanwhile_is_left_to_whoever_records_it() -> None:
    lost, asked = threading.Event(), list[int]()

    def ask() -> None:
        asked.append(1)
        if len(asked) > 1:
            lost.set()
            raise LeaseLostError("gone")

    poster = HookPoster(None, Flask("booking"), lambda _told: _wait_for(lost), beat=timedelta(milliseconds=1))
    with asking_first(ask):
        assert poster.post(_posting()).status == 204
    assert len(asked) == 2


def test_database_that_is_away_for_a_moment_does_not_end_the_renewing() -> None:
    back, asked = threading.Event(), list[int]()

    def ask() -> None:
        asked.append(1)
        if len(asked) == 2:
            raise OperationalError("SELECT", {}, Exception("away"))
        if len(asked) > 2:
            back.set()

    poster = HookPoster(None, Flask("booking"), lambda _told: _wait_for(back), beat=timedelta(milliseconds=1))
    with structlog.testing.capture_logs() as logs, asking_first(ask):
        assert poster.post(_posting()).status == 204
    assert [one["event"] for one in logs] == ["claim_not_renewed"]


def _wait_for(event: threading.Event) -> None:
    assert event.wait(WAIT_SECONDS)


def _posting(url: str = "python:on_outcome") -> Posting:
    return Posting(id="msg_1", url=url, secrets=(), at=app.system_clock(), body=BODY)


def test_function_that_takes_long_is_told_of_in_the_log(monkeypatch: pytest.MonkeyPatch) -> None:
    told = threading.Event()
    monkeypatch.setattr(outcome_hook, "SLOW", (timedelta(milliseconds=2),))
    with structlog.testing.capture_logs() as logs:
        poster = HookPoster(None, Flask("booking"), lambda _told: _wait_for(told), beat=timedelta(milliseconds=1))
        with asking_first(lambda: told.set() if logs else None):
            poster.post(_posting())
    assert [one["event"] for one in logs] == ["outcome_hook_slow"]


def test_process_without_the_function_leaves_its_queues_to_one_that_has_it(hooked: Hooked) -> None:
    practice, runtime = hooked.practice, hooked.practice.runtime
    practice.runtime = replace(runtime, poster=None, tells_host=False, begin_work=lambda: None)
    practice.runtime.poster = HookPoster(None, hooked.host, hooked._on_outcome)
    session = practice.book()
    for _ in range(40):
        hooked.deliver()
        practice.wait(minutes=10)
    assert hooked.told == []
    assert {one.attempts for one in hooked.deliveries} == {0}
    practice.runtime = runtime
    runtime.begin_work()
    hooked.deliver()
    assert hooked.types(session.id) == ["session.booked"]


def test_nothing_else_is_posted_where_nothing_posts() -> None:
    poster = HookPoster(None, Flask("booking"), lambda _told: None)
    with pytest.raises(NotPostedError):
        poster.post(_posting("https://host.example/outcomes"))


def test_engine_of_a_host_tells_its_function(stage: Stage) -> None:
    told, booked = list[ToldOutcome](), threading.Event()

    def on_outcome(outcome: ToldOutcome) -> None:
        told.append(outcome)
        if outcome.type == "session.cancelled":
            booked.set()

    host = Flask("booking")
    pencilled = Pencilled(host, url_prefix=PREFIX, settings=settings(stage), on_outcome=on_outcome)
    engine = app.create_engine(pencilled.runtime)
    engine.start()
    try:
        pencilled.sessions.cancel(stage.session.id)
        assert booked.wait(WAIT_SECONDS)
    finally:
        engine.stop()
        pencilled.runtime.database.dispose()
    [cancelled] = [one for one in told if one.type == "session.cancelled"]
    assert cancelled.data["practitioner_external_id"] == "user-1"
    assert cancelled.data["actor"] == "host"


def test_commands_tell_that_it_is_in_the_hosts_process(stage: Stage) -> None:
    runtime = stage.runtime
    with runtime.database.begin() as db:
        in_process.register(db, runtime.seal, now=runtime.clock())
    cli = Cli(settings(stage))
    assert "in the host's process" in cli.ok("endpoints", "list")
    assert "a function of the host's own program" in cli.refused("endpoints", "rotate-secret", str(in_process.ID))
    with runtime.database.begin() as db:
        in_process.take_away(db, now=runtime.clock())
    assert "disabled (taken_away)" in cli.ok("endpoints", "list")
