"""`pencilled doctor`: one line for everything that has to work."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import click
import sqlalchemy as sa

from connector import app
from connector.cli import unreachable
from connector.cli._calendars import look
from connector.cli._finding import short
from connector.cli._shared import NOT_MIGRATED, as_json, example, log_as, print_json, read_settings
from connector.errors import ConnectorError
from connector.runtime import Runtime
from connector.settings import Settings
from connector.storage import calendars, ledger, migrations
from connector.storage.database import read_url

OVERDUE = timedelta(minutes=5)  # as long as readiness bears


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One thing that was looked at."""

    name: str
    ok: bool
    words: str


@click.command()
@as_json
@example("pencilled doctor && echo all is well")
@click.pass_context
def doctor(context: click.Context, *, as_json: bool) -> None:
    """Check everything that has to work: settings, database, broker, mail server, every calendar, and due work.

    Prints one line for each, `ok` or `!!`, and what to do. Changes nothing, sends nothing.

    Exit codes: 0 all is well; 1 something is not; 2 wrong settings.
    """
    settings = read_settings()
    log_as(settings, quiet=True)
    checks = []
    for check in _checks(context, settings):
        checks.append(check)
        if not as_json:
            click.secho(f"{'ok' if check.ok else '!!'}  {check.name}: {check.words}", fg=None if check.ok else "red")
    failed = [check for check in checks if not check.ok]
    if as_json:
        print_json({"ok": not failed, "checks": checks})
    context.exit(1 if failed else 0)


def _checks(context: click.Context, settings: Settings) -> Iterator[Check]:
    yield Check(name="settings", ok=True, words="readable, " + ("embedded" if settings.embedded else "distributed"))
    database = _database(settings)
    yield database
    yield _broker(settings)
    yield _mail(settings)
    if not database.ok:
        return
    runtime = app.build(settings)
    context.call_on_close(runtime.database.dispose)
    with runtime.database.read() as db:
        connected = calendars.connections_of(db)
    if not connected:
        yield Check(name="calendars", ok=True, words="none is connected yet")
    for connection in connected:
        state = look(runtime, connection)
        yield Check(name=f"calendar {short(connection.id)} “{connection.label}”", ok=state.ok, words=state.words)
    yield from _work(runtime)


def _database(settings: Settings) -> Check:
    url = read_url(settings.database_url)
    if settings.embedded and not Path(url.database or "").exists():
        return Check(name="database", ok=False, words=f"{url.database} does not exist yet. Run `pencilled migrate`")
    try:
        if migrations.pending(settings.database_url):
            return Check(name="database", ok=False, words=NOT_MIGRATED)
    except sa.exc.OperationalError as error:
        return Check(name="database", ok=False, words=unreachable(error))
    return Check(name="database", ok=True, words=f"reached and up to date, {url.get_backend_name()}")


def _broker(settings: Settings) -> Check:
    if settings.embedded:
        return Check(name="broker", ok=True, words="within the one process")
    try:
        app.check_broker(settings)
    except ConnectorError as error:
        return Check(name="broker", ok=False, words=str(error))
    return Check(name="broker", ok=True, words="reached")


def _mail(settings: Settings) -> Check:
    try:
        app.check_mail(settings)
    except ConnectorError as error:
        return Check(name="mail", ok=False, words=str(error))
    return Check(name="mail", ok=True, words="the mail server is reached and lets us in; nothing was sent")


def _work(runtime: Runtime) -> Iterator[Check]:
    parked = ledger.parked(runtime.database)
    for one in parked:
        name = f"parked {one.key.kind.value} {one.key.id[:8]}"
        yield Check(name=name, ok=False, words=f"given up {one.since:%d %b %Y, %H:%M} UTC: {one.error}")
    waiting = ledger.oldest_overdue(runtime.database, runtime.clock())
    if waiting > OVERDUE:
        minutes = int(waiting.total_seconds() // 60)
        start = "pencilled serve" if runtime.settings.embedded else "pencilled worker"
        yield Check(name="due work", ok=False, words=f"waiting for {minutes} minutes. Is `{start}` running?")
    elif not parked:
        yield Check(name="due work", ok=True, words="nothing waits longer than it should")
