"""Entries are named in the language of whose calendar it is; what that changes is nobody's doing but ours."""

from __future__ import annotations

from dataclasses import replace

import pytest

from connector.domain.connection import Calendar
from connector.domain.facts import CalendarPutRight
from connector.domain.session import Session
from connector.language.offered import ENGLISH_ONLY, Languages
from connector.services.people import change_practitioner
from connector.services.views.explain import explain
from connector.services.views.sessions import SessionPage, session_page
from connector.storage import calendars, timeline
from tests.domain.examples import KIM, when
from tests.services.connected import (
    href_at,
    look,
    move_and_settle,
    offer_and_show,
    push,
    question_or_none,
    remote,
    settle,
    times,
    work,
)
from tests.services.practice import KeptLetters, Practice

GERMAN = ["Termin: A. C.", "Reserviert: A. C.", "Reserviert: A. C."]
ENGLISH = ["Session: A. C.", "Hold: A. C.", "Hold: A. C."]


def read(practice: Practice, locale: str) -> None:
    """Have Kim read another language from now on."""
    with practice.database.begin() as db:
        change_practitioner(db, practice.kim.id, {"locale": locale}, by=KIM, now=practice.now)


def titles(practice: Practice, name: str = "calendar") -> list[str]:
    return [content.title for content in remote(practice, name).shown()]


def letters(practice: Practice) -> list[str]:
    """What everybody was told, letter by letter."""
    practice.mail()
    sender = practice.runtime.sender
    assert isinstance(sender, KeptLetters)
    return [letter.notice.kind.value for letter in sender.letters]


def page_of(practice: Practice, session: Session) -> SessionPage:
    with practice.database.read() as db:
        return session_page(db, practice.policy, practice.kim.id, session.id, now=practice.now)


def put_right(practice: Practice, calendar: Calendar) -> list[CalendarPutRight]:
    with practice.database.read() as db:
        facts = timeline.of_connection(db, calendar.connection_id)
    return [fact for fact in facts if isinstance(fact, CalendarPutRight)]


def written_by_an_earlier_version(practice: Practice, calendar: Calendar) -> Session:
    """Have a German's calendar show English titles, then speak German, as after an upgrade: nothing is due by it."""
    read(practice, "de")
    practice.policy = replace(practice.policy, languages=ENGLISH_ONLY)
    booked, _offer = offer_and_show(practice, calendar, 72, 96)
    assert titles(practice) == ENGLISH
    practice.policy = replace(practice.policy, languages=Languages())
    return booked


@pytest.mark.parametrize(("locale", "expected"), [("de", GERMAN), ("de_AT", GERMAN), ("en_US", ENGLISH)])
def test_entries_are_named_in_their_practitioners_language(
    practice: Practice, calendar: Calendar, locale: str, expected: list[str]
) -> None:
    read(practice, locale)
    booked, offer = offer_and_show(practice, calendar, 72, 96)

    assert titles(practice) == expected
    page = page_of(practice, booked)
    assert page.missing_in == ()
    assert page.open is not None
    assert [time.missing_in for time in page.open.alternatives] == [()] * len(offer.alternatives)
    with practice.database.read() as db:
        explained = explain(db, practice.policy, str(booked.id), now=practice.now)
    assert all(", as it should" in one.stands for one in explained)


def test_another_language_writes_each_entry_once_and_tells_nobody(practice: Practice, calendar: Calendar) -> None:
    booked, _offer = offer_and_show(practice, calendar, 72, 96)
    there, told, hrefs = remote(practice), letters(practice), set(remote(practice).events)
    there.requests.clear()

    read(practice, "de")
    for _ in range(2):
        work(practice, calendar)
        push(practice, calendar)

    assert titles(practice) == GERMAN
    assert there.requests["put"] == len(GERMAN)
    assert set(there.events) == hrefs
    assert (letters(practice), question_or_none(practice, booked)) == (told, None)
    assert practice.session(booked).revision == booked.revision


