"""`pencilled web` as processes: whoever sends slowly keeps nobody waiting, and half a request is never acted on."""

from __future__ import annotations

import select
import signal
import socket
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from itertools import islice
from pathlib import Path

import pytest

from connector.cli._channels import LARGEST_BODY, MOST_WAITING
from tests.cli.keyboard import Cli, start_process
from tests.cli.test_serve import Serving, until
from tests.conftest import free_port

pytestmark = [pytest.mark.postgresql, pytest.mark.redis, pytest.mark.slow]

_HEAD = "POST /signin HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\n"

CUT = {
    "Content-Length: 10\r\n\r\nhalf": 400,
    "Transfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n": 411,
    f"Content-Length: {LARGEST_BODY + 1}\r\n\r\nhalf": 413,
}


@pytest.fixture
def running(empty_postgresql_url: str, redis_url: str, tmp_path: Path) -> Iterator[Serving]:
    settings = {
        "CONNECTOR_DATABASE_URL": empty_postgresql_url,
        "CONNECTOR_BROKER_URL": redis_url,
        "CONNECTOR_SECRET_KEYS": "k" * 32,
        "CONNECTOR_LISTEN": f"127.0.0.1:{free_port()}",
        "CONNECTOR_SMTP_URL": "smtp://127.0.0.1:1",
    }
    Cli(settings).ok("migrate")
    log = tmp_path / "log"
    web = Serving(settings, start_process("web", settings=settings, log=log), log)
    try:
        until(web.answers, log)
        yield web
    finally:
        assert web.stop(signal.SIGTERM) == 0


def test_half_sent_requests_keep_nobody_else_waiting_and_are_never_acted_on(running: Serving) -> None:
    check_cut(running)
    with ExitStack() as stack:
        strangers = [stack.enter_context(connected(running)) for _ in range(MOST_WAITING + 20)]
        for stranger in strangers:
            stranger.sendall(f"{_HEAD}Content-Length: 1000\r\n\r\nhalf".encode())
        given_up = list(islice(answering(strangers), 20))
        assert [answered(stranger) for stranger in given_up] == [408] * 20
        others = [stranger for stranger in strangers if stranger not in given_up]
        assert not select.select(others, [], [], 0)[0], "no more of them go than there is no room for"
        for _ in range(120):
            stack.enter_context(connected(running)).sendall(_HEAD.encode())
        assert running.get("/healthz") == 200


def check_cut(running: Serving) -> None:
    """A request that is not whole reaches no page."""
    for rest, status in CUT.items():
        with connected(running) as stranger:
            stranger.sendall(f"{_HEAD}{rest}".encode())
            stranger.shutdown(socket.SHUT_WR)
            assert answered(stranger) == status, rest


def connected(running: Serving) -> socket.socket:
    host, _, port = running.settings["CONNECTOR_LISTEN"].rpartition(":")
    return socket.create_connection((host, int(port)), timeout=30)


def answering(connections: Sequence[socket.socket]) -> Iterator[socket.socket]:
    """Yield connections as they are answered; the server may have read them in another order than they were made."""
    waiting = list(connections)
    while waiting:
        for one in select.select(waiting, [], [], 30)[0] or pytest.fail("nobody is answered"):
            waiting.remove(one)
            yield one


def answered(connection: socket.socket) -> int:
    return int(connection.recv(4096).split(b" ")[1])
