"""A host's support finds a session, says why they look at it, and acts for its client; nobody else has these pages."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
import structlog.testing
from werkzeug.test import TestResponse

from connector.domain.facts import OfferAccepted, OfferRejected, SessionCancelled, SessionLookedAt, SessionsFound
from connector.domain.offer import Offer, OfferState
from connector.domain.people import Role
from connector.domain.session import SessionState
from connector.storage import people, sessions, timeline
from connector.storage.database import Database
from tests.conftest import Clock
from tests.web.presence import SIGN_IN, HostsUsers, hosted
from tests.web.stage import Browser, Stage, add_client, stage_of

ROBIN = "Robin Hale"
WHY = "called, cannot open the mail"


@pytest.fixture
def users() -> HostsUsers:
    return HostsUsers(names_support=True, support_name=ROBIN)


@pytest.fixture
def desk(stage: Stage, users: HostsUsers) -> Stage:
    """An installation with Robin of the host's support present."""
    return hosted(stage, users)


def page_of(stage: Stage) -> str:
    return f"/support/sessions/{stage.session.id}"


def search(browser: Browser, text: str) -> str:
    return browser.post("/support", {"text": text}).text


def look(stage: Stage, browser: Browser, reason: str = WHY) -> TestResponse:
    return browser.post(page_of(stage), {"reason": reason})


def looking(stage: Stage) -> Browser:
    browser = stage.browser()
    look(stage, browser)
    return browser


def answer(
    stage: Stage, browser: Browser, offer: Offer, choice: str, others: Mapping[str, str] | None = None
) -> TestResponse:
    form = {"offer": str(offer.id), "choice": choice, "reason": WHY, **(others or {})}
    return browser.post(f"{page_of(stage)}/answer", form, page=page_of(stage))


def chosen(offer: Offer, n: int = 0) -> str:
    return f"{offer.alternatives[n].id} {offer.alternatives[n].when.span.start.isoformat()}"


def facts(stage: Stage, kind: type[Any]) -> list[Any]:
    with stage.runtime.database.read() as db:
        return list(timeline.of_session(db, stage.session.id, kind))


# Who gets in


def test_whoever_is_not_of_the_support_is_shown_nothing_but_the_way_in(desk: Stage, users: HostsUsers) -> None:
    users.support_name = None
    browser = desk.browser()
    for path in ("/support", page_of(desk)):
        refused = browser.get(path)
        assert refused.status_code == 403
        assert f'href="{SIGN_IN}?next={path}"' in refused.text
        assert "Kim" not in refused.text


def test_each_request_asks_so_whoever_has_left_does_nothing_more(desk: Stage, users: HostsUsers) -> None:
    offer, browser = desk.offer(), looking(desk)
    form = browser.get(page_of(desk)).text
    token = form.partition('name="csrf_token" value="')[2].partition('"')[0]
    users.support_name = None
    data = {"csrf_token": token, "offer": str(offer.id), "choice": "none", "reason": WHY}
    assert browser.http.post(f"{page_of(desk)}/answer", data=data).status_code == 403
    assert desk.stored(offer).state is OfferState.OPEN


def test_a_name_is_shown_and_kept_as_one_short_line(desk: Stage, users: HostsUsers) -> None:
    users.support_name = " Robin\n\0" + "x" * 300
    look(desk, desk.browser())
    [fact] = facts(desk, SessionLookedAt)
    assert fact.by.name == "Robin" + "x" * 195


# Finding


@pytest.mark.parametrize(
    "what", ["name", "part", "address", "capitals", "number", "client id", "host's", "id", "session's"]
)
def test_a_session_is_found_by_what_a_caller_can_name(desk: Stage, what: str) -> None:
    kim = replace(desk.kim, external_id="client-12", phone="+4930123456")
    with desk.runtime.database.begin() as db:
        people.save_client(db, kim)
        sessions.name(db, desk.session.id, "booking-7")
    said = {
        "name": "Kim Noor",
        "part": "noor",
        "address": "kim@example.org",
        "capitals": "KIM@EXAMPLE.ORG",
        "number": "+4930123456",
        "client id": str(kim.id),
        "host's": "client-12",
        "id": str(desk.session.id),
        "session's": " booking-7 ",
    }
    page = search(desk.browser(), said[what])
    assert re.findall(r'href="/support/sessions/([^"]+)"', page) == [str(desk.session.id)]
    assert "With Dr. Ada Weiß" in page


@pytest.mark.parametrize(
    "text", ["", "ki", "%", "_im", "nobody at all", "8c6f4f0e-53a1-4b57-9d0e-0f2f0f6f0001", "x" * 500, "\0"]
)
def test_what_names_nobody_finds_nothing(desk: Stage, text: str) -> None:
    assert "/support/sessions/" not in search(desk.browser(), text)


