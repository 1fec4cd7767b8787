"""Our application within a host's: under one path, and inside of whatever stands around the host."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from io import BytesIO
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable
from urllib.parse import unquote, urlsplit

from flask import Flask
from werkzeug.exceptions import HTTPException

from connector.errors import SettingsError

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

HOSTS_OWN = "pencilled.environ_of_host"  # under which a request of ours has it as the host would have had it

_COOKIES = frozenset({"pencilled", "__Secure-pencilled", "__Host-pencilled"})
_PREFIX = re.compile(r"(/[A-Za-z0-9._~-]+)+")
_OF_THE_BODY = (
    "CONTENT_TYPE",
    "HTTP_TRANSFER_ENCODING",
    "HTTP_CONTENT_ENCODING",
    "HTTP_EXPECT",
    "wsgi.input_terminated",
    "werkzeug.request",
    "werkzeug.debug.preserve_context",
)


@runtime_checkable
class _Around(Protocol):
    """What stands around an application, as ProxyFix and DispatcherMiddleware do."""

    app: WSGIApplication


class Mount:
    """An application that answers under a prefix, and another one that answers everything else.

    Args:
        inner: The other one.
        prefix: As `prefix_faults` wants it.
        mounted: The path under which people reach the first, as its links begin; SCRIPT_NAME of what it is asked.
        application: Answers under the prefix.
        check: Called before each request; raises SettingsError while it must not be answered.
        begin: Called with each request, the host's own among them, in the process that answers it.
    """

    def __init__(
        self,
        inner: WSGIApplication,
        *,
        prefix: str,
        mounted: str,
        application: WSGIApplication,
        check: Callable[[], None],
        begin: Callable[[], None],
    ) -> None:
        self._inner = inner
        self._prefix = prefix
        self._mounted = mounted
        self._application = application
        self._check = check
        self._begin = begin

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer a request."""
        self._check()
        self._begin()
        path: str = environ.get("PATH_INFO", "")
        rest = path.removeprefix(self._prefix)
        if len(rest) == len(path) or (rest and not rest.startswith("/")):
            return self._inner(environ, start_response)
        ours = {**environ, "SCRIPT_NAME": self._mounted, "PATH_INFO": rest or "/", HOSTS_OWN: environ}
        ours.pop("werkzeug.request", None)  # the host's, of another path
        return self._application(ours, start_response)


def mount(host: Flask, around: Callable[[WSGIApplication], WSGIApplication]) -> None:
    """Put something around the application of a host, and inside of whatever stands around that already.

    What keeps the host itself, and not what it stands around, stays inside: how it goes on nobody can know.
    """
    holder, inner = None, host.wsgi_app
    while isinstance(inner, _Around) and callable(inner.app) and inner.app is not host:
        holder, inner = inner, inner.app
    if holder is None:
        host.wsgi_app = around(inner)  # type: ignore[assignment, method-assign]
    else:
        holder.app = around(inner)


def prefix_faults(prefix: Any) -> Iterator[str]:
    """Say what is wrong with a prefix, and what would be right."""
    if not isinstance(prefix, str) or not _PREFIX.fullmatch(prefix) or {".", ".."} & set(prefix.split("/")):
        yield (
            f"url_prefix: {prefix!r} is no path for pages of ours. Write one that begins with a slash and does not end "
            "with one, of letters, digits and - . _ ~, such as /rearrange"
        )


def address_faults(prefix: str, public_url: str) -> Iterator[str]:
    """Say that the public address does not lead to the prefix."""
    if not unquote(urlsplit(public_url).path).rstrip("/").endswith(prefix):
        yield (
            f"CONNECTOR_PUBLIC_URL: {public_url} does not end in {prefix}, the url_prefix. Set it to the address under "
            f"which people reach the host, and {prefix} after that, such as https://booking.example{prefix} or, to try "
            f"it out, http://127.0.0.1:5000{prefix}"
        )


def rule_faults(host: Flask, prefix: str) -> Iterator[str]:
    """Say which rules of a host are under the prefix: they would never be asked again."""
    for rule in host.url_map.iter_rules():
        if f"{rule.rule}/".startswith(f"{prefix}/"):
            yield (
                f"url_prefix: the host has a rule {rule.rule} of its own (endpoint {rule.endpoint}). Use another "
                f"prefix than {prefix}, and end CONNECTOR_PUBLIC_URL with it"
            )


def cookie_faults(host: Flask) -> Iterator[str]:
    """Say that a host's cookie has the name of ours: under our prefix it would be taken for it."""
    name = host.config["SESSION_COOKIE_NAME"]
    if name in _COOKIES:
        yield f"SESSION_COOKIE_NAME: {name} is what our own cookie is called; have the host call its own otherwise"


class Check:
    """Refuses requests while something of a host's is in the way, that among it which came after ours was mounted.

    It is looked at when the first request comes: from then on a host takes no further rules.
    """

    def __init__(self, host: Flask, prefix: str) -> None:
        self._host = host
        self._prefix = prefix
        self._faults: tuple[str, ...] | None = None

    def __call__(self) -> None:
        """Raise SettingsError if there is one."""
        if self._faults is None:
            self._faults = (*rule_faults(self._host, self._prefix), *cookie_faults(self._host))
        if self._faults:
            raise SettingsError(self._faults)


@contextmanager
def request_of_host(host: Flask, environ: WSGIEnvironment) -> Iterator[bool]:
    """Be in a request of the host's own, as far as its functions before each request bring it: whether to the end.

    It is the one that is being answered, without its body: a GET. What those functions answer, or refuse, is about the
    host's own pages and decides nothing.

    Args:
        host: The host.
        environ: Of the request that is being answered, by ours.
    """
    with host.request_context(_without_body(environ.get(HOSTS_OWN, environ))):
        yield _came_through(host)


def _came_through(host: Flask) -> bool:
    try:
        return host.preprocess_request() is None
    except HTTPException:
        return False


def _without_body(environ: WSGIEnvironment) -> WSGIEnvironment:
    copied = {name: value for name, value in environ.items() if name not in _OF_THE_BODY}
    return {**copied, "REQUEST_METHOD": "GET", "CONTENT_LENGTH": "0", "wsgi.input": BytesIO()}
