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

from connector.exchange import Noted


class _Connection(Noted, HTTPConnection):  # type: ignore[misc]
    pass


class _SecureConnection(Noted, HTTPSConnection):  # type: ignore[misc]
    pass


class _Pool(HTTPConnectionPool):  # type: ignore[misc]
    ConnectionCls = _Connection


class _SecurePool(HTTPSConnectionPool):  # type: ignore[misc]
    ConnectionCls = _SecureConnection


POOLS: Mapping[str, Any] = {"http": _Pool, "https": _SecurePool}
