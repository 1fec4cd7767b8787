"""Microsoft Graph and its sign-in on the loopback: what Outlook does, what it refuses, and what goes wrong on demand.

Everything asked is checked against Microsoft's types and the rules of its documentation; what breaks them is refused
and kept in `faults`, which a test ends by finding empty.
"""

from __future__ import annotations

import json
import re
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit

from connector.ports import Network, OAuthApp
from tests.fakes.entra import CLIENT_ID, CLIENT_SECRET, REDIRECT_URI, Entra
from tests.fakes.graph_mailbox import Asked, GraphError, Json, Mailbox
from tests.fakes.graph_subscriptions import Subscriptions

_BATCH = 20
_VERSION = "/v1.0"


@dataclass
class Request:
    """What was asked; header names are in lower case. `part` is set for one of a batch."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: Any = None
    part: bool = False


@dataclass
class Reply:
    """What it is answered; `body` is JSON, or bytes as they are."""

    status: int
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)


class HangUp(Exception):  # noqa: N818 - a script's act, no error
    """Close the connection without an answer."""


Script = Callable[[Request, Callable[[], Reply]], Reply]


def says(status: int, code: str = "", *, body: Any = None, **headers: str) -> Script:
    """Answer without doing anything."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    error = body if body is not None else GraphError(status, code).body
    return lambda _, __: Reply(status, error, named)


def hang_up(_: Request, __: Callable[[], Reply]) -> Reply:
    raise HangUp


def lose_answer(_: Request, forward: Callable[[], Reply]) -> Reply:
    forward()
    raise HangUp


