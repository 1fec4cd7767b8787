"""A calendar that tells only when a practitioner is not free: what is kept of their time, and nothing of anybody."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from connector.domain.span import Span
from connector.errors import NotFoundError, RuleError
from connector.ical.publishing import publish
from connector.services import publishing
from connector.services.views import published
from connector.services.views.published import Content
from connector.storage import published as stored
from connector.storage.database import Database
from connector.storage.published import PublishedCalendar
from tests.counting import statements
from tests.domain.examples import KIM, client, when
from tests.services.practice import SEAL, Practice

NAME = "Booking page of Acme"


@pytest.fixture
def practice(database: Database) -> Practice:
    return Practice(database, buffer=10)


def begin(practice: Practice, name: str = NAME) -> PublishedCalendar:
    with practice.database.begin() as db:
        return publishing.open_busy(db, SEAL, practice.kim.id, name=name, by=KIM, now=practice.now)


def content(practice: Practice, calendar: PublishedCalendar) -> Content:
    with practice.database.read() as db:
        return published.content(db, calendar, brand="Pencilled", now=practice.now)


def blocks(practice: Practice, calendar: PublishedCalendar) -> list[tuple[datetime, datetime]]:
    return [(one.span.start, one.span.end) for one in content(practice, calendar).events]


def test_sessions_and_holds_are_alike_and_each_has_the_buffer_in_it(practice: Practice) -> None:
    calendar = begin(practice)
    session = practice.book(48)
    practice.offer(session, 72, 96)
    found = content(practice, calendar)
    expected = [when(hours).span.padded(timedelta(minutes=10)) for hours in (48, 72, 96)]
    assert [one.span for one in found.events] == expected
    assert {replace(one, uid="", span=expected[0]) for one in found.events} == {
        replace(found.events[0], uid="", span=expected[0])
    }


def test_nothing_tells_who_where_or_for_whom(practice: Practice) -> None:
    calendar = begin(practice)
    session = practice.book(48)
    practice.offer(session, 72)
    found = content(practice, calendar)
    text = publish(found.events, name=found.name, anonymous=found.anonymous).decode()
    told = (
        practice.kim.name,
        practice.kim.email,
        practice.alex.name,
        "Linden",
        "ORGANIZER",
        "METHOD",
        NAME,
        "TENTATIVE",
    )
    assert not [word for word in told if word.lower() in text.lower()]
    assert not [one for one in (session.id, session.uid, practice.kim.id) if str(one) in text]
    assert text.count("SUMMARY:Busy") == text.count("TRANSP:OPAQUE") == 2


def test_a_time_keeps_its_uid_as_long_as_it_is_kept_and_no_two_calendars_share_one(practice: Practice) -> None:
    one, other = begin(practice), begin(practice, "Another page")
    session = practice.book(48)
    offer = practice.offer(session, 72)
    before = {event.span: event.uid for event in content(practice, one).events}
    practice.accept(offer)
    after = {event.span: event.uid for event in content(practice, one).events}
    assert len(before) == 2
    assert after == {span: uid for span, uid in before.items() if span.start == when(72).span.start}
    assert not {event.uid for event in content(practice, other).events} & set(before.values())


def test_what_is_cancelled_or_withdrawn_is_free_again_and_its_etag_another(practice: Practice) -> None:
    calendar = begin(practice)
    assert blocks(practice, calendar) == []
    empty = content(practice, calendar).etag
    session = practice.book(48)
    booked = content(practice, calendar).etag
    practice.offer(session, 72)
    offered = content(practice, calendar).etag
    practice.cancel(session)
    assert len({empty, booked, offered}) == 3
    assert content(practice, calendar).etag == empty


def test_it_stays_the_same_while_nothing_changes_and_ends_with_what_is_long_over_or_far_ahead(
    practice: Practice,
) -> None:
    calendar = begin(practice)
    practice.book(48)
    practice.book(24 * 450)
    first = content(practice, calendar)
    assert len(first.events) == 1
    practice.wait(hours=60)
    assert content(practice, calendar).etag == first.etag
    practice.wait(hours=24)
    assert blocks(practice, calendar) == []


def test_each_is_ended_by_itself_and_the_one_with_sessions_is_another(practice: Practice) -> None:
    one = begin(practice)
    practice.wait(seconds=1)
    other = begin(practice, "Another page")
    with practice.database.begin() as db:
        assert stored.of_practitioner(db, practice.kim.id) is None
        assert [found.name for found in stored.busy_of(db, practice.kim.id)] == [one.name, other.name]
        publishing.end(db, one.id, by=KIM, now=practice.now)
    token = publishing.token_of(SEAL, one)
    with practice.database.begin() as db:
        assert published.fetched(db, token, brand="Pencilled", now=practice.now) is None
        assert [found.id for found in stored.busy_of(db, practice.kim.id)] == [other.id]
        with pytest.raises(NotFoundError):
            publishing.end(db, one.id, by=KIM, now=practice.now)


def test_there_are_so_many_and_each_has_a_name(practice: Practice) -> None:
    for number in range(publishing.MOST_BUSY):
        begin(practice, f"Page {number}")
    with pytest.raises(RuleError, match="20 such calendars already"):
        begin(practice)
    with pytest.raises(RuleError, match="must not be empty"):
        begin(practice, "  ")


def test_it_takes_the_same_few_statements_however_much_is_kept(practice: Practice) -> None:
    calendar = begin(practice)
    counts = set()
    for number in range(12):
        if number in {1, 11}:
            with statements() as seen:
                content(practice, calendar)
            counts.add(len(seen))
        practice.book(48 + 24 * number, of=practice.another_client(client(email=f"c{number}@client.example")))
    assert len(counts) == 1
    assert blocks(practice, calendar)[0] == _padded(when(48).span)


def _padded(span: Span) -> tuple[datetime, datetime]:
    padded = span.padded(timedelta(minutes=10))
    return padded.start, padded.end
