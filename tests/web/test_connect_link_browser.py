"""A host's connect link in a real browser, by keyboard alone: from the link over a CalDAV server back to the host."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from flask import Flask, request
from selenium.webdriver.common.keys import Keys

from connector.domain.connect_link import LASTS
from connector.ports import Network
from providers.caldav.provider import Caldav
from tests.fakes.servers import Server, radicale
from tests.serving import served
from tests.web.desk import later
from tests.web.guests import connect_link, said
from tests.web.pictures import keep_picture
from tests.web.stage import Stage
from tests.web.test_browser import PHONE, Door, Page, chromium, door, page

__all__ = ["Door", "chromium", "door", "page"]  # fixtures, and what they are made of

pytestmark = [pytest.mark.chromium, pytest.mark.slow]

DESK = (1280, 800)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with radicale(tmp_path_factory.mktemp("radicale"), users={"ada": "right"}) as server:
        server.make_calendar("practice")
        server.make_calendar("family")
        yield server


@pytest.fixture(scope="module")
def host() -> Iterator[str]:
    """The page of a host to which its practitioners come back."""
    app = Flask("host")
    app.add_url_rule(
        "/calendars", "back", lambda: f"<title>Host</title><h1>Welcome back: {request.args['status']}</h1>"
    )
    with served(app) as port:
        yield f"http://127.0.0.1:{port}/calendars"


@pytest.fixture
def here(stage: Stage) -> Stage:
    stage.runtime.network = Network(inner_hosts=frozenset({"127.0.0.1"}))
    stage.runtime.load_provider = lambda _slug: Caldav()
    stage.runtime.settings = replace(stage.runtime.settings, providers=("caldav",))
    return stage


def look(page: Page, name: str) -> None:
    """Keep pictures at both sizes, and hold the page against what everybody needs."""
    for width in (DESK, PHONE):
        page.be(width)
        keep_picture(page.chromium, f"connect-{name}-{width[0]}")
    page.check()


def type_in(page: Page, server: Server, password: str, *, names: tuple[str, str, str]) -> None:
    for name, text in zip(names, (server.url, "ada", password), strict=True):
        field = page.tab_to(name)
        field.clear()
        field.send_keys(text)


def test_a_practitioner_connects_a_caldav_server_and_is_back_at_the_host(
    page: Page, here: Stage, server: Server, host: str
) -> None:
    link = connect_link(here, back=host)
    page.open(link)
    assert page.heading == "Connect a calendar"
    look(page, "1-show")
    page.press("Connect", to="Connect a calendar")
    look(page, "2-access")
    type_in(page, server, "wrong", names=("Address", "User name", "App password"))
    page.press("Connect", to="Connect a calendar")
    look(page, "3-wrong-password")
    assert page.chromium.switch_to.active_element.text.startswith("The server does not accept")
    type_in(page, server, "right", names=("Address", "User name", "App password"))
    page.press("Connect", to="Choose a calendar")
    look(page, "4-choose")
    page.tab_to("family").send_keys(Keys.ARROW_DOWN)  # to the next of the group, as everywhere
    page.press("Connect this calendar", to="Welcome back: connected")
    told = said(page.chromium.current_url)
    assert page.chromium.current_url.startswith(f"{host}?")
    assert told["status"] == "connected"
    page.open(link)  # it is used up: whoever comes back to it is led on to the host
    page.wait_for("Welcome back: connected")
    assert said(page.chromium.current_url) == told


def test_who_comes_too_late_is_led_back_in_german(page: Page, here: Stage, host: str) -> None:
    link = connect_link(here, back=host, locale="de")
    page.open(link)
    look(page, "5-show-de")
    page.press("Einen CalDAV-Kalender", to="Einen Kalender verbinden")
    look(page, "6-access-de")
    later(here, seconds=LASTS.total_seconds())
    page.open(link)
    look(page, "7-late-de")
    page.press("Zurück zu 127.0.0.1", to="Welcome back: failed")
    assert said(page.chromium.current_url)["code"] == "connect_link_ended"
