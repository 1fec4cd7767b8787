"""Which X-Forwarded headers are believed: those of our own proxies, and as many of them as there are."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address
from threading import Lock
from typing import TYPE_CHECKING

from werkzeug.middleware.proxy_fix import ProxyFix

from connector.failures import tell

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

_PREFIX = "HTTP_X_FORWARDED_PREFIX"
_FORWARDED = ("HTTP_X_FORWARDED_FOR", "HTTP_X_FORWARDED_PROTO", _PREFIX)


class BehindProxies:
    """An application behind so many proxies; whoever connects from elsewhere is believed nothing.

    Args:
        app: The application.
        hops: How many proxies there are in a row.
        networks: From where the nearest of them connects.
        prefix: What they strip from the paths, if they do: the path of our public address. No other is believed.
    """

    def __init__(
        self, app: WSGIApplication, *, hops: int, networks: Sequence[IPv4Network | IPv6Network], prefix: str
    ) -> None:
        self._direct = app
        self._forwarded = ProxyFix(app, x_for=hops, x_proto=hops, x_prefix=hops)
        self._networks = tuple(networks)
        self._prefix = prefix
        self._told = False
        self._telling = Lock()

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer a request."""
        if self._is_ours(environ.get("REMOTE_ADDR", "")):
            prefixes = {part.strip().rstrip("/") for part in environ.get(_PREFIX, "").split(",")}
            if prefixes - {"", self._prefix}:
                del environ[_PREFIX]
            return self._forwarded(environ, start_response)
        if any(header in environ for header in _FORWARDED):
            self._tell()
        return self._direct(environ, start_response)

    def _is_ours(self, peer: str) -> bool:
        try:
            address = ip_address(peer)
        except ValueError:
            return False
        if isinstance(address, IPv6Address) and address.ipv4_mapped:
            address = address.ipv4_mapped
        return any(address in network for network in self._networks)

    def _tell(self) -> None:
        with self._telling:
            if self._told:
                return
            self._told = True
        tell("proxy_not_ours", "X-Forwarded headers came from outside CONNECTOR_PROXY_NETWORKS and were not believed")
