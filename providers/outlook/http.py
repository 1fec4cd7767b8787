"""HTTP to Microsoft Graph: kept connections, batches, and the limits of one mailbox."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from threading import Condition, Lock
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import urlsplit
from uuid import uuid4

from connector import counters
from connector.errors import RefusedError
from connector.exchange import within
from connector.ports import HTTP_TIMEOUT, before_request
from connector.sentence import Sentence
from providers.outlook import DECLARATION
from providers.outlook.protocol import (
    ERROR,
    LOCKED,
    READ_SECONDS,
    TOO_MANY,
    UNAUTHORIZED,
    Answer,
    Call,
    ThrottledError,
    UnreachableError,
    meaning,
    nonsense,
    wait,
)

if TYPE_CHECKING:
    import httpx2

BATCH = 20  # requests in one $batch
CONCURRENT = 4  # requests Outlook accepts at once for one mailbox; those inside a batch count
LARGEST = 16 * 1024 * 1024  # bytes of one answer
_POOL_SECONDS, _KEPT_SECONDS = 15.0, 60.0
_CONNECTIONS = 64


class Bearer(Protocol):
    """Knows the access token of one account."""

    def bearer(self, *, refused: str | None = None) -> str:
        """Return a token that is good; a `refused` one is never returned again."""
        ...


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer of Microsoft's, whole; header names are in lower case."""

    status: int
    headers: Mapping[str, str]
    content: bytes


class Web:
    """The connections to Microsoft, made on first use and shared by all accounts; no exchange outlasts `limit`."""

    def __init__(self, limit: timedelta = HTTP_TIMEOUT) -> None:
        self._limit = limit
        self._client: httpx2.Client | None = None
        self._lock = Lock()

    @property
    def client(self) -> httpx2.Client:
        """The kept client; follows no redirects, and takes nothing from the environment."""
        with self._lock:
            if self._client is None:
                import httpx2  # noqa: PLC0415 - heavy, and not needed before the first request

                from providers.outlook._transport import transport  # noqa: PLC0415 - as above

                self._client = httpx2.Client(
                    timeout=httpx2.Timeout(READ_SECONDS, pool=_POOL_SECONDS),
                    headers={"User-Agent": "Pencilled", "Accept": "application/json"},
                    transport=transport(most=_CONNECTIONS, kept_seconds=_KEPT_SECONDS),
                    trust_env=False,
                )
            return self._client

    def send(self, method: str, url: str, *, seconds: float = READ_SECONDS, **parts: Any) -> Reply:
        """Send one request and read its answer, whatever its status; wait no longer than `seconds` for any of it.

        Raises: UnreachableError; its cause is httpx2's own error. RefusedError for an answer that is too long.
        """
        client = self.client
        import httpx2  # noqa: PLC0415 - as above

        whole = self._limit.total_seconds()
        timeout = httpx2.Timeout(min(seconds, whole), pool=min(_POOL_SECONDS, whole))
        try:
            with counters.request(DECLARATION.slug, httpx2.TimeoutException) as made, within(self._limit):
                with client.stream(method, url, timeout=timeout, **parts) as response:
                    content = _whole(response)
                made.status = response.status_code
        except (httpx2.TimeoutException, TimeoutError) as error:
            raise UnreachableError(Sentence("Microsoft did not answer in time")) from error
        except (httpx2.HTTPError, httpx2.InvalidURL, ValueError) as error:
            raise UnreachableError(Sentence("Microsoft could not be reached")) from error
        return Reply(response.status_code, {name.lower(): value for name, value in response.headers.items()}, content)

    def hung_up(self, error: UnreachableError) -> bool:
        """Whether a kept connection broke before the answer began, so that a new one may succeed."""
        import httpx2  # noqa: PLC0415 - as above

        return isinstance(error.__cause__, httpx2.RemoteProtocolError | httpx2.ReadError | httpx2.WriteError)

    def close(self) -> None:
        """Close all connections; the next use makes new ones."""
        with self._lock:
            client, self._client = self._client, None
        if client is not None:
            client.close()