class Ticks:
    """A monotonic clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Graph:
    """Runs while it is used as a context manager.

    Attributes:
        requests: Every HTTP request to Graph, batches as one.
        operations: Every operation, those inside batches one by one.
        busiest: The most operations on the mailbox that were under way at once.
        throttle: When set, every n-th operation is answered 429 with `Retry-After: 7`.
        early: Requests that came although they had been told to wait.
    """

    def __init__(self, mailbox: Mailbox, *, ticks: Ticks, clock: Callable[[], datetime]) -> None:
        self.mailbox = mailbox
        self.entra = Entra()
        self.ticks = ticks
        self.subscriptions = Subscriptions(clock)
        self.requests: list[Request] = []
        self.operations: list[Request] = []
        self.faults: list[str] = []
        self.busiest = 0
        self.throttle = 0
        self.early: list[str] = []
        self.gate: threading.Event | None = None
        self.entered = threading.Semaphore(0)
        self._scripts: list[tuple[str, str, Script]] = []
        self._not_before = 0.0
        self._in_flight = 0
        self._lock = mailbox.lock
        self._server = _Server(("127.0.0.1", 0), _handler(self))
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self.entra.base = self.base

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    @property
    def network(self) -> Network:
        urls = {"authority": f"{self.base}/common", "graph": self.base + _VERSION}
        app = OAuthApp(client_id=CLIENT_ID, client_secret=CLIENT_SECRET, redirect_uri=REDIRECT_URI, urls=urls)
        return Network(inner_hosts=frozenset({"127.0.0.1"}), apps={"outlook": app})

    def once(self, method: str, path: str, script: Script, *, times: int = 1) -> None:
        """Script the next operations of a method whose path matches a pattern."""
        self._scripts += [(method, path, script)] * times

    def forget(self) -> None:
        self.requests.clear()
        self.operations.clear()
        self.busiest = 0

    def methods(self) -> list[str]:
        """Return what was asked, one word a request."""
        return ["BATCH" if request.path == "/$batch" else request.method for request in self.requests]

    def sent(self) -> str:
        """Return everything that was written to the service, as one text."""
        return json.dumps([(one.path, one.query, one.body) for one in self.operations], ensure_ascii=False)

    def all_faults(self) -> list[str]:
        return self.faults + self.mailbox.faults + self.entra.faults + self.subscriptions.faults

    def answer(self, request: Request) -> Reply:
        """Answer one HTTP request to Graph."""
        weight = 1
        with self._lock:
            self.requests.append(request)
            if self.ticks() < self._not_before:
                self.early.append(f"{request.method} {request.path}")
            if request.path == "/$batch":
                weight = min(4, len(request.body["requests"]))
            self._in_flight += weight
            self.busiest = max(self.busiest, self._in_flight)
        try:
            self.entered.release()
            if self.gate is not None:
                self.gate.wait(60)
            return self._operation(request)
        finally:
            with self._lock:
                self._in_flight -= weight

    def _operation(self, request: Request) -> Reply:
        with self._lock:
            self.operations.append(request)
            found = (s for s in self._scripts if s[0] == request.method and re.search(s[1], request.path))
            script = next(found, None)
            if script:
                self._scripts.remove(script)
                return script[2](request, lambda: self._refusing(request))
            if self.throttle and request.path != "/$batch" and len(self.operations) % self.throttle == 0:
                self._not_before = self.ticks() + 7
                return Reply(429, GraphError(429, "ApplicationThrottled").body, {"Retry-After": "7"})
        if request.path.startswith("/subscriptions"):
            return self._refusing(request)  # calls back while it is pending, so it may not hold the lock
        with self._lock:
            return self._refusing(request)

    def _refusing(self, request: Request) -> Reply:
        try:
            return self._routed(request)
        except GraphError as error:
            return Reply(error.status, error.body)

    def _routed(self, request: Request) -> Reply:
        self._check(request)
        if not request.part and self.entra.owner(request.headers.get("authorization", "")[7:]) is None:
            raise GraphError(401, "InvalidAuthenticationToken")
        if request.path == "/$batch":
            return self._batched(request)
        path = [unquote(part) for part in request.path.strip("/").split("/")]
        if path[0] == "subscriptions":
            known = [
                f"/me/calendars/{quote(one, safe='')}/events"
                for one in self.mailbox.calendars
                if one not in self.mailbox.closed
            ]
            return Reply(*self.subscriptions.answer(request.method, path[1:], request.body, known, self.mailbox.types))
        return self._me(request, path[1:])

    def _me(self, request: Request, path: list[str]) -> Reply:
        box, body, asked = self.mailbox, request.body, self._asked(request)
        if path[0] == "events":
            box.enter(path[1])
        match request.method, path:
            case "GET", ["calendars"]:
                return Reply(200, self._paged(box.listed(), asked))
            case "POST", ["calendars"]:
                box.check("calendar", body)
                return Reply(201, box.add_calendar(body["name"]))
            case "POST", ["calendars", calendar, "events"]:
                return Reply(201, box.create(calendar, body, asked))
            case "GET", ["calendars", calendar, *rest]:
                return Reply(200, self._calendar(calendar, rest, asked))
            case "POST", ["calendar", "getSchedule"]:
                return Reply(200, {"value": [box.schedule(body, asked)]})
            case "GET", ["events", href]:
                return Reply(200, box.shown(box.event(href), asked))
            case "PATCH", ["events", href]:
                return Reply(200, box.update(href, body, asked))
            case "DELETE", ["events", href]:
                box.delete(href)
                return Reply(204)
        self.faults.append(f"there is no {request.method} {request.path}")
        raise GraphError(400, "BadRequest")

    def _calendar(self, calendar: str, rest: list[str], asked: Asked) -> Json:
        match rest:
            case ["events"]:
                return self._paged(self.mailbox.found(calendar, asked), asked)
            case ["calendarView"]:
                start, end = (datetime.fromisoformat(asked.query[key]) for key in ("startDateTime", "endDateTime"))
                return self._paged(self.mailbox.view(calendar, start, end, asked), asked)
            case ["calendarView", "delta"]:
                return self.mailbox.delta(calendar, asked)
        return self.mailbox.calendar(calendar)

    def _batched(self, batch: Request) -> Reply:
        parts = batch.body["requests"]
        if not 0 < len(parts) <= _BATCH or len({part["id"] for part in parts}) != len(parts):
            raise GraphError(400, "BadRequest", "The batch is too large, or its ids are not unique.")
        replies: dict[str, Reply] = {}
        for part in parts:
            unknown = part.keys() - {"id", "method", "url", "headers", "body", "dependsOn"}
            self.faults += [f"a part of a batch has no {name}" for name in unknown]
            if any(replies[one].status >= 400 for one in part.get("dependsOn", ())):
                replies[part["id"]] = Reply(424, GraphError(424, "FailedDependency").body)
                continue
            headers = {name.lower(): value for name, value in part.get("headers", {}).items()}
            parts_of = urlsplit(part["url"])
            query = dict(parse_qsl(parts_of.query))
            one = Request(part["method"], parts_of.path, query, headers, part.get("body"), part=True)
            replies[part["id"]] = self._operation(one)
        told = [
            {"id": key, "status": reply.status, "headers": reply.headers, "body": reply.body}
            for key, reply in reversed(replies.items())
        ]
        return Reply(200, {"responses": [{k: v for k, v in one.items() if v is not None} for one in told]})

    def _check(self, request: Request) -> None:
        """Hold a request to the rules every one must keep."""
        prefer = request.headers.get("prefer", "")
        where = f"{request.method} {request.path}"
        if 'IdType="ImmutableId"' not in prefer:
            self.faults.append(f"{where} does not ask for immutable ids")
        if 'outlook.timezone="UTC"' not in prefer:
            self.faults.append(f"{where} does not ask for UTC")
        if request.body is not None and "application/json" not in request.headers.get("content-type", ""):
            self.faults.append(f"{where} does not say that it is JSON")
        if not request.part and not request.headers.get("client-request-id"):
            self.faults.append(f"{where} carries no client-request-id")

    def _asked(self, request: Request) -> Asked:
        def link(query: dict[str, str]) -> str:
            kept = {key: value for key, value in request.query.items() if key not in {"$skiptoken", "$deltatoken"}}
            kept = {} if any("token" in key for key in query) else kept
            return f"{self.base}{_VERSION}{request.path}?{urlencode(kept | query)}"

        headers = request.headers
        return Asked(request.query, headers.get("prefer", ""), headers.get("if-match"), link)

    def _paged(self, items: list[Json], asked: Asked) -> Json:
        skip, size = int(asked.query.get("$skip", 0)), int(asked.query.get("$top", 10))
        size = min(size, self.mailbox.page_size)
        page: Json = {"value": items[skip : skip + size]}
        if skip + size < len(items):
            page["@odata.nextLink"] = asked.link({"$skip": str(skip + size)})
        return page

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Be gone: kept connections break, new ones are refused."""
        if self._thread.is_alive():
            self._server.shutdown()
            self._thread.join()
            self._server.server_close()
            self._server.hang_up()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def __init__(self, address: tuple[str, int], handler: type[BaseHTTPRequestHandler]) -> None:
        super().__init__(address, handler)
        self._open: set[socket.socket] = set()

    def process_request(self, request: Any, client_address: Any) -> None:
        self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self._open.discard(request)
        super().shutdown_request(request)

    def hang_up(self) -> None:
        for one in list(self._open):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    def handle_error(self, *_: object) -> None:
        """Say nothing of clients that hang up."""


def _handler(graph: Graph) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def answer(self) -> None:
            data = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            headers = {name.lower(): value for name, value in self.headers.items()}
            parts = urlsplit(self.path)
            try:
                if parts.path.startswith(_VERSION):
                    path, query = parts.path.removeprefix(_VERSION), dict(parse_qsl(parts.query))
                    body = json.loads(data) if data else None
                    reply = graph.answer(Request(self.command, path, query, headers, body))
                else:
                    reply = Reply(*graph.entra.answer(self.command, parts.path, headers, data))
            except HangUp:
                self.close_connection = True
                return
            self.write(reply)

        def write(self, reply: Reply) -> None:
            content = reply.body if isinstance(reply.body, bytes) else json.dumps(reply.body).encode()
            content = b"" if reply.body is None else content
            with suppress(OSError):
                self.send_response_only(reply.status)
                for name, value in {
                    "Date": self.date_time_string(),
                    **reply.headers,
                    "Content-Length": str(len(content)),
                }.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            pass

    for method in ("GET", "POST", "PATCH", "DELETE"):
        setattr(Handler, f"do_{method}", Handler.answer)
    return Handler
