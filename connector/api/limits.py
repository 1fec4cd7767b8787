"""How often somebody may ask: each key so many times a minute, and whoever guesses keys hardly ever."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta
from ipaddress import IPv6Address, ip_address, ip_network
from threading import Lock
from typing import Protocol

from connector.errors import RequestError
from connector.failures import tell

GUESSES = 20  # keys that are none, from one address in a window
WINDOW = timedelta(minutes=1)
_SECONDS = int(WINDOW.total_seconds())
_HOUSEHOLD = 64  # bits: whoever has one address of IPv6 has as many of the same network as they like


class Counts(Protocol):
    """Counts in windows of a minute."""

    def add(self, who: str, *, now: datetime, by: int = 1) -> int:
        """Count some more in this window, or none, and return how many there are."""


class OwnCounts:
    """What this process has seen, of the window that is open."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._window = 0
        self._counts: Counter[str] = Counter()

    def add(self, who: str, *, now: datetime, by: int = 1) -> int:
        """Count some more in this window, or none, and return how many there are."""
        with self._lock:
            if (window := _window(now)) != self._window:
                self._window, self._counts = window, Counter()
            self._counts[who] += by
            return self._counts[who]


class SharedCounts:
    """What all processes have seen, kept in Redis; while it does not answer, each counts for itself."""

    def __init__(self, url: str) -> None:
        import redis  # noqa: PLC0415 - only where there are several processes

        self._errors = redis.RedisError
        self._api = redis.Redis.from_url(url, socket_connect_timeout=1, socket_timeout=1)
        self._own = OwnCounts()

    def add(self, who: str, *, now: datetime, by: int = 1) -> int:
        """Count some more in this window, or none, and return how many there are."""
        key = f"pencilled:api:{_window(now)}:{who}"
        try:
            with self._api.pipeline() as pipeline:
                pipeline.incrby(key, by)
                pipeline.expire(key, 2 * _SECONDS)
                return int(pipeline.execute()[0])
        except self._errors as error:
            tell("api_limits_not_shared", error)
            return self._own.add(who, now=now, by=by)


def counts(broker_url: str) -> Counts:
    """Return what counts for all processes of an installation."""
    return OwnCounts() if broker_url.startswith("memory") else SharedCounts(broker_url)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How a key stands in this window: what it may, what is left of that, and until the next one begins."""

    allowed: int
    left: int
    seconds: int

    @property
    def headers(self) -> tuple[tuple[str, str], ...]:
        """What it is told of that, as the draft of RateLimit header fields has it."""
        return (
            ("RateLimit-Policy", f'"key";q={self.allowed};w={_SECONDS}'),
            ("RateLimit", f'"key";r={self.left};t={self.seconds}'),
        )


def pace(counted: Counts, key: str, *, allowed: int, now: datetime) -> tuple[Pace, bool]:
    """Count one request by a key, and return how it stands, and whether it may."""
    count = counted.add(key, now=now)
    return Pace(allowed=allowed, left=max(0, allowed - count), seconds=seconds_left(now)), count <= allowed


def note_guess(counted: Counts, address: str, *, now: datetime) -> None:
    """Note that a key that is none has come from an address; keys that are some are let in from there all the same.

    Raises: RequestError if too many have.
    """
    if counted.add(f"guess:{_asker(address)}", now=now) > GUESSES:
        raise too_often()


def too_often() -> RequestError:
    """Return the refusal of what comes too often."""
    return RequestError("That was too often. Wait until the next minute, and try again.", code="too_often", http=429)


def seconds_left(now: datetime) -> int:
    """Return after how many seconds the next window begins."""
    return _SECONDS - int(now.timestamp()) % _SECONDS


def _window(now: datetime) -> int:
    return int(now.timestamp()) // _SECONDS


def _asker(text: str) -> str:
    """Return whom a request is counted to: an address of IPv4, or a network of IPv6 that is handed out as one."""
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return text or "nowhere"
    if not isinstance(address, IPv6Address):
        return str(address)
    if address.ipv4_mapped:
        return str(address.ipv4_mapped)
    return str(ip_network((address, _HOUSEHOLD), strict=False))
