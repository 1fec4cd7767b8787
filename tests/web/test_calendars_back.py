"""Who comes back from a calendar service is let in once, at the browser that went there, and nowhere else."""

from __future__ import annotations

import pytest

from connector.errors import TransientError
from tests.web.desk import Desk, alert, later, waiting
from tests.web.services import GoogleService, MemoryService


def test_saying_no_connects_nothing_and_leads_back(everywhere: Desk) -> None:
    page = everywhere.back(everywhere.service.refusal(everywhere.begin_sign_in()))
    assert "not allow" in alert(page)
    assert f"/calendars/{everywhere.service.slug}/connect" in page.text
    assert everywhere.connections == []
    assert waiting(everywhere) == 0


def test_leaving_a_needed_box_unticked_is_named(google: Desk) -> None:
    assert isinstance(google.service, GoogleService)
    google.service.fake.oauth.unticked = frozenset({"https://www.googleapis.com/auth/calendar.events.owned"})
    page = google.back(google.service.consent(google.begin_sign_in()))
    assert "leave the boxes ticked" in alert(page)
    assert google.connections == []


def test_no_answer_is_taken_twice(there: Desk) -> None:
    answer = there.service.consent(there.begin_sign_in())
    there.back(answer)
    assert "start again" in alert(there.back(answer))


@pytest.mark.parametrize("state", ["", "guessed", "ümläut"])
def test_an_answer_to_another_question_is_refused_and_spoils_nothing(there: Desk, state: str) -> None:
    answer = there.service.consent(there.begin_sign_in())
    assert "start again" in alert(there.back({**answer, "state": state}))
    assert "Choose a calendar" in there.back(answer).text


def test_an_answer_without_a_question_is_refused(there: Desk) -> None:
    assert "start again" in alert(there.back({"code": "4/x", "state": ""}))


def test_another_browsers_answer_is_refused(there: Desk) -> None:
    answer = there.service.consent(there.begin_sign_in())
    for other in (there.stage.signed_in(), there.stage.signed_in(there.stage.bob)):
        assert "start again" in alert(there.back(answer, other))
        there.begin_sign_in(browser=other)
        assert "start again" in alert(there.back(answer, other))
    assert there.connections == []


def test_another_practitioner_at_the_same_browser_is_refused(there: Desk) -> None:
    answer = there.service.consent(there.begin_sign_in())
    with there.stage.signed_in(there.stage.bob).http.session_transaction() as theirs:
        bobs = theirs["browser"]
    with there.ada.http.session_transaction() as cookie:
        cookie["browser"] = bobs
    assert "start again" in alert(there.back(answer))


def test_an_answer_for_another_service_is_refused(there: Desk) -> None:
    answer = there.service.consent(there.begin_sign_in())
    page = there.ada.get("/calendars/google/back", query_string=dict(answer), follow_redirects=True)
    assert "start again" in alert(page)
    assert waiting(there) == 0


def test_an_answer_after_ten_minutes_is_too_late(there: Desk) -> None:
    answer = there.service.consent(there.begin_sign_in())
    later(there.stage, minutes=10)
    assert "took too long" in alert(there.back(answer))


def test_a_service_that_fails_on_the_way_says_so(there: Desk) -> None:
    assert isinstance(there.service, MemoryService)
    there.service.provider.closed = [TransientError("the sign-in is down")]
    page = there.ada.post("/calendars/memory/connect", page="/calendars")
    assert page.location == "/calendars"
    assert alert(there.ada.get("/calendars")) == "The sign-in is down. Please try again."
    answer = there.service.consent(there.begin_sign_in())
    there.service.provider.closed = [TransientError("the sign-in is down")]
    assert alert(there.back(answer)) == "The sign-in is down. Please try again."


def test_no_answer_leads_out_of_the_house(there: Desk) -> None:
    answer = there.service.consent(there.begin_sign_in())
    lures = dict.fromkeys(("next", "url", "redirect_uri", "return_to"), "https://evil.example/")
    page = there.ada.get("/calendars/memory/back", query_string={**answer, **lures})
    assert page.location == "/calendars/choose"
    there.ada.get("//evil.example/calendars")
    assert there.ada.get("/calendars/choose", query_string=lures).status_code == 200


def test_a_look_at_the_address_spends_no_answer(there: Desk) -> None:
    answer = dict(there.service.consent(there.begin_sign_in()))
    there.ada.http.head("/calendars/memory/back", query_string=answer)
    assert "Choose a calendar" in there.back(answer).text


def test_every_act_wants_its_token_and_a_practitioner(there: Desk) -> None:
    there.connect()
    own = there.connections[0].id
    before = there.stage.everything()
    acts = ["memory/connect", "choose", f"{own}/privacy", f"{own}/reconnect", f"{own}/disconnect"]
    for path in acts:
        assert there.ada.http.post(f"/calendars/{path}").status_code == 400
        assert there.stage.browser().post(f"/calendars/{path}", page="/signin").location == "/signin"
    assert there.stage.browser().get("/calendars").location == "/signin"
    bob = there.stage.signed_in(there.stage.bob)
    levels = {"session_level": "4", "hold_level": "4"}
    for path in acts[2:]:
        assert bob.post(f"/calendars/{path}", levels, page="/calendars").status_code == 404
    del before["signins"]
    after = there.stage.everything()
    of_signing_in = {"conversations", "pending_notices", "due", "browsers"}
    assert {name: after[name] for name in before if name not in of_signing_in} == {
        name: rows for name, rows in before.items() if name not in of_signing_in
    }
