"""Support enters an agreed time and has a stopped calendar go on: under a name, for a reason, and both sides see it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

import pytest
from werkzeug.test import TestResponse

from connector.domain.facts import CalendarResumed, ConflictAccepted, SessionLookedAt, SessionMoved
from connector.domain.notice import NoticeKind, PauseReason
from connector.domain.offer import OfferState
from connector.domain.people import Actor, Medium, Role
from connector.services.scheduling import session_links
from connector.storage import calendars, offers, timeline
from tests.counting import statements
from tests.web.desk import Desk
from tests.web.remote_changes import begin, hand
from tests.web.stage import Browser, Stage

WHY = "called, cannot open the mail"


def page_of(stage: Stage) -> str:
    return f"/support/sessions/{stage.session.id}"


def looking(stage: Stage) -> Browser:
    """Return the browser of Robin, who has said why they look at the session."""
    browser = stage.browser()
    browser.post(stage.support_link())
    browser.post(page_of(stage), {"reason": WHY})
    return browser


def move(stage: Stage, browser: Browser, others: Mapping[str, str] | None = None) -> TestResponse:
    """Enter the next day at four."""
    said = {"date": "2026-03-10", "time": "16:00", "minutes": "50", "who": "Kim Noor", "channel": "by phone"}
    agreed = {"agreed_at": f"{stage.now:%Y-%m-%dT%H:%M}", "reason": WHY}
    return browser.post(f"{page_of(stage)}/move", {**said, **agreed, **(others or {})})


# A time that was agreed on


def test_an_agreed_time_stands_at_once_and_both_are_told_who_entered_it(stage: Stage) -> None:
    offer, browser = stage.offer(), looking(stage)
    stage.mail()
    sent = len(stage.runtime.sender.letters)  # type: ignore[attr-defined]
    unaware = move(stage, browser)
    assert (unaware.status_code, "An offer was sent to the client since" in unaware.text) == (409, True)
    assert stage.stored(offer).state is OfferState.OPEN, "that it ends was not said before"
    done = move(stage, browser, {"offer": str(offer.id)})
    assert (done.status_code, done.location) == (303, page_of(stage))
    assert stage.stored_session().when == stage.at(8, 16)
    assert stage.stored(offer).state is OfferState.WITHDRAWN
    with stage.runtime.database.read() as db:
        [fact] = timeline.of_session(db, stage.session.id, SessionMoved)
    assert isinstance(fact, SessionMoved)
    assert fact.attestation is not None
    assert (fact.by.role, fact.by.name, fact.by.reason) == (Role.SUPPORT, "Robin Hale", WHY)
    assert (fact.attestation.who, fact.attestation.channel) == ("Kim Noor", "by phone")
    stage.mail()
    letters = stage.runtime.sender.letters[sent:]  # type: ignore[attr-defined]
    told = {letter.notice.kind: letter.notice for letter in letters}
    assert set(told) == {NoticeKind.MOVED, NoticeKind.SUPPORT_MOVED}
    assert told[NoticeKind.MOVED].by_support
    assert told[NoticeKind.SUPPORT_MOVED].to.address == stage.ada.email
    theirs = stage.signed_in().get(f"/sessions/{stage.session.id}").text
    assert "Robin Hale (support)" in theirs
    token = session_links.token(stage.runtime.seal, stage.session.id, Medium.EMAIL, reader=stage.kim.email)
    clients = stage.browser().get(f"/mine/{token}").text
    assert "Support has moved the session for you to" in clients
    assert "Robin" not in clients
    assert WHY not in clients


def test_everything_that_is_wrong_is_said_at_once_and_nothing_is_saved(stage: Stage) -> None:
    browser, before = looking(stage), stage.stored_session()
    refused = move(stage, browser, {"date": "", "who": "", "reason": " "})
    assert refused.status_code == 422
    for words in ("Give both a date and a time.", "Who agreed: please fill this in.", "Reason: please fill this in."):
        assert words in refused.text
    assert 'value="16:00"' in refused.text, "what was typed stays"
    assert stage.stored_session() == before


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"date": "2026-03-01"}, "has already passed"),
        ({"agreed_at": "2027-01-01T09:00"}, "cannot have agreed in the future"),
        ({"channel": ""}, "How they told you: please fill this in."),
        ({"minutes": "0"}, "between 1 minute and 24 hours"),
    ],
)
def test_a_time_that_nobody_can_have_agreed_to_is_refused(stage: Stage, said: dict[str, str], words: str) -> None:
    browser, before = looking(stage), stage.stored_session()
    refused = move(stage, browser, said)
    assert refused.status_code == 422
    assert words in refused.text
    assert stage.stored_session() == before


def test_a_time_kept_for_somebody_else_is_refused(stage: Stage) -> None:
    stage.book(stage.at(8, 16), client=stage.lou)
    browser = looking(stage)
    refused = move(stage, browser)
    assert refused.status_code == 409
    assert "Lou" not in refused.text
    assert stage.stored_session().when == stage.session.when


def test_what_stands_there_in_a_calendar_is_said_first_and_accepted_with_a_box(there: Desk) -> None:
    begin(there)
    hand(there).add_foreign(there.stage.at(8, 16).span)
    browser = looking(there.stage)
    again = move(there.stage, browser)
    assert again.status_code == 409
    assert "Something stands in “work” at this time already" in again.text
    [key] = re.findall(r'name="despite" value="([^"]+)"', again.text)
    assert move(there.stage, browser, {"despite": key}).status_code == 303
    with there.stage.runtime.database.read() as db:
        [fact] = timeline.of_session(db, there.stage.session.id, ConflictAccepted)
    assert fact.by.role is Role.SUPPORT


def test_whoever_has_not_said_why_enters_no_time(stage: Stage) -> None:
    browser = stage.browser()
    browser.post(stage.support_link())
    refused = move(stage, browser)
    assert refused.status_code == 403
    assert "Why do you look at this session?" in refused.text
    assert stage.stored_session().when == stage.session.when


def test_a_session_that_is_over_takes_no_time(stage: Stage) -> None:
    stage.clock.advance(timedelta(days=8))
    page = looking(stage).get(f"{page_of(stage)}/move").text
    assert "This session is over, or was cancelled already." in page
    assert "Save and tell both" not in page


# A calendar that is stopped


def stopped(there: Desk, reason: PauseReason = PauseReason.EMPTIED) -> str:
    """Stop Ada's calendar, and return what a form says of it."""
    with there.stage.runtime.database.begin() as db:
        calendars.pause(db, there.calendar.id, reason.value, count=3, now=there.stage.now)
    return f"{there.calendar.id} {there.stage.now.isoformat()}"


