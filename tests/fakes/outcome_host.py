"""A host on loopback that is told of outcomes: it answers as it is told to, and keeps what has come in."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Condition, Event, Thread
from types import TracebackType
from typing import Any, Self

from standardwebhooks import Webhook

WAIT_SECONDS = 120.0  # far beyond what anything takes: only a failing test waits so long


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """One request, as it came in."""

    path: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]

    @property
    def said(self) -> Any:
        return json.loads(self.body)

    @property
    def type(self) -> str:
        return str(self.said["type"])

    @property
    def at(self) -> datetime:
        return datetime.fromtimestamp(int(self.headers["webhook-timestamp"]), UTC)

    def is_signed_by(self, secret: str) -> bool:
        """Whether the secret has signed it, whatever the time is: here clocks stand still."""
        return Webhook(secret).sign(self.id, self.at, self.body.decode()) in self.headers["webhook-signature"].split()


Answer = Callable[[BaseHTTPRequestHandler], None]


@dataclass
class OutcomeHost:
    """The host. `status` is what it answers; `answer` answers in its place; `next` has the statuses that come first."""

    status: int = 204
    headers: Mapping[str, str] = field(default_factory=dict)
    next: list[int] = field(default_factory=list)
    answer: Answer | None = None
    received: list[Received] = field(default_factory=list)
    closed: Event = field(default_factory=Event)
    _changed: Condition = field(default_factory=Condition)

    def __enter__(self) -> Self:
        self.open(0)
        return self

    def open(self, port: int) -> None:
        """Listen at a port, 0 for any."""
        host = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                host.take(self)

            def do_GET(self) -> None:
                host.take(self)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as its base has it
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self._server.daemon_threads = True
        self.port: int = self._server.server_address[1]
        Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def close(self) -> None:
        """Listen no more; what has come in is kept."""
        self._server.shutdown()
        self._server.server_close()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.closed.set()
        self.close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/outcomes?key=42"

    @property
    def types(self) -> list[str]:
        return [one.type for one in self.received]

    def take(self, request: BaseHTTPRequestHandler) -> None:
        body = request.rfile.read(int(request.headers.get("Content-Length") or 0))
        headers = {name.lower(): value for name, value in request.headers.items()}
        with self._changed:
            self.received.append(Received(path=request.path, headers=headers, body=body))
            status = self.next.pop(0) if self.next else self.status
            self._changed.notify_all()
        if self.answer is not None:
            self.answer(request)
            return
        request.send_response(status)
        for name, value in self.headers.items():
            request.send_header(name, value)
        request.send_header("Content-Length", "0")
        request.end_headers()

    def wait_for(self, condition: Callable[[list[Received]], bool]) -> list[Received]:
        """Wait until what has come in is as it shall be."""
        with self._changed:
            assert self._changed.wait_for(lambda: condition(self.received), WAIT_SECONDS), len(self.received)
            return list(self.received)
