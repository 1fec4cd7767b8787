"""The host's door: what a booking platform's own programs ask for and do, under `/api/v1`.

An application of its own within that of the pages, so that no cookie, no form token and no page of theirs touches it.
It is made when it is first asked: whoever has no host pays nothing for it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from threading import Lock
from typing import TYPE_CHECKING

from connector import paths
from connector.runtime import Runtime

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

    Within = Callable[[WSGIApplication], WSGIApplication]


def within(runtime: Runtime) -> Within:
    """Return what puts the API of an installation into an application, innermost: behind whatever stands around it."""
    return lambda outer: _Within(outer, runtime)


class _Within:
    def __init__(self, outer: WSGIApplication, runtime: Runtime) -> None:
        self._outer = outer
        self._runtime = runtime
        self._making = Lock()
        self._api: WSGIApplication | None = None

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        path: str = environ.get("PATH_INFO", "")
        if path != paths.API and not path.startswith(f"{paths.API}/"):
            return self._outer(environ, start_response)
        environ["SCRIPT_NAME"] = environ.get("SCRIPT_NAME", "") + paths.API
        environ["PATH_INFO"] = path.removeprefix(paths.API) or "/"
        return self._made()(environ, start_response)

    def _made(self) -> WSGIApplication:
        if self._api is None:
            with self._making:
                if self._api is None:
                    from connector.api import application  # noqa: PLC0415 - what it needs is imported when it is asked

                    self._api = application.create(self._runtime)
        return self._api
