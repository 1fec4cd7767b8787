"""Support signs in by a mailed link of its own, acts under its own name, and opens no practitioner's page."""

from __future__ import annotations

import re
from datetime import timedelta
from uuid import uuid4

import pytest
import structlog.testing

from connector.domain.facts import SessionLookedAt
from connector.domain.notice import NoticeKind
from connector.domain.notice_table import Link
from connector.domain.people import SupportPerson
from connector.services import support_people, upkeep
from connector.storage import timeline
from tests.authorization import every_route
from tests.web.presence import HostsUsers, hosted
from tests.web.stage import Browser, Stage

ROBIN = SupportPerson(id=uuid4(), name="Robin Hale", email="robin@example.org")
WHY = "called, cannot open the mail"


@pytest.fixture
def desk(stage: Stage) -> Stage:
    """An installation that signs people in itself, with Robin in its support."""
    with stage.runtime.database.begin() as db:
        support_people.add(db, ROBIN, now=stage.now)
    return stage


def link_of(stage: Stage, address: str = ROBIN.email, *, browser: Browser | None = None) -> str:
    """Ask for a link, and return what the newest letter leads to."""
    (browser or stage.browser()).post("/support/signin", {"email": address})
    stage.mail()
    letter = stage.runtime.sender.letters[-1]  # type: ignore[attr-defined]
    assert letter.notice.kind is NoticeKind.SUPPORT_SIGN_IN
    assert letter.notice.to.address == ROBIN.email
    found: str = letter.link.removeprefix(stage.runtime.settings.public_url)
    return found


def signed_in(stage: Stage) -> Browser:
    browser = stage.browser()
    assert browser.post(link_of(stage)).status_code == 303
    return browser


def page_of(stage: Stage) -> str:
    return f"/support/sessions/{stage.session.id}"


def test_robin_signs_in_and_acts_under_their_own_name(desk: Stage) -> None:
    browser = signed_in(desk)
    browser.post(page_of(desk), {"reason": WHY})
    page = browser.get(page_of(desk)).text
    assert "Session with Kim Noor" in page
    assert "<bdi>Robin Hale</bdi>" in page
    with desk.runtime.database.read() as db:
        [fact] = timeline.of_session(db, desk.session.id, SessionLookedAt)
    assert (fact.by.name, fact.by.reason) == ("Robin Hale", WHY)


def test_nobody_is_told_who_belongs_to_support(desk: Stage) -> None:
    browser = desk.browser()
    known = browser.post("/support/signin", {"email": ROBIN.email})
    unknown = browser.post("/support/signin", {"email": "rabin@example.org"})
    assert known.text.replace("robin@", "rabin@") == unknown.text
    before = len(desk.runtime.sender.letters)  # type: ignore[attr-defined]
    desk.mail()
    assert len(desk.runtime.sender.letters) == before + 1  # type: ignore[attr-defined]


def test_opening_the_link_spends_nothing_and_the_button_signs_in_once(desk: Stage) -> None:
    link, before = link_of(desk), desk.everything()
    for method in ("GET", "HEAD"):
        assert desk.browser().http.open(link, method=method).status_code == 200
    assert desk.everything() == before
    assert desk.browser().post(link).location == "/support"
    assert desk.browser().get(link).status_code == 410
    assert desk.browser().post(link, page="/support/signin").status_code == 410


def test_a_link_of_one_door_opens_no_other(desk: Stage) -> None:
    robins, adas = link_of(desk), desk.sign_in_link(desk.ada)
    for path in (robins.replace("/support/signin/", "/signin/"), adas.replace("/signin/", "/support/signin/")):
        assert desk.browser().get(path).status_code == 404
        assert desk.browser().post(path, page="/signin").status_code == 404
    assert desk.browser().get(robins).status_code == desk.browser().get(adas).status_code == 200


def test_whoever_is_not_signed_in_as_support_is_sent_to_its_door(desk: Stage) -> None:
    for browser in (desk.browser(), desk.signed_in()):
        for path in ("/support", page_of(desk)):
            assert browser.get(path).location == "/support/signin"
        refused = browser.post(page_of(desk), {"reason": WHY}, page="/support/signin")
        assert (refused.status_code, refused.location) == (303, "/support/signin")


def test_support_opens_its_own_pages_and_nobody_elses(desk: Stage) -> None:
    browser, session_id = signed_in(desk), str(desk.session.id)
    offer = desk.offer()
    ids = {"session_id": session_id, "alternative_id": str(offer.alternatives[0].id)}
    before, asked = desk.everything(), 0
    for route in every_route(desk):
        if route.is_api or not route.path.startswith(("/sessions", "/calendars", "/account", "/signout", "/clients")):
            continue
        path = re.sub(r"<uuid:(\w+)>", lambda match: ids.get(match[1], session_id), route.path)
        path = path.replace("<slug>", "memory").replace("<path:name>", session_id)
        answer = browser.get(path) if route.method == "GET" else browser.post(path, page="/support")
        assert (answer.status_code, answer.location) == (303, "/signin"), route
        asked += 1
    assert asked > 20
    assert desk.everything() == before


def test_one_browser_may_be_both_and_signs_out_of_one_alone(desk: Stage) -> None:
    browser = signed_in(desk)
    browser.post(desk.sign_in_link(desk.ada))
    assert browser.get("/sessions").status_code == browser.get("/support").status_code == 200
    browser.post("/signout", page="/account")
    assert browser.get("/sessions").location == "/signin"
    assert browser.get("/support").status_code == 200
    assert browser.post("/support/signout", page="/support").location == "/support/signin"
    assert browser.get("/support").location == "/support/signin"


