"""The connections of niquests, so that each says in which exchange it is in use."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from niquests.packages.urllib3.connection import (  # type: ignore[import-not-found]
    HTTPConnection,
    HTTPSConnection,
)
from niquests.packages.urllib3.connectionpool import (  # type: ignore[import-not-found]
    HTTPConnectionPool,
    HTTPSConnectionPool,
)

from connector.exchange import uses


class _Connection(HTTPConnection):  # type: ignore[misc]
    """Says in which exchange it is in use."""

    def connect(self) -> None:
        uses(self)
        super().connect()

    def request(self, *args: Any, **options: Any) -> Any:
        uses(self)
        return super().request(*args, **options)

    def getresponse(self, *args: Any, **options: Any) -> Any:
        uses(self)
        return super().getresponse(*args, **options)


class _SecureConnection(HTTPSConnection):  # type: ignore[misc]
    """The same, encrypted."""

    def connect(self) -> None:
        uses(self)
        super().connect()

    def request(self, *args: Any, **options: Any) -> Any:
        uses(self)
        return super().request(*args, **options)

    def getresponse(self, *args: Any, **options: Any) -> Any:
        uses(self)
        return super().getresponse(*args, **options)


class _Pool(HTTPConnectionPool):  # type: ignore[misc]
    ConnectionCls = _Connection


class _SecurePool(HTTPSConnectionPool):  # type: ignore[misc]
    ConnectionCls = _SecureConnection


POOLS: Mapping[str, Any] = {"http": _Pool, "https": _SecurePool}
