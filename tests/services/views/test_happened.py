"""What happened is told to programs with its kind and its ids, and in the words that people read."""

from __future__ import annotations

from uuid import UUID

from connector.domain.facts import Subject
from connector.domain.people import Role
from connector.language.offered import Languages
from connector.language.telling import Teller
from connector.services.views.happened import Event, happened
from tests.counting import statements
from tests.services.practice import Practice


def told(practice: Practice, subject: Subject, identity: UUID, *, after: int = 0, most: int = 100) -> list[Event]:
    teller = Teller.to(locale="de", zone="Europe/Berlin", languages=Languages(("de",)))
    with practice.database.read() as db:
        return list(happened(db, subject, identity, teller, after=after, most=most))


def test_each_event_names_its_kind_who_did_it_and_what_it_is_about(practice: Practice) -> None:
    practice.prompt = False
    booked = practice.book(48)
    offer = practice.offer(booked, 72)
    events = told(practice, Subject.SESSION, booked.id)
    assert [event.kind for event in events] == ["session_booked", "offer_drafted", "offer_sent"]
    assert {event.role for event in events} == {Role.PRACTITIONER}
    assert {event.name for event in events} == {"Kim Beispiel"}
    assert [event.offer_id for event in events] == [None, offer.id, offer.id]
    assert events[0].what.startswith("Termin gebucht")


def test_a_practitioner_is_told_of_all_sessions_and_of_nobody_elses(practice: Practice) -> None:
    practice.prompt = False
    Practice(practice.database, prompt=False).book(48)
    first, second = practice.book(48), practice.book(72)
    events = told(practice, Subject.PRACTITIONER, practice.kim.id)
    assert [event.session_id for event in events] == [first.id, second.id]


def test_it_is_read_on_from_a_number_in_one_statement(practice: Practice) -> None:
    practice.prompt = False
    booked = practice.book(48)
    practice.offer(booked, 72)
    first = told(practice, Subject.SESSION, booked.id, most=2)
    with statements() as sent:
        rest = told(practice, Subject.SESSION, booked.id, after=first[-1].number, most=2)
    assert len(sent) == 1
    assert [event.kind for event in (*first, *rest)] == ["session_booked", "offer_drafted", "offer_sent"]
