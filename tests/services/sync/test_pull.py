"""What is read from a calendar: each change once, our own echoes never, and nothing lost on the way."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import pytest
import sqlalchemy as sa

from connector.domain.connection import Calendar
from connector.domain.facts import Answer
from connector.domain.people import Level
from connector.domain.reconcile import Ref, Sighting
from connector.domain.session import Session
from connector.errors import EditConflictError, MissingError, ProviderError, RefusedError, TransientError
from connector.ports import Changes
from connector.services.accounts.connect import set_levels
from connector.storage import calendars, remote_changes
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
    question_or_none,
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


def test_what_is_settling_costs_no_read_before_it_is_due(practice: Practice, calendar: Calendar) -> None:
    book_and_show(practice, calendar)
    remote(practice).move(href_at(practice, 48), when(60).span)
    push(practice, calendar)
    remote(practice).requests.clear()
    practice.wait(seconds=30)
    push(practice, calendar)
    assert remote(practice).requests == {"changes": 1}


def test_what_the_feed_brings_is_read_again_only_when_it_decides(practice: Practice, calendar: Calendar) -> None:
    """Some services send each event along with the news that it has changed."""
    booked = book_and_show(practice, calendar)
    there = remote(practice)
    changes = there.changes

    def with_sightings(token: str | None) -> Changes:
        bare = changes(token)
        shown = {
            one.href: Sighting(href=one.href, etag=one.etag, content=there.events[one.href].content)
            for one in bare.changed
        }
        return replace(bare, changed=tuple(replace(one, sighting=shown[one.href]) for one in bare.changed))

    there.changes = with_sightings  # type: ignore[method-assign]  # the service's own answer, with more in it
    href = href_at(practice, 48)
    there.requests.clear()
    there.move(href, when(60).span)
    push(practice, calendar)
    assert there.requests == {"changes": 1}
    practice.wait(seconds=61)
    there.note(href, "so that the feed names it")
    there.requests.clear()
    push(practice, calendar)
    assert there.requests == {"changes": 1, "read": 1}
    assert question_or_none(practice, booked) is not None


def test_our_own_write_during_a_look_is_not_taken_for_an_edit(practice: Practice, calendar: Calendar) -> None:
    """The look brings the event as it stood before the write."""
    booked = book_and_show(practice, calendar)
    there = remote(practice)
    there.note(href_at(practice, 48), "so that it is read")
    read = there.read

    def then_written(refs: Sequence[Ref]) -> Mapping[str, Sighting | None]:
        sightings = read(refs)
        if practice.session(booked) == booked:
            practice.move(booked, when(72))
            converge(practice, calendar)
        return sightings

    there.read = then_written  # type: ignore[method-assign]  # the service's own answer, and what happens after it
    pull(practice, calendar)
    with practice.database.read() as db:
        assert remote_changes.of_calendar(db, calendar.id) == {}
    assert times(practice) == [when(72).span]
    assert converge(practice, calendar) == 0


def test_a_drag_of_an_event_that_was_created_during_the_look_is_not_lost(
    practice: Practice, calendar: Calendar
) -> None:
    """The feed names an event that was not ours yet when the look began."""
    book_and_show(practice, calendar)
    there = remote(practice)
    changes = there.changes
    new: list[Session] = []

    def written_before(token: str | None) -> Changes:
        if not new:
            new.append(practice.book(60, of=practice.another_client()))
            converge(practice, calendar)
            there.move(href_at(practice, 60), when(66).span)
        return changes(token)

    there.changes = written_before  # type: ignore[method-assign]  # the service's own answer, and what happens before it
    settle(practice, calendar)
    (dragged,) = new
    assert practice.kinds_told(dragged, client=False) == ["move_asked"]


def test_a_calendar_that_is_written_during_every_look_is_looked_at_later(
    practice: Practice, calendar: Calendar
) -> None:
    booked = book_and_show(practice, calendar)
    there = remote(practice)
    there.note(href_at(practice, 48), "so that it is read")
    read = there.read
    hours = iter(range(60, 90))

    def then_written(refs: Sequence[Ref]) -> Mapping[str, Sighting | None]:
        sightings = read(refs)
        practice.move(practice.session(booked), when(next(hours)))
        converge(practice, calendar)
        there.note(next(iter(there.events)), "so that it is read again")
        return sightings

    there.read = then_written  # type: ignore[method-assign]  # the service's own answer, and what happens after it
    there.requests.clear()
    with pytest.raises(EditConflictError):
        pull(practice, calendar)
    assert there.requests["changes"] == 3
    assert practice.kinds_told(booked, client=False) == []


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (MissingError("404"), "the calendar is no longer there"),
        (RefusedError("not for you"), "the calendar may not be read: not for you"),
    ],
)
def test_why_a_calendar_cannot_be_read_is_said(
    practice: Practice, calendar: Calendar, error: ProviderError, words: str
) -> None:
    remote(practice).offline = error
    pull(practice, calendar)
    with practice.database.read() as db:
        assert str(calendars.calendar(db, calendar.id).read_trouble) == words
