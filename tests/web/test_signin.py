from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

import pytest
import sqlalchemy as sa

from connector.domain.people import Practitioner
from connector.services.signing_in.links import PURPOSE
from connector.storage import people
from connector.storage.seal import Seal
from connector.storage.tables import signins
from tests.web.stage import Stage


def test_the_answer_does_not_tell_whether_an_address_is_known(stage: Stage) -> None:
    browser = stage.browser()
    answer = browser.post("/signin", {"email": "ada@example.org"})
    unknown = browser.post("/signin", {"email": "eva@example.org"})
    assert answer.status_code == unknown.status_code == 200
    assert answer.text.replace("ada@", "eva@") == unknown.text
    assert dict(answer.headers).keys() == dict(unknown.headers).keys()


def test_upper_and_lower_case_of_the_address_do_not_matter(stage: Stage) -> None:
    before = stage.everything()
    stage.browser().post("/signin", {"email": " ADA@Example.org "})
    stage.mail()
    assert len(stage.everything()["signins"]) == len(before["signins"]) + 1


def test_an_address_is_known_however_the_name_of_its_host_is_written(stage: Stage) -> None:
    jo = Practitioner(id=uuid4(), name="Jo\u200cra Müller", email="jo@müller.example", zone="Europe/Berlin")
    with stage.runtime.database.begin() as db:
        people.add_practitioner(db, jo, now=stage.now)
    for typed in ("jo@müller.example", "Jo@MÜLLER.Example", "jo@xn--mller-kva.example"):
        before = stage.everything()
        stage.browser().post("/signin", {"email": typed})
        stage.mail()
        assert len(stage.everything()["signins"]) == len(before["signins"]) + 1, typed
    link = stage.sign_in_link(jo)
    assert "<strong>Jo\u200cra Müller</strong>, mailed to jo@müller.example" in stage.browser().get(link).text


@pytest.mark.parametrize("address", ["", "a\x00b@example.org", "x" * 400, "kim@example.org"])
def test_an_address_nobody_signs_in_with_leaves_nothing_stored(stage: Stage, address: str) -> None:
    before = stage.everything()
    assert stage.browser().post("/signin", {"email": address}).status_code == 200
    stage.mail()
    after = stage.everything()
    assert {name for name in before if before[name] != after[name]} <= {"due"}
    assert address not in str(after["due"]) or not address


def test_opening_the_link_spends_nothing_and_the_button_signs_in_once(stage: Stage) -> None:
    link = stage.sign_in_link(stage.ada)
    before = stage.everything()
    for method in ("GET", "HEAD", "GET"):
        assert stage.browser().http.open(link, method=method).status_code == 200
    assert "sign-in link of <strong>Dr. Ada Weiß</strong>, mailed to ada@example.org" in stage.browser().get(link).text
    assert stage.everything() == before
    browser = stage.browser()
    entered = browser.post(link)
    assert (entered.status_code, entered.location) == (303, "/")
    assert browser.get("/sessions").status_code == 200
    assert stage.browser().get(link).status_code == 410
    again = stage.browser()
    assert again.post(link, page="/signin").status_code == 410
    assert again.get("/sessions").status_code == 303


def test_a_link_too_old_signs_nobody_in(stage: Stage) -> None:
    link, browser = stage.sign_in_link(stage.ada), stage.browser()
    stage.clock.advance(timedelta(minutes=15))
    assert browser.get(link).status_code == 410
    assert browser.post(link, page="/signin").status_code == 410
    assert browser.get("/sessions").location == "/signin"


def test_forged_links_sign_nobody_in(stage: Stage) -> None:
    stranger = Seal(("another key that is long enough, really",))
    answer_token = stage.link(stage.offer()).removeprefix("/answer/")
    for token in ("x", answer_token, stranger.token(PURPOSE, uuid4())):
        browser = stage.browser()
        assert browser.get(f"/signin/{token}").status_code == 404
        assert browser.post(f"/signin/{token}", page="/signin").status_code == 404
        assert browser.get("/sessions").status_code == 303


def test_whoever_wanted_a_page_gets_there_after_signing_in(stage: Stage) -> None:
    browser, path = stage.browser(), f"/sessions/{stage.session.id}"
    assert browser.get(path).location == "/signin"
    assert browser.post(stage.sign_in_link(stage.ada)).location == path


