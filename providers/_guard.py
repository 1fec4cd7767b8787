"""Keeps requests out of inner networks: every address a name resolves to must be public, or the name allowed."""

from __future__ import annotations

import socket
from collections.abc import Iterable, Iterator
from datetime import timedelta
from ipaddress import IPv4Address, IPv4Network, IPv6Network, ip_address
from typing import Any

from niquests.packages.urllib3.contrib.resolver.system import (  # type: ignore[import-not-found]
    SystemResolver,
)

from connector.exchange import LateError, left
from connector.ports import Network

_GLOBAL_UNICAST = IPv6Network("2000::/3")  # all that has been given out (RFC 4291 section 2.4, IANA)
# Not of the internet although `is_global` may say otherwise in a Python we run on: 6to4 and its relays, Teredo and
# other assignments to protocols, examples.
_NEVER_IPV6 = tuple(IPv6Network(block) for block in ("2001::/23", "2002::/16", "2001:db8::/32", "3fff::/20"))
_NEVER_IPV4 = tuple(IPv4Network(block) for block in ("192.0.0.0/24", "192.88.99.0/24"))
_NAT64 = IPv6Network("64:ff9b::/96")  # an IPv4 address as IPv6-only networks spell it (RFC 6052)


class InnerHostError(OSError):
    """The host leads inside; an OSError, since that is what a resolver may raise. Translated before it leaves."""


def is_public(address: str) -> bool:
    """Whether a literal IP address is one of the public internet: global unicast, and nothing that leads elsewhere.

    An IPv4 address inside an IPv6 one is judged for itself where the way to it is a translation. Tunnels lead nowhere:
    nobody's calendar is behind one. What has a zone index belongs to a link.
    """
    try:
        ip = ip_address(address)
    except ValueError:
        return False
    if isinstance(ip, IPv4Address):
        return _is_public_ipv4(ip)
    if ip.scope_id is not None:
        return False
    if ip.ipv4_mapped:
        return _is_public_ipv4(ip.ipv4_mapped)
    if ip in _NAT64:
        return _is_public_ipv4(IPv4Address(int(ip) & 0xFFFF_FFFF))
    return ip in _GLOBAL_UNICAST and ip.is_global and not any(ip in block for block in _NEVER_IPV6)


def _is_public_ipv4(ip: IPv4Address) -> bool:
    return ip.is_global and not ip.is_multicast and not any(ip in block for block in _NEVER_IPV4)


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
