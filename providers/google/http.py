"""Google's client library: one resource kept, a connection a thread, our own tokens, no sleeping, no retries.

The library is given an `Http` of ours that carries the bearer token; everything else of it is used as it comes.
"""

from __future__ import annotations

import http.client
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from time import monotonic
from typing import Any
from weakref import WeakSet

import httplib2
from googleapiclient.discovery import build
from googleapiclient.errors import HttpError
from googleapiclient.http import BatchHttpRequest

from connector import counters
from connector.errors import ConnectorError, TransientError
from connector.exchange import Noted, within
from connector.ports import before_request
from connector.sentence import Sentence
from providers.google import DECLARATION
from providers.google.errors import Fault, Operation, garbled, meaning
from providers.google.tokens import Bearer, Site

Reply = dict[str, Any] | Fault
LARGEST = 16 * 1024 * 1024  # bytes of one answer
_UNANSWERED = frozenset({"calendar.events.delete", "calendar.channels.stop"})
_OK, _UNAUTHORIZED = 200, 401


class UnreachableError(TransientError):
    """Google could not be reached, or hung up, or took too long: the next request would fail as well."""


class PausedError(TransientError):
    """Google has asked for a pause, which is not over: nothing was sent."""


class _Answer(http.client.HTTPResponse):
    """An answer that is given up where it has no end."""

    def read(self, amt: int | None = None) -> bytes:
        if amt is not None:
            return super().read(amt)
        body = super().read(LARGEST + 1)
        if len(body) > LARGEST:
            raise http.client.HTTPException(f"an answer of more than {LARGEST} bytes")
        if self.length:
            raise http.client.IncompleteRead(body, self.length)
        self.close()
        return body


class _Connection(Noted, httplib2.HTTPConnectionWithTimeout):  # type: ignore[misc]
    response_class = _Answer


class _SecureConnection(Noted, httplib2.HTTPSConnectionWithTimeout):  # type: ignore[misc]
    response_class = _Answer


class Http(httplib2.Http):  # type: ignore[misc]
    """Kept-alive connections of one thread; closed with it. Each request ends within `limit`, its answer included."""

    def __init__(self, limit: timedelta) -> None:
        super().__init__(timeout=limit.total_seconds(), proxy_info=None)
        self.follow_redirects = False  # a redirected write would become a read
        self._limit = limit

    def request(self, uri: str, *args: Any, **kwargs: Any) -> tuple[Any, bytes]:
        """Send a request; once more where a kept connection turns out to have been closed in the middle of sending.

        httplib2 itself sees only those that were closed before, so whatever is sent must be safe to repeat.
        """
        ends_at = monotonic() + self._limit.total_seconds()
        kwargs["connection_type"] = _Connection if uri.startswith("http:") else _SecureConnection
        try:
            return self._counted_request(ends_at, uri, *args, **kwargs)
        except http.client.RemoteDisconnected:
            raise
        except (BrokenPipeError, ConnectionResetError, ConnectionAbortedError):
            self.close()
            return self._counted_request(ends_at, uri, *args, **kwargs)

    def _counted_request(self, ends_at: float, *args: Any, **kwargs: Any) -> tuple[Any, bytes]:
        limit = timedelta(seconds=max(ends_at - monotonic(), 0.0))
        with counters.request(DECLARATION.slug) as made, within(limit):
            answer: tuple[Any, bytes] = super().request(*args, **kwargs)
            if answer[0].status < _OK:
                raise http.client.HTTPException("an answer that is none yet")
            made.status = answer[0].status
        return answer

    def __del__(self) -> None:
        self.close()


class Pool:
    """An `Http` a thread, since httplib2's connections must not be shared."""

    def __init__(self, timeout: timedelta) -> None:
        self._timeout = timeout
        self._own = threading.local()
        self._all: WeakSet[Http] = WeakSet()
        self._lock = threading.Lock()

    def http(self) -> Http:
        """Return this thread's."""
        http: Http | None = getattr(self._own, "http", None)
        if http is None:
            http = self._own.http = Http(self._timeout)
            with self._lock:
                self._all.add(http)
        return http

    def close(self) -> None:
        """Close the connections of every thread; nobody may be using them."""
        with self._lock:
            connections = list(self._all)
        for connection in connections:
            connection.close()

    def post(self, url: str, form: bytes) -> tuple[int, Mapping[str, str], bytes]:
        """Send a form.

        Raises: TransientError.
        """
        headers = {"content-type": "application/x-www-form-urlencoded", "accept": "application/json"}
        with _reading():
            answer, body = self.http().request(url, method="POST", body=form, headers=headers)
        return answer.status, answer, body


@contextmanager
def reaching() -> Iterator[None]:
    """Let no error of a connection out but ours."""
    try:
        yield
    except TimeoutError as error:
        raise UnreachableError(Sentence("Google did not answer in time")) from error
    except (OSError, httplib2.HttpLib2Error, http.client.HTTPException) as error:
        raise UnreachableError(Sentence("Google could not be reached (%(kind)s)", kind=type(error).__name__)) from error


