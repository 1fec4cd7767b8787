"""How often somebody may ask: each key so many times a minute, and whoever guesses keys hardly ever."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from ipaddress import IPv6Address, ip_address, ip_network

from connector.counts import Counts
from connector.errors import RequestError

GUESSES = 20  # keys that are none, from one address in a window
WINDOW = timedelta(minutes=1)
_SECONDS = int(WINDOW.total_seconds())
_HOUSEHOLD = 64  # bits: whoever has one address of IPv6 has as many of the same network as they like


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
    count = _added(counted, key, now=now)
    return Pace(allowed=allowed, left=max(0, allowed - count), seconds=seconds_left(now)), count <= allowed


def note_guess(counted: Counts, address: str, *, now: datetime) -> None:
    """Note that a key that is none has come from an address; keys that are some are let in from there all the same.

    Raises: RequestError if too many have.
    """
    if _added(counted, f"guess:{_asker(address)}", now=now) > GUESSES:
        raise too_often()


def too_often() -> RequestError:
    """Return the refusal of what comes too often."""
    return RequestError("That was too often. Wait until the next minute, and try again.", code="too_often", http=429)


def seconds_left(now: datetime) -> int:
    """Return after how many seconds the next window begins."""
    return _SECONDS - int(now.timestamp()) % _SECONDS


def _added(counted: Counts, who: str, *, now: datetime) -> int:
    """Count one more in the minute of the clock that is open; it is forgotten some time after that has ended."""
    minute = int(now.timestamp()) // _SECONDS
    return counted.add(f"api:{minute}:{who}", now=now, lasts=2 * WINDOW).times


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
