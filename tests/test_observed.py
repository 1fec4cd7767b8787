"""A calendar can be observed, and can do no more and no less by it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta

import pytest

from connector.errors import SyncTokenExpiredError, TransientError
from connector.observed import observed
from connector.ports import ListsBusy, RemoteCalendar, Watchable
from connector.services.accounts import subscriptions
from connector.services.sync import free_busy
from connector.storage.database import Database
from providers.memory import provider as memory
from providers.memory.provider import MemoryCalendar
from tests.conftest import Clock
from tests.providers.contract import DAY, content, creation, failure, removal, written
from tests.providers.google.setting import NOW, signed_in
from tests.providers.google.test_push import opened
from tests.services import connected
from tests.services.fences import OURS
from tests.services.practice import SEAL, Practice
from tests.web.stage import make_runtime


@dataclass
class Counted:
    """Counts calls, those that failed apart."""

    calls: Counter[str] = field(default_factory=Counter)
    failed: Counter[str] = field(default_factory=Counter)

    @contextmanager
    def observe(self, call: str) -> Iterator[None]:
        self.calls[call] += 1
        try:
            yield
        except Exception:
            self.failed[call] += 1
            raise


@dataclass
class There:
    """A calendar that can notify `address`, and the same observed."""

    plain: RemoteCalendar
    address: str
    counted: Counted = field(default_factory=Counted)

    def __post_init__(self) -> None:
        self.calendar = observed(self.plain, self.counted.observe)


@contextmanager
def memory_calendar() -> Iterator[There]:
    yield There(MemoryCalendar("work"), "https://pencilled.example/hooks/memory")


@contextmanager
def google_calendar() -> Iterator[There]:
    with signed_in() as setting, opened() as door:
        yield There(setting.calendar, door.server.url)


@pytest.fixture(params=[memory_calendar, google_calendar], ids=["memory", "google"])
def there(request: pytest.FixtureRequest) -> Iterator[There]:
    with request.param() as there:
        yield there


def test_the_calls_of_every_calendar_do_what_they_do_and_are_counted(there: There) -> None:
    put = creation()
    [done] = written(there.calendar.apply([put]))
    sighting = there.calendar.read([done.ref])[done.ref.name]
    assert sighting is not None
    assert sighting.content == content()
    assert [changed.href for changed in there.calendar.changes(None).changed] == [done.ref.href]
    assert [busy.span for busy in there.calendar.busy(DAY).times] == [content().span]
    list(there.calendar.apply([removal(put, done.ref)]))
    assert there.plain.changes(None).changed == ()
    assert there.counted.calls == Counter(apply=2, read=1, changes=1, busy=1)


def test_its_events_can_be_listed(there: There) -> None:
    [done] = written(there.calendar.apply([creation()]))
    assert isinstance(there.calendar, ListsBusy)
    assert [busy.href for busy in there.calendar.list_busy(DAY).times] == [done.ref.href]
    assert there.counted.calls["list_busy"] == 1


def test_it_can_be_watched(there: There) -> None:
    assert isinstance(there.calendar, Watchable)
    channel = there.calendar.watch(channel_id="c-1", secret="s-1", address=there.address, now=NOW)
    longer = there.calendar.renew(channel, address=there.address, now=NOW + timedelta(days=3))
    assert longer.expires_at >= channel.expires_at == NOW + timedelta(days=7)
    there.calendar.unwatch(longer)
    assert there.counted.calls == Counter(watch=1, renew=1, unwatch=1)


def test_what_goes_wrong_passes_through(there: There) -> None:
    with pytest.raises(SyncTokenExpiredError):
        there.calendar.changes("0:0")
    assert there.counted.failed == Counter(changes=1)


def test_an_action_that_failed_is_an_outcome_and_no_failed_call() -> None:
    calendar, counted = MemoryCalendar("work"), Counted()
    calendar.fail(TransientError("down"), on="put")
    assert isinstance(failure(observed(calendar, counted.observe).apply([creation()])), TransientError)
    assert (counted.calls, counted.failed) == (Counter(apply=1), Counter())


def test_apply_is_observed_until_its_outcomes_are_taken() -> None:
    inside: list[str] = []

    @contextmanager
    def observe(call: str) -> Iterator[None]:
        inside.append(call)
        yield
        inside.remove(call)

    outcomes = observed(MemoryCalendar("work"), observe).apply([creation(), creation(content(hours=2))])
    assert inside == []
    next(outcomes)
    assert inside == ["apply"]
    assert len(list(outcomes)) == 1
    assert inside == []


def test_an_installation_hands_out_calendars_that_are_observed(sqlite_database: Database, sqlite_url: str) -> None:
    practice, counted = Practice(sqlite_database), Counted()
    calendar = connected.connect(practice)
    made = make_runtime(practice.database, sqlite_url, Clock(practice.now))
    runtime = replace(
        made,
        seal=SEAL,
        load_provider=lambda _: memory.PROVIDER,
        observe=lambda provider, call: counted.observe(f"{provider} {call}"),
    )
    remote = runtime.remote(calendar.id)
    assert remote is runtime.remote(calendar.id)
    free_busy.read(practice.database, practice.policy, calendar.id, remote, fence=OURS, now=practice.now)
    url = "https://pencilled.example"
    subscriptions.watch(practice.database, SEAL, calendar.id, remote, public_url=url, fence=OURS, now=practice.now)
    assert counted.calls == Counter({"memory list_busy": 1, "memory watch": 1})
    memory.forget(str(practice.kim.id))
