"""What a second reading of this code has found, each with the story that went wrong."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
import sqlalchemy as sa

from connector.domain.connection import Calendar, CalendarRole, ConnectionState
from connector.domain.facts import Answer
from connector.domain.notice import PauseReason
from connector.domain.people import Level
from connector.domain.reconcile import Put
from connector.domain.span import Span
from connector.errors import AccessLostError, MissingError
from connector.ports import Busy
from connector.services.accounts import connect as linking
from connector.services.accounts import disconnect
from connector.services.scheduling import questions
from connector.services.sync import breaker, free_busy, hold_probe
from connector.services.sync.breaker import How
from connector.storage import calendars, ledger
from connector.storage.database import Database
from connector.storage.ledger import Key, Kind
from providers.memory import provider as memory
from tests.domain.examples import KIM, when
from tests.domain.examples import client as person
from tests.services.connected import (
    connect,
    converge,
    href_at,
    look,
    open_question,
    push,
    question,
    remote,
    retarget,
    settle,
    shown_first,
    times,
    work,
)
from tests.services.practice import SEAL, Practice

KINDS = (Kind.CALENDAR, Kind.PULL, Kind.BUSY, Kind.PROBE)


@pytest.fixture
def practice(sqlite_database: Database) -> Iterator[Practice]:
    made = Practice(sqlite_database)
    yield made
    memory.forget(str(made.kim.id))


@pytest.fixture
def calendar(practice: Practice) -> Calendar:
    return connect(practice)


def is_due(practice: Practice, key: Key) -> bool:
    with practice.database.read() as db:
        return ledger.waits(db, key)


def restored(practice: Practice, calendar: Calendar) -> None:
    credentials = {"store": str(practice.kim.id), "password": "secret"}
    with practice.database.begin() as db:
        linking.restored(db, SEAL, calendar.connection_id, credentials, by=KIM, now=practice.now)


def test_a_change_read_while_the_mirror_is_in_doubt_is_not_lost(practice: Practice, calendar: Calendar) -> None:
    booked = practice.book(48)
    offer = practice.offer(booked, 72, 96)
    work(practice, calendar)
    push(practice, calendar)
    practice.accept(offer, 1)
    href = href_at(practice, 48)
    done: list[int] = []

    def hook(moment: str, _action: object) -> None:
        if moment == "before" and not done:
            done.append(1)
            remote(practice).move(href, when(60).span)
            push(practice, calendar)

    remote(practice).hook = hook
    for _ in range(6):
        work(practice, calendar)
        look(practice, calendar)
        practice.wait(seconds=61)
    assert times(practice) == [when(96).span]


def test_undone_deletion_at_the_new_place_keeps_the_question(practice: Practice, calendar: Calendar) -> None:
    booked = shown_first(practice, calendar)
    href = href_at(practice, 48)
    remote(practice).move(href, when(60).span)
    settle(practice, calendar)
    assert open_question(practice, booked).moved_to == when(60)
    event = remote(practice).events[href]
    remote(practice).delete(href)
    push(practice, calendar)
    practice.wait(seconds=20)
    remote(practice).restore(event)
    settle(practice, calendar)
    assert times(practice) == [when(60).span]
    assert question(practice, booked) is not None


def test_dragged_on_and_back_to_the_new_place_keeps_the_question(practice: Practice, calendar: Calendar) -> None:
    booked = shown_first(practice, calendar)
    href = href_at(practice, 48)
    remote(practice).move(href, when(60).span)
    settle(practice, calendar)
    remote(practice).move(href, when(66).span)
    push(practice, calendar)
    practice.wait(seconds=20)
    remote(practice).move(href, when(60).span)
    settle(practice, calendar)
    assert times(practice) == [when(60).span]
    assert question(practice, booked) is not None


def test_moved_back_in_another_calendar_leaves_the_question(practice: Practice, calendar: Calendar) -> None:
    other = connect(practice, name="second")
    booked = shown_first(practice, calendar)
    work(practice, other)
    push(practice, other)
    remote(practice).move(href_at(practice, 48), when(60).span)
    settle(practice, calendar)
    assert question(practice, booked) is not None
    href = href_at(practice, 48, "second")
    remote(practice, "second").move(href, when(70).span)
    push(practice, other)
    remote(practice, "second").move(href, when(48).span)
    push(practice, other)
    work(practice, calendar)
    assert question(practice, booked) is not None
    assert times(practice) == [when(60).span]


def test_a_deleted_event_that_returns_at_another_time_is_a_move(practice: Practice, calendar: Calendar) -> None:
    booked = shown_first(practice, calendar)
    href = href_at(practice, 48)
    event = remote(practice).events[href]
    remote(practice).delete(href)
    settle(practice, calendar)
    assert question(practice, booked) is not None
    told = len(practice.told(booked))
    remote(practice).restore(replace(event, shown=replace(event.shown, span=when(60).span)))
    settle(practice, calendar)
    asked = question(practice, booked)
    assert asked is not None
    assert asked.moved_to == when(60)
    assert times(practice) == [when(60).span]
    assert [one.kind.value for one in practice.told(booked)[told:]] == ["move_asked"]


def test_moved_then_deleted_then_undone_after_asked(practice: Practice, calendar: Calendar) -> None:
    booked = shown_first(practice, calendar)
    href = href_at(practice, 48)
    remote(practice).move(href, when(60).span)
    settle(practice, calendar)
    event = remote(practice).events[href]
    remote(practice).delete(href)
    settle(practice, calendar)
    assert open_question(practice, booked).kind.value == "deleted"
    told = len(practice.told(booked))
    remote(practice).restore(event)
    settle(practice, calendar)
    asked = question(practice, booked)
    assert asked is not None
    assert asked.moved_to == when(60)
    assert times(practice) == [when(60).span]
    assert [one.kind.value for one in practice.told(booked)[told:]] == ["move_asked"]


def test_an_undone_hold_that_is_no_longer_offered_goes(practice: Practice, calendar: Calendar) -> None:
    booked = practice.book(48)
    offer = practice.offer(booked, 72, 96)
    work(practice, calendar)
    push(practice, calendar)
    href = href_at(practice, 72)
    event = remote(practice).events[href]
    remote(practice).delete(href)
    settle(practice, calendar)
    assert len(practice.offer_now(offer).standing) == 1
    remote(practice).restore(event)
    settle(practice, calendar)
    settle(practice, calendar)
    assert times(practice) == [when(48).span, when(96).span]


def test_an_undone_session_event_after_put_back_is_no_double(practice: Practice, calendar: Calendar) -> None:
    booked = shown_first(practice, calendar)
    href = href_at(practice, 48)
    event = remote(practice).events[href]
    remote(practice).delete(href)
    settle(practice, calendar)
    with practice.database.begin() as db:
        questions.answer(
            db, practice.policy, open_question(practice, booked).id, Answer.REVERT, by=KIM, now=practice.now
        )
    work(practice, calendar)
    push(practice, calendar)
    remote(practice).restore(event)
    settle(practice, calendar)
    assert times(practice) == [when(48).span]


def test_an_undone_event_of_a_cancelled_session_goes(practice: Practice, calendar: Calendar) -> None:
    booked = shown_first(practice, calendar)
    href = href_at(practice, 48)
    event = remote(practice).events[href]
    remote(practice).delete(href)
    settle(practice, calendar)
    with practice.database.begin() as db:
        questions.answer(
            db, practice.policy, open_question(practice, booked).id, Answer.CANCEL, by=KIM, now=practice.now
        )
    work(practice, calendar)
    push(practice, calendar)
    remote(practice).restore(event)
    settle(practice, calendar)
    assert times(practice) == []


def test_two_changes_of_target_in_a_row_never_leave_every_calendar_empty(
    practice: Practice, calendar: Calendar
) -> None:
    shown_first(practice, calendar)
    second = retarget(practice, calendar, "second")
    retarget(practice, calendar, "third")
    for one in (second, calendar):
        work(practice, one)
        assert [n for n in ("calendar", "second", "third") if times(practice, n)]


def test_a_stopped_successor_does_not_count_as_filled(practice: Practice, calendar: Calendar) -> None:
    shown_first(practice, calendar)
    second = retarget(practice, calendar, "second")
    with practice.database.begin() as db:
        breaker.stop(db, practice.policy, second, PauseReason.MISSING, now=practice.now)
    work(practice, second)
    with practice.database.begin() as db:
        breaker.resume(db, second.id, How.RESTORE, by=KIM, now=practice.now)
    work(practice, calendar)
    assert [n for n in ("calendar", "second") if times(practice, n)]


def test_a_probe_left_by_a_change_of_target_goes(practice: Practice, calendar: Calendar) -> None:
    remote(practice).tentative_is_free = True
    practice.wait(minutes=1)
    practice.carry_out(Kind.PROBE)
    assert remote(practice).events
    second = retarget(practice, calendar, "second")
    for one in (second, calendar, second, calendar):
        work(practice, one)
    practice.wait(minutes=1)
    practice.carry_out(Kind.PROBE)
    assert remote(practice).events == {}


def test_a_lagging_free_busy_is_not_taken_for_free(practice: Practice, calendar: Calendar) -> None:
    """free/busy shows an event 5 seconds after it was written"""
    there = remote(practice)
    born: dict[str | None, datetime] = {}
    real = there.busy

    def hook(moment: str, _action: object) -> None:
        if moment == "after":
            for href in there.events:
                born.setdefault(href, practice.now)

    there.hook = hook

    def late(span: Span) -> list[Busy]:
        return [busy for busy in real(span) if practice.now - born[busy.href] >= timedelta(seconds=5)]

    there.busy = late  # type: ignore[method-assign]  # the service's own answer, some seconds behind
    practice.wait(minutes=1)
    for _ in range(3):
        practice.carry_out(Kind.PROBE)
        practice.wait(seconds=30)
    with practice.database.read() as db:
        assert not calendars.calendar(db, calendar.id).disclosure.firm_holds


def test_half_an_offer_and_a_session_are_not_an_emptied_calendar(practice: Practice, calendar: Calendar) -> None:
    booked = practice.book(48)
    practice.offer(booked, 72, 96, 120)
    work(practice, calendar)
    push(practice, calendar)
    remote(practice).delete(href_at(practice, 48))
    remote(practice).delete(href_at(practice, 72))
    push(practice, calendar)
    with practice.database.read() as db:
        assert calendars.calendar(db, calendar.id).paused is None


def test_watched_calendars_are_looked_at_again_after_reconnecting(practice: Practice, calendar: Calendar) -> None:
    memory.store(str(practice.kim.id)).calendar("private")
    watched = replace(
        calendar, id=practice.another_client().id, remote_id="private", name="Private", role=CalendarRole.WATCHED
    )
    with practice.database.begin() as db:
        calendars.add_calendar(db, watched, now=practice.now)
    practice.offer(practice.book(48), 72)
    with practice.database.begin() as db:
        linking.access_lost(db, practice.policy, calendar.connection_id, now=practice.now)
    practice.wait(minutes=1)
    practice.carry_out(*KINDS)  # each is claimed meanwhile and finds the access lost
    assert not is_due(practice, Key(Kind.BUSY, str(watched.id)))
    restored(practice, calendar)
    assert is_due(practice, Key(Kind.BUSY, str(watched.id)))


def test_the_old_target_is_still_looked_at_while_an_offer_is_open(practice: Practice, calendar: Calendar) -> None:
    practice.offer(practice.book(48), 72)
    work(practice, calendar)
    push(practice, calendar)
    key = Key(Kind.BUSY, str(calendar.id))
    practice.carry_out(Kind.BUSY)
    assert not is_due(practice, key)
    second = retarget(practice, calendar, "second")
    work(practice, second)
    work(practice, calendar)
    assert is_due(practice, key)


def test_a_service_that_tidies_blanks_causes_no_mail(practice: Practice, calendar: Calendar) -> None:
    booked = practice.book(48, of=practice.another_client(person(name="Anna  Maria", email="am@client.example")))
    with practice.database.begin() as db:
        linking.set_levels(db, calendar.connection_id, session_level=Level(4), hold_level=Level(4), now=practice.now)
    work(practice, calendar)
    href = href_at(practice, 48)
    there = remote(practice)
    there.events[href] = replace(
        there.events[href], shown=replace(there.events[href].shown, title="Session: Anna Maria")
    )
    push(practice, calendar)
    there.note(href, "bring the forms")
    settle(practice, calendar)
    assert practice.kinds_told(booked, client=False) == []


def test_undone_deletion_in_a_stopped_calendar_ends_its_question(practice: Practice, calendar: Calendar) -> None:
    booked = shown_first(practice, calendar)
    for n in range(8):
        practice.book(60 + 2 * n)
    work(practice, calendar)
    push(practice, calendar)
    href = href_at(practice, 48)
    event = remote(practice).events[href]
    remote(practice).delete(href)
    settle(practice, calendar)
    assert question(practice, booked) is not None
    for n in range(5):
        remote(practice).delete(href_at(practice, 60 + 2 * n))
    push(practice, calendar)
    with practice.database.read() as db:
        assert calendars.calendar(db, calendar.id).paused
    remote(practice).restore(event)
    push(practice, calendar)
    with practice.database.begin() as db:
        breaker.resume(db, calendar.id, How.RESTORE, by=KIM, now=practice.now)
    settle(practice, calendar)
    assert question(practice, booked) is None


def test_a_disconnect_while_a_probe_is_placed_leaves_nothing(practice: Practice, calendar: Calendar) -> None:
    there = remote(practice)
    done: list[int] = []

    def hook(moment: str, _action: object) -> None:
        if moment == "before" and not done:
            done.append(1)
            with practice.database.begin() as db:
                disconnect.begin(db, practice.policy, calendar.connection_id, by=KIM, now=practice.now)
            practice.carry_out(Kind.CALENDAR)

    there.hook = hook
    practice.wait(minutes=1)
    practice.carry_out(Kind.PROBE)
    assert done
    assert there.events == {}


def test_a_drag_while_everything_is_rewritten_is_asked_about(practice: Practice, calendar: Calendar) -> None:
    """A push came while everything was being rewritten for privacy."""
    booked = shown_first(practice, calendar)
    with practice.database.begin() as db:
        linking.set_levels(db, calendar.connection_id, session_level=Level(1), hold_level=Level(1), now=practice.now)
    href = href_at(practice, 48)
    done: list[int] = []

    def hook(moment: str, _action: object) -> None:
        if moment == "before" and not done:
            done.append(1)
            remote(practice).move(href, when(60).span)
            push(practice, calendar)

    remote(practice).hook = hook
    for _ in range(8):
        work(practice, calendar)
        look(practice, calendar)
        practice.wait(seconds=61)
    assert question(practice, booked) is not None


def test_the_first_of_three_targets_is_not_cleared_before_the_last_is_filled(
    practice: Practice, calendar: Calendar
) -> None:
    shown_first(practice, calendar)
    second = retarget(practice, calendar, "second")
    retarget(practice, calendar, "third")
    work(practice, second)  # touches the key of the first, which another thread takes before `cleared` of second
    work(practice, calendar)
    assert [n for n in ("calendar", "second", "third") if times(practice, n)]


def test_a_service_that_tells_no_etags_and_tidies_blanks_causes_no_mail_either(
    practice: Practice, calendar: Calendar
) -> None:
    there = remote(practice)
    there.etags = "none"

    def hook(moment: str, _action: object) -> None:
        if moment == "after":
            for href, e in list(there.events.items()):
                there.events[href] = replace(e, shown=replace(e.shown, title=" ".join(e.shown.title.split())))

    there.hook = hook
    booked = practice.book(48, of=practice.another_client(person(name="Anna  Maria", email="am@client.example")))
    with practice.database.begin() as db:
        linking.set_levels(db, calendar.connection_id, session_level=Level(4), hold_level=Level(4), now=practice.now)
    for _ in range(8):
        converge(practice, calendar)
    push(practice, calendar)
    practice.wait(minutes=10)
    assert practice.kinds_told(booked, client=False) == []


def test_cannot_stand_elsewhere_leaves_the_other_question(practice: Practice, calendar: Calendar) -> None:
    other = connect(practice, name="second")
    booked = shown_first(practice, calendar)
    work(practice, other)
    push(practice, other)
    remote(practice).delete(href_at(practice, 48))
    settle(practice, calendar)
    assert open_question(practice, booked).kind.value == "deleted"
    remote(practice, "second").move(href_at(practice, 48, "second"), when(-5).span)
    settle(practice, other)
    settle(practice, calendar)
    assert question(practice, booked) is not None


def test_a_probe_shows_no_more_than_its_calendar_may(practice: Practice) -> None:
    calendar = connect(practice, level=Level.BUSY)
    titles = []
    remote(practice).hook = lambda _, kind: titles.append(kind.entry.content.title) if isinstance(kind, Put) else None
    hold_probe.probe(practice.database, calendar.id, remote(practice), now=practice.now)
    assert set(titles) <= {"Busy"}


def test_proving_goes_on_once_a_calendar_is_there_again(practice: Practice, calendar: Calendar) -> None:
    key = Key(Kind.PROBE, str(calendar.id))
    remote(practice).offline = MissingError("gone")
    practice.wait(minutes=2)
    assert [ending.how for ending in practice.carry_out(Kind.PROBE)] == ["parked"]
    look(practice, calendar)
    remote(practice).offline = None
    practice.wait(minutes=10)
    look(practice, calendar)
    with practice.database.read() as db:
        assert calendars.calendar(db, calendar.id).paused is None
    assert is_due(practice, key)


def test_a_hold_dragged_to_where_another_was_deleted_takes_its_time(practice: Practice, calendar: Calendar) -> None:
    booked = practice.book(48)
    offer = practice.offer(booked, 72, 96)
    work(practice, calendar)
    push(practice, calendar)
    a, b = href_at(practice, 72), href_at(practice, 96)
    remote(practice).delete(b)
    remote(practice).move(a, when(96).span)
    settle(practice, calendar)
    n1 = [x.when for x in practice.offer_now(offer).standing]
    booked2 = practice.book(49.5)
    offer2 = practice.offer(booked2, 130, 140)
    work(practice, calendar)
    push(practice, calendar)
    a, b = href_at(practice, 130), href_at(practice, 140)
    remote(practice).delete(a)
    remote(practice).move(b, when(130).span)
    settle(practice, calendar)
    n2 = [x.when for x in practice.offer_now(offer2).standing]
    assert (n1, n2) == ([when(96)], [when(130)]), practice.kinds_told(booked, client=False)


def test_put_back_of_a_session_that_is_over_says_nothing(practice: Practice, calendar: Calendar) -> None:
    booked = practice.book(2)
    work(practice, calendar)
    push(practice, calendar)
    remote(practice).delete(href_at(practice, 2))
    settle(practice, calendar)
    asked = open_question(practice, booked)
    practice.now = asked.answers_itself_at
    practice.carry_out(Kind.QUESTION)
    work(practice, calendar)
    assert ("entry_put_back" in practice.kinds_told(booked, client=False)) == bool(times(practice))


def test_notes_on_many_events_cost_few_queries(practice: Practice, calendar: Calendar) -> None:
    for n in range(20):
        practice.book(48 + n)
    work(practice, calendar)
    push(practice, calendar)
    for href in list(remote(practice).events):
        remote(practice).note(href, "n")
    statements: list[int] = []
    sa.event.listen(practice.database._writers, "before_cursor_execute", lambda *_: statements.append(1))
    push(practice, calendar)
    assert len(statements) < 40


def drive(practice: Practice, owned: Sequence[Calendar]) -> None:
    """Write to each calendar what is due, in this order."""
    for _ in range(12):
        for one in owned:
            work(practice, one)
        practice.wait(minutes=5)


@pytest.mark.parametrize("order", [(0, 1, 2), (1, 0, 2), (2, 1, 0), (1, 2, 0)])
def test_two_changes_of_target_end_with_one_copy(
    practice: Practice, calendar: Calendar, order: tuple[int, ...]
) -> None:
    shown_first(practice, calendar)
    second = retarget(practice, calendar, "second")
    third = retarget(practice, calendar, "third")
    owned = [(calendar, second, third)[n] for n in order]
    drive(practice, owned)
    assert {n: len(times(practice, n)) for n in ("calendar", "second", "third")} == {
        "calendar": 0,
        "second": 0,
        "third": 1,
    }


def test_target_blind_spot_after_reconnect(practice: Practice, calendar: Calendar) -> None:
    offer = practice.offer(practice.book(48), 72)
    work(practice, calendar)
    push(practice, calendar)
    remote(practice).offline = AccessLostError("no")
    practice.carry_out(*KINDS)
    with practice.database.read() as db:
        assert calendars.connection(db, calendar.connection_id).state is ConnectionState.ACCESS_LOST
    remote(practice).offline = None
    restored(practice, calendar)
    practice.carry_out(*KINDS)
    with practice.database.read() as db:
        assert not free_busy.blind_spots(db, practice.policy, practice.kim.id, offer.alternatives, now=practice.now)