def resume(there: Desk, browser: Browser, calendar: str, reason: str = WHY) -> TestResponse:
    path = page_of(there.stage)
    return browser.post(f"{path}/resume", {"calendar": calendar, "reason": reason}, page=path)


def reason_of(there: Desk) -> str | None:
    with there.stage.runtime.database.read() as db:
        return calendars.calendar(db, there.calendar.id).paused


@pytest.mark.parametrize(
    ("reason", "how"),
    [(PauseReason.EMPTIED, "restore"), (PauseReason.MISSING, "restore"), (PauseReason.UNKNOWN, "kept")],
)
def test_a_stopped_calendar_goes_on_so_that_nothing_is_lost(there: Desk, reason: PauseReason, how: str) -> None:
    begin(there)
    calendar, browser = stopped(there, reason), looking(there.stage)
    page = browser.get(page_of(there.stage)).text
    assert "A calendar of Dr. Ada Weiß is stopped: “work”" in page
    assert f'name="calendar" value="{calendar}"' in page
    assert resume(there, browser, calendar).status_code == 303
    assert reason_of(there) is None
    with there.stage.runtime.database.read() as db:
        facts = timeline.of_connection(db, there.calendar.connection_id)
    [fact] = [one for one in facts if isinstance(one, CalendarResumed)]
    assert (fact.how, fact.by.role, fact.by.name, fact.by.reason) == (how, Role.SUPPORT, "Robin Hale", WHY)
    assert "is stopped" not in browser.get(page_of(there.stage)).text


