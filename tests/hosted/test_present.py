"""Clients and support of a host: whom it says to be present answers, looks and acts, and nobody else does."""

from __future__ import annotations

import re

import pytest
from flask import g

from connector import app
from connector.errors import SettingsError
from connector.hosted.addresses import path_of
from tests.hosted.hosts import PREFIX, make_host, named, person, present, settings, with_pencilled
from tests.web.presence import SHARED, SIGN_IN, assertion
from tests.web.stage import Stage

STAFF = {"staff-3": "Robin Hale"}


def staff() -> str | None:
    """The name of the person of the host's support who is present."""
    return STAFF.get(g.user)


def answering_at(stage: Stage, **more: str) -> dict[str, str]:
    """Settings of a host that says who answers."""
    return settings(stage, CONNECTOR_ANSWER_POLICY="host", **more)


@pytest.fixture
def known(stage: Stage) -> Stage:
    """An installation whose clients the host knows, with an offer to one of them."""
    named(stage, kim="user-8", lou="user-9")
    return stage


def test_the_client_whom_the_host_has_signed_in_sees_the_offer_and_nobody_else_does(known: Stage) -> None:
    host = with_pencilled(known, settings=answering_at(known), client=present)
    link = PREFIX + known.link(known.offer())
    nobody, kim, lou = person(host), person(host, "user-8"), person(host, "user-9")
    page = nobody.get(link)
    assert page.status_code == 200
    assert f'href="/login?next={link}"' in page.text
    assert "Kim" not in page.text
    assert "Ada" not in page.text
    back = nobody.http.post(f"/login?next={link}", data={"user": "user-8"})
    assert known.ada.name in nobody.get(back.location).text
    assert known.ada.name in kim.get(link).text
    assert lou.get(link).status_code == 404


def test_an_installation_that_nobody_can_answer_in_is_refused_at_its_start(known: Stage) -> None:
    with pytest.raises(SettingsError, match=r"CONNECTOR_ANSWER_POLICY=host, unless the host runs in this process"):
        with_pencilled(known, settings=answering_at(known))


def test_an_assertion_leads_to_the_offer_under_the_prefix(known: Stage) -> None:
    chosen = answering_at(known, CONNECTOR_ASSERTION_KEYS=SHARED, CONNECTOR_HOST_SIGN_IN_URL=SIGN_IN)
    kim, offer = person(with_pencilled(known, settings=chosen)), known.offer()
    assert f'href="{SIGN_IN}?offer={offer.id}"' in kim.get(PREFIX + known.link(offer)).text
    known.clock.now = app.system_clock()  # by which the host's process goes
    text = assertion(known, offer.id, aud=chosen["CONNECTOR_PUBLIC_URL"], sub="user-8")
    led = kim.http.post(f"{PREFIX}/answer/assertion", data={"assertion": text})
    assert led.status_code == 303
    assert led.location.startswith(f"{PREFIX}/answer/")
    assert f"; Path={PREFIX}/;" in led.headers["Set-Cookie"]
    assert known.ada.name in kim.get(led.location).text


def test_support_of_the_host_looks_at_a_session_under_its_own_name(known: Stage) -> None:
    host = with_pencilled(known, support=staff)
    robin, ada = person(host, "staff-3"), person(host, "user-1")
    assert ada.get(f"{PREFIX}/support").status_code == 403
    found = robin.post(f"{PREFIX}/support", {"text": str(known.session.id)})
    [link] = re.findall(r'href="([^"]+/sessions/[^"]+)"', found.text)
    assert link == f"{PREFIX}/support/sessions/{known.session.id}"
    assert link == PREFIX + path_of("support_session", known.session.id)
    shown = robin.get(robin.post(link, {"reason": "called"}).location)
    assert "Robin Hale (support)" in shown.text
    assert "Robin Hale (support)" in ada.get(f"{PREFIX}/sessions/{known.session.id}").text


def test_without_support_at_the_host_there_are_no_such_pages(known: Stage) -> None:
    assert person(with_pencilled(known, make_host()), "staff-3").get(f"{PREFIX}/support").status_code == 404
