"""The installation of a host: opened when it is first used, once in each process, never while the host is made."""

from __future__ import annotations

import os
import weakref
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from html import escape
from pathlib import Path
from secrets import token_hex
from threading import Lock
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote_to_bytes, urlsplit

import structlog
from flask import Flask
from werkzeug.wrappers import Request, Response

from connector import app, logs, paths
from connector.errors import ConnectorError, NotReadyError, RequestError
from connector.failures import tell
from connector.language.catalogues import Language
from connector.language.offered import Languages
from connector.language.wishes import preferred
from connector.runtime import Runtime
from connector.services import standstill
from connector.settings import Settings
from connector.storage import keys, schema
from connector.storage.database import read_url

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

MIGRATE = "flask pencilled migrate"

_RETRY_SECONDS = 60

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Opened:
    pid: int
    runtime: Runtime
    application: WSGIApplication


class Installation:
    """An installation within one host.

    Attributes:
        host: The host.
        settings: Its settings.
        prefix: The path under which it is in the host.
        path: The path under which people reach it, percent-encoded: that of the public address.
        mounted: The same as WSGI has paths (PEP 3333).
        ending: Called when it is closed, before the database is left.
    """

    def __init__(
        self, host: Flask, settings: Settings, *, prefix: str, make: Callable[[Runtime], WSGIApplication]
    ) -> None:
        self.host = host
        self.settings = settings
        self.prefix = prefix
        self.path = quote(urlsplit(settings.public_url).path.rstrip("/"), safe="/%")
        self.mounted = unquote_to_bytes(self.path).decode("latin-1")
        self.ending: list[Callable[[], None]] = []
        self._make = make
        self._told: set[str] = set()
        self._of_parents: list[_Opened] = []
        self._opened: _Opened | None = None
        self._opening = Lock()
        _all.add(self)

    @property
    def runtime(self) -> Runtime:
        """The parts of the installation, in this process. Raises: NotReadyError, SettingsError, RuleError."""
        return self._open().runtime

    def close(self) -> None:
        """End what is carried out in this process, and leave the database; the next use opens it again."""
        for end in self.ending:
            end()
        with self._opening:
            if self._opened is not None and self._opened.pid == os.getpid():
                self._opened.runtime.database.dispose()
            self._opened = None

    def open_with(self, runtime: Runtime) -> None:
        """Use parts that somebody has put together, in this process."""
        with self._opening:
            self._opened = _Opened(os.getpid(), runtime, self._make(runtime))

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer a request for a page of ours; say that it is too early while the installation cannot be opened."""
        try:
            application = self._open().application
        except Exception as error:  # noqa: BLE001 - whatever it is, the host lives on
            self._tell(error)
            return _too_early(self.settings, environ)(environ, start_response)
        return application(environ, start_response)

    def _open(self) -> _Opened:
        opened = self._opened
        if opened is not None and opened.pid == os.getpid():
            return opened
        with self._opening:
            if self._opened is not None and self._opened.pid != os.getpid():
                self._forget()
            if self._opened is None:
                runtime = _ready(self.settings)
                try:
                    self._opened = _Opened(os.getpid(), runtime, self._make(runtime))
                except BaseException:
                    runtime.database.dispose()
                    raise
            return self._opened

    def _forget(self) -> None:
        """Leave what a parent has opened as it is: its connections are its own, and are neither used nor closed."""
        if self._opened is not None:
            self._of_parents.append(self._opened)
        self._opened = None

    def forked(self) -> None:
        """Begin anew in a child of a process; a lock that a thread of the parent held is nobody's there."""
        self._opening = Lock()
        self._forget()

    def _tell(self, error: Exception) -> None:
        """Log once why nothing can be opened: each request would say the same."""
        words = str(error) if isinstance(error, NotReadyError) else type(error).__name__
        if words in self._told:
            return
        self._told.add(words)
        if isinstance(error, NotReadyError):
            log.error("not_ready", error=words)
        else:
            tell("not_opened", str(error) if isinstance(error, ConnectorError) else error)


_all: weakref.WeakSet[Installation] = weakref.WeakSet()


def _after_fork() -> None:
    for installation in list(_all):
        installation.forked()


os.register_at_fork(after_in_child=_after_fork)


def _ready(settings: Settings) -> Runtime:
    """Put the installation together, on a database that is up to date.

    Raises: NotReadyError if there is none yet, or it has to be migrated; SettingsError; RuleError.
    """
    logs.through_host()
    file = Path(read_url(settings.database_url).database or "")
    if settings.embedded and not file.exists():  # opening it would make it, empty
        raise NotReadyError(f"There is no database yet. Run: {MIGRATE} --new")
    runtime = app.build(settings)
    try:
        _refuse_unmigrated(runtime)
        keys.refuse_strange(runtime.database, runtime.seal, settings.database_url, in_file=not settings.secret_keys)
        standstill.look(runtime.database, runtime.policy, runtime.witness, clock=runtime.clock)
    except BaseException:
        runtime.database.dispose()
        raise
    return runtime


def _refuse_unmigrated(runtime: Runtime) -> None:
    with runtime.database.read() as db:
        step = schema.step(db)
    schema.refuse_newer(step, runtime.settings.database_url)
    if step != schema.newest():
        raise NotReadyError(f"The database is not up to date. Run: {MIGRATE}")


def _too_early(settings: Settings, environ: WSGIEnvironment) -> Response:
    """Say in the reader's language that it comes later; there is no installation to ask for anything."""
    spoken = preferred(Languages(settings.languages), Request(environ).headers.get("Accept-Language", ""))
    path: str = environ.get("PATH_INFO", "")
    is_for_programs = path == paths.API or path.startswith(f"{paths.API}/")
    response = _problem(settings, spoken) if is_for_programs else _page(spoken)
    response.retry_after = _RETRY_SECONDS
    response.headers.update(
        {
            "Cache-Control": "no-store",
            "Referrer-Policy": "no-referrer",
            "X-Robots-Tag": "noindex, nofollow",
            "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
        }
    )
    return response


def _problem(settings: Settings, spoken: Language) -> Response:
    from connector.api import problems  # noqa: PLC0415 - what the API needs is imported when it is asked

    error = RequestError(
        "This installation is not ready yet. Nothing is lost, and nothing was changed. Please try again later.",
        code="not_ready",
        http=503,
    )
    return problems.of(
        error, spoken, address=f"{settings.public_url}{paths.API}/errors", request_id=token_hex(16), pointers={}
    )


def _page(spoken: Language) -> Response:
    heading = spoken.say("This is being put right")
    words = spoken.say("Nothing is lost, and nothing was changed. Please try again later.")
    page = (
        f'<!doctype html>\n<html lang="{spoken.tag}" dir="{spoken.direction}"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(heading)}</title></head>\n<body><h1>{escape(heading)}</h1><p>{escape(words)}</p></body></html>\n"
    )
    return Response(page, 503, mimetype="text/html")
