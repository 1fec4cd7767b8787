"""A host has a practitioner connect one account by a link that opens nothing else, and gets them back."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta
from html import unescape
from uuid import uuid4

import pytest

from connector.domain.connect_link import KEPT, LASTS
from connector.domain.connection import ConnectionState
from connector.domain.facts import ConnectionAdded
from connector.domain.people import CLOCK, Level
from connector.errors import NotFoundError, RuleError, StandstillError
from connector.ports import Provider
from connector.services import standstill, upkeep
from connector.services.accounts import disconnect
from connector.storage import timeline
from connector.web.limits import ANSWER_LIMIT
from providers.memory import provider as memory
from tests.web.desk import Desk, alert, is_due, later, lose, state, waiting
from tests.web.guests import BACK, Guest, connect_link, connected, said, sent_back
from tests.web.services import MemoryService
from tests.web.stage import Stage


def test_a_practitioner_is_led_through_sign_in_and_choice_and_back_to_the_host(everywhere: Desk) -> None:
    guest = Guest.of(everywhere)
    assert "For Dr. Ada Weiß." in guest.browser.get(guest.path).text

    page = guest.sign_in()
    assert "Choose a calendar" in page.text
    done = guest.choose(None, everywhere.service.other, levels=(4, 1))

    [connection] = everywhere.connections
    assert connected(done) == connection.id
    assert f'href="{BACK}?status=connected&amp;connection_id={connection.id}"' in done.text
    assert connection.practitioner_id == everywhere.stage.ada.id
    disclosure = everywhere.calendar.disclosure
    assert (disclosure.session_level, disclosure.hold_level) == (Level.FULL, Level.NEUTRAL)
    everywhere.work()
    assert everywhere.service.titles() == ["Session: Kim Noor"]
    assert waiting(everywhere) == 0
    with everywhere.stage.runtime.database.read() as db:
        [added] = timeline.of_kind(db, everywhere.stage.ada.id, ConnectionAdded, since=everywhere.stage.now)
    assert added.by == everywhere.stage.by


def test_the_levels_that_a_practitioner_has_set_are_chosen_at_first(there: Desk) -> None:
    page = Guest.of(there).sign_in().text
    assert page.count('<option value="2" selected>') == 2


def test_what_is_wrong_with_a_choice_is_said_and_it_can_be_made_again(there: Desk) -> None:
    guest = Guest.of(there)
    guest.sign_in()
    page = guest.choose("holidays", "private", levels=(4, 0))
    assert (page.status_code, "Choose the calendar" in alert(page)) == (422, True)
    assert 'value="private" checked' in page.text
    assert '<option value="4" selected>' in page.text
    assert guest.choose("work", levels=(7, 0)).status_code == 422
    assert connected(guest.choose()) == there.connections[0].id


def test_one_link_connects_one_account_in_whatever_order_its_steps_come(there: Desk) -> None:
    one, other = Guest.of(there), there.stage.browser()
    two = Guest(there, one.path, other)
    one.sign_in()
    two.sign_in()
    first = connected(one.choose("work"))

    assert connected(two.choose("private")) == first
    assert [connection.id for connection in there.connections] == [first]
    for path in ("", "/memory", "/choose"):
        assert connected(other.get(one.path + path)) == first
        assert connected(other.post(one.path + path, page="/signin")) == first if path else True


def test_two_choices_at_once_connect_once(there: Desk) -> None:
    """The other one is stored between the look at the link and the act."""
    one, other = Guest.of(there), there.stage.browser()
    two = Guest(there, one.path, other)
    one.sign_in()
    two.sign_in()
    load_provider, asked = there.stage.runtime.load_provider, []

    def meanwhile(slug: str) -> Provider:
        asked.append(slug)
        if len(asked) == 2:  # the first shows the form
            connected(two.choose("private"))
        return load_provider(slug)

    there.stage.runtime.load_provider = meanwhile
    late = one.choose("work")

    assert there.calendar.remote_id == "private"
    assert connected(late) == there.connections[0].id
    assert len(there.connections) == 1


def test_saying_no_leads_back_to_the_page_and_from_there_to_the_host(everywhere: Desk) -> None:
    guest = Guest.of(everywhere)
    page = guest.back(everywhere.service.refusal(guest.begin()))
    assert "not allow" in alert(page)
    [back] = re.findall(rf'href="({re.escape(BACK)}[^"]+)"', page.text)
    told = said(unescape(back))
    assert told["status"] == "failed"
    assert told["code"]
    assert everywhere.connections == []
    assert connected_after(guest) == 1


def connected_after(guest: Guest) -> int:
    """Go on after all, and return how many accounts are connected then."""
    guest.sign_in()
    guest.choose()
    return len(guest.here.connections)


def test_who_does_not_want_to_goes_back_and_may_come_again(there: Desk) -> None:
    guest = Guest.of(there)
    page = guest.browser.get(guest.path).text
    assert f'href="{BACK}?status=cancelled"' in page
    assert connected_after(guest) == 1


def test_the_link_ends_after_an_hour_and_says_so_for_a_day(there: Desk) -> None:
    guest = Guest.of(there)
    guest.sign_in()
    later(there.stage, seconds=LASTS.total_seconds())
    for path in ("", "/memory", "/choose"):
        page = guest.browser.get(guest.path + path)
        assert (page.status_code, "This link has expired" in page.text) == (410, True)
        assert f"{BACK}?status=failed&amp;code=connect_link_ended" in page.text
    assert guest.choose().status_code == 410
    assert there.connections == []
    later(there.stage, seconds=KEPT.total_seconds())
    with there.stage.runtime.database.begin() as db:
        upkeep.sweep(db, now=there.stage.now)
    assert there.stage.everything()["connect_links"] == []
    assert guest.browser.get(guest.path).status_code == 404


def test_a_link_that_ends_on_the_way_connects_nothing(there: Desk) -> None:
    guest = Guest.of(there)
    later(there.stage, seconds=(LASTS - timedelta(minutes=5)).total_seconds())
    answer = there.service.consent(guest.begin())
    later(there.stage, minutes=5)
    assert guest.back(answer).status_code == 410
    assert there.connections == []


def test_looking_changes_nothing(there: Desk) -> None:
    guest = Guest.of(there)
    before = there.stage.everything()
    for path in ("", "/memory", "/choose"):
        for method in ("GET", "HEAD"):
            guest.browser.http.open(guest.path + path, method=method)
    assert there.stage.everything() == before


def test_the_link_is_no_login(there: Desk) -> None:
    guest = Guest.of(there)
    guest.sign_in()
    guest.choose()
    own = there.connections[0].id
    for path in ("/sessions", "/calendars", "/account", f"/calendars/{own}", f"/sessions/{there.stage.session.id}"):
        assert guest.browser.get(path).location == "/signin", path
    assert guest.browser.post(f"/calendars/{own}/disconnect", page="/signin").location == "/signin"
    assert guest.browser.get("/calendars/memory/back").location in ("/signin", guest.path)
    token = guest.path.rpartition("/")[2]
    for page in ("answer", "signin", "question", "clash", "stopped", "mail", "subscription", "s"):
        assert guest.browser.get(f"/{page}/{token}").status_code == 404, page


@pytest.mark.parametrize("token", ["forged", "x" * 400, "ümläut", "%00"])
def test_a_link_that_is_none_of_ours_opens_nothing(stage: Stage, token: str) -> None:
    for path in ("", "/caldav", "/choose"):
        assert stage.browser().get(f"/connect/{token}{path}").status_code == 404


def test_each_act_wants_the_token_of_its_form(there: Desk) -> None:
    guest = Guest.of(there)
    guest.sign_in()
    before = there.stage.everything()
    for path in ("/memory", "/choose"):
        assert guest.browser.http.post(guest.path + path).status_code == 400
    assert there.stage.everything() == before


def test_only_the_browser_that_was_sent_to_the_service_brings_its_answer(there: Desk) -> None:
    guest = Guest.of(there)
    answer = there.service.consent(guest.begin())
    stranger = there.stage.browser()
    assert stranger.get("/calendars/memory/back", query_string=dict(answer)).location == "/signin"
    ada = there.stage.signed_in()
    assert "start again" in alert(guest.back(answer, ada))
    other = Guest.of(there)
    other.begin()
    assert "start again" in alert(other.back(answer))
    assert "Choose a calendar" in guest.back(answer).text
    assert "start again" in alert(guest.back(answer))


def test_what_was_begun_by_one_link_is_not_ended_by_another_nor_by_who_is_signed_in(there: Desk) -> None:
    guest, other = Guest.of(there), Guest.of(there)
    guest.sign_in()
    with guest.browser.http.session_transaction() as cookie:
        choice = cookie["connect"]["choice"]
    with there.ada.http.session_transaction() as cookie:
        cookie["choosing"] = choice
    assert "start again" in alert(there.ada.get("/calendars/choose", follow_redirects=True))
    other.begin()
    with other.browser.http.session_transaction() as cookie:
        cookie["connect"] = {"token": other.path.rpartition("/")[2], "choice": choice}
    assert "start again" in alert(
        other.browser.post(f"{other.path}/choose", page=other.path, form={}) and other.browser.get(other.path)
    )
    there.sign_in()
    with there.ada.http.session_transaction() as cookie:
        own = cookie["choosing"]
    with guest.browser.http.session_transaction() as cookie:
        cookie["connect"] = {"token": guest.path.rpartition("/")[2], "choice": own}
    assert "start again" in alert(guest.browser.get(f"{guest.path}/choose", follow_redirects=True))
    assert there.connections == []


def test_who_is_signed_in_too_comes_back_where_they_have_left(there: Desk) -> None:
    guest = Guest(there, connect_link(there.stage), there.ada)
    by_link = there.service.consent(guest.begin())
    signed_in = there.service.consent(there.begin_sign_in())
    assert there.ada.get("/calendars/memory/back", query_string=dict(signed_in)).location == "/calendars/choose"
    assert there.ada.get("/calendars/memory/back", query_string=dict(by_link)).location == f"{guest.path}/choose"


def test_a_link_may_offer_one_service_alone(there: Desk) -> None:
    guest = Guest.of(there, provider="memory")
    assert "Connect Memory Calendar" in guest.browser.get(guest.path).text
    assert guest.browser.get(f"{guest.path}/caldav").status_code == 404
    with pytest.raises(RuleError) as refused:
        connect_link(there.stage, provider="dropbox")
    assert (refused.value.code, refused.value.field) == ("calendar_service_not_offered", "provider")


def test_a_connection_is_reconnected_by_signing_in_again(there: Desk) -> None:
    there.connect()
    own = there.connections[0].id
    lose(there)
    guest = Guest.of(there, reconnects=own)
    assert "Reconnect “work”" in guest.browser.get(guest.path).text

    assert connected(guest.sign_in()) == own

    assert state(there) == ConnectionState.OK
    assert is_due(there)
    assert connected(guest.browser.get(guest.path)) == own


def test_another_account_is_no_reconnection(there: Desk) -> None:
    there.connect()
    lose(there)
    guest = Guest.of(there, reconnects=there.connections[0].id)
    answer = there.service.consent(guest.begin())
    assert isinstance(there.service, MemoryService)
    there.service.provider.owner = str(uuid4())
    assert "another account" in alert(guest.back(answer))
    assert state(there) == ConnectionState.ACCESS_LOST


def test_what_cannot_be_reconnected_is_refused_when_the_link_is_made(there: Desk) -> None:
    stage = there.stage
    there.connect()
    own = there.connections[0].id
    with pytest.raises(NotFoundError):
        connect_link(stage, stage.bob, reconnects=own)
    with pytest.raises(RuleError) as refused:
        connect_link(stage, reconnects=own, provider="caldav")
    assert refused.value.code == "reconnect_elsewhere"
    with stage.runtime.database.begin() as db:
        disconnect.begin(db, stage.runtime.policy, own, by=stage.by, now=stage.now)
    with pytest.raises(RuleError) as refused:
        connect_link(stage, reconnects=own)
    assert refused.value.code == "calendar_being_disconnected"
    with pytest.raises(RuleError) as refused:
        connect_link(stage, locale="no language")
    assert refused.value.field == "locale"


def test_the_pages_speak_the_language_that_is_asked_for(there: Desk) -> None:
    guest = Guest.of(there, locale="de")
    page = guest.browser.get(guest.path, headers={"Accept-Language": "en"})
    assert '<html lang="de"' in page.text
    assert '<html lang="de"' in guest.browser.http.post(f"{guest.path}/memory").text  # a fault, too


def test_nothing_is_connected_while_a_restored_database_waits_and_no_link_outlives_that(there: Desk) -> None:
    guest, runtime = Guest.of(there), there.stage.runtime
    guest.sign_in()
    with runtime.database.begin() as db:
        standstill.begin(db, runtime.policy, by=CLOCK, now=there.stage.now)
    assert guest.browser.get(guest.path).status_code == 503
    assert guest.choose().status_code == 503
    with pytest.raises(StandstillError):
        connect_link(there.stage)
    with runtime.database.begin() as db:
        standstill.end(db)
    assert guest.browser.get(guest.path).status_code == 404


def test_passwords_cannot_be_tried_by_the_hundred(there: Desk) -> None:
    guest = Guest.of(there)
    guest.browser.get(guest.path)
    tried = [guest.browser.http.post(f"{guest.path}/memory").status_code for _ in range(31)]
    assert tried.count(429) == 31 - int(ANSWER_LIMIT.partition(" ")[0])


def test_access_is_typed_in_and_what_is_wrong_is_said(there: Desk) -> None:
    runtime, store = there.stage.runtime, memory.store(f"owner-{uuid4().hex}")
    store.calendar("work")
    runtime.settings = replace(runtime.settings, providers=("memory",))
    runtime.load_provider = lambda _: memory.PROVIDER
    guest = Guest.of(there)
    typed = {"address": store.id, "username": "ada", "password": "hunter2 is wrong"}
    page = guest.browser.post(f"{guest.path}/memory", typed)
    assert (page.status_code, alert(page)) == (422, "The password is not accepted. Please try again.")
    assert "hunter2" not in page.text
    assert "status=failed&amp;code=access_lost" in page.text

    assert guest.browser.post(f"{guest.path}/memory", typed | {"password": "secret"}).location == f"{guest.path}/choose"
    own = connected(guest.choose("work"))

    lose(there)
    store.change_password("fresh")
    again = Guest.of(there, reconnects=own)
    page = again.browser.post(f"{again.path}/memory", typed | {"password": "secret"})
    assert alert(page) == "The password is not accepted. Please try again."
    assert sent_back(again.browser.post(f"{again.path}/memory", typed | {"password": "fresh"})) == {
        "status": "connected",
        "connection_id": str(own),
    }
    memory.forget(store.id)
