"""A loopback proxy before a CalDAV server, which counts requests and does to them what a script says."""

from __future__ import annotations

import http.client
import socket
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import urlsplit

_HOP_BY_HOP = frozenset({"connection", "transfer-encoding", "content-length", "date", "server"})


@dataclass
class Request:
    """What a client asked; header names are in lower case."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Reply:
    """What it is answered."""

    status: int
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""


class HangUp(Exception):  # noqa: N818 - a script's act, no error
    """Close the connection without an answer."""


Script = Callable[[Request, Callable[[], Reply]], Reply]
"""Answers one request; the second argument passes it on to the real server."""


def says(status: int, body: bytes = b"", **headers: str) -> Script:
    """Answer without asking the server."""
    return lambda _, __: Reply(status, {name.replace("_", "-"): value for name, value in headers.items()}, body)


def hang_up(_: Request, __: Callable[[], Reply]) -> Reply:
    raise HangUp


def lose_answer(_: Request, forward: Callable[[], Reply]) -> Reply:
    forward()
    raise HangUp


def with_etag(etag: str | None) -> Script:
    """Pass on, but answer with another ETag or none."""

    def script(_: Request, forward: Callable[[], Reply]) -> Reply:
        reply = forward()
        kept = {name: value for name, value in reply.headers.items() if name.lower() != "etag"}
        return replace(reply, headers=kept | ({"ETag": etag} if etag else {}))

    return script


class Proxy:
    """Runs while it is used as a context manager; `url` is its root.

    Scripts are tried in turn, each on the first request of its method, and spent by that. A `gate` stands before them.
    """

    def __init__(self, target: str) -> None:
        self.target = urlsplit(target)
        self.requests: list[Request] = []
        self.connections = 0
        self.busiest = 0
        self.gate: Script | None = None
        self._scripts: list[tuple[str, Script]] = []
        self._always: list[tuple[str, Script]] = []
        self._in_flight = 0
        self._lock = threading.Lock()
        self._server = _Server(("127.0.0.1", 0), _handler(self))
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}/"

    def through(self, url: str) -> str:
        """Return the URL at which the proxy offers one of the real server."""
        return self.url.rstrip("/") + urlsplit(url).path

    def once(self, method: str, script: Script, *, times: int = 1) -> None:
        self._scripts += [(method, script)] * times

    def always(self, method: str, script: Script) -> None:
        self._always.append((method, script))

    def forget_scripts(self) -> None:
        with self._lock:
            self._scripts.clear()

    def count(self, method: str | None = None) -> int:
        return sum(method is None or request.method == method for request in self.requests)

    def methods(self) -> list[str]:
        return [request.method for request in self.requests]

    def forget(self) -> None:
        self.requests.clear()
        self.connections = 0
        self.busiest = 0

    def answer(self, request: Request) -> Reply:
        with self._lock:
            self.requests.append(request)
            self._in_flight += 1
            self.busiest = max(self.busiest, self._in_flight)
            script = next((one for one in self._scripts if one[0] == request.method), None)
            if script:
                self._scripts.remove(script)
            else:
                script = next((one for one in self._always if one[0] == request.method), None)

        def inside() -> Reply:
            return script[1](request, lambda: self.pass_on(request)) if script else self.pass_on(request)

        try:
            return self.gate(request, inside) if self.gate else inside()
        finally:
            with self._lock:
                self._in_flight -= 1

    def pass_on(self, request: Request) -> Reply:
        connection = http.client.HTTPConnection(self.target.netloc, timeout=60)
        try:
            headers = {**request.headers, "host": self.target.netloc, "connection": "close"}
            connection.request(request.method, request.path, request.body or None, headers)
            answer = connection.getresponse()
            kept = {name: value for name, value in answer.getheaders() if name.lower() not in _HOP_BY_HOP}
            return Reply(answer.status, kept, answer.read())
        finally:
            connection.close()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.hang_up()
        self._server.server_close()
        self._thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = False
    request_queue_size = 32

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Keep quiet where a client has died."""
        if not isinstance(sys.exc_info()[1], ConnectionResetError):
            super().handle_error(request, client_address)

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.open: set[socket.socket] = set()

    def hang_up(self) -> None:
        for one in list(self.open):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)


def _handler(proxy: Proxy) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True
        server: _Server

        def setup(self) -> None:
            super().setup()
            proxy.connections += 1
            self.server.open.add(self.connection)

        def finish(self) -> None:
            self.server.open.discard(self.connection)
            super().finish()

        def __getattr__(self, name: str) -> Any:
            if name.startswith("do_"):
                return self._serve
            raise AttributeError(name)

        def _serve(self) -> None:
            length = int(self.headers.get("content-length") or 0)
            headers = {name.lower(): value for name, value in self.headers.items()}
            request = Request(self.command, self.path, headers, self.rfile.read(length))
            try:
                reply = proxy.answer(request)
            except HangUp:
                self.close_connection = True
                return
            head = [f"HTTP/1.1 {reply.status} Scripted", *(f"{name}: {value}" for name, value in reply.headers.items())]
            head += [] if reply.status == 204 else [f"Content-Length: {len(reply.body)}"]
            with suppress(OSError):
                self.wfile.write("\r\n".join([*head, "", ""]).encode() + reply.body)

        def log_message(self, *_: object) -> None:
            """Keep quiet."""

    return Handler
