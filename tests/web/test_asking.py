"""Pages go on while some of them wait for a calendar service that says nothing."""

from __future__ import annotations

import http.client
from concurrent.futures import ThreadPoolExecutor, as_completed
from urllib.parse import urlencode

import pytest

from connector.ports import Network
from connector.web.asking import SEATS
from providers.caldav.provider import Caldav
from tests.fakes.dripping import HTTP, Dripping
from tests.serving import served
from tests.web.stage import _TOKEN, Stage
from tests.webhooks.stage import THREADS

CONNECT = "/calendars/caldav/connect"
PEOPLE = THREADS + 2  # more than there are threads


@pytest.fixture
def pages(stage: Stage) -> Stage:
    """Return the people at an installation where CalDAV calendars are connected."""
    stage.runtime.network = Network(inner_hosts=frozenset({"127.0.0.1"}))
    stage.runtime.load_provider = lambda _: Caldav()
    return stage


def test_health_is_told_while_people_wait_for_a_silent_server(pages: Stage) -> None:
    ada = pages.signed_in()
    token = _TOKEN.search(ada.get(CONNECT).text)
    cookie = ada.http.get_cookie("pencilled")
    assert token
    assert cookie

    def connect(port: int, address: str) -> str:
        form = {"csrf_token": token[1], "address": address, "username": "kim", "password": "secret"}
        return ask(port, "POST", CONNECT, urlencode(form), f"pencilled={cookie.value}")

    with served(pages.app) as port, ThreadPoolExecutor(PEOPLE) as people:
        with Dripping(HTTP["nothing"]) as silent:
            waiting = [people.submit(connect, port, silent.url) for _ in range(PEOPLE)]
            answers = (future.result() for future in as_completed(waiting, timeout=60))
            turned_away = [next(answers) for _ in range(PEOPLE - SEATS)]
            assert '"alive":true' in ask(port, "GET", "/healthz")
            assert sum(future.done() for future in waiting) == PEOPLE - SEATS
        told = list(answers)
    assert all("short queue" in answer and "Please try again" in answer for answer in turned_away)
    assert all("could not be reached" in answer for answer in told)


def ask(port: int, method: str, path: str, body: str | None = None, cookie: str = "") -> str:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        headers = {"Content-Type": "application/x-www-form-urlencoded", "Cookie": cookie}
        connection.request(method, path, body, headers)
        return connection.getresponse().read().decode()
    finally:
        connection.close()
