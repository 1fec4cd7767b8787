"""`pencilled web`: the pages alone, in as many processes as wanted, on PostgreSQL and Redis."""

from __future__ import annotations

import multiprocessing
import socket
from multiprocessing.util import Finalize
from typing import Any

import click
from granian import Granian
from granian.constants import Interfaces
from granian.log import LogLevels

from connector import app, logs
from connector.cli._parent import leave_with
from connector.cli._shared import cannot_listen, example, open_runtime, read_settings
from connector.cli._whole_requests import WholeRequests
from connector.errors import SettingsError
from connector.settings import Settings

_CONNECTIONS = 512  # of a process: half of the files that a system usually lets it open

_kept: list[Finalize] = []


@click.command()
@click.option("--workers", default=1, show_default=True, type=click.IntRange(1, 64), help="Processes that serve pages.")
@example(
    "CONNECTOR_DATABASE_URL=postgresql://pencilled@db/pencilled CONNECTOR_BROKER_URL=redis://redis:6379/0 \\",
    "CONNECTOR_SECRET_KEYS_FILE=/run/secrets/keys pencilled web --workers 2",
)
def web(workers: int) -> None:
    """Run the pages on PostgreSQL and Redis, beside at least one `pencilled worker`.

    Changes nothing in the schema: run `pencilled migrate` before the first start and after every upgrade.

    Exit codes: 0 stopped as asked; 1 the database must be migrated, or the address cannot be listened on;
    2 wrong settings.
    """
    settings = read_settings()
    if settings.embedded:
        fault = (
            "CONNECTOR_DATABASE_URL, CONNECTOR_BROKER_URL: `pencilled web` needs PostgreSQL and Redis, since it is one "
            "process of several. On SQLite run `pencilled serve`"
        )
        raise SettingsError([fault])
    runtime = open_runtime(settings, quiet=False, in_standstill=True)
    runtime.database.dispose()  # the workers are forked, and must not share a connection
    host, port = _free_address(settings)
    click.echo(f"Pencilled is listening on http://{settings.listen} - people reach it at {settings.public_url}")
    loader: Any = application  # typed as one of an interface that it has not
    Granian(
        "pencilled",  # its name only: looked up by a path, it would be sought in the working directory first
        address=host,
        port=port,
        interface=Interfaces.RSGI,
        workers=workers,
        backpressure=_CONNECTIONS,
        websockets=False,
        respawn_failed_workers=True,
        workers_kill_timeout=15,
        log_level=LogLevels.warning,
    ).serve(target_loader=loader, wrap_loader=False)


def _free_address(settings: Settings) -> tuple[str, int]:
    """Return host and port to listen on; asked here, since granian would answer with a traceback.

    Raises: Refusal if they are taken, or none of ours.
    """
    named, _, number = settings.listen.rpartition(":")
    host, port = named.strip("[]"), int(number)
    try:
        socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET).close()
    except (OSError, OverflowError) as error:
        raise cannot_listen(settings, error) from error
    return host, port


def application() -> WholeRequests:
    """Make the application of one worker process; every commit wakes the workers. It goes with its supervisor."""
    supervisor = multiprocessing.parent_process()
    if supervisor is not None and supervisor.pid is not None:
        leave_with(supervisor.pid)
    settings = read_settings()
    logs.configure(level=settings.log_level, style=settings.log_format)
    runtime = app.build(settings)
    engine = app.create_engine(runtime)
    engine.attach()

    def stop() -> None:
        engine.stop()
        runtime.database.dispose()

    _kept.append(Finalize(None, stop, exitpriority=100))  # atexit never runs in these processes
    return WholeRequests(app.create_app(runtime))
