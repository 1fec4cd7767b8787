"""`flask pencilled work`: due work alone, in a process of a host's application."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import click
from flask import current_app

from connector.cli._shared import example
from connector.cli._stopping import Stopping
from connector.cli.worker import carry_out

if TYPE_CHECKING:
    from connector.hosted.installation import Installation


@click.command()
@click.option(
    "--threads", type=click.IntRange(2, 256), help="Work done at the same time; CONNECTOR_WORKER_THREADS otherwise."
)
@example("flask pencilled work --threads 16")
def work(threads: int | None) -> None:
    """Carry out due work: calendars, mails, deadlines, and what the host is told.

    On SQLite one process does at a time: while another one carries out due work, one of the host's web processes for
    example, this one waits until it ends. On PostgreSQL run as many as you like. SIGTERM or Ctrl-C lets work come to a
    safe place first; killing one loses nothing either.

    Exit codes: 0 stopped as asked; 1 the database must be migrated; 2 wrong settings.
    """
    stopping = Stopping()
    installation: Installation = current_app.extensions["pencilled"]
    runtime = installation.runtime
    if threads is not None:
        runtime.settings = replace(runtime.settings, worker_threads=threads)
    carry_out(runtime, stopping)
