"""A client who is signed in at a host on another site, in a real browser: cookies go as browsers let them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from html import escape

import pytest
from flask import Flask, request
from selenium import webdriver

from connector.domain.answering import AnswerPolicy
from tests.serving import served
from tests.web.pictures import keep_picture
from tests.web.presence import HOSTS, assertion, known_to_the_host
from tests.web.stage import Stage
from tests.web.test_browser import PHONE, Door, Page, chromium, door

__all__ = ["Door", "chromium", "door"]  # fixtures, and what they are made of

pytestmark = [pytest.mark.chromium, pytest.mark.slow]

DESK = (1280, 800)


class Host:
    """A booking platform whose visitors are one of its clients at a time."""

    def __init__(self, stage: Stage, address: str) -> None:
        self.client_id = "client-13"
        self._stage, self._address = stage, address
        self.app = Flask("host")
        self.app.add_url_rule("/login", "login", self._login)

    def _login(self) -> str:
        text = assertion(self._stage, request.args["offer"], sub=self.client_id)
        return f"""<title>Host</title><h1>You are signed in</h1>
        <form method="post" action="{escape(self._address)}/answer/assertion">
        <input type="hidden" name="assertion" value="{text}"><button>Go on</button></form>"""


@pytest.fixture
def host(stage: Stage, door: tuple[Door, str]) -> Iterator[Host]:
    """The host is another site than ours, as browsers see it: a name, and not an address."""
    serving, address = door
    known_to_the_host(stage)
    host = Host(stage, address)
    with served(host.app) as port:
        elsewhere = {**HOSTS, "host_sign_in_url": f"http://localhost:{port}/login"}
        stage.runtime.settings = replace(stage.runtime.settings, **elsewhere)
        stage.runtime.policy = replace(stage.runtime.policy, answers=AnswerPolicy.HOST)
        serving.app = stage.app
        yield host


@pytest.fixture
def page(chromium: webdriver.Chrome, door: tuple[Door, str]) -> Page:
    chromium.get("about:blank")
    chromium.delete_all_cookies()
    page = Page(chromium, door[1])
    page.be(PHONE)
    return page


def look(page: Page, name: str) -> None:
    for width in (DESK, PHONE):
        page.be(width)
        keep_picture(page.chromium, f"present-{name}-{width[0]}")
    page.check()


def test_a_client_comes_back_from_their_host_and_answers(page: Page, host: Host, stage: Stage) -> None:
    offer = stage.offer()
    page.open(stage.sign_in_link(stage.ada))
    page.press("Sign in now", to="Your week")
    page.open(stage.link(offer))
    assert page.heading == "Please sign in first"
    look(page, "1-nobody")
    page.press("Sign in", to="You are signed in")
    page.press("Go on", to="You could not be let in")
    look(page, "2-refused")
    host.client_id = "client-12"
    page.open(stage.link(offer))
    page.press("Sign in", to="You are signed in")
    page.press("Go on", to="Please choose a time")
    page.press("Choose this time", nth=2, to="Move your session to this time?")
    page.press("Yes, take this time", to="Your new time is booked")
    assert stage.stored_session().when == offer.alternatives[1].when
    page.open("/sessions")
    assert page.heading == "Your sessions"  # what the browser keeps otherwise is as it was
