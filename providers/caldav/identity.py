"""What tells a collection from every other one, however its URL is spelled."""

from __future__ import annotations

import posixpath
from contextlib import suppress
from urllib.parse import quote, unquote, urlsplit

from providers._guard import plain
from providers._wire import family

_DEFAULT_PORTS = {None, 80, 443}  # http and https of one host lead to the same server
_AS_IS = "/!$&'()*+,;=:@~-._"  # means the same with and without percent signs, as it stands in paths


def of(url: str) -> str:
    """Return host, port and path of a collection as they are compared.

    Scheme, default port, user part, query, case of the host, final slash, dot segments and needless percent signs do
    not count; nor does which of a known provider's hosts it is reached at.
    """
    path = posixpath.normpath("/" + unquote(urlsplit(url).path, errors="surrogateescape").strip("/"))
    return f"{_service(url)}{quote(path, safe=_AS_IS, errors='surrogateescape')}"


def host(url: str) -> str:
    """Return the host of a collection, and its port unless that is the usual one."""
    return "".join(_server(url))


def same_service(url: str, other: str) -> bool:
    """Whether two URLs lead to one server, or to those of one known provider.

    Hosts of one domain do not count as one: many give them away to anybody.
    """
    return _service(url) == _service(other)


def _service(url: str) -> str:
    name, port = _server(url)
    return f"{family(name) or name}{port}"


def _server(url: str) -> tuple[str, str]:
    parts = urlsplit(url)
    name = plain(parts.hostname or "")
    if not name.isascii():
        with suppress(UnicodeError):  # else compared as it is written
            name = name.encode("idna").decode("ascii")
    return name, "" if parts.port in _DEFAULT_PORTS else f":{parts.port}"