@dataclass(frozen=True, slots=True)
class Resources:
    """The parts of the API we use; making them costs milliseconds, using them does not."""

    events: Any
    calendars: Any
    calendar_list: Any
    channels: Any
    freebusy: Any


@lru_cache(maxsize=4)
def resources(api: str) -> Resources:
    """Build the API from the document bundled with the library, for requests below this URL; asks nobody."""
    service = build(
        "calendar",
        "v3",
        http=httplib2.Http(proxy_info=None),  # never used: each request is sent with the Http of its thread
        client_options={"api_endpoint": api},
        static_discovery=True,
        cache_discovery=False,
    )
    return Resources(
        service.events(), service.calendars(), service.calendarList(), service.channels(), service.freebusy()
    )


class _Signed:
    """An Http and its credentials in one, as the library asks for them: signs each request, twice if it is refused."""

    access_token_expired = False

    def __init__(self, http: Http, bearer: Bearer) -> None:
        self._http = http
        self._bearer = bearer
        self.access_token = bearer.token()

    @property
    def credentials(self) -> _Signed:
        """What the library asks for another token when parts of a batch were refused."""
        return self

    def refresh(self, _: object) -> None:
        """Get another token than the last."""
        self.access_token = self._bearer.replace(self.access_token)

    def request(self, uri: str, method: str, body: Any, headers: Mapping[str, str]) -> tuple[Any, bytes]:
        """Send a request."""
        answer, content = self._send(uri, method, body, headers)
        if answer.status == _UNAUTHORIZED:
            self.refresh(None)
            answer, content = self._send(uri, method, body, headers)
        return answer, content

    def _send(self, uri: str, method: str, body: Any, headers: Mapping[str, str]) -> tuple[Any, bytes]:
        before_request()
        signed = {**headers, "authorization": f"Bearer {self.access_token}"}
        return self._http.request(uri, method=method, body=body, headers=signed)


class Api:
    """The API for one account; sends nothing while Google wants a pause; safe to share between threads."""

    def __init__(self, site: Site, pool: Pool, bearer: Bearer, clock: Callable[[], datetime]) -> None:
        self._site = site
        self._pool = pool
        self._bearer = bearer
        self._clock = clock
        self._not_before: datetime | None = None

    @property
    def resources(self) -> Resources:
        """What requests are made of."""
        return resources(self._site.api)

    @property
    def now(self) -> datetime:
        """Aware UTC."""
        return self._clock()

    def call(self, operation: Operation, request: Any) -> dict[str, Any]:
        """Send one request and return its answer; empty where it has none.

        Raises: ProviderError.
        """
        (reply,) = self.exchange([request])
        if isinstance(reply, Fault):
            raise meaning(operation, reply) from reply
        return reply

    def exchange(self, requests: Sequence[Any]) -> list[Reply]:
        """Send requests together, one alone as it is, and return an answer for each, in order.

        Raises: ProviderError if none of them is known to have been answered.
        """
        self._respect_pause()
        http = _Signed(self._pool.http(), self._bearer)
        with _reading():
            return self._batch(http, requests) if len(requests) > 1 else [self._single(http, requests[0])]

    def _single(self, http: _Signed, request: Any) -> Reply:
        try:
            return _object(request.execute(http=http, num_retries=0), request)
        except HttpError as error:
            return self._fault(error)

    def _batch(self, http: _Signed, requests: Sequence[Any]) -> list[Reply]:
        replies: dict[str, Reply] = {}

        def keep(number: str, answer: Any, error: HttpError | None) -> None:
            counters.answered(DECLARATION.slug, error.status_code if error else _OK)
            replies[number] = self._fault(error) if error else _object(answer, requests[int(number)])

        batch = BatchHttpRequest(callback=keep, batch_uri=self._site.batch)
        for number, request in enumerate(requests):
            batch.add(request, request_id=str(number))
        try:
            batch.execute(http=http)
        except HttpError as error:
            raise meaning("batch", self._fault(error)) from error
        return [replies[str(number)] for number in range(len(requests))]

    def _fault(self, error: HttpError) -> Fault:
        now = self._clock()
        fault = Fault.of(error.status_code, error.resp, error.content, now=now)
        if fault.wait:
            self._not_before = max(now + fault.wait, self._not_before or now)
        return fault

    def _respect_pause(self) -> None:
        left = self._not_before - self._clock() if self._not_before else timedelta()
        if left > timedelta():
            raise PausedError(Sentence("Google asked to be left alone for a while"), retry_after=left)


@contextmanager
def _reading() -> Iterator[None]:
    """Let no error of a connection out but ours, and none of an answer that is not of the agreed form."""
    with reaching():
        try:
            yield
        except (ConnectorError, OSError, httplib2.HttpLib2Error, http.client.HTTPException):
            raise
        except Exception as error:
            raise garbled() from error


def _object(answer: object, request: Any) -> dict[str, Any]:
    """Return an answer as an object; an empty one where none is due.

    Raises: TransientError where one is: nothing is never an empty list.
    """
    if answer in ("", b"") and request.methodId in _UNANSWERED:
        return {}
    if not isinstance(answer, dict):
        raise garbled()
    return answer
