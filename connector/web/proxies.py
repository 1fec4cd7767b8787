"""What stands in front: which X-Forwarded headers are believed, and under which prefix the pages are."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address
from threading import Lock
from typing import TYPE_CHECKING
from urllib.parse import unquote_to_bytes

from werkzeug.middleware.proxy_fix import ProxyFix

from connector import paths
from connector.failures import tell

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

_FORWARDED = ("HTTP_X_FORWARDED_FOR", "HTTP_X_FORWARDED_PROTO", "HTTP_X_FORWARDED_PREFIX")
_FOR_PROGRAMS = (paths.LIVENESS, paths.READINESS, paths.METRICS)


class UnderPrefix:
    """An application under the path of its public address, whether what stands in front takes that off or not.

    What programs ask is not there: whoever closes it in a proxy closes the one path that it has.

    Args:
        app: The application.
        prefix: The path, percent-encoded, with a slash at its beginning and none at its end.
    """

    def __init__(self, app: WSGIApplication, prefix: str) -> None:
        self._app = app
        self._prefix = unquote_to_bytes(prefix).decode("latin-1")  # as WSGI has paths (PEP 3333)

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer a request."""
        path = environ.get("PATH_INFO", "")
        rest = path.removeprefix(self._prefix)
        if (not rest or rest.startswith("/")) and rest not in _FOR_PROGRAMS:
            path = rest
        environ["SCRIPT_NAME"], environ["PATH_INFO"] = self._prefix, path or "/"
        return self._app(environ, start_response)


class BehindProxies:
    """An application behind so many proxies; whoever connects from elsewhere is believed nothing.

    Args:
        app: The application.
        hops: How many proxies there are in a row.
        networks: From where the nearest of them connects.
    """

    def __init__(self, app: WSGIApplication, *, hops: int, networks: Sequence[IPv4Network | IPv6Network]) -> None:
        self._direct = app
        self._forwarded = ProxyFix(app, x_for=hops, x_proto=hops)
        self._networks = tuple(networks)
        self._told = False
        self._telling = Lock()

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer a request."""
        if self._is_ours(environ.get("REMOTE_ADDR", "")):
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
