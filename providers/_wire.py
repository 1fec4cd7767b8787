"""HTTP to servers that are not ours: kept-alive, bounded in time and size, guarded, and without following redirects."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from time import monotonic
from typing import Any
from urllib.parse import quote, urljoin, urlsplit

import niquests
from niquests.auth import HTTPDigestAuth
from niquests.exceptions import RequestException, SSLError, Timeout
from niquests.packages.urllib3.exceptions import (  # type: ignore[import-not-found]
    HTTPError,
    NewConnectionError,
)
from niquests.packages.urllib3.exceptions import TimeoutError as RawTimeoutError

from connector import counters
from connector.errors import ConnectorError, InnerAddressError, RefusedError, TransientError
from connector.exchange import LateError, within
from connector.ports import HTTP_TIMEOUT, Network, before_request
from connector.sentence import Sentence
from providers._connections import POOLS
from providers._guard import GuardedResolver, InnerHostError, allowed, is_unknown_host, plain

LARGEST = 16 * 1024 * 1024  # bytes of one answer
CONNECTIONS = 4
_CONNECT_SECONDS = 5.0
_SHORTEST = 0.001  # seconds of a wait; zero would mean not to wait at all
_CHUNK = 64 * 1024

# Providers whose service lives under several domains of their own.
_FAMILIES = (frozenset({"icloud.com", "apple.com"}), frozenset({"fastmail.com", "messagingengine.com"}))
_SECOND_LEVEL = frozenset({"ac", "co", "com", "edu", "gob", "gov", "gv", "ne", "net", "nom", "or", "org"})


class UnreachableError(TransientError):
    """The server could not be reached, or hung up, or took too long: the next request would fail as well."""


class TooLargeError(RefusedError):
    """An answer is larger than we read: asked for in pieces, it may be read."""


class UnknownHostError(UnreachableError):
    """The name service knows no such host."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    """What to authenticate with, from the first request on.

    Attributes:
        home: The host the person named; the password goes to it and hosts of its family only.
        digest: Use Digest instead of Basic, because the server offers nothing else.
    """

    home: str
    username: str
    password: str = field(repr=False)
    digest: bool = False


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer, read to its end. Header names are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    url: str


class Http:
    """A few kept-alive connections to one account's servers; safe to share between threads.

    While `connecting`, an inner address is an InnerAddressError, for the person; later on it is a RefusedError.
    Requests are counted as those of `provider`.
    """

    def __init__(
        self,
        network: Network,
        login: Login,
        *,
        provider: str,
        connecting: bool = False,
        timeout: timedelta = HTTP_TIMEOUT,
        largest: int = LARGEST,
    ) -> None:
        self.login = login
        self._network = network
        self._provider = provider
        self._connecting = connecting
        self._timeout = timeout
        self._largest = largest
        self.accepted = False  # whether the password was accepted when it was last sent
        self._digest = HTTPDigestAuth(login.username, login.password) if login.digest else None
        pair = f"{login.username}:{login.password}".encode()
        self._basic = "Basic " + base64.b64encode(pair).decode()
        self._session = niquests.Session(
            resolver=GuardedResolver(network),
            pool_connections=CONNECTIONS,
            pool_maxsize=CONNECTIONS,
            headers={"User-Agent": "Pencilled", "Accept-Encoding": "identity", "Accept": "*/*"},
            disable_http2=True,  # plain HTTP/1.1 is what the servers are tested with, and where a retry is safe
            disable_http3=True,
            allow_incoming_cookies=False,
            revocation_configuration=None,  # would ask an address named by the certificate, past the guard
        )
        self._session.trust_env = False  # no netrc, no proxies from the environment
        for adapter in self._session.adapters.values():
            adapter.poolmanager.pool_classes_by_scheme = POOLS  # type: ignore[attr-defined]

    def request(self, method: str, url: str, *, headers: Mapping[str, str], body: bytes | None = None) -> Answer:
        """Send one request and read its whole answer, whatever its status; follows no redirect.

        Ends within `timeout`, and with the exchange it is a part of. A connection that breaks before any byte of the
        answer is replaced once, so what is sent must be safe to repeat.

        Raises: UnreachableError; RefusedError for an answer or an address that cannot be accepted; InnerAddressError
            while connecting.
        """
        self.check(url)
        ends_at = monotonic() + self._timeout.total_seconds()
        host = urlsplit(url).hostname or ""
        if not same_family(host, self.login.home):
            raise RefusedError(
                Sentence(
                    "“%(host)s” is a stranger to “%(home)s”, so the password is not shown to it",
                    host=host,
                    home=self.login.home,
                )
            )
        all_headers = dict(headers) if self._digest else {**headers, "Authorization": self._basic}
        for attempt in (1, 2):
            before_request()
            with _faults(host, connecting=self._connecting):
                try:
                    return self._send(method, url, all_headers, body, ends_at)
                except RequestException as error:
                    if attempt == 2 or not _hung_up(error):  # noqa: PLR2004 - the second and last
                        raise
        raise AssertionError("unreachable")

    def check(self, url: str) -> None:
        """Refuse what is not https, unless the operator has allowed the host to be an inner one.

        Raises: RefusedError.
        """
        try:
            parts = urlsplit(url)
            host, scheme, _ = parts.hostname, parts.scheme, parts.port
        except ValueError as error:
            raise RefusedError(Sentence("“%(url)s” is not an address", url=url)) from error
        if not host or scheme not in {"https", "http"} or (scheme == "http" and not allowed(host, self._network)):
            raise RefusedError(Sentence("“%(url)s” is not an address beginning with https://", url=url))

    def close(self) -> None:
        """Close the connections that are idle."""
        self._session.close()

    def _send(self, method: str, url: str, headers: dict[str, str], data: bytes | None, ends_at: float) -> Answer:
        limit = timedelta(seconds=max(ends_at - monotonic(), 0.0))
        with counters.request(self._provider, Timeout, RawTimeoutError) as made, within(limit) as exchange:
            answer = self._exchange(method, url, headers, data, seconds=max(exchange.left.total_seconds(), _SHORTEST))
            made.status = answer.status
        return answer

    def _exchange(
        self, method: str, url: str, headers: dict[str, str], data: bytes | None, *, seconds: float
    ) -> Answer:
        response = self._session.request(
            method,
            url,
            data=data,
            headers=headers,
            auth=self._digest,
            allow_redirects=False,
            stream=True,
            timeout=(min(_CONNECT_SECONDS, seconds), seconds, seconds),
        )
        raw = response.raw
        if raw is None:
            raise UnreachableError(Sentence("“%(host)s” gave no answer", host=urlsplit(url).hostname or ""))
        try:
            body = self._body(raw)
        except BaseException:
            raw.close()
            raise
        raw.release_conn()
        answer_headers = {name.lower(): value for name, value in response.headers.items()}
        self.accepted = response.status_code != 401  # noqa: PLR2004 - Unauthorized
        return Answer(response.status_code or 0, answer_headers, body, url)

    def _body(self, raw: Any) -> bytes:
        body = bytearray()
        while chunk := raw.read1(_CHUNK, decode_content=True):
            body += chunk
            if len(body) > self._largest:
                raise TooLargeError(
                    Sentence("the server gives an answer of more than %(most)s bytes", most=self._largest)
                )
        return bytes(body)


def joined(base: str, href: str) -> str:
    """Return the URL that a reference means which a server has written.

    Raises: RefusedError if it means none.
    """
    try:
        url = urljoin(base, href)
        parts = urlsplit(url)
        _ = parts.hostname, parts.port, quote(url)
    except ValueError as error:
        raise RefusedError(Sentence("the server names an address that is none")) from error
    return url


def same_family(host: str, other: str) -> bool:
    """Whether two hosts are one, share a registrable domain, or belong to the same known provider."""
    if plain(host) == plain(other):
        return True
    domains = {registrable(host), registrable(other)}
    if None in domains:
        return False
    return len(domains) == 1 or any(domains <= family for family in _FAMILIES)


def family(host: str) -> str | None:
    """Return one name for the hosts of a known provider whose service lives at several; None for every other host."""
    return next((min(names) for names in _FAMILIES if registrable(host) in names), None)


def registrable(host: str) -> str | None:
    """Return the domain a host was registered under; None for addresses and single names.

    Judged by the usual second levels (`co.uk`) instead of the full list of public suffixes.
    """
    labels = plain(host).split(".")
    if len(labels) < 2 or labels[-1].isdigit() or ":" in host:  # noqa: PLR2004 - name and top level
        return None
    short = len(labels[-1]) == 2 and labels[-2] in _SECOND_LEVEL  # noqa: PLR2004 - country codes have two letters
    kept = 3 if short else 2
    return ".".join(labels[-kept:]) if len(labels) >= kept else None


def _chain(error: BaseException) -> Iterator[BaseException]:
    """Yield an error and every other one inside it; niquests and urllib3 wrap in several ways."""
    candidates: list[object] = [error]
    visited: set[int] = set()
    while candidates:
        link = candidates.pop()
        if isinstance(link, BaseException) and id(link) not in visited:
            visited.add(id(link))
            yield link
            candidates += [link.__cause__, link.__context__, getattr(link, "reason", None), *link.args]


def _hung_up(error: RequestException) -> bool:
    """Whether a connection that had been made broke before the answer began, so that a new one may succeed."""
    if isinstance(error, Timeout | SSLError):
        return False
    return not any(isinstance(link, NewConnectionError | InnerHostError) for link in _chain(error))


@contextmanager
def _faults(host: str, *, connecting: bool) -> Iterator[None]:
    """Let only our own errors out, whatever a library makes of an answer."""
    try:
        yield
    except ConnectorError:
        raise
    except (RequestException, HTTPError, OSError) as error:
        raise _meaning(list(_chain(error)), host, connecting=connecting) from error
    except Exception as error:
        raise TransientError(
            Sentence("“%(host)s” gave an answer that makes no sense (%(kind)s)", host=host, kind=type(error).__name__)
        ) from error


def _inner(host: str, *, connecting: bool) -> ConnectorError:
    """Say that a host is an inner one: while connecting, to the person who has entered it."""
    if not connecting:
        return RefusedError(Sentence("“%(host)s” leads into an inner network", host=host))
    return InnerAddressError(
        "“%(host)s” leads into an inner network. If that is meant, ask whoever runs this installation to allow that "
        "name.",
        code="inner_address",
        field="address",
        host=host,
    )


def _meaning(chain: Sequence[BaseException], host: str, *, connecting: bool) -> ConnectorError:
    if any(isinstance(link, InnerHostError) for link in chain):
        return _inner(host, connecting=connecting)
    if any(is_unknown_host(link) for link in chain):
        return UnknownHostError(Sentence("There is no server called “%(host)s”", host=host))
    if any(isinstance(link, SSLError) for link in chain):
        return UnreachableError(
            Sentence("“%(host)s” has no valid certificate, so the password was not sent", host=host)
        )
    if any(
        isinstance(link, Timeout | RawTimeoutError | LateError) and not isinstance(link, NewConnectionError)
        for link in chain
    ):
        return UnreachableError(Sentence("“%(host)s” did not answer in time", host=host))
    return UnreachableError(Sentence("“%(host)s” could not be reached", host=host))


class Lanes:
    """How many requests may be in flight to one collection: few at first, more on success, half when it is crowded."""

    def __init__(self, *, first: int = 2, most: int = CONNECTIONS) -> None:
        self.limit = first
        self._most = most
        self._patience = 3  # successes before one more is tried; grows with every refusal
        self._successes = 0

    def success(self) -> None:
        """Count a request that went through."""
        self._successes += 1
        if self._successes >= self._patience and self.limit < self._most:
            self.limit += 1
            self._successes = 0

    def crowded(self) -> None:
        """Halve on 423, 429, 503 or a failed connection, and wait longer before trying again."""
        self.limit = max(1, self.limit // 2)
        self._patience = min(1600, max(100, self._patience * 2))
        self._successes = 0