def asked_by_mail(stage: Stage, wanted: str | None) -> str:
    """Want a page in one browser, and return the link that is mailed to whoever then asks there."""
    browser = stage.browser()
    if wanted is not None:
        browser.get(wanted)
    browser.post("/signin", {"email": stage.ada.email})
    stage.mail()
    link: str = stage.runtime.sender.letters[-1].link  # type: ignore[attr-defined]
    return link.removeprefix(stage.runtime.settings.public_url)


def test_whoever_wanted_a_page_gets_there_in_another_browser_too(stage: Stage) -> None:
    path = f"/sessions/{stage.session.id}/offer?from=letter"
    assert stage.browser().post(asked_by_mail(stage, path)).location == path


def test_what_the_letter_was_asked_for_goes_before_what_the_browser_had_wanted_long_ago(stage: Stage) -> None:
    path, other = f"/sessions/{stage.session.id}", stage.browser()
    other.get("/calendars")
    assert other.post(asked_by_mail(stage, path)).location == path


@pytest.mark.parametrize("wanted", ["/sessions?" + "x" * 600, "/nowhere", None])
def test_a_link_leads_to_no_page_that_is_none_or_too_long_to_keep(stage: Stage, wanted: str | None) -> None:
    assert stage.browser().post(asked_by_mail(stage, wanted)).location == "/"


@pytest.mark.parametrize(
    "stored", ["https://evil.example/", "//evil.example/", "/\\evil.example", "javascript:alert(1)", "/ä", "/a\nb"]
)
def test_a_stored_page_that_is_none_of_ours_is_passed_over(stage: Stage, stored: str) -> None:
    link = asked_by_mail(stage, f"/sessions/{stage.session.id}")
    with stage.runtime.database.begin() as db:
        db.execute(sa.update(signins).values(wanted=stored))
    assert stage.browser().post(link).location == "/"


def test_signing_out_closes_every_page(stage: Stage) -> None:
    browser = stage.signed_in()
    assert browser.get("/sessions").status_code == 200
    assert browser.post("/signout", page="/sessions").location == "/signin"
    assert browser.get("/sessions").status_code == 303


def test_signing_out_by_link_is_not_possible(stage: Stage) -> None:
    browser = stage.signed_in()
    refused = browser.get("/signout")
    assert refused.status_code == 405
    assert "POST" in refused.headers["Allow"]
    assert browser.get("/sessions").status_code == 200


def test_a_forged_cookie_is_nobody(stage: Stage) -> None:
    browser = stage.browser()
    browser.http.set_cookie("pencilled", "eyJwcmFjdGl0aW9uZXIiOiJ4In0.aaaaaa.bbbbbb")
    assert browser.get("/sessions").status_code == 303


@pytest.mark.parametrize("path", ["", "/time", "/location", "/cancel", "/offer", "/offer/review", "/offer/withdraw"])
def test_another_practitioners_session_is_not_there(stage: Stage, path: str) -> None:
    mine, theirs = stage.signed_in(stage.bob), f"/sessions/{stage.session.id}"
    stage.offer()
    before = stage.everything()
    assert mine.get(theirs + path).status_code == 404
    assert mine.post(theirs + path, {"reason": "x"}, page="/sessions").status_code in (404, 405)
    assert stage.everything() == before


@pytest.mark.parametrize("path", ["/keep", "/offer/send", "/offer/discard"])
def test_another_practitioners_session_cannot_be_acted_on(stage: Stage, path: str) -> None:
    draft = stage.draft(stage.at(9, 9))
    mine = stage.signed_in(stage.bob)
    before = stage.everything()
    form = {"offer": str(draft.id)}
    assert mine.post(f"/sessions/{stage.session.id}{path}", form, page="/sessions").status_code == 404
    assert stage.everything() == before


def test_another_practitioners_times_cannot_be_moved_or_taken_back(stage: Stage) -> None:
    offer, mine = stage.offer(), stage.signed_in(stage.bob)
    before = stage.everything()
    for session in (stage.session, stage.bobs):
        for act in ("move", "withdraw"):
            path = f"/sessions/{session.id}/offer/{offer.alternatives[0].id}/{act}"
            mine.get(path)
            form = {"date": "2026-03-20", "time": "09:00", "minutes": "50"}
            assert mine.post(path, form, page="/sessions").status_code in (303, 404)
    assert stage.everything() == before


def test_the_list_shows_nobody_elses_sessions(stage: Stage) -> None:
    text = stage.signed_in().get("/sessions").text
    assert "Kim Noor" in text
    assert "Lou" not in text
