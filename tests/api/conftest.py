"""An installation with people in it, as a host's programs meet it.

`api`: a program whose key may do everything. `key(scopes, practitioner=None)`: one that may do that alone. `installed`:
the stage that both are on, with its practitioners, clients and sessions; `server` is the same over HTTP.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Protocol
from uuid import UUID

import pytest

from connector import app
from connector.domain.api_key import Scope
from connector.storage.database import Database
from tests.api.program import Program, program
from tests.conftest import Clock
from tests.serving import served
from tests.web.stage import Stage, stage_of


class MakesKeys(Protocol):
    def __call__(self, scopes: Iterable[Scope], practitioner: UUID | None = None) -> Program: ...


@pytest.fixture
def installed(sqlite_database: Database, sqlite_url: str, clock: Clock) -> Stage:
    """Ada and Bob give sessions, Kim and Lou receive them; everything is served as in an installation."""
    return _installed(sqlite_database, sqlite_url, clock)


@pytest.fixture
def on_either(database: Database, database_url: str, clock: Clock) -> Stage:
    """The same on SQLite and on PostgreSQL, one after the other."""
    return _installed(database, database_url, clock)


@pytest.fixture
def api(installed: Stage) -> Program:
    """A program that may do everything, for the whole installation."""
    return program(installed.runtime, installed.app.test_client(use_cookies=False), *Scope)


@pytest.fixture
def key(installed: Stage) -> MakesKeys:
    """Makes programs that may do less."""

    def make(scopes: Iterable[Scope], practitioner: UUID | None = None) -> Program:
        client = installed.app.test_client(use_cookies=False)
        return program(installed.runtime, client, *scopes, practitioner=practitioner)

    return make


def _installed(database: Database, url: str, clock: Clock) -> Stage:
    stage = stage_of(database, url, clock)
    stage.app = app.create_app(stage.runtime)
    return stage


@contextmanager
def serving(stage: Stage) -> Iterator[str]:
    """Serve an installation over HTTP, as `pencilled serve` does, and return where."""
    with served(stage.app, clear_untrusted_proxy_headers=True) as port:
        yield f"http://127.0.0.1:{port}"
