"""An entry that was taken to where it cannot stand is reverted, and its practitioner is told why."""

from __future__ import annotations

from datetime import timedelta

from connector.domain.connection import Calendar
from connector.domain.facts import EntryReverted
from connector.ports import Busy
from connector.storage import busy, timeline
from connector.storage.database import Database
from connector.storage.ledger import Kind
from tests.domain.examples import client, when
from tests.services.connected import (
    book_and_show,
    connect,
    href_at,
    look,
    offer_and_show,
    on_sqlite,
    push,
    remote,
    settle,
    times,
    work,
)
from tests.services.practice import Practice


def test_a_move_onto_something_in_another_calendar_is_put_back(practice: Practice, calendar: Calendar) -> None:
    booked = book_and_show(practice, calendar)
    with practice.database.begin() as db:
        busy.keep(db, calendar.id, [Busy(span=when(60).span)], now=practice.now, until=practice.now + timedelta(days=9))
    remote(practice).move(href_at(practice, 48), when(60).span)
    settle(practice, calendar)
    (message,) = practice.told(booked, client=False)
    assert (message.kind.value, message.notice.reason, message.notice.moved_to) == ("entry_put_back", "busy", when(60))
    assert href_at(practice, 48)


def test_where_a_session_was_moved_to_is_looked_at_while_that_settles(practice: Practice, calendar: Calendar) -> None:
    other = connect(practice, name="second")
    booked = book_and_show(practice, calendar)
    practice.carry_out(Kind.BUSY)
    remote(practice, other.remote_id).add_foreign(when(60).span)
    remote(practice).move(href_at(practice, 48), when(60).span)
    push(practice, calendar)
    practice.carry_out(Kind.BUSY)
    practice.wait(seconds=61)
    look(practice, calendar)
    (message,) = practice.told(booked, client=False)
    assert (message.kind.value, message.notice.reason) == ("entry_put_back", "busy")


def test_a_move_into_somebody_elses_buffer_is_put_back(database: Database) -> None:
    practice = Practice(database, buffer=15)
    calendar = connect(practice)
    booked = practice.book(48)
    practice.book(60, of=practice.another_client(client(email="bo@client.example")))
    work(practice, calendar)
    push(practice, calendar)
    remote(practice).move(href_at(practice, 48), when(61).span)  # ten minutes after the other one ends
    settle(practice, calendar)
    (message,) = practice.told(booked, client=False)
    assert message.notice.reason == "taken"


def test_a_session_stretched_beyond_a_day_is_put_back(practice: Practice, calendar: Calendar) -> None:
    booked = book_and_show(practice, calendar)
    remote(practice).move(href_at(practice, 48), when(60, minutes=25 * 60).span)
    settle(practice, calendar)
    (message,) = practice.told(booked, client=False)
    assert message.notice.reason == "unfit"


@on_sqlite
def test_an_event_dragged_into_the_past_is_put_back_and_the_practitioner_is_told(
    practice: Practice, calendar: Calendar
) -> None:
    booked = practice.book(48)
    work(practice, calendar)
    push(practice, calendar)
    (href,) = remote(practice).events
    remote(practice).note(href, "mine")
    remote(practice).move(href, when(-1).span)
    settle(practice, calendar)
    assert remote(practice).events[href].span == when(48).span
    assert remote(practice).events[href].note == "mine"
    assert practice.kinds_told(booked, client=False) == ["entry_put_back"]
    assert practice.kinds_told(booked, client=True) == ["booked"]
    assert practice.session(booked) == booked


@on_sqlite
def test_an_event_made_all_day_is_reverted(practice: Practice, calendar: Calendar) -> None:
    practice.book(48)
    work(practice, calendar)
    push(practice, calendar)
    (href,) = remote(practice).events
    remote(practice).make_all_day(href)
    settle(practice, calendar)
    assert [content.span for content in remote(practice).shown()] == [when(48).span]


@on_sqlite
def test_a_hold_made_all_day_is_put_back_and_the_practitioner_is_told(practice: Practice, calendar: Calendar) -> None:
    booked, offer = offer_and_show(practice, calendar, 72, 96)
    remote(practice).make_all_day(href_at(practice, 72))
    settle(practice, calendar)
    assert times(practice) == [when(hours).span for hours in (48, 72, 96)]
    assert practice.offer_now(offer).standing == offer.standing
    (message,) = practice.told(booked, client=False)
    assert (message.kind.value, message.notice.about, message.notice.reason) == ("entry_put_back", "hold", "shape")


@on_sqlite
def test_the_timeline_does_not_say_of_what_was_moved_that_it_was_deleted(
    practice: Practice, calendar: Calendar
) -> None:
    booked = book_and_show(practice, calendar)
    remote(practice).move(href_at(practice, 48), when(-1).span)
    settle(practice, calendar)
    with practice.database.read() as db:
        (fact,) = [fact for fact in timeline.of_session(db, booked.id) if isinstance(fact, EntryReverted)]
    assert (fact.deleted, fact.moved_to) == (False, when(-1))