def test_what_is_not_there_is_said_where_something_else_is_searched_for(desk: Stage) -> None:
    missing = desk.browser().post(f"/support/sessions/{uuid4()}", {"reason": WHY}, page="/support")
    assert missing.status_code == 404
    assert "There is no such session." in missing.text
    assert "Find a session" in missing.text


def test_a_name_is_found_whatever_its_letters(desk: Stage) -> None:
    session = desk.book(desk.at(9, 9), client=add_client(desk, name="Özlem Weiß"))
    for text in ("özlem", "Özl", "weiß"):
        assert f"/support/sessions/{session.id}" in search(desk.browser(), text)


def test_those_to_come_are_first_and_what_is_long_over_is_found_by_its_own_id(desk: Stage) -> None:
    desk.clock.advance(timedelta(days=8))
    later = desk.book(desk.at(2, 9))
    found = re.findall(r'href="/support/sessions/([^"]+)"', search(desk.browser(), "Kim Noor"))
    assert found == [str(later.id), str(desk.session.id)]
    desk.clock.advance(timedelta(days=90))
    assert str(desk.session.id) not in re.findall(
        r'href="/support/sessions/([^"]+)"', search(desk.browser(), "Kim Noor")
    )
    assert f"/support/sessions/{desk.session.id}" in search(desk.browser(), str(desk.session.id))


def test_what_is_searched_for_stands_in_no_log_and_what_was_shown_in_the_audit(desk: Stage) -> None:
    before, browser = desk.everything(), desk.browser()
    with structlog.testing.capture_logs() as logged:
        search(browser, "kim@example.org")
        shown = desk.everything()
        search(browser, "nobody@example.org")
    assert [line for line in logged if line["event"] == "support_searched"] == [
        {"event": "support_searched", "found": 1, "log_level": "info"},
        {"event": "support_searched", "found": 0, "log_level": "info"},
    ]
    assert [name for name, rows in shown.items() if rows != before[name]] == ["facts"]
    assert desk.everything() == shown, "what shows nobody is no look"
    with desk.runtime.database.read() as db:
        [fact] = timeline.of_kind(db, desk.ada.id, SessionsFound, since=desk.now)
    assert (fact.by.name, fact.found, fact.session_id) == (ROBIN, (desk.session.id,), None)
    assert "kim" not in str(shown["facts"][-1]).lower()


# Looking


def test_nothing_of_a_session_is_shown_before_somebody_says_why(desk: Stage) -> None:
    before, browser = desk.everything(), desk.browser()
    page = browser.get(page_of(desk)).text
    assert "Why do you look at this session?" in page
    assert "Kim" not in page
    assert desk.everything() == before


def test_who_looks_and_why_is_in_the_timeline_and_its_practitioner_reads_it(desk: Stage) -> None:
    browser = desk.browser()
    assert look(desk, browser).location == page_of(desk)
    page = browser.get(page_of(desk)).text
    assert "Kim Noor" in page
    assert "kim@example.org" in page
    [fact] = facts(desk, SessionLookedAt)
    assert (fact.by.role, fact.by.name, fact.by.reason) == (Role.SUPPORT, ROBIN, WHY)
    theirs = desk.signed_in().get(f"/sessions/{desk.session.id}").text
    assert "Looked at this session" in theirs
    assert f"{ROBIN} (support)" in theirs
    assert WHY in theirs


def test_a_look_without_a_reason_is_refused(desk: Stage) -> None:
    refused = look(desk, desk.browser(), reason=" ")
    assert refused.status_code == 422
    assert "Reason: please fill this in." in refused.text
    assert not facts(desk, SessionLookedAt)


def test_a_reason_lasts_an_hour_and_is_for_one_person(desk: Stage, users: HostsUsers) -> None:
    browser = looking(desk)
    users.support_name = "Somebody Else"
    assert "Why do you look at this session?" in browser.get(page_of(desk)).text
    users.support_name = ROBIN
    assert "Session with Kim Noor" in browser.get(page_of(desk)).text
    desk.clock.advance(timedelta(hours=1))
    assert "Why do you look at this session?" in browser.get(page_of(desk)).text


def test_a_look_tells_nobody_and_moves_nothing(desk: Stage) -> None:
    desk.mail()
    before = desk.everything()
    look(desk, desk.browser())
    after = desk.everything()
    assert [name for name, rows in after.items() if rows != before[name]] == ["facts"]


# Acting