def test_the_page_of_support_that_was_wanted_is_still_so_after_a_practitioner_has_signed_in(desk: Stage) -> None:
    browser = desk.browser()
    assert browser.get(page_of(desk)).location == "/support/signin"
    assert browser.post(desk.sign_in_link(desk.ada)).location == "/"
    assert browser.post(link_of(desk, browser=browser)).location == page_of(desk)
    assert browser.post(link_of(desk, browser=browser)).location == "/support"


def test_whoever_is_called_as_somebody_before_was_has_not_looked_yet(desk: Stage) -> None:
    signed_in(desk).post(page_of(desk), {"reason": WHY})
    namesake = SupportPerson(id=uuid4(), name=ROBIN.name, email="robin.two@example.org")
    with desk.runtime.database.begin() as db:
        support_people.remove(db, ROBIN.email)
        support_people.add(db, namesake, now=desk.now)
    browser = desk.browser()
    browser.post("/support/signin", {"email": namesake.email})
    desk.mail()
    link = desk.runtime.sender.letters[-1].link  # type: ignore[attr-defined]
    browser.post(link.removeprefix(desk.runtime.settings.public_url))
    page = browser.get(page_of(desk)).text
    assert "Why do you look at this session?" in page
    assert "Kim" not in page


def test_a_copied_cookie_lets_nobody_in_once_its_owner_has_signed_out(desk: Stage) -> None:
    browser, thief = signed_in(desk), desk.browser()
    cookie = browser.http.get_cookie("pencilled")
    assert cookie
    thief.http.set_cookie("pencilled", cookie.value)
    assert thief.get("/support").status_code == 200
    browser.post("/support/signout", page="/support")
    assert thief.get("/support").status_code == 303


def test_a_sign_in_of_support_ends_after_twelve_hours_without_use(desk: Stage) -> None:
    browser = signed_in(desk)
    desk.clock.advance(timedelta(hours=11))
    assert browser.get("/support").status_code == 200
    desk.clock.advance(timedelta(hours=12))
    assert browser.get("/support").status_code == 303


def test_whoever_is_removed_is_out_at_once_with_every_link(desk: Stage) -> None:
    browser, link = signed_in(desk), link_of(desk)
    with desk.runtime.database.begin() as db:
        support_people.remove(db, "ROBIN@example.org")
    assert browser.get("/support").status_code == 303
    assert desk.browser().get(link).status_code == 410
    with desk.runtime.database.begin() as db:
        upkeep.sweep(db, now=desk.now)
        assert not support_people.every(db)


def test_a_link_waiting_in_the_letter_box_of_somebody_removed_never_leaves(desk: Stage) -> None:
    desk.browser().post("/support/signin", {"email": ROBIN.email})
    with desk.runtime.database.begin() as db:
        support_people.remove(db, ROBIN.email)
    before = len(desk.runtime.sender.letters)  # type: ignore[attr-defined]
    desk.mail()
    assert len(desk.runtime.sender.letters) == before  # type: ignore[attr-defined]


def test_a_page_that_was_wanted_is_reached_in_another_browser(desk: Stage) -> None:
    asking = desk.browser()
    assert asking.get(page_of(desk)).location == "/support/signin"
    link = link_of(desk, browser=asking)
    assert desk.browser().post(link).location == page_of(desk)


def test_no_page_of_a_practitioner_is_wanted_by_support_nor_the_other_way_round(desk: Stage) -> None:
    asking = desk.browser()
    asking.get(f"/sessions/{desk.session.id}")
    assert desk.browser().post(link_of(desk, browser=asking)).location == "/support"
    asking.get(page_of(desk))
    asking.post("/signin", {"email": desk.ada.email})
    desk.mail()
    letter = desk.runtime.sender.letters[-1]  # type: ignore[attr-defined]
    link = letter.link.removeprefix(desk.runtime.settings.public_url)
    assert desk.browser().post(link).location == "/"


@pytest.mark.parametrize("names_support", [True, False])
def test_in_a_hosts_process_nobody_of_support_signs_in_here(desk: Stage, *, names_support: bool) -> None:
    link = link_of(desk)
    browser = hosted(desk, HostsUsers(names_support=names_support)).browser()
    assert browser.get("/support").status_code == (403 if names_support else 404)
    for path in ("/support/signin", link):
        assert browser.get(path).status_code == 404


def test_what_is_noted_in_the_log_names_nobody(desk: Stage) -> None:
    with structlog.testing.capture_logs() as logged:
        browser = signed_in(desk)
        browser.post("/support", {"text": "noor"})
        browser.post("/support/signout", page="/support")
    events = {line["event"]: line for line in logged}
    for name in ("sign_in_link_mailed", "signed_in", "support_searched", "signed_out"):
        assert events[name]["support"] == str(ROBIN.id)
    assert "Robin" not in str(logged)
    assert "robin@" not in str(logged)


def test_the_letter_leads_to_the_door_of_support(desk: Stage) -> None:
    path = desk.runtime.link(Link.SUPPORT_SIGN_IN, uuid4()).removeprefix(desk.runtime.settings.public_url)
    assert path.startswith("/support/signin/")
    assert desk.browser().get(path).status_code == 410
