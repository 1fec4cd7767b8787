"""How often somebody may try: whoever posts by the hundred is slowed down, page by page, and that is noted.

Of addresses that nobody can guess only those that lead nowhere are counted, after they were looked for: thousands share
one address of a phone company, and none of them is kept from what is theirs by what another tries.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from ipaddress import IPv6Address, ip_address, ip_network
from typing import Any, ClassVar

from flask import Blueprint, Flask, current_app, request
from flask_limiter import Limiter
from limits.storage import Storage
from werkzeug.exceptions import TooManyRequests

from connector.counts import Count
from connector.errors import NotFoundError
from connector.runtime import Runtime
from connector.services.signing_in.log import Event, note
from connector.web import signin, support_signin

SIGN_IN_LIMIT = "10 per minute"
GUESS_LIMIT = "10 per minute"  # short links and calendars that lead nowhere, together
ANSWER_LIMIT = "30 per minute"
_NOTED_LIMIT = "1 per minute"  # guesses beyond that, in the log
_GUESSES, _NOTED = "pencilled-guesses", "pencilled-guesses-noted"
_UNGUESSABLE = frozenset({"short_link", "published"})
_HOUSEHOLD = 64  # bits: whoever has one address of IPv6 has as many of the same network as they like


class _Counted(Storage):
    """What the limiter counts by: what all processes of the installation have counted."""

    STORAGE_SCHEME: ClassVar[list[str]] = ["pencilled"]  # type: ignore[misc]

    def __init__(self, uri: str, *, runtime: Runtime, **options: Any) -> None:
        super().__init__(uri, **options)
        self._runtime = runtime

    @property
    def base_exceptions(self) -> tuple[type[Exception], ...]:
        return ()

    def incr(self, key: str, expiry: int, amount: int = 1) -> int:
        return self._add(key, expiry, amount).times

    def get(self, key: str) -> int:
        return self._add(key, 0, 0).times

    def get_expiry(self, key: str) -> float:
        return self._add(key, 0, 0).ends_at

    def check(self) -> bool:
        return True

    def reset(self) -> int | None:
        raise NotImplementedError  # counts end by themselves, and nobody here ends them sooner

    def clear(self, key: str) -> None:
        raise NotImplementedError  # counts end by themselves, and nobody here ends them sooner

    def _add(self, key: str, expiry: int, amount: int) -> Count:
        now = self._runtime.clock()
        return self._runtime.counts.add(f"web:{key}", now=now, lasts=timedelta(seconds=expiry), by=amount)


def limit(app: Flask, others: Iterable[Blueprint], runtime: Runtime) -> None:
    """Slow down whoever tries addresses or answers by the hundred."""
    limiter = Limiter(
        asker,
        app=app,
        storage_uri=f"{_Counted.STORAGE_SCHEME[0]}://",
        storage_options={"runtime": runtime},  # type: ignore[dict-item]  # handed on as it is
        key_prefix="pencilled",
    )
    for doors in (signin.pages, support_signin.pages):
        limiter.limit(SIGN_IN_LIMIT, methods=["POST"])(doors)
    app.extensions[_GUESSES] = limiter.shared_limit(GUESS_LIMIT, scope=_GUESSES)(_guess)
    app.extensions[_NOTED] = limiter.shared_limit(_NOTED_LIMIT, scope=_NOTED)(_line)
    for part in others:
        limiter.limit(ANSWER_LIMIT, methods=["POST"])(part)


def _guess() -> None:
    """Nothing but to be counted."""


def _line() -> None:
    """Likewise."""


@contextmanager
def unguessable() -> Iterator[None]:
    """Look for what an address leads to that nobody can guess; nowhere too often, and whoever tries is told that alone.

    Raises: NotFoundError as what is done there; TooManyRequests in its stead.
    """
    try:
        yield
    except NotFoundError:
        current_app.extensions[_GUESSES]()
        raise


def asker() -> str:
    """Return whom a request is counted to: an address of IPv4, or a network of IPv6 that is handed out as one."""
    try:
        address = ip_address((request.remote_addr or "").partition("%")[0])
    except ValueError:
        return request.remote_addr or "nowhere"
    if not isinstance(address, IPv6Address):
        return str(address)
    if address.ipv4_mapped:
        return str(address.ipv4_mapped)
    return str(ip_network((address, _HOUSEHOLD), strict=False))


def note_limited() -> None:
    """Note that this request was one too many."""
    if request.blueprint in _UNGUESSABLE:
        try:
            current_app.extensions[_NOTED]()
        except TooManyRequests:
            return  # one line a minute says it
    if request.blueprint in (signin.pages.name, support_signin.pages.name):
        note(Event.LIMITED, by="asker")
    else:
        note(Event.LIMITED_ELSEWHERE, page=request.endpoint or "")
