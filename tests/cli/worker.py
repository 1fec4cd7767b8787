"""What a running server does meanwhile, at a time of the test's choosing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from uuid import UUID

from connector import app
from connector.domain.connection import Calendar
from connector.runtime import Runtime
from connector.storage import calendars, ledger
from connector.storage.ledger import Key, Kind
from tests.cli.keyboard import Cli
from tests.work.driver import Driver


@contextmanager
def server(cli: Cli, *, later: timedelta = timedelta()) -> Iterator[Runtime]:
    """Open the same installation as the commands do, with a clock that is ahead of theirs by so much."""
    runtime = app.build(app.read_settings(cli.settings), clock=lambda: app.system_clock() + later)
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
    """Read what happened in the calendar: now because its service says so, later because that is due."""
    with server(cli, later=later) as runtime:
        carry_out(runtime, cli, Kind.PULL, touched=not later)


def probe(cli: Cli, *, later: timedelta = timedelta(), times: int = 1) -> None:
    """Try out how holds must be shown; whoever did that in the past has nothing overdue since."""
    with server(cli, later=later) as runtime:
        for _ in range(times):
            carry_out(runtime, cli, Kind.PROBE)
        with runtime.database.begin() as db:
            if later < timedelta():
                ledger.forget(db, Key(Kind.PROBE, str(target(runtime, cli).id)))


def read_free_busy(cli: Cli) -> None:
    """Look when the calendar is not free."""
    with server(cli) as runtime:
        carry_out(runtime, cli, Kind.BUSY)


def carry_out(runtime: Runtime, cli: Cli, kind: Kind, *, touched: bool = True) -> None:
    """Do what is due of this kind for the calendar, which becomes due first if it is touched."""
    known = target(runtime, cli)
    if touched:
        with runtime.database.begin() as db:
            ledger.touch(db, Key(kind, str(known.id)), due_at=runtime.clock(), lane=known.lane)
    Driver(runtime=runtime).carry_out(kind, of=[known.id])