class Graph:
    """One mailbox at the service; safe to share between threads.

    Never more than four of its requests are in flight, and none is sent before an instant the service named.
    """

    def __init__(self, web: Web, root: str, tokens: Bearer, *, monotonic: Callable[[], float]) -> None:
        self._web = web
        self._root = root.rstrip("/")
        self._tokens = tokens
        self._monotonic = monotonic
        self._not_before = 0.0
        self._in_flight = 0
        self._free = Condition()

    def call(self, call: Call, *, places: int = 1) -> Answer:
        """Send one request and return its answer: done, or refused for a reason of its own.

        Raises: AccessLostError if the access is refused even with a new token; ThrottledError, UnreachableError or
            another TransientError, where only waiting helps.
        """
        token = self._tokens.bearer()
        answer = self._sent(call, token, places)
        if answer.status == UNAUTHORIZED:
            answer = self._sent(call, self._tokens.bearer(refused=token), places)
        if answer.status == UNAUTHORIZED or answer.status in {LOCKED, TOO_MANY} or answer.status >= ERROR:
            self.note_pause(answer)
            raise meaning(answer)
        return answer

    def batch(self, calls: Sequence[Call], *, after: Mapping[int, int] | None = None) -> list[Answer]:
        """Send up to 20 requests as one, and return the answer to each; status 0 where there was none.

        Args:
            calls: What to ask, with paths below the root.
            after: By position, the request that must have been done before; else the service runs four at once.
        """
        predecessors = after or {}
        requests = [_batched(number, call, predecessors.get(number)) for number, call in enumerate(calls)]
        batch = Call(method="POST", path="/$batch", body={"requests": requests})
        parts = self.call(batch, places=min(len(calls), CONCURRENT)).done().body.get("responses")
        if not isinstance(parts, list):
            raise nonsense()
        by_id = {str(part.get("id")): _part(part) for part in parts if isinstance(part, Mapping)}
        answers = [by_id.get(str(number), Answer(0)) for number in range(len(calls))]
        for answer in answers:
            counters.answered(DECLARATION.slug, answer.status or None)
            self.note_pause(answer)
        return answers

    def pages(self, first: Call, *, most: int) -> Iterator[Answer]:
        """Follow a collection from page to page; a page that was refused is the last.

        Raises: ProviderError as `call` does; RefusedError after `most` pages or a link elsewhere.
        """
        call: Call | None = first
        for _ in range(most):
            if call is None:
                return
            answer = self.call(call)
            yield answer
            link = answer.body.get("@odata.nextLink") if answer.ok else None
            call = Call(method="GET", path=str(link), prefer=first.prefer) if link else None
        if call is not None:
            raise RefusedError(Sentence("Outlook has more than %(most)s pages of an answer", most=most))

    def note_pause(self, answer: Answer) -> None:
        """Note an instant before which the service wants no more requests."""
        if answer.status == TOO_MANY or answer.status > ERROR:
            pause = wait(answer)
            if pause:
                self._not_before = max(self._not_before, self._monotonic() + pause.total_seconds())

    @contextmanager
    def _places(self, places: int) -> Iterator[None]:
        with self._free:
            in_time = self._free.wait_for(lambda: self._in_flight + places <= CONCURRENT, HTTP_TIMEOUT.total_seconds())
            if not in_time:
                raise UnreachableError(Sentence("earlier requests to this mailbox are still waiting for their answers"))
            self._in_flight += places
        try:
            yield
        finally:
            with self._free:
                self._in_flight -= places
                self._free.notify_all()

    def _sent(self, call: Call, token: str, places: int) -> Answer:
        url = self._address(call.path)
        headers = call.head | {"Authorization": f"Bearer {token}", "client-request-id": str(uuid4())}
        content = None if call.body is None else json.dumps(call.body, ensure_ascii=False).encode()
        with self._places(places):
            left = self._not_before - self._monotonic()
            if left > 0:
                raise ThrottledError(
                    Sentence("Outlook wants to be left alone for a while"), retry_after=timedelta(seconds=int(left) + 1)
                )
            before_request()
            try:
                response = self._web.send(call.method, url, seconds=call.seconds, headers=headers, content=content)
            except UnreachableError as error:
                if not call.repeatable or not self._web.hung_up(error):
                    raise
                before_request()
                response = self._web.send(call.method, url, seconds=call.seconds, headers=headers, content=content)
        body, sound = _object(response.content)
        return Answer(response.status, response.headers, body, sound)

    def leads_here(self, link: str) -> bool:
        """Whether a link leads to the service itself."""
        root = urlsplit(self._root)
        try:
            parts = urlsplit(link)
        except ValueError:
            return False
        return (parts.scheme, parts.netloc) == (root.scheme, root.netloc)

    def _address(self, path: str) -> str:
        """Return the URL of a path or link."""
        if path.startswith("/"):
            return self._root + path
        if not self.leads_here(path):
            raise RefusedError(
                Sentence("a link in Outlook's answer leads to another host, which is not shown the token")
            )
        return path


def _whole(response: httpx2.Response) -> bytes:
    content = bytearray()
    for chunk in response.iter_bytes():
        content += chunk
        if len(content) > LARGEST:
            raise RefusedError(Sentence("Outlook gave an answer of more than %(most)s bytes", most=LARGEST))
    return bytes(content)


def _batched(number: int, call: Call, predecessor: int | None) -> dict[str, object]:
    """Return a request as one of a batch, to be carried out after its predecessor."""
    request: dict[str, object] = {
        "id": str(number),
        "method": call.method,
        "url": call.path,
        "headers": call.head,
    }
    if call.body is not None:
        request["body"] = call.body
    if predecessor is not None:
        request["dependsOn"] = [str(predecessor)]
    return request


def _part(part: Mapping[str, Any]) -> Answer:
    status, headers, body = part.get("status"), part.get("headers"), part.get("body")
    if not isinstance(status, int):
        return Answer(0)
    fields = {str(k).lower(): str(v) for k, v in headers.items()} if isinstance(headers, Mapping) else {}
    return Answer(status, fields, body if isinstance(body, Mapping) else {}, body is None or isinstance(body, Mapping))


def _object(content: bytes) -> tuple[Mapping[str, Any], bool]:
    if not content:
        return {}, True
    try:
        body = json.loads(content)
    except (ValueError, RecursionError):
        return {}, False
    return (body, True) if isinstance(body, Mapping) else ({}, False)
