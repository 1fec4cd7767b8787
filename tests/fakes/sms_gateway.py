"""A gateway of texts on loopback: it answers what it is told to, and can fail in every way that matters."""

from __future__ import annotations

import json
import socket
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qsl


@dataclass(frozen=True, slots=True, kw_only=True)
class Posted:
    """One request, as it came in."""

    path: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def form(self) -> dict[str, str]:
        return dict(parse_qsl(self.body.decode(), keep_blank_values=True))

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class SmsGateway:
    """The gateway. `fault`: reset (after the body), hang (until closed), half (an answer that ends too soon)."""

    status: int = 201
    answer: object = field(default_factory=dict)
    fault: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    posted: list[Posted] = field(default_factory=list)
    closed: Event = field(default_factory=Event)

    def __enter__(self) -> Self:
        gateway = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                gateway.take(self)

            def do_GET(self) -> None:
                gateway.take(self)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as its base has it
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.port = self._server.server_address[1]
        Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.closed.set()
        self._server.shutdown()
        self._server.server_close()

    def take(self, request: BaseHTTPRequestHandler) -> None:
        body = request.rfile.read(int(request.headers.get("Content-Length") or 0))
        self.posted.append(Posted(path=request.path, headers=dict(request.headers.items()), body=body))
        match self.fault:
            case "reset":
                linger = struct.pack("ii", 1, 0)
                request.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
                request.connection.close()
                return
            case "hang":
                self.closed.wait()
                return
        text = self.answer if isinstance(self.answer, str) else json.dumps(self.answer)
        content = text.encode()
        request.send_response(self.status)
        request.send_header("Content-Length", str(len(content) + (100 if self.fault == "half" else 0)))
        for name, value in self.headers.items():
            request.send_header(name, value)
        request.end_headers()
        request.wfile.write(content)

    def url(self, slug: str, account: str = "user:secret", options: str = "from=%2B15005550006", path: str = "") -> str:
        return f"{slug}+http://{account}@127.0.0.1:{self.port}{path}?{options}"
