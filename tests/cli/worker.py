"""What a running server does meanwhile, at a time of the test's choosing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from uuid import UUID

from connector import app
from connector.runtime import Runtime
from connector.services import probing, pulling, scanning
from connector.settings import Settings
from connector.storage import calendars
from connector.storage.calendars import Calendar
from tests.cli.keyboard import Cli


@contextmanager
def server(cli: Cli, *, later: timedelta = timedelta()) -> Iterator[Runtime]:
    """Open the same installation as the commands do, with a clock that is ahead of theirs by so much."""
    runtime = app.build(Settings.from_env(cli.settings), clock=lambda: app.system_clock() + later)
    try:
        yield runtime
    finally:
        runtime.database.dispose()


def target(runtime: Runtime, cli: Cli) -> Calendar:
    """Return the calendar of the only connection that entries go to."""
    [found] = cli.json("connections", "list")
    with runtime.database.read() as db:
        return calendars.target(db, UUID(found["id"]))


def pull(cli: Cli, *, later: timedelta = timedelta()) -> None:
    """Read what happened in the calendar."""
    with server(cli, later=later) as runtime:
        known = target(runtime, cli)
        pulling.pull(runtime.database, runtime.terms, known.id, runtime.remote(known.id), now=runtime.clock())


def probe(cli: Cli, *, later: timedelta = timedelta(), times: int = 1) -> None:
    """Try out how holds must be shown."""
    with server(cli, later=later) as runtime:
        known = target(runtime, cli)
        for _ in range(times):
            probing.probe(runtime.database, known.id, runtime.remote(known.id), now=runtime.clock())


def scan(cli: Cli) -> None:
    """Look when the calendar is not free."""
    with server(cli) as runtime:
        known = target(runtime, cli)
        scanning.scan(runtime.database, runtime.terms, known.id, runtime.remote(known.id), now=runtime.clock())