def test_a_calendar_that_is_stopped_anew_or_by_a_restore_stays_so(there: Desk) -> None:
    begin(there)
    calendar, browser = stopped(there), looking(there.stage)
    for wrong in (f"{there.calendar.id} {(there.stage.now - timedelta(hours=1)).isoformat()}", str(there.calendar.id)):
        refused = resume(there, browser, wrong)
        assert refused.status_code == 422
        assert "This calendar goes on by now, or was stopped once more." in refused.text
    assert resume(there, browser, calendar, reason="").status_code == 422
    assert resume(there, browser, str(uuid4())).status_code == 422
    assert resume(there, browser, "nonsense").status_code == 404
    assert reason_of(there) == PauseReason.EMPTIED


def test_what_a_restore_has_stopped_is_for_the_operator_to_decide(there: Desk) -> None:
    begin(there)
    calendar, browser = stopped(there, PauseReason.RESTORED), looking(there.stage)
    page = browser.get(page_of(there.stage)).text
    assert "Whoever runs this installation decides how it goes on." in page
    assert "Have it go on" not in page
    assert resume(there, browser, calendar).status_code == 422
    assert reason_of(there) == PauseReason.RESTORED


def test_a_calendar_of_another_practitioner_is_none_of_this_session(there: Desk) -> None:
    begin(there)
    calendar, browser, bobs = stopped(there), looking(there.stage), there.stage.bobs
    path = f"/support/sessions/{bobs.id}"
    browser.post(path, {"reason": WHY})
    assert "is stopped" not in browser.get(path).text
    assert browser.post(f"{path}/resume", {"calendar": calendar, "reason": WHY}, page=path).status_code == 422
    assert reason_of(there) == PauseReason.EMPTIED


# Finding by a reference, and no more than is needed


def test_a_session_is_found_by_an_offer_and_by_the_uid_of_its_invitation(stage: Stage) -> None:
    offer, browser = stage.offer(), looking(stage)
    with stage.runtime.database.begin() as db:
        offers.save(db, replace(offer, external_id="proposal-3"), was=OfferState.OPEN)
    for text in (str(offer.id), "proposal-3", stage.session.uid):
        assert f"/support/sessions/{stage.session.id}" in browser.post("/support", {"text": text}).text


def test_what_a_search_or_a_look_shows_is_of_that_session_alone(there: Desk) -> None:
    begin(there)
    stage, browser = there.stage, looking(there.stage)
    other = stage.book(stage.at(11, 9), client=stage.lou)
    page = browser.get(page_of(stage)).text
    for secret in (str(other.id), "Lou Secret", stage.ada.email, "work"):
        assert secret not in page
    assert not re.search(r"/(answer|question|stopped|mail|clash|subscription)/", page)


def asked(stage: Stage, browser: Browser, method: str = "GET") -> int:
    """Return how many statements the page of the session takes."""
    with statements() as sent:
        page = browser.http.open(page_of(stage), method=method)
    assert len(page.data) < 50_000
    return len(sent)


def test_a_page_asks_as_often_and_stays_small_whatever_has_happened(stage: Stage) -> None:
    browser = looking(stage)
    few = asked(stage, browser)
    for _ in range(200):
        look = SessionLookedAt(at=stage.now, by=Actor(role=Role.SUPPORT, name="Robin", reason="a long story " * 9))
        with stage.runtime.database.begin() as db:
            timeline.append(db, stage.ada.id, [replace(look, session_id=stage.session.id)])
    assert asked(stage, browser) == few
    assert "Earlier ones are not shown here." in browser.get(page_of(stage)).text
