"""Every request to a calendar service is counted by its provider and by how it was answered, at each transport."""

from __future__ import annotations

import socket
import threading
from datetime import timedelta

import pytest

from connector.counters import REQUESTS
from connector.errors import ConnectorError, TransientError
from connector.ports import asking_first
from providers.google.http import Pool
from providers.google.http import UnreachableError as GoogleUnreachableError
from tests.conftest import free_port
from tests.counted import Counted
from tests.fakes.google import says as google_says
from tests.fakes.graph import says as graph_says
from tests.providers.contract import creation, failure, written
from tests.providers.google.setting import signed_in
from tests.providers.outlook.setting import WEB, outlook
from tests.providers.test_wire import opened, talking

EMPTY = b"Content-Length: 0\r\nConnection: close\r\n\r\n"


@pytest.fixture
def counted() -> Counted:
    return Counted(REQUESTS)


@pytest.mark.parametrize(("status", "word"), [("207 Multi-Status", "2xx"), ("429 Slow", "429"), ("507 Full", "5xx")])
def test_what_a_caldav_server_answers_is_counted(counted: Counted, status: str, word: str) -> None:
    with talking(lambda peer: peer.sendall(f"HTTP/1.1 {status}\r\n".encode() + EMPTY)) as url, opened() as http:
        http.request("PROPFIND", url, headers={})
    assert counted() == {("caldav", word): 1}


@pytest.mark.parametrize("words", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf"])
def test_a_caldav_server_that_keeps_us_waiting_is_counted_as_that(counted: Counted, words: bytes) -> None:
    ended = threading.Event()

    def wait(peer: socket.socket) -> None:
        peer.sendall(words)
        ended.wait(30)

    with talking(wait) as url, opened(seconds=0.3) as http:
        with pytest.raises(TransientError):
            http.request("GET", url, headers={})
        ended.set()
    assert counted() == {("caldav", "timeout"): 1}


def test_a_caldav_server_that_is_not_there_is_counted_as_that(counted: Counted) -> None:
    with opened() as http, pytest.raises(TransientError):
        http.request("GET", f"http://127.0.0.1:{free_port()}/", headers={})
    assert counted() == {("caldav", "unreachable"): 1}


def test_a_request_that_may_not_be_made_is_none(counted: Counted) -> None:
    def refuse() -> None:
        raise ConnectorError("the claim is gone")

    with opened() as http, asking_first(refuse), pytest.raises(ConnectorError):
        http.request("GET", f"http://127.0.0.1:{free_port()}/", headers={})
    assert counted() == {}


def test_requests_to_google_are_counted_those_of_a_batch_one_by_one() -> None:
    with signed_in() as setting:
        setting.account.calendars()
        counted = Counted(REQUESTS)
        written(setting.calendar.apply([creation(), creation()]))
        assert counted() == {("google", "2xx"): 3}, "the batch, and the two inside it"
        setting.fake.once("events.insert", google_says(429, "rateLimitExceeded"))
        failure(setting.calendar.apply([creation()]))
        assert counted()["google", "429"] == 1


def test_a_sign_in_at_google_is_counted() -> None:
    with signed_in() as setting:
        counted = Counted(REQUESTS)
        setting.sign_in()
        assert counted() == {("google", "2xx"): 1}


def test_google_s_silence_is_counted(counted: Counted) -> None:
    ended = threading.Event()
    pool = Pool(timedelta(seconds=0.3))
    with talking(lambda _: ended.wait(30)) as url:
        with pytest.raises(GoogleUnreachableError):
            pool.post(url, b"")
        ended.set()
    with pytest.raises(GoogleUnreachableError):
        pool.post(f"http://127.0.0.1:{free_port()}/", b"")
    pool.close()
    assert counted() == {("google", "timeout"): 1, ("google", "unreachable"): 1}


def test_requests_to_outlook_are_counted_those_of_a_batch_one_by_one() -> None:
    with outlook() as setting:
        counted = Counted(REQUESTS)
        setting.graph.once("POST", "/events$", graph_says(503, "busy"))
        failure(setting.calendar().apply([creation()]))
        assert counted()["outlook", "503"] == 1
        before = counted().get(("outlook", "2xx"), 0)
        setting.graph.forget()
        written(setting.calendar().apply([creation(), creation(), creation()]))
        batches = sum(request.path.endswith("/$batch") for request in setting.graph.requests)
        assert counted()["outlook", "2xx"] - before == batches + 3


def test_microsoft_s_silence_is_counted(counted: Counted) -> None:
    ended = threading.Event()
    with talking(lambda _: ended.wait(30)) as url:
        with pytest.raises(TransientError):
            WEB.send("GET", url, seconds=0.3)
        ended.set()
    with pytest.raises(TransientError):
        WEB.send("GET", f"http://127.0.0.1:{free_port()}/")
    assert counted() == {("outlook", "timeout"): 1, ("outlook", "unreachable"): 1}
