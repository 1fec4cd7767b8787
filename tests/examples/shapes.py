"""The two ways in which the example platform has its times kept, each run by this process."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from flask import Flask
from lindenhof import mounted as mounted_platform
from lindenhof import over_rest
from test_lindenhof import QUICK, begin

from connector import app as composition
from connector.domain.api_key import Scope
from connector.runtime import Runtime
from connector.services import api_keys
from connector.services.outcomes import endpoints
from tests.serving import served

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

SCOPES = (Scope.READ, Scope.ADMIN, Scope.SESSIONS, Scope.CONNECTIONS)  # all that the platform needs


class Door:
    """Serves what is put here once its address is known."""

    app: WSGIApplication

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        return self.app(environ, start_response)


@dataclass(frozen=True, kw_only=True)
class Shape:
    """The platform where it is served, with people in it.

    Attributes:
        url: Where the platform is.
        runtime: The Pencilled that keeps its times.
        signs_in_by_mail: Whether its practitioners sign in at Pencilled, too.
    """

    url: str
    platform: Flask
    runtime: Runtime
    signs_in_by_mail: bool


@contextmanager
def beside(
    database_url: str, folder: Path, *, mail_url: str = "smtp://127.0.0.1:25", assertion_key: str = ""
) -> Iterator[Shape]:
    """Serve Pencilled and the platform, which asks it over REST and is told by webhooks; due work is carried out.

    With an `assertion_key` clients answer signed in at the platform.
    """
    pages, site = Door(), Door()
    with (
        served(pages, clear_untrusted_proxy_headers=True) as pages_port,
        served(site, clear_untrusted_proxy_headers=True) as site_port,
    ):
        pages_url, url = (f"http://127.0.0.1:{port}" for port in (pages_port, site_port))
        settings = {
            "CONNECTOR_DATABASE_URL": database_url,
            "CONNECTOR_INNER_HOSTS": "127.0.0.1",
            "CONNECTOR_SMTP_URL": mail_url,
            "CONNECTOR_MAIL_FROM": "sessions@pencilled.example",
            "CONNECTOR_PUBLIC_URL": pages_url,
            "CONNECTOR_RETURN_ORIGINS": url,
        }
        if assertion_key:
            settings |= {
                "CONNECTOR_ANSWER_POLICY": "host",
                "CONNECTOR_HOST_SIGN_IN_URL": f"{url}/answer",
                "CONNECTOR_ASSERTION_KEYS": assertion_key,
            }
        runtime = composition.build(composition.read_settings(settings))
        key, secret = _let_in(runtime, f"{url}/outcomes")
        pages.app = composition.create_app(runtime)
        site.app = platform = over_rest.create_app(
            DATABASE=folder / "lindenhof.sqlite3",
            **QUICK,
            PENCILLED_URL=pages_url,
            PENCILLED_KEY=key,
            PENCILLED_WEBHOOK_SECRET=secret,
            PENCILLED_ASSERTION_KEY=assertion_key,
        )
        begin(platform)
        engine = composition.create_engine(runtime)
        engine.start()
        try:
            yield Shape(url=url, platform=platform, runtime=runtime, signs_in_by_mail=True)
        finally:
            engine.stop()
            runtime.database.dispose()


def _let_in(runtime: Runtime, hears_at: str) -> tuple[str, str]:
    """Return a key for the platform, and the secret by which it knows what comes."""
    now, hosts = runtime.clock(), runtime.settings.inner_hosts
    with runtime.database.begin() as db:
        key = api_keys.make(db, name="Lindenhof", scopes=SCOPES, practitioner_id=None, now=now).secret
        _, secret = endpoints.add(db, runtime.seal, hears_at, inner_hosts=hosts, now=now)
    return key, secret


@contextmanager
def mounted(database_url: str, folder: Path, *, mail_url: str = "smtp://127.0.0.1:25") -> Iterator[Shape]:
    """Serve the platform with Pencilled in its process; it carries out due work itself."""
    site = Door()
    with served(site, clear_untrusted_proxy_headers=True) as port:
        url = f"http://127.0.0.1:{port}"
        settings = {
            "CONNECTOR_DATABASE_URL": database_url,
            "CONNECTOR_INNER_HOSTS": "127.0.0.1",
            "CONNECTOR_SMTP_URL": mail_url,
            "CONNECTOR_MAIL_FROM": "sessions@pencilled.example",
            "CONNECTOR_BRAND": "Lindenhof",
            "CONNECTOR_PUBLIC_URL": f"{url}/rearrange",
        }
        own = {"DATABASE": folder / "lindenhof.sqlite3", "PENCILLED": settings, **QUICK}
        site.app = platform = begin(mounted_platform.create_app(**own))
        try:
            runtime = platform.extensions["pencilled"].runtime
            yield Shape(url=url, platform=platform, runtime=runtime, signs_in_by_mail=False)
        finally:
            platform.extensions["pencilled"].close()


SHAPES = {"mounted": mounted, "beside": beside}
