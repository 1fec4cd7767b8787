"""The sockets of the Google fake: requests, answers, and many of both in one multipart body."""

from __future__ import annotations

import email.parser
import email.policy
import json
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit


@dataclass
class Request:
    """What a client asked; header names are in lower case."""

    verb: str
    target: str
    headers: dict[str, str]
    body: bytes
    in_batch: bool = False

    @property
    def path(self) -> str:
        return urlsplit(self.target).path

    @property
    def query(self) -> dict[str, list[str]]:
        return parse_qs(urlsplit(self.target).query, keep_blank_values=True)

    @property
    def object(self) -> Any:
        return json.loads(self.body) if self.body else None


@dataclass
class Reply:
    """What it is answered: an object, nothing, or any bytes."""

    status: int
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def content(self) -> bytes:
        if isinstance(self.body, bytes):
            return self.body
        return b"" if self.body is None else json.dumps(self.body, ensure_ascii=False, indent=1).encode()

    def wire(self) -> bytes:
        kind = {} if self.body is None else {"Content-Type": "application/json; charset=UTF-8"}
        length = {} if self.status == 204 else {"Content-Length": str(len(self.content))}
        lines = [f"{name}: {value}" for name, value in {"Vary": "Origin", **kind, **self.headers, **length}.items()]
        return "\r\n".join([f"HTTP/1.1 {self.status} Fake", *lines, "", ""]).encode() + self.content


class HangUp(Exception):  # noqa: N818 - a script's act, no error
    """Close the connection without an answer."""


def parts(request: Request) -> list[tuple[str, Request]]:
    """Take a batch apart: the id of each part, and its request."""
    head = f"Content-Type: {request.headers['content-type']}\r\n\r\n".encode()
    message = email.parser.BytesParser(policy=email.policy.HTTP).parsebytes(head + request.body)
    found = []
    for part in message.iter_parts():
        assert part.get_content_type() == "application/http"
        text = part.get_payload(decode=True)
        assert isinstance(text, bytes)
        line, _, rest = text.replace(b"\r\n", b"\n").partition(b"\n")
        header, _, body = rest.partition(b"\n\n")
        verb, target, _ = line.decode().split(" ", 2)
        own = {
            name.strip().lower(): value.strip()
            for name, _, value in (one.partition(":") for one in header.decode().splitlines())
        }
        outer = {name: value for name, value in request.headers.items() if name == "authorization"}
        found.append((str(part["Content-ID"]), Request(verb, target, outer | own, body.strip(), in_batch=True)))
    return found


def joined(replies: list[tuple[str, Reply]]) -> Reply:
    """Put the answers to a batch together."""
    boundary = "batch_fake_boundary"
    chunks = [
        f"--{boundary}\r\nContent-Type: application/http\r\n".encode()
        + f"Content-ID: <response-{number.removeprefix(chr(60))}\r\n\r\n".encode()
        + reply.wire()
        + b"\r\n"
        for number, reply in replies
    ]
    body = b"".join(chunks) + f"--{boundary}--\r\n".encode()
    return Reply(200, body, {"Content-Type": f"multipart/mixed; boundary={boundary}"})


class Server(ThreadingHTTPServer):
    """Serves on a loopback port until it is stopped; counts the connections."""

    daemon_threads = False
    request_queue_size = 64

    def __init__(self, answer: Callable[[Request], Reply]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answer = answer
        self.connections = 0
        self.open: set[socket.socket] = set()
        self.lock = threading.Lock()
        self._thread = threading.Thread(target=self.serve_forever, args=(0.02,))

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def begin(self) -> None:
        self._thread.start()

    def end(self) -> None:
        self.shutdown()
        self.hang_up()
        self.server_close()
        self._thread.join()

    def hang_up(self) -> None:
        with self.lock:
            found = list(self.open)
        for one in found:
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: Server

    def setup(self) -> None:
        super().setup()
        with self.server.lock:
            self.server.connections += 1
            self.server.open.add(self.connection)

    def finish(self) -> None:
        with self.server.lock:
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
        if headers.get("x-http-method-override") == "GET":
            request.verb, request.target = "GET", f"{request.target}?{request.body.decode()}"
            request.body = b""
        try:
            reply = self.server.answer(request)
        except HangUp:
            self.close_connection = True
            return
        with suppress(OSError):
            self.wfile.write(reply.wire())

    def log_message(self, *_: object) -> None:
        """Keep quiet."""
