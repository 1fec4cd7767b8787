"""`pencilled worker`: due work alone, in as many processes as wanted, on PostgreSQL and Redis."""

from __future__ import annotations

from dataclasses import replace

import click

from connector import app
from connector.cli._shared import example, open_runtime, read_settings
from connector.cli._stopping import Stopping
from connector.errors import SettingsError


@click.command()
@click.option(
    "--threads", type=click.IntRange(2, 256), help="Work done at the same time; CONNECTOR_WORKER_THREADS otherwise."
)
@example("pencilled worker --threads 16")
def worker(threads: int | None) -> None:
    """Carry out due work on PostgreSQL and Redis: calendars, mails, deadlines.

    Run as many as you like, on as many machines as you like: one of them keeps watch for what is due, and another
    takes over if it ends. SIGTERM or Ctrl-C lets work come to a safe place first; killing one loses nothing either.

    Exit codes: 0 stopped as asked; 1 the database must be migrated; 2 wrong settings.
    """
    settings = read_settings()
    if settings.embedded:
        fault = (
            "CONNECTOR_DATABASE_URL, CONNECTOR_BROKER_URL: `pencilled worker` needs PostgreSQL and Redis. On SQLite "
            "`pencilled serve` does its work"
        )
        raise SettingsError([fault])
    if threads is not None:
        settings = replace(settings, worker_threads=threads)
    stopping = Stopping()
    runtime = open_runtime(settings, quiet=False)
    engine = app.create_engine(runtime)
    engine.start()
    click.echo(f"Pencilled carries out due work, {settings.worker_threads} at a time. Stop it with Ctrl-C.")
    try:
        stopping.wait()
    finally:
        engine.stop()
    click.echo("Stopped.")
