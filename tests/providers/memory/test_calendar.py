"""The fake passes what the real ones pass, and does what they cannot be asked to do."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from uuid import uuid4

import pytest

from connector.domain.entry import Showing
from connector.domain.reconcile import Action, Ref
from connector.errors import AccessLostError, EditConflictError, MissingError, TransientError
from connector.ports import Busy, Failed, Network, Outcome, RemoteCalendar, UnsavedTokens
from providers.memory import provider as memory
from providers.memory.provider import MemoryCalendar, MemoryStore
from tests.fakes.memory_hand import MemoryHand
from tests.providers.contract import (
    DAY,
    ProviderContract,
    Service,
    again,
    content,
    creation,
    failure,
    removal,
    written,
)


@pytest.fixture
def store() -> Iterator[MemoryStore]:
    identity = str(uuid4())
    yield memory.store(identity)
    memory.forget(identity)


@pytest.fixture
def calendar(store: MemoryStore) -> MemoryCalendar:
    return store.calendar()


class TestMemory(ProviderContract):
    has_links = False

    @pytest.fixture
    def service(self, store: MemoryStore) -> Service:
        calendar = store.calendar("work")
        form = {"address": store.id, "password": store.password}
        return Service(memory.PROVIDER, form, Network(), "work", "nowhere", MemoryHand(calendar))

    def old_token(self, calendar: RemoteCalendar) -> str:
        assert isinstance(calendar, MemoryCalendar)
        token = calendar.changes(None).token
        calendar.expire_tokens()
        return token


class Crash(BaseException):
    """The process ends here."""


def test_a_crash_in_the_callback_passes_through_and_leaves_what_was_done(calendar: MemoryCalendar) -> None:
    def crash(moment: str, _: Action) -> None:
        if moment == "after":
            raise Crash

    calendar.on_write = crash
    with pytest.raises(Crash):
        list(calendar.apply([creation(), creation()]))
    assert len(calendar.events) == 1


def test_a_crash_before_a_write_leaves_nothing(calendar: MemoryCalendar) -> None:
    def crash(_: str, __: Action) -> None:
        raise Crash

    calendar.on_write = crash
    with pytest.raises(Crash):
        list(calendar.apply([creation()]))
    assert calendar.events == {}


def test_a_scripted_fault_hits_once_and_names_its_wait(calendar: MemoryCalendar) -> None:
    calendar.fail(TransientError("busy", retry_after=timedelta(seconds=7)), on="put")
    put = creation()
    error = failure(calendar.apply([put]))
    assert isinstance(error, TransientError)
    assert error.retry_after == timedelta(seconds=7)
    assert calendar.events == {}
    written(calendar.apply([put]))


def test_a_lost_answer_is_a_failure_although_the_write_was_done(calendar: MemoryCalendar) -> None:
    calendar.fail(TransientError("lost"), on="put", answer_lost=True)
    put = creation()
    assert isinstance(failure(calendar.apply([put])), TransientError)
    assert calendar.shown() == [put.entry.content]
    written(calendar.apply([put]))
    assert len(calendar.events) == 1


def test_lost_access_stops_the_rest(calendar: MemoryCalendar) -> None:
    calendar.fail(AccessLostError("revoked"), on="put")
    outcomes = list(calendar.apply([creation(), creation()]))
    assert all(isinstance(outcome, Failed) and isinstance(outcome.error, AccessLostError) for outcome in outcomes)
    assert calendar.requests["put"] == 1


def test_a_name_that_was_deleted_cannot_be_used_again(calendar: MemoryCalendar) -> None:
    put = creation()
    (outcome,) = written(calendar.apply([put]))
    list(calendar.apply([removal(put, outcome.ref)]))
    assert isinstance(failure(calendar.apply([put])), MissingError)
    assert calendar.spent_names == [put.ref.name]
    written(calendar.apply([again(put, Ref(name="another", generation=2), content())]))


def test_an_edit_in_between_keeps_its_note(calendar: MemoryCalendar) -> None:
    put = creation()
    (outcome,) = written(calendar.apply([put]))
    calendar.meanwhile(lambda: calendar.note(put.ref.name, "mine"))
    written(calendar.apply([again(put, outcome.ref, content(hours=1))]))
    assert calendar.events[put.ref.name].note == "mine"


def test_a_move_in_between_is_not_written_over_by_who_knows_what_was_there(calendar: MemoryCalendar) -> None:
    put = creation()
    (outcome,) = written(calendar.apply([put]))
    calendar.meanwhile(lambda: calendar.move(put.ref.name, content(hours=9).span))
    update = again(put, outcome.ref, content(hours=1), over=put.entry.content.fingerprint)
    assert isinstance(failure(calendar.apply([update])), EditConflictError)
    assert calendar.shown() == [content(hours=9)]


@pytest.mark.parametrize("etags", ["strong", "weak", "none"])
def test_a_note_in_between_stops_nobody(calendar: MemoryCalendar, etags: str) -> None:
    calendar.etags = etags  # type: ignore[assignment]
    put = creation()
    (outcome,) = written(calendar.apply([put]))
    calendar.meanwhile(lambda: calendar.note(put.ref.name, "mine"))
    written(calendar.apply([again(put, outcome.ref, content(hours=1), over=put.entry.content.fingerprint)]))
    assert calendar.events[put.ref.name].note == "mine"


def test_edits_without_end_are_a_conflict(calendar: MemoryCalendar) -> None:
    put = creation()
    (outcome,) = written(calendar.apply([put]))
    calendar.meanwhile(lambda: calendar.note(put.ref.name, "mine"), times=3)
    assert isinstance(failure(calendar.apply([again(put, outcome.ref, content(hours=1))])), EditConflictError)


@pytest.mark.parametrize(("kind", "start"), [("weak", 'W/"'), ("none", None)])
def test_etags_can_be_weak_or_missing(calendar: MemoryCalendar, kind: str, start: str | None) -> None:
    calendar.etags = kind  # type: ignore[assignment]
    (outcome,) = written(calendar.apply([creation()]))
    assert (outcome.ref.etag or "").startswith(start or "")
    assert (outcome.ref.etag is None) == (start is None)


def test_a_service_without_a_feed_always_lists_everything(calendar: MemoryCalendar) -> None:
    calendar.feed = False
    token = calendar.changes(None).token
    assert calendar.changes(token).full


def test_a_changed_password_locks_out_until_somebody_reconnects(store: MemoryStore) -> None:
    calendar = store.calendar()
    store.change_password("new")
    with pytest.raises(AccessLostError):
        calendar.changes(None)
    memory.PROVIDER.connect({"address": store.id, "password": "new"}, Network())
    assert calendar.changes(None).full


def test_a_store_is_found_again_by_its_id(store: MemoryStore) -> None:
    credentials = {"store": store.id, "password": store.password}
    store.calendar().add_foreign(content().span)
    opened = memory.PROVIDER.account(UnsavedTokens(credentials), Network()).open("calendar")
    assert len(opened.changes(None).changed) == 1


def test_where_tentative_counts_as_free_a_hold_is_named_by_free_busy_alone(calendar: MemoryCalendar) -> None:
    (hold,) = written(calendar.apply([creation(content(showing=Showing.TENTATIVE))]))
    (firm,) = written(calendar.apply([creation(content(hours=1, showing=Showing.FIRM))]))
    calendar.tentative_is_free = True
    assert calendar.busy(DAY).times == [Busy(span=content(hours=1).span)]  # of which nobody tells what it is
    assert [event.href for event in calendar.list_busy(DAY).times] == [hold.ref.href, firm.ref.href]


def test_a_script_around_a_write_stands_between_us_and_the_service(calendar: MemoryCalendar) -> None:
    def lose(_: Action, forward: Callable[[], Outcome]) -> Outcome:
        forward()
        raise TransientError("lost")

    calendar.around = lose
    assert isinstance(failure(calendar.apply([creation()])), TransientError)
    assert calendar.shown() == [content()]