@pytest.mark.parametrize("locale", ["en_US", "fi"])
def test_a_locale_of_the_same_language_writes_nothing(practice: Practice, calendar: Calendar, locale: str) -> None:
    offer_and_show(practice, calendar, 72, 96)
    there = remote(practice)
    there.requests.clear()

    read(practice, locale)
    work(practice, calendar)

    assert (titles(practice), there.requests["put"]) == (ENGLISH, 0)


def test_what_is_their_practitioners_survives_another_language(practice: Practice, calendar: Calendar) -> None:
    offer_and_show(practice, calendar, 72, 96)
    there, href = remote(practice), href_at(practice, 48)
    there.note(href, "bring the forms")
    there.colour(href)
    colour = there.events[href].colour

    read(practice, "de")
    for _ in range(2):
        work(practice, calendar)
        settle(practice, calendar)

    assert titles(practice) == GERMAN
    assert (there.events[href].note, there.events[href].colour) == ("bring the forms", colour)


def test_a_title_of_their_own_is_put_back_in_their_language(practice: Practice, calendar: Calendar) -> None:
    offer_and_show(practice, calendar, 72, 96)
    read(practice, "de")
    work(practice, calendar)
    href = href_at(practice, 48)
    remote(practice).retitle(href, "Session: A. C.")

    settle(practice, calendar)

    assert titles(practice) == GERMAN


def test_a_move_is_noticed_though_the_language_changes_meanwhile(practice: Practice, calendar: Calendar) -> None:
    booked, _offer = offer_and_show(practice, calendar, 72, 96)
    remote(practice).move(href_at(practice, 72), when(73).span)
    read(practice, "de")

    work(practice, calendar)
    settle(practice, calendar)

    assert times(practice) == [when(48).span, when(73).span, when(96).span]
    assert "AlternativeMoved" in practice.happened(booked)
    assert titles(practice) == GERMAN


def test_an_event_whose_practitioner_is_asked_about_it_is_named_where_they_have_put_it(
    practice: Practice, calendar: Calendar
) -> None:
    booked, question = move_and_settle(practice, calendar)
    read(practice, "de")

    work(practice, calendar)
    settle(practice, calendar)

    assert [(content.title, content.span) for content in remote(practice).shown()] == [("Termin: A. C.", when(60).span)]
    assert question_or_none(practice, booked) == question


def test_what_an_earlier_version_wrote_is_rewritten_after_the_next_look_and_nobodys_doing(
    practice: Practice, calendar: Calendar
) -> None:
    booked = written_by_an_earlier_version(practice, calendar)
    told, happened = letters(practice), practice.happened(booked)
    remote(practice).note(href_at(practice, 48), "bring the forms")
    remote(practice).requests.clear()

    push(practice, calendar)
    work(practice, calendar)
    look(practice, calendar)
    work(practice, calendar)

    assert titles(practice) == GERMAN
    assert remote(practice).requests["put"] == len(GERMAN)
    assert (letters(practice), practice.happened(booked)) == (told, happened)
    assert put_right(practice, calendar) == []


@pytest.mark.parametrize("repair", [False, True])
def test_a_comparison_takes_the_words_of_an_earlier_version_for_what_we_wrote(
    practice: Practice, calendar: Calendar, *, repair: bool
) -> None:
    booked = written_by_an_earlier_version(practice, calendar)
    told = letters(practice)
    with practice.database.begin() as db:
        calendars.ask_for_comparison(db, calendar.id, repair=repair)

    push(practice, calendar)
    work(practice, calendar)

    assert titles(practice) == GERMAN
    assert (put_right(practice, calendar), letters(practice)) == ([], told)
    assert question_or_none(practice, booked) is None


def test_a_look_makes_nothing_due_in_a_calendar_that_shows_what_it_should(
    practice: Practice, calendar: Calendar
) -> None:
    offer_and_show(practice, calendar, 72, 96)
    push(practice, calendar)

    assert work(practice, calendar) == []
