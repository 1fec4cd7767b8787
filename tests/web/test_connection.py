"""What happened to a connection is told to its owner, who alone has its entries go to another calendar."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest

from connector.domain.connection import CalendarRole, TroubleKind
from connector.sentence import Sentence
from connector.storage import busy, calendars, ledger, troubles
from connector.storage.ledger import Key, Kind
from tests.web.desk import Desk, alert, later, lose
from tests.web.remote_changes import begin, hand, question_about_move, refresh_free_busy, wipe
from tests.web.services import MemoryService


def titles(here: Desk, name: str) -> list[str]:
    assert isinstance(here.service, MemoryService)
    return [content.title for content in here.service.store.calendar(name).shown()]


def test_what_happened_is_told_newest_first(there: Desk) -> None:
    begin(there)
    later(there.stage, minutes=1)
    lose(there)
    page = f"/calendars/{there.connections[0].id}"
    assert f'href="{page}"' in there.ada.get("/calendars").text
    text = there.ada.get(page).text
    assert text.index("The calendar no longer lets us in") < text.index("Calendar connected: work")
    assert "Dr. Ada Weiß" in text
    assert "Times in this list: Central European Time, Berlin" in text


def test_f2_what_cannot_be_read_is_said_on_every_page_that_shows_how_calendars_fare(there: Desk) -> None:
    begin(there)
    [path] = set(re.findall(r'href="(/sessions/[0-9a-f-]{36})"', there.ada.get("/sessions").text))
    pages = ("/sessions", path, "/calendars", f"/calendars/{there.connections[0].id}")
    words = "the server is being moved"
    with there.stage.runtime.database.begin() as db:
        troubles.note_read(db, there.calendar.id, Sentence(words), kind=TroubleKind.REFUSED, now=there.stage.now)
        ledger.touch(db, Key(Kind.PULL, str(there.calendar.id)), due_at=there.stage.now)
    for page in pages:
        text = there.ada.get(page).text
        assert re.search("can(not| no longer) be read", text, re.IGNORECASE), page
        assert words in text, page
        assert "The calendar service refuses it to this account." in text, page
        assert "Next try: " in text, page


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_looking_at_it_changes_nothing(there: Desk, method: str) -> None:
    begin(there)
    own = f"/calendars/{there.connections[0].id}"
    before = there.stage.everything()
    for path in ("/calendars", own, f"{own}/target"):
        assert there.ada.http.open(path, method=method).status_code == 200
    assert there.stage.everything() == before


def test_entries_go_to_another_calendar_and_only_then_from_the_old_one(there: Desk) -> None:
    begin(there)
    own = f"/calendars/{there.connections[0].id}/target"
    assert f'href="{own}"' in there.ada.get("/calendars").text
    text = there.ada.get(own).text
    assert "notes, colours and reminders on the old entries do not move along" in text
    assert 'value="private"' in text
    assert 'value="work"' not in text
    assert 'value="holidays"' not in text
    assert there.ada.post(own, {"target": "private"}).location == "/calendars"
    assert titles(there, "work") == ["Session: K. N."]
    text = there.ada.get("/calendars").text
    assert "are being written to “private” now" in text
    assert "Entries are moving here from “work”" in text
    there.carry_out(Kind.CALENDAR)
    assert titles(there, "private") == ["Session: K. N."]
    assert titles(there, "work") == []
    text = there.ada.get("/calendars").text
    assert "Entries are moving here" not in text
    assert "busy times also from work" in text
    assert "Entries go to “private” instead of “work”" in there.ada.get(f"/calendars/{there.connections[0].id}").text


def test_choosing_the_present_one_changes_nothing(there: Desk) -> None:
    begin(there)
    own = f"/calendars/{there.connections[0].id}/target"
    before = there.stage.everything()
    there.ada.post(own, {"target": "work"})
    assert there.stage.everything() == before
    assert "go to “work” already" in there.ada.get("/calendars").text


@pytest.mark.parametrize("target", ["", "holidays", "elsewhere"])
def test_only_a_calendar_that_can_be_written_is_taken(there: Desk, target: str) -> None:
    begin(there)
    own = f"/calendars/{there.connections[0].id}/target"
    before = there.stage.everything()
    refused = there.ada.post(own, {"target": target})
    assert refused.status_code == 422
    assert "Choose the calendar" in alert(refused)
    assert there.stage.everything() == before


def test_what_is_being_asked_about_the_old_one_is_answered_first(there: Desk) -> None:
    question_about_move(there)
    refused = there.ada.post(f"/calendars/{there.connections[0].id}/target", {"target": "private"})
    assert refused.status_code == 422
    assert "Answer that first" in alert(refused)
    assert 'value="private" required checked' in refused.text


def test_an_account_that_lets_nobody_in_cannot_be_asked(there: Desk) -> None:
    begin(there)
    there.service.revoke()
    own = f"/calendars/{there.connections[0].id}/target"
    assert there.ada.get(own).location == "/calendars"
    assert alert(there.ada.get("/calendars"))


def test_an_account_without_another_calendar_says_so(there: Desk) -> None:
    begin(there)
    assert isinstance(there.service, MemoryService)
    del there.service.store.calendars["private"]
    assert "no other calendar" in there.ada.get(f"/calendars/{there.connections[0].id}/target").text


def test_a_paused_calendar_is_left_for_another_one(there: Desk) -> None:
    there.stage.book(there.stage.at(20, 9))
    begin(there)
    wipe(there)
    assert there.calendar.paused
    there.ada.post(f"/calendars/{there.connections[0].id}/target", {"target": "private"})
    there.carry_out(Kind.CALENDAR)
    assert titles(there, "private") == ["Session: K. N."] * 2
    assert there.calendar.paused is None


def test_nobody_sees_or_turns_a_strangers_connection(there: Desk) -> None:
    begin(there)
    own = f"/calendars/{there.connections[0].id}"
    bob, before = there.stage.signed_in(there.stage.bob), there.stage.everything()
    for path in (own, f"{own}/target"):
        assert bob.get(path).status_code == 404
        assert there.stage.browser().get(path).location == "/signin"
    assert bob.post(f"{own}/target", {"target": "private"}, page="/calendars").status_code == 404
    assert there.stage.browser().post(f"{own}/target", {"target": "private"}, page="/signin").location == "/signin"
    assert there.ada.http.post(f"{own}/target", data={"target": "private"}).status_code == 400
    after = there.stage.everything()
    assert (after["calendars"], after["facts"]) == (before["calendars"], before["facts"])


def test_how_offered_times_are_shown_is_said_once_it_is_proved(there: Desk) -> None:
    begin(there)
    assert "has not been tried out yet" in there.ada.get("/calendars").text
    later(there.stage, minutes=1)
    there.carry_out(Kind.PROBE)
    text = there.ada.get("/calendars").text
    assert "shown here as <strong>tentative</strong>, and that keeps them busy. Tried out on 2 Mar 2026" in text
    hand(there).tentative_is_free = True
    for wait in (timedelta(days=1), timedelta(seconds=30)):
        there.stage.clock.advance(wait)
        there.carry_out(Kind.PROBE)
    text = there.stage.signed_in().get("/calendars").text
    assert "shown here as <strong>plainly busy</strong>: tentative entries read as free" in text


def test_when_each_calendar_was_looked_at_last_is_said(there: Desk) -> None:
    there.connect("work", "private")
    text = there.ada.get("/calendars").text
    assert text.count("not yet</span>") == 2
    with there.stage.runtime.database.begin() as db:
        [private] = [
            one for one in calendars.in_connection(db, there.connections[0].id) if one.role is CalendarRole.WATCHED
        ]
        ledger.forget(db, Key(Kind.BUSY, str(private.id)))
    refresh_free_busy(there)
    with there.stage.runtime.database.begin() as db:
        busy.note_trouble(db, private.id, Sentence("the server does not answer"))
    text = there.ada.get("/calendars").text
    assert "not yet; <strong>cannot be read</strong> at the moment: the server does not answer" in text
    assert '<span class="when">work</span> <span>2 Mar 2026, 10:00' in text
