"""The requests of `pencilled web`: one is carried out once all of it has come, so whoever is slow holds no thread.

The server hands over a request at its first byte after the header, and knows no limit for what follows. Here bodies are
awaited side by side, and the pages, as a WSGI application (PEP 3333), are called with whole ones.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus
from io import BytesIO
from typing import TYPE_CHECKING, Any, Protocol

import structlog

from connector.cli._channels import LARGEST_BODY, MOST_WAITING, refused
from connector.failures import describe

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication, WSGIEnvironment

THREADS = 8
BODY_SECONDS = 60.0  # in which a body has to come; a header has half of that, as the server keeps it

_Headers = list[tuple[str, str]]

log = structlog.get_logger(__name__)


class _NotWholeError(Exception):
    """A request of which the rest is not waited for; `status` is the answer."""

    def __init__(self, status: HTTPStatus) -> None:
        super().__init__(status.phrase)
        self.status = status


class Scope(Protocol):
    """The header of a request, as the server has read it."""

    method: str
    path: str
    query_string: str
    http_version: str
    scheme: str
    client: str
    server: str
    authority: str | None
    headers: Any


class WholeRequests:
    """A WSGI application for a server that speaks RSGI: bodies are awaited, and pages answered by a few threads.

    Beyond `MOST_WAITING` requests that are waited for, the longest in coming is given up.
    """

    def __init__(self, app: WSGIApplication) -> None:
        self._app = app
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="pages")
        self._waiting: dict[asyncio.Task[bytes], None] = {}  # the longest in coming is the first

    def __rsgi_del__(self, _loop: object) -> None:
        """Carry out what has come."""
        self._threads.shutdown()

    async def __rsgi__(self, scope: Scope, protocol: Any) -> None:
        """Answer a request."""
        try:
            body = await self._body(protocol, _length(scope.headers))
        except _NotWholeError as error:
            _say(protocol, scope.path, error.status)
            return
        loop = asyncio.get_running_loop()
        status, headers, content = await loop.run_in_executor(self._threads, self._answer, _environ(scope, body))
        protocol.response_bytes(status, headers, content)

    async def _body(self, protocol: Any, length: int) -> bytes:
        """Wait for a body.

        Raises: _NotWholeError, also if others have come meanwhile.
        """
        reading = asyncio.ensure_future(_read(protocol, length))
        if len(self._waiting) >= MOST_WAITING:
            longest = next(iter(self._waiting))
            del self._waiting[longest]
            longest.cancel()
        self._waiting[reading] = None
        try:
            return await asyncio.wait_for(reading, BODY_SECONDS)
        except (TimeoutError, asyncio.CancelledError) as error:
            raise _NotWholeError(HTTPStatus.REQUEST_TIMEOUT) from error
        finally:
            self._waiting.pop(reading, None)

    def _answer(self, environ: WSGIEnvironment) -> tuple[int, _Headers, bytes]:
        told: list[tuple[str, _Headers]] = []

        def start(status: str, headers: _Headers, _fault: object = None) -> Any:
            told.append((status, headers))
            return _refuse_writing

        try:
            pieces = self._app(environ, start)
            content = _joined(pieces)
            status, headers = told[-1]
        except Exception as error:  # noqa: BLE001 - nobody above could say more; pages have told their own faults
            log.error("request_failed", error=describe(error))  # noqa: TRY400 - its words may reveal
            return HTTPStatus.INTERNAL_SERVER_ERROR, [], b""
        return int(status.partition(" ")[0]), headers, content


def _length(headers: Any) -> int:
    """Return how long a body is; one that does not say so is refused, since nobody could tell whether it is whole."""
    if "transfer-encoding" in headers:
        raise _NotWholeError(HTTPStatus.LENGTH_REQUIRED)
    length = int(headers.get("content-length", "0"))  # a number: the server refuses any other
    if length > LARGEST_BODY:
        raise _NotWholeError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
    return length


async def _read(protocol: Any, length: int) -> bytes:
    """Read a body to its end; where the connection was cut, the server ends it as if that were all."""
    body = b"".join([piece async for piece in protocol])
    if len(body) != length:
        raise _NotWholeError(HTTPStatus.BAD_REQUEST)
    return body


def _joined(pieces: Iterable[bytes]) -> bytes:
    try:
        return b"".join(pieces)
    finally:
        close = getattr(pieces, "close", None)
        if close is not None:
            close()


def _say(protocol: Any, path: str, status: HTTPStatus) -> None:
    """Say why a request is not carried out, and hang up: what is left of it is not read."""
    kind, content = refused(path, status)
    protocol.response_bytes(status.value, [("Content-Type", kind), ("Connection", "close")], content)


def _refuse_writing(_content: bytes) -> None:
    raise RuntimeError("pages return what they answer")


def _environ(scope: Scope, body: bytes) -> WSGIEnvironment:
    host, _, port = scope.server.rpartition(":")
    environ: WSGIEnvironment = {
        "REQUEST_METHOD": scope.method,
        "SCRIPT_NAME": "",
        "PATH_INFO": scope.path.encode().decode("latin-1"),
        "QUERY_STRING": scope.query_string,
        "SERVER_NAME": host.strip("[]"),
        "SERVER_PORT": port,
        "SERVER_PROTOCOL": f"HTTP/{scope.http_version}",
        "REMOTE_ADDR": scope.client.rpartition(":")[0].strip("[]"),
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": scope.scheme,
        "wsgi.input": BytesIO(body),
        "wsgi.input_terminated": True,
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
    }
    environ |= _named(scope.headers.items())
    if scope.authority:
        environ["HTTP_HOST"] = scope.authority
    if body or "HTTP_CONTENT_LENGTH" in environ:
        environ["CONTENT_LENGTH"] = str(len(body))
    for name in ("HTTP_CONTENT_LENGTH", "HTTP_TRANSFER_ENCODING"):
        environ.pop(name, None)
    if "HTTP_CONTENT_TYPE" in environ:
        environ["CONTENT_TYPE"] = environ.pop("HTTP_CONTENT_TYPE")
    return environ


def _named(headers: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Return headers as WSGI names them; one with a low line in its name would pass for another."""
    named: dict[str, str] = {}
    for name, value in headers:
        if "_" not in name:
            key = f"HTTP_{name.upper().replace('-', '_')}"
            between = "; " if key == "HTTP_COOKIE" else ", "
            named[key] = f"{named[key]}{between}{value}" if key in named else value
    return named
