"""What is read from a calendar: each change once, our own echoes never, and nothing lost on the way."""

from __future__ import annotations

from dataclasses import replace

import pytest
import sqlalchemy as sa

from connector.domain.connection import Calendar
from connector.domain.facts import Answer
from connector.domain.people import Level
from connector.domain.session import Session
from connector.errors import TransientError
from connector.services.accounts.connect import set_levels
from tests.domain.examples import client as person
from tests.domain.examples import when
from tests.services.connected import (
    answer,
    book_and_show,
    converge,
    href_at,
    offer_and_show,
    on_sqlite,
    open_question,
    pull,
    push,
    remote,
    settle,
    times,
    work,
)
from tests.services.practice import Practice

pytestmark = on_sqlite


def test_a_note_typed_by_the_practitioner_causes_nothing(practice: Practice, calendar: Calendar) -> None:
    practice.book(48)
    work(practice, calendar)
    push(practice, calendar)
    (href,) = remote(practice).events
    remote(practice).note(href, "blue folder")
    push(practice, calendar)
    assert converge(practice, calendar) == 0
    assert remote(practice).events[href].note == "blue folder"


def test_our_own_echo_costs_no_direct_read(practice: Practice, calendar: Calendar) -> None:
    practice.offer(practice.book(48), 72, 96)
    work(practice, calendar)
    push(practice, calendar)
    remote(practice).requests.clear()
    push(practice, calendar)
    assert remote(practice).requests == {"changes": 1}


def test_deletions_are_found_after_a_lost_sync_token(practice: Practice, calendar: Calendar) -> None:
    first = practice.book(48)
    practice.book(60)
    work(practice, calendar)
    push(practice, calendar)
    remote(practice).delete(next(iter(remote(practice).events)))
    remote(practice).expire_tokens()
    settle(practice, calendar)
    assert practice.kinds_told(first, client=False) == ["delete_asked"]
    assert len(remote(practice).events) == 1


def test_a_failed_pull_keeps_the_token_where_it_was(practice: Practice, calendar: Calendar) -> None:
    booked = practice.book(48)
    work(practice, calendar)
    push(practice, calendar)
    (href,) = remote(practice).events
    remote(practice).move(href, when(60).span)
    remote(practice).fail(TransientError("no"), on="read")
    with pytest.raises(TransientError):
        pull(practice, calendar)
    settle(practice, calendar)
    assert practice.kinds_told(booked, client=False) == ["move_asked"]


def test_an_undone_hold_that_is_no_longer_offered_goes(practice: Practice, calendar: Calendar) -> None:
    _, offer = offer_and_show(practice, calendar, 72, 96)
    href = href_at(practice, 72)
    event = remote(practice).events[href]
    remote(practice).delete(href)
    settle(practice, calendar)
    assert len(practice.offer_now(offer).standing) == 1
    remote(practice).restore(event)
    settle(practice, calendar)
    settle(practice, calendar)
    assert times(practice) == [when(48).span, when(96).span]


def delete_answer_and_restore(practice: Practice, calendar: Calendar, choice: Answer) -> None:
    """Have a session's event deleted, then restored after the question about that was answered."""
    booked = book_and_show(practice, calendar)
    event = remote(practice).events[href_at(practice, 48)]
    remote(practice).delete(event.href)
    settle(practice, calendar)
    answer(practice, open_question(practice, booked), choice)
    work(practice, calendar)
    push(practice, calendar)
    remote(practice).restore(event)
    settle(practice, calendar)


def test_an_undone_session_event_after_put_back_is_no_double(practice: Practice, calendar: Calendar) -> None:
    delete_answer_and_restore(practice, calendar, Answer.REVERT)
    assert times(practice) == [when(48).span]


def test_an_undone_event_of_a_cancelled_session_goes(practice: Practice, calendar: Calendar) -> None:
    delete_answer_and_restore(practice, calendar, Answer.CANCEL)
    assert times(practice) == []


def book_with_two_blanks(practice: Practice, calendar: Calendar) -> Session:
    """Book a session whose title has two blanks in a row."""
    booked = practice.book(48, of=practice.another_client(person(name="Anna  Maria", email="am@client.example")))
    with practice.database.begin() as db:
        set_levels(db, calendar.connection_id, session_level=Level(4), hold_level=Level(4), now=practice.now)
    return booked


def test_a_service_that_tidies_blanks_causes_no_mail(practice: Practice, calendar: Calendar) -> None:
    booked = book_with_two_blanks(practice, calendar)
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


def test_a_service_that_tells_no_etags_and_tidies_blanks_causes_no_mail_either(
    practice: Practice, calendar: Calendar
) -> None:
    there = remote(practice)
    there.etags = "none"

    def on_write(moment: str, _action: object) -> None:
        if moment == "after":
            for href, event in list(there.events.items()):
                there.events[href] = replace(
                    event, shown=replace(event.shown, title=" ".join(event.shown.title.split()))
                )

    there.on_write = on_write
    booked = book_with_two_blanks(practice, calendar)
    for _ in range(8):
        converge(practice, calendar)
    push(practice, calendar)
    practice.wait(minutes=10)
    assert practice.kinds_told(booked, client=False) == []


def test_notes_on_many_events_cost_few_queries(practice: Practice, calendar: Calendar) -> None:
    for n in range(20):
        practice.book(48 + n)
    work(practice, calendar)
    push(practice, calendar)
    for href in list(remote(practice).events):
        remote(practice).note(href, "n")
    queries: list[int] = []
    sa.event.listen(practice.database._writers, "before_cursor_execute", lambda *_: queries.append(1))
    push(practice, calendar)
    assert len(queries) < 40
