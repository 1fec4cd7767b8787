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
    parts = urlsplit(url)
    host = plain(parts.hostname or "")
    if not host.isascii():
        with suppress(UnicodeError):  # else compared as it is written
            host = host.encode("idna").decode("ascii")
    port = "" if parts.port in _DEFAULT_PORTS else f":{parts.port}"
    path = posixpath.normpath("/" + unquote(parts.path, errors="surrogateescape").strip("/"))
    return f"{family(host) or host}{port}{quote(path, safe=_AS_IS, errors='surrogateescape')}"