def test_a_time_that_the_client_has_named_is_taken_in_the_name_of_support(desk: Stage) -> None:
    offer, browser = desk.offer(), looking(desk)
    done = answer(desk, browser, offer, chosen(offer, 1))
    assert (done.status_code, done.location) == (303, page_of(desk))
    assert desk.stored_session().when == offer.alternatives[1].when
    [fact] = facts(desk, OfferAccepted)
    assert (fact.by.role, fact.by.name, fact.by.reason) == (Role.SUPPORT, ROBIN, WHY)
    assert "Done. The client and the practitioner are being told." in browser.get(page_of(desk)).text


def test_none_suits_and_the_session_stays(desk: Stage) -> None:
    offer, browser = desk.offer(), looking(desk)
    assert answer(desk, browser, offer, "none").status_code == 303
    assert desk.stored(offer).state is OfferState.REJECTED
    assert len(facts(desk, OfferRejected)) == 1


def test_after_a_lapse_a_time_can_still_be_taken(desk: Stage) -> None:
    offer = desk.offer()
    desk.clock.advance(timedelta(hours=25))
    browser = looking(desk)
    page = browser.get(page_of(desk)).text
    assert "The offer has ended. One of its times can still be taken, if it is free." in page
    assert 'value="none"' not in page
    assert answer(desk, browser, offer, chosen(offer)).status_code == 303
    assert desk.stored_session().when == offer.alternatives[0].when


def test_the_booking_is_cancelled_for_a_reason(desk: Stage) -> None:
    browser = looking(desk)
    path = f"{page_of(desk)}/cancel"
    assert "Cancel the booking for Kim Noor?" in browser.get(path).text
    refused = browser.post(path, {"reason": ""})
    assert refused.status_code == 422
    assert "Reason: please fill this in." in refused.text
    assert desk.stored_session().state is SessionState.BOOKED
    assert browser.post(path, {"reason": WHY}).status_code == 303
    assert desk.stored_session().state is SessionState.CANCELLED
    [fact] = facts(desk, SessionCancelled)
    assert (fact.by.name, fact.by.reason) == (ROBIN, WHY)
    assert "Cancel the booking" not in browser.get(page_of(desk)).text


@pytest.mark.parametrize(
    ("form", "status", "words"),
    [
        ({"reason": ""}, 422, "Reason: please fill this in."),
        ({"choice": ""}, 422, "Choose what the client says."),
        ({"choice": "nonsense"}, 404, "There is no such offer."),
        ({"offer": "nonsense"}, 404, "There is no such offer."),
        ({"offer": str(uuid4())}, 404, "There is no such offer."),
    ],
)
def test_what_cannot_be_is_refused_with_what_to_do(desk: Stage, form: dict[str, str], status: int, words: str) -> None:
    offer, browser = desk.offer(), looking(desk)
    before = desk.everything()
    refused = answer(desk, browser, offer, "none", form)
    assert refused.status_code == status
    assert words in refused.text
    assert desk.everything() == before


def test_an_offer_of_another_session_is_none_of_this_one(desk: Stage) -> None:
    other = desk.offer(desk.at(12, 9), session=desk.book(desk.at(11, 9)))
    desk.offer()
    assert answer(desk, looking(desk), other, "none").status_code == 404
    assert desk.stored(other).state is OfferState.OPEN


def test_a_time_that_has_moved_since_is_not_taken(desk: Stage) -> None:
    offer, browser = desk.offer(), looking(desk)
    stale = f"{offer.alternatives[0].id} {offer.alternatives[1].when.span.start.isoformat()}"
    refused = answer(desk, browser, offer, stale)
    assert refused.status_code == 409
    assert "This time has changed" in refused.text
    assert desk.stored(offer).state is OfferState.OPEN


def test_whoever_has_not_said_why_does_nothing(desk: Stage) -> None:
    offer = desk.offer()
    browser = desk.browser()
    refused = answer(desk, browser, offer, "none")
    assert refused.status_code == 403
    assert desk.stored(offer).state is OfferState.OPEN


@pytest.mark.postgresql
def test_a_session_is_found_on_postgresql_too(postgresql_database: Database, postgresql_url: str, clock: Clock) -> None:
    stage = hosted(
        stage_of(postgresql_database, postgresql_url, clock), HostsUsers(names_support=True, support_name=ROBIN)
    )
    for text in ("noor", "kim@example.org", str(stage.session.id), "50%_\\"):
        assert (f"/support/sessions/{stage.session.id}" in search(stage.browser(), text)) == (text != "50%_\\")
    assert "/support/sessions/" not in search(stage.browser(), "kim\0noor")
    look(stage, stage.browser())
    assert len(facts(stage, SessionLookedAt)) == 1
