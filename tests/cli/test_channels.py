"""What a server refuses before any application sees it."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from http import HTTPStatus

import msgspec
import pytest

from connector.cli._channels import Channel, refused
from tests.serving import served


@pytest.fixture
def port() -> Iterator[int]:
    with served(lambda _environ, _start: [], channels=Channel, max_request_body_size=10) as port:
        yield port


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/api/v1/keys", "application/problem+json"),
        ("/book/api/v1/keys", "application/problem+json"),
        ("/", "text/plain"),
    ],
)
def test_a_body_that_is_too_large_is_refused_as_whoever_asks_can_read(port: int, path: str, kind: str) -> None:
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: 11\r\n\r\nhello world".encode())
        answer = b"".join(iter(lambda: connection.recv(4096), b""))
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 413 ")
    assert f"content-type: {kind}" in head.decode().lower()
    if kind != "text/plain":
        problem = msgspec.json.decode(body)
        assert (problem["status"], problem["code"]) == (413, "body_too_large")
        assert path.startswith(problem["type"].partition("/api/")[0])


def test_other_requests_to_the_api_that_are_cut_are_problems_too() -> None:
    kind, body = refused("/api/v1/keys", HTTPStatus.REQUEST_TIMEOUT)
    assert kind == "application/problem+json"
    assert msgspec.json.decode(body)["code"] == "request_malformed"
