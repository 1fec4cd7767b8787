"""`pencilled worker`: due work alone."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from datetime import timedelta

import click

from connector import app
from connector.cli._shared import example, open_runtime, read_settings, refuse_unmigrated
from connector.cli._stopping import Stopping
from connector.runtime import Runtime
from connector.storage.locks import EngineLock, holder

_AGAIN = timedelta(milliseconds=200)  # nothing tells when another process ends


@click.command()
@click.option(
    "--threads", type=click.IntRange(2, 256), help="Work done at the same time; CONNECTOR_WORKER_THREADS otherwise."
)
@example("pencilled worker --threads 16")
def worker(threads: int | None) -> None:
    """Carry out due work: calendars, mails, deadlines.

    On PostgreSQL run as many as you like, on as many machines as you like: one of them keeps watch for what is due, and
    another takes over if it ends. On SQLite one process carries out due work, beside the web processes of a host; a
    second one waits until it ends. SIGTERM or Ctrl-C lets work come to a safe place first; killing one loses nothing
    either.

    Exit codes: 0 stopped as asked; 1 the database must be migrated; 2 wrong settings.
    """
    settings = read_settings()
    if threads is not None:
        settings = replace(settings, worker_threads=threads)
    stopping = Stopping()
    carry_out(open_runtime(settings, quiet=False, in_standstill=True), stopping)


def carry_out(runtime: Runtime, stopping: Stopping) -> None:
    """Carry out due work until this process is asked to stop; on SQLite, once no other process does.

    Raises: Refusal if the database was brought up to date meanwhile, by another version; SettingsError.
    """
    with closing(EngineLock(runtime.settings.database_url)) as lock:
        if not runtime.settings.embedded or _is_our_turn(runtime, lock, stopping):
            _carry_out(runtime, stopping)
    click.echo("Stopped.")


def _carry_out(runtime: Runtime, stopping: Stopping) -> None:
    refuse_unmigrated(runtime.database, runtime.settings)
    engine = app.create_engine(runtime)
    try:
        engine.start()
        click.echo(f"Pencilled carries out due work, {runtime.settings.worker_threads} at a time. Stop it with Ctrl-C.")
        stopping.wait()
    finally:
        engine.stop()


def _is_our_turn(runtime: Runtime, lock: EngineLock, stopping: Stopping) -> bool:
    """Wait until no other process carries out due work; False if this one is asked to stop before that."""
    is_told = False
    while not lock.held():
        if not is_told:
            is_told = True
            other = holder(runtime.settings.database_url)
            number = f" (process {other.process})" if other and other.process else ""
            click.echo(f"Another process{number} carries out due work. Waiting until it ends.")
        if stopping.asked(within=_AGAIN):
            return False
    return True
