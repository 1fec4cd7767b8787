"""One request to another server: in time, to where it is meant to go and nowhere else, and a word on what is certain.

No redirect is followed and no variable of the environment is read. What is raised here names neither number nor text.
"""

from __future__ import annotations

import http.client
import json
import socket
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from urllib.parse import SplitResult, urlsplit

from connector.addresses import is_public
from connector.exchange import uses, within
from connector.ports import before_request
from connector.sentence import Sentence

TIMEOUT = timedelta(seconds=20)  # of a whole exchange: it ends before the lease of whoever waits for it
_LARGEST = 256 * 1024  # bytes of an answer; gateways say a few hundred
_PORTS = {"https": 443, "http": 80}


class _RequestError(Exception):
    """A request did not go through; `sentence` says why and names nobody; `late`: it took too long."""

    def __init__(self, sentence: Sentence, *, late: bool = False) -> None:
        super().__init__(str(sentence))
        self.sentence = sentence
        self.late = late


class NotHandedOverError(_RequestError):
    """Nothing of the request has left: it can be made again."""


class InDoubtError(_RequestError):
    """The request may have arrived, and its answer did not come: nobody knows what became of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What is asked; `body` is what the gateway reads, and is kept out of every log."""

    url: str
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(default=b"", repr=False)
    method: str = "POST"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A whole answer."""

    status: int
    body: bytes = field(repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)  # names in lower case; of several the last

    @property
    def json(self) -> Mapping[str, Any]:
        """Its body as an object; empty if it is none."""
        try:
            value = json.loads(self.body)
        except (ValueError, RecursionError):
            return {}
        return value if isinstance(value, dict) else {}

    @property
    def text(self) -> str:
        """Its body as it was written."""
        return self.body.decode(errors="replace")


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """Where requests may go, and what is read of the answers.

    Attributes:
        inner_hosts: In lower case: these may be inside an inner network.
        timeout: Of a whole exchange.
        largest: So many bytes of an answer are read; `cuts`: of a longer one the beginning, else it counts as none.
        ca_file: Whose certificates are trusted, in place of the system's.
    """

    inner_hosts: frozenset[str] = frozenset()
    timeout: timedelta = TIMEOUT
    largest: int = _LARGEST
    cuts: bool = False
    ca_file: str | None = None

    def check(self, url: str) -> SplitResult:
        """Return the parts of an address that may be asked.

        Raises: ValueError with what to write instead.
        """
        parts = urlsplit(url)
        host = (parts.hostname or "").lower()
        if not host or parts.scheme not in _PORTS:
            raise ValueError("an address begins with https:// and names a host")
        if parts.scheme == "http" and host not in self.inner_hosts:
            raise ValueError(f"{host} is asked without encryption: use https, or allow it in CONNECTOR_INNER_HOSTS")
        return parts


def ask(request: Request, reach: Reach) -> Answer:
    """Send a request once, over a connection of its own, and read the whole answer, whatever its status.

    Raises: NotHandedOverError if nothing has left; InDoubtError if it may have; what `before_request` raises.
    """
    parts = reach.check(request.url)
    connection = _connection(parts, reach)
    has_begun = False
    try:
        with within(reach.timeout):
            connection.connect()
            before_request()
            has_begun = True
            path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
            connection.request(request.method, path, body=request.body, headers=dict(request.headers))
            with connection.getresponse() as response:
                body = response.read(reach.largest + 1)
                told = {name.lower(): value for name, value in response.getheaders()}
            if len(body) > reach.largest and not reach.cuts:
                raise http.client.HTTPException("the answer is too long")  # noqa: TRY301 - said below, as all are
            answer = Answer(status=response.status, body=body[: reach.largest], headers=told)
    except (OSError, http.client.HTTPException, ValueError) as error:
        why, late = _why(error, parts.hostname or ""), isinstance(error, TimeoutError)
        fault = InDoubtError(why, late=late) if has_begun else NotHandedOverError(why, late=late)
    else:
        return answer
    finally:
        connection.close()
    raise fault  # outside the block above: a chained error could carry what was sent into the logs


def reach_out(url: str, reach: Reach) -> None:
    """Connect, and ask nothing.

    Raises: NotHandedOverError with what is wrong.
    """
    parts = reach.check(url)
    connection = _connection(parts, reach)
    try:
        with within(reach.timeout):
            connection.connect()
    except (OSError, ValueError) as error:
        fault = NotHandedOverError(_why(error, parts.hostname or ""))
    else:
        return
    finally:
        connection.close()
    raise fault


def _connection(parts: SplitResult, reach: Reach) -> _Guarded:
    host, port = parts.hostname or "", parts.port or _PORTS[parts.scheme]
    context = ssl.create_default_context(cafile=reach.ca_file) if parts.scheme == "https" else None
    return _Guarded(host, port, reach=reach, context=context)


class _InnerAddressError(OSError):
    """The host leads into an inner network that the operator has not named."""


class _Guarded(http.client.HTTPConnection):
    """A connection to an address that was looked at before, and that ends with the exchange it is used in."""

    def __init__(self, host: str, port: int, *, reach: Reach, context: ssl.SSLContext | None) -> None:
        super().__init__(host, port, timeout=reach.timeout.total_seconds())
        self._reach = reach
        self._context = context

    def connect(self) -> None:
        """Connect to the very addresses that were checked, one after another."""
        uses(self)
        rows = socket.getaddrinfo(self.host, self.port, type=socket.SOCK_STREAM)
        if self.host.lower() not in self._reach.inner_hosts:
            for *_, address in rows:
                if not is_public(str(address[0])):
                    raise _InnerAddressError
        failure: OSError = ConnectionError("the host has no address")
        for *_, address in rows:
            uses(self)
            try:
                self.sock = socket.create_connection((str(address[0]), self.port), timeout=self.timeout)
                break
            except OSError as error:
                failure = error
        else:
            raise failure
        if self._context is not None:
            uses(self)
            self.sock = self._context.wrap_socket(self.sock, server_hostname=self.host)

    def send(self, data: Any) -> None:
        """Send, as part of the exchange."""
        uses(self)
        super().send(data)

    def getresponse(self) -> http.client.HTTPResponse:
        """Read the answer's head, as part of the exchange."""
        uses(self)
        return super().getresponse()


def _why(error: Exception, host: str) -> Sentence:
    """Say what went wrong, in words fit for a log."""
    match error:
        case _InnerAddressError():
            return Sentence(
                "%(host)s leads into an inner network: allow it in CONNECTOR_INNER_HOSTS if that is meant", host=host
            )
        case socket.gaierror():
            return Sentence("the name service does not know %(host)s, or does not answer", host=host)
        case ssl.SSLCertVerificationError():
            return Sentence(
                "the certificate of %(host)s cannot be trusted (%(reason)s)", host=host, reason=error.verify_message
            )
        case TimeoutError():
            return Sentence("%(host)s took too long", host=host)
        case _:
            return Sentence("the connection to %(host)s failed (%(kind)s)", host=host, kind=type(error).__name__)
