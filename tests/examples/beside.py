"""Pencilled beside the example platform, as a service of its own, served over HTTP."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from flask import Flask
from lindenhof import over_rest

from connector import app
from connector.domain.api_key import Scope
from connector.runtime import Runtime
from connector.services import api_keys
from tests.serving import served

SCOPES = (Scope.READ, Scope.ADMIN, Scope.SESSIONS, Scope.CONNECTIONS)  # all that the platform needs
SECRET = "of the platform, in tests"


@contextmanager
def beside(runtime: Runtime, folder: Path) -> Iterator[Flask]:
    """Serve an installation, and make the platform that asks it."""
    pages = app.create_app(runtime)
    with served(pages, clear_untrusted_proxy_headers=True) as port:
        yield platform(runtime, folder, PENCILLED_URL=f"http://127.0.0.1:{port}")


def platform(runtime: Runtime, folder: Path, **settings: Any) -> Flask:
    """Make the platform, with a key of the installation."""
    with runtime.database.begin() as db:
        made = api_keys.make(db, name="Lindenhof", scopes=SCOPES, practitioner_id=None, now=runtime.clock())
    known = {
        "DATABASE": folder / "lindenhof.sqlite3",
        "SECRET_KEY": SECRET,
        "TESTING": True,
        "PENCILLED_KEY": made.secret,
    }
    return over_rest.create_app(**known | settings)
