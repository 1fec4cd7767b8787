"""Keeps requests out of inner networks: every address a name resolves to must be public, or the name allowed."""

from __future__ import annotations

import socket
from collections.abc import Iterable, Iterator
from datetime import timedelta
from typing import Any

from niquests.packages.urllib3.contrib.resolver.system import (  # type: ignore[import-not-found]
    SystemResolver,
)

from connector.addresses import is_public
from connector.exchange import LateError, left
from connector.ports import Network


class InnerHostError(OSError):
    """The host leads inside; an OSError, since that is what a resolver may raise. Translated before it leaves."""


def plain(host: str) -> str:
    """Return a host as it is compared: lower case, without brackets or final dot."""
    return host.strip("[]").rstrip(".").lower()


def allowed(host: str, network: Network) -> bool:
    """Whether the operator has allowed this host, by name or literal, to be an inner one."""
    return plain(host) in network.inner_hosts


class GuardedResolver(SystemResolver):  # type: ignore[misc]
    """Resolves as the system does, and refuses a host if any of its addresses is inner.

    The connection is made to the very addresses that were checked.
    """

    def __init__(self, network: Network) -> None:
        super().__init__()
        self._network = network

    def recycle(self) -> GuardedResolver:
        """Return itself: it holds nothing that expires."""
        return self

    def getaddrinfo(self, host: bytes | str | None, *args: Any, **options: Any) -> Iterator[Any]:
        """Resolve; every connection passes here, literals and redirect hops included.

        The addresses are tried in turn, each for a while: no more of them than there is time for.

        Raises: InnerHostError, or socket.gaierror for an unknown host.
        """
        name = host.decode("ascii") if isinstance(host, bytes) else host or ""
        rows: list[Any] = super().getaddrinfo(name, *args, **options)
        if not allowed(name, self._network):
            refuse_inner(name, (str(address[0]) for _, _, _, _, address in rows))
        return _in_time(rows)


def _in_time(rows: Iterable[Any]) -> Iterator[Any]:
    for row in rows:
        if left() == timedelta():
            raise LateError("there was no time left to connect")
        yield row


def refuse_inner(host: str, addresses: Iterable[str]) -> None:
    """Raise InnerHostError unless all addresses are public."""
    if not all(is_public(address) for address in addresses):
        raise InnerHostError(host)


def is_unknown_host(error: BaseException) -> bool:
    """Whether this is the resolver saying that there is no such name, rather than that it cannot tell."""
    return isinstance(error, socket.gaierror) and error.errno in {socket.EAI_NONAME, getattr(socket, "EAI_NODATA", -5)}
