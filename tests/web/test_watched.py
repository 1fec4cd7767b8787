"""A page that is open asks whether it would show something else by now: cheaply, and only whoever may see it."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta

import pytest

from connector.domain.people import Actor, Medium, Role
from connector.services.scheduling import answers, session_links, sessions
from connector.services.views import page_states
from tests.counting import statements
from tests.web.desk import Desk
from tests.web.stage import Browser, Stage

STATE = re.compile(r'data-state="([^"]+)" data-version="(\w+)"')


def watched(browser: Browser, path: str) -> tuple[str, str]:
    """Return where a page asks for its state, and in which it is."""
    found = STATE.search(browser.get(path).text)
    assert found
    return found[1], f'"{found[2]}"'


def asked(browser: Browser, address: str, version: str) -> int:
    """Ask as the page does, and return the status; what comes is empty, and kept by nobody."""
    answer = browser.get(address, headers={"If-None-Match": version})
    assert answer.data == b""
    assert answer.headers["Cache-Control"] == "no-store"
    assert (answer.headers["ETag"] == version) is (answer.status_code == 304)
    return answer.status_code


def test_a_clients_page_is_the_same_until_something_has_happened(stage: Stage) -> None:
    offer, kim = stage.offer(), stage.browser()
    address, version = watched(kim, stage.link(offer))
    assert asked(kim, address, version) == 304
    with stage.runtime.database.begin() as db:
        by = Actor(role=Role.CLIENT, name=stage.kim.name)
        answers.reject(db, stage.runtime.policy, offer.id, by=by, now=stage.now)
    assert asked(kim, address, version) == 200
    assert asked(kim, address, watched(kim, stage.link(offer))[1]) == 304


def test_a_weak_etag_of_a_proxy_is_the_same(stage: Stage) -> None:
    kim = stage.browser()
    address, version = watched(kim, stage.link(stage.offer()))
    assert kim.get(address, headers={"If-None-Match": f"W/{version}"}).status_code == 304


def test_a_deadline_that_comes_changes_both_pages(stage: Stage) -> None:
    offer, kim = stage.offer(), stage.browser()
    assert offer.expires_at
    address, version = watched(kim, stage.link(offer))
    just_before = offer.expires_at - timedelta(seconds=1)
    stage.clock.now = just_before
    assert asked(kim, address, version) == 304
    stage.clock.now = offer.expires_at
    assert asked(kim, address, version) == 200
    with stage.runtime.database.read() as db:
        before, after = (
            page_states.of_session(db, stage.ada.id, stage.session.id, now=at) for at in (just_before, stage.now)
        )
    assert before != after


def own(stage: Stage) -> str:
    """Return the path of the client's own page of the session."""
    return f"/mine/{session_links.token(stage.runtime.seal, stage.session.id, Medium.EMAIL, reader=stage.kim.email)}"


def test_a_clients_own_page_changes_with_what_was_offered_and_what_came_of_it(stage: Stage) -> None:
    kim = stage.browser()
    address, version = watched(kim, own(stage))
    assert asked(kim, address, version) == 304
    offer = stage.offer()
    assert asked(kim, address, version) == 200
    address, version = watched(kim, own(stage))
    assert kim.post(f"{stage.link(offer)}/none").status_code == 303
    assert asked(kim, address, version) == 200


def test_time_alone_ends_when_a_session_can_be_cancelled_and_the_session(stage: Stage) -> None:
    stage.runtime.policy = replace(stage.runtime.policy, cancel_before=timedelta(hours=24))
    span, kim = stage.session.when.span, stage.browser()
    for passes in (span.start - timedelta(hours=24), span.start, span.end):
        stage.clock.now = passes - timedelta(seconds=1)
        address, version = watched(kim, own(stage))
        assert asked(kim, address, version) == 304
        stage.clock.now = passes
        assert asked(kim, address, version) == 200


def test_a_sessions_page_changes_when_its_client_has_answered(stage: Stage) -> None:
    offer, ada = stage.offer(), stage.signed_in()
    address, version = watched(ada, f"/sessions/{stage.session.id}")
    assert asked(ada, address, version) == 304
    assert stage.browser().post(f"{stage.link(offer)}/none").status_code == 303
    assert asked(ada, address, version) == 200


def test_a_sessions_page_changes_when_its_holds_have_arrived_and_its_letters_have_left(there: Desk) -> None:
    stage, ada = there.stage, there.ada
    there.connect()
    stage.offer()
    address, version = watched(ada, f"/sessions/{stage.session.id}")
    there.work()
    assert asked(ada, address, version) == 200
    assert asked(ada, address, watched(ada, f"/sessions/{stage.session.id}")[1]) == 304


def test_what_happens_to_another_session_changes_nothing(stage: Stage) -> None:
    stage.offer()
    other, ada = stage.book(stage.at(12, 9)), stage.signed_in()
    address, version = watched(ada, f"/sessions/{stage.session.id}")
    with stage.runtime.database.begin() as db:
        sessions.cancel(db, stage.runtime.policy, other.id, by=stage.by, now=stage.now, reason="")
    assert asked(ada, address, version) == 304


@pytest.mark.parametrize("times", [1, 3])
def test_asking_costs_a_handful_of_statements_however_much_there_is(stage: Stage, times: int) -> None:
    offer, ada, kim = stage.offer(*(stage.at(9, 9 + n) for n in range(times))), stage.signed_in(), stage.browser()
    pages = [(ada, *watched(ada, f"/sessions/{stage.session.id}")), (kim, *watched(kim, stage.link(offer)))]
    counts = []
    for page in pages:
        with statements() as sent:
            assert asked(*page) == 304
        counts.append(len(sent))
    assert counts == [2, 6], "who is signed in, and the state; a link is looked up as on its page"


def test_who_is_not_signed_in_any_more_is_not_led_to_a_state_afterwards(stage: Stage) -> None:
    ada = stage.browser()
    assert ada.get(f"/sessions/{stage.session.id}").status_code == 303
    state = ada.get(f"/sessions/{stage.session.id}/state", headers={"If-None-Match": '"x"'})
    assert (state.status_code, state.location) == (303, "/signin")
    with ada.http.session_transaction() as cookie:
        assert cookie["wanted"] == f"/sessions/{stage.session.id}"


def test_a_form_that_was_refused_is_not_renewed_under_ones_hands(stage: Stage) -> None:
    offer, kim = stage.offer(), stage.browser()
    page = f"{stage.link(offer)}/choose/{offer.alternatives[0].id}"
    with stage.runtime.database.begin() as db:
        by = Actor(role=Role.CLIENT, name=stage.kim.name)
        shown = offer.alternatives[1].when.span.start
        answers.accept(db, stage.runtime.policy, offer.id, offer.alternatives[1].id, by=by, now=stage.now, shown=shown)
    answer = kim.post(page, page="/signin")
    assert answer.status_code == 409
    assert "data-state" not in answer.text
