"""Sessions are sought by what holds of them, page by page, in one statement a page."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

import pytest
import sqlalchemy as sa

from connector.domain.facts import FlagReason, Subject
from connector.domain.session import Session, SessionState, SessionWithOffers, Sought, book
from connector.errors import NotFoundError
from connector.storage import people, sessions, timeline
from connector.storage.database import Database
from connector.storage.people import SoughtPeople
from tests.counting import statements
from tests.domain.examples import KIM, PRACTICE, when
from tests.services.practice import Practice


def found(database: Database, what: Sought, *, most: int = 100) -> list[SessionWithOffers]:
    """Return all of them, page by page."""
    result: list[SessionWithOffers] = []
    after: tuple[datetime, UUID] | None = None
    while True:
        with database.read() as db:
            page = sessions.sought(db, what, after=after, most=most)
        result += page
        if len(page) < most:
            return result
        after = (page[-1].session.when.span.start, page[-1].session.id)


def ids(several: list[SessionWithOffers]) -> list[UUID]:
    return [one.session.id for one in several]


def test_each_condition_leaves_out_what_it_does_not_hold_of(practice: Practice) -> None:
    elsewhere = Practice(practice.database)
    foreign = elsewhere.book(48)
    other = practice.another_client()
    first, second, third = practice.book(48), practice.book(72, of=other), practice.book(96)
    practice.reject(practice.offer(second, 120))
    practice.cancel(third)
    own = Sought(practitioner_id=practice.kim.id)
    expected: list[tuple[Sought, set[Session]]] = [
        (Sought(), {first, second, third, foreign}),
        (own, {first, second, third}),
        (Sought(client_id=other.id), {second}),
        (replace(own, state=SessionState.CANCELLED), {third}),
        (replace(own, flag=FlagReason.REJECTED), {second}),
        (replace(own, flag=FlagReason.LAPSED), set()),
        (replace(own, flagged=True), {second}),
        (replace(own, flagged=False), {first, third}),
        (replace(own, series_id=uuid4()), set()),
        (replace(own, ends_after=first.when.span.end), {second, third}),
        (replace(own, starts_before=third.when.span.start), {first, second}),
        (replace(own, ends_after=first.when.span.start, starts_before=second.when.span.start), {first}),
    ]
    for what, which in expected:
        assert set(ids(found(practice.database, what))) >= {one.id for one in which}, what
        if what != Sought():
            assert len(found(practice.database, what)) == len(which), what


def test_a_session_stands_with_its_open_offer_and_its_draft(practice: Practice) -> None:
    booked = practice.book(48)
    offer = practice.offer(booked, 72)
    draft = practice.draft(booked, 96)
    with practice.database.read() as db:
        shown = sessions.with_offers(db, booked.id)
    assert (shown.session.id, shown.open_offer_id, shown.draft_id) == (booked.id, offer.id, draft.id)
    assert found(practice.database, Sought(practitioner_id=practice.kim.id)) == [shown]
    with practice.database.read() as db, pytest.raises(NotFoundError):
        sessions.with_offers(db, uuid4())


def test_pages_hold_each_session_once_and_in_order_also_where_many_begin_at_once(database: Database) -> None:
    booked = [Practice(database, prompt=False).book(48 + hour % 3) for hour in range(9)]
    everything = found(database, Sought(starts_before=when(60).span.start), most=2)
    order = [(one.session.when.span.start, one.session.id) for one in everything]
    assert order == sorted(order)
    assert set(ids(everything)) >= {session.id for session in booked}
    assert len(set(ids(everything))) == len(everything)


def test_a_page_is_one_statement_however_many_sessions_there_are(practice: Practice) -> None:
    practice.prompt = False
    for hours in (48, 49, 50):
        practice.offer(practice.book(hours), hours + 100)
    with practice.database.read() as db, statements() as sent:
        sessions.sought(db, Sought(practitioner_id=practice.kim.id), most=100)
    assert len(sent) == 1


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_page_goes_on_from_its_place_in_an_index_and_nothing_is_sorted(practice: Practice) -> None:
    place = (when(60).span.start, uuid4())
    with practice.database.read() as db, explained(db) as plans:
        sessions.sought(db, Sought(), after=place, most=50)
        timeline.page(db, Subject.PRACTITIONER, practice.kim.id, after=7, most=50)
        people.seek_clients(db, SoughtPeople(email="Kim@Client.example"), most=50)
        people.seek_practitioners(db, SoughtPeople(email="Kim@Practice.example"), most=50)
    listed, happened, of_clients, of_practitioners = plans
    assert "ix_clients_lower_email" in of_clients
    assert "(email=?)" in of_practitioners
    assert "ix_sessions_starts_at_id" in listed
    assert "ix_facts_practitioner_id_id" in happened
    assert "TEMP B-TREE" not in listed + happened


@contextmanager
def explained(db: sa.Connection) -> Iterator[list[str]]:
    """Note how the database goes about each statement that it is sent."""
    plans: list[str] = []

    def note(_connection: object, cursor: Any, statement: str, parameters: Any, *_more: object) -> None:
        rows = cursor.connection.cursor().execute("EXPLAIN QUERY PLAN " + statement, parameters)
        plans.append("; ".join(row[-1] for row in rows))

    sa.event.listen(db, "before_cursor_execute", note)
    try:
        yield plans
    finally:
        sa.event.remove(db, "before_cursor_execute", note)


def test_a_thousand_sessions_are_read_a_statement_a_page(practice: Practice) -> None:
    with practice.database.begin() as db:
        for hours in range(1000):
            transition = book(
                practitioner_id=practice.kim.id,
                client_id=practice.alex.id,
                when=when(24 + hours),
                location=PRACTICE,
                organizer="sessions@pencilled.example",
                by=KIM,
                now=practice.now,
            )
            sessions.add(db, transition.session)
    with statements() as sent:
        everything = found(practice.database, Sought(practitioner_id=practice.kim.id), most=100)
    assert len(set(ids(everything))) == 1000
    assert len(sent) == 11
