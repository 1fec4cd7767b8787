from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from connector.domain.entry import (
    Disclosure,
    Entry,
    EntryKey,
    EntryKind,
    EntryLink,
    EntryWords,
    Showing,
    entries_for,
    leads_to,
)
from connector.domain.offer import accept, draft, send
from connector.domain.people import Level
from connector.domain.session import SessionState
from tests.domain.examples import ALEX, KIM, NOW, session, when

DAY = timedelta(hours=24)
ENGLISH = EntryWords()


def entries(level: Level, *, firm: bool = False, name: str = "Alex Client", words: EntryWords = ENGLISH) -> list[Entry]:
    own = session()
    drafted = draft(own, [(when(72), None), (when(96), None)], window=DAY, by=KIM, now=NOW).offer
    offer = send(drafted, own, by=KIM, now=NOW).offer
    disclosure = Disclosure(session_level=level, hold_level=level, firm_holds=firm)
    return list(entries_for(own, [offer], name, disclosure, words=words))


@pytest.mark.parametrize(
    ("level", "titles"),
    [
        (Level.BUSY, ["Busy", "Busy", "Busy"]),
        (Level.NEUTRAL, ["Session", "Hold", "Hold"]),
        (Level.INITIALS, ["Session: A. C.", "Hold: A. C.", "Hold: A. C."]),
        (Level.FIRST_NAME, ["Session: Alex", "Hold: Alex", "Hold: Alex"]),
        (Level.FULL, ["Session: Alex Client", "Hold: Alex Client", "Hold: Alex Client"]),
    ],
)
def test_each_step_of_the_ladder_shows_what_it_says(level: Level, titles: list[str]) -> None:
    assert [entry.content.title for entry in entries(level)] == titles


@pytest.mark.parametrize(
    ("level", "titles"),
    [
        (Level.BUSY, ["Belegt", "Belegt", "Belegt"]),
        (Level.NEUTRAL, ["Termin", "Reserviert", "Reserviert"]),
        (Level.FULL, ["Termin: Alex Client", "Reserviert: Alex Client", "Reserviert: Alex Client"]),
    ],
)
def test_only_the_words_are_those_of_another_language(level: Level, titles: list[str]) -> None:
    words = EntryWords(session="Termin", hold="Reserviert", busy="Belegt")
    assert [entry.content.title for entry in entries(level, words=words)] == titles


@pytest.mark.parametrize("level", [Level.BUSY, Level.NEUTRAL, Level.INITIALS, Level.FIRST_NAME])
def test_the_place_is_told_at_the_highest_level_only(level: Level) -> None:
    assert {entry.content.location for entry in entries(level)} == {""}
    assert {entry.content.location for entry in entries(Level.FULL)} == {"Lindenstr. 3, Berlin"}


def test_a_session_is_confirmed_and_a_hold_is_tentative() -> None:
    assert [e.content.showing for e in entries(Level.NEUTRAL)] == [Showing.CONFIRMED] + [Showing.TENTATIVE] * 2


def test_holds_are_firm_where_tentative_would_be_read_as_free() -> None:
    assert [e.content.showing for e in entries(Level.NEUTRAL, firm=True)] == [Showing.CONFIRMED] + [Showing.FIRM] * 2


def test_a_draft_puts_nothing_in_the_calendar() -> None:
    own = session()
    drafted = draft(own, [(when(72), None)], window=DAY, by=KIM, now=NOW).offer
    disclosure = Disclosure(session_level=Level.INITIALS, hold_level=Level.INITIALS)
    assert [e.key.kind for e in entries_for(own, [drafted], "Alex", disclosure, words=ENGLISH)] == [EntryKind.SESSION]


def test_an_accepted_offer_leaves_the_sessions_own_entry_under_the_same_key() -> None:
    own = session()
    drafted = draft(own, [(when(72), None), (when(96), None)], window=DAY, by=KIM, now=NOW).offer
    offer = send(drafted, own, by=KIM, now=NOW).offer
    transition = accept(offer, own, offer.alternatives[1].id, by=ALEX, now=NOW)
    disclosure = Disclosure(session_level=Level.INITIALS, hold_level=Level.INITIALS)
    (entry,) = entries_for(transition.session, [transition.offer], "Alex", disclosure, words=ENGLISH)
    assert entry.key == EntryKey(kind=EntryKind.SESSION, id=own.id)
    assert entry.content.span == when(96).span


def test_a_cancelled_session_is_not_shown() -> None:
    cancelled = replace(session(), state=SessionState.CANCELLED)
    disclosure = Disclosure(session_level=Level.FULL, hold_level=Level.FULL)
    assert list(entries_for(cancelled, [], "Alex", disclosure, words=ENGLISH)) == []


def test_a_key_reads_back_from_its_text() -> None:
    key = entries(Level.BUSY)[1].key
    assert EntryKey.parse(str(key)) == key


@pytest.mark.parametrize("level", Level)
def test_an_entry_leads_to_its_session_unless_it_shows_nothing(level: Level) -> None:
    own = session()
    link = EntryLink(url=f"https://pencilled.example/sessions/{own.id}", title="Pencilled")
    drafted = draft(own, [(when(72), None)], window=DAY, by=KIM, now=NOW).offer
    offer = send(drafted, own, by=KIM, now=NOW).offer
    for mixed, linked in (
        (Disclosure(session_level=level, hold_level=Level.BUSY), [level is not Level.BUSY, False]),
        (Disclosure(session_level=Level.BUSY, hold_level=level), [False, level is not Level.BUSY]),
    ):
        found = list(entries_for(own, [offer], "Alex Client", mixed, words=ENGLISH, link=link))
        without = list(entries_for(own, [offer], "Alex Client", mixed, words=ENGLISH))
        assert [entry.link == link for entry in found] == linked
        assert [entry.content for entry in found] == [entry.content for entry in without], "it is nothing to compare by"


def test_a_link_of_ours_is_known_wherever_the_installation_was() -> None:
    own = session()
    for url in (f"http://localhost:8000/sessions/{own.id}", f" https://x.example/p/sessions/{str(own.id).upper()}/ "):
        assert leads_to(url, own.id)
    for url in ("", "https://meet.example/room", f"https://pencilled.example/sessions/{own.id}/offer"):
        assert not leads_to(url, own.id)
