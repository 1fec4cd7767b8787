"""The transport of httpx2 with connections that say in which exchange they are in use."""

from __future__ import annotations

from collections.abc import Iterable
from ssl import SSLContext
from typing import Any

import httpcore2
import httpx2

from connector.exchange import uses


def transport(*, most: int, kept_seconds: float) -> httpx2.HTTPTransport:
    """Return a transport of at most so many connections, each kept for so long while it is idle."""
    made = httpx2.HTTPTransport(trust_env=False)
    made._pool = httpcore2.ConnectionPool(  # noqa: SLF001 - httpx2 takes no network backend of ours
        ssl_context=httpx2.create_ssl_context(trust_env=False),
        max_connections=most,
        keepalive_expiry=kept_seconds,
        network_backend=_Backend(),
    )
    return made


class _Stream(httpcore2.NetworkStream):
    """One connection."""

    def __init__(self, stream: httpcore2.NetworkStream) -> None:
        self._stream = stream

    @property
    def sock(self) -> Any:
        """Its socket."""
        return self._stream.get_extra_info("socket")

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        uses(self)
        return self._stream.read(max_bytes, timeout)

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        uses(self)
        self._stream.write(buffer, timeout)

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self, ssl_context: SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore2.NetworkStream:
        uses(self)
        return _Stream(self._stream.start_tls(ssl_context, server_hostname, timeout))

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


class _Backend(httpcore2.NetworkBackend):
    """Makes such connections."""

    def __init__(self) -> None:
        self._backend = httpcore2.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore2.NetworkStream:
        return _Stream(self._backend.connect_tcp(host, port, timeout, local_address, socket_options))
