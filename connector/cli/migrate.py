"""`pencilled migrate`: the schema, brought up to date."""

from __future__ import annotations

from contextlib import ExitStack

import click

from connector.cli import Refusal
from connector.cli._shared import console, example, good, read_settings, refuse_by_chance, refuse_missing_file
from connector.storage import migrations
from connector.storage.locks import lock_embedded


@click.command()
@click.option("--check", is_flag=True, help="Change nothing; only say whether there is something to do.")
@click.option("--new", is_flag=True, help="Begin a new installation where there is none yet.")
@example("pencilled migrate --check || pencilled migrate")
def migrate(*, check: bool, new: bool) -> None:
    """Bring the database up to date, in one transaction: it is done, or nothing has changed.

    On SQLite `pencilled serve` does this by itself when it starts. On PostgreSQL run it once before starting the new
    version of `pencilled web` and `pencilled worker`; several may run at once, and all but one wait.

    A database that is not there is begun where its whole path is named; where it depends on the folder you are in,
    --new says that you mean it.

    Exit codes: 0 up to date; 1 with --check: not up to date, or it was made by a newer version, or there is none;
    2 wrong settings, or `pencilled serve` is running on an older schema.
    """
    settings = read_settings()
    url = settings.database_url
    if not new and not check:
        refuse_by_chance(settings)
    before = migrations.current(url)
    if not migrations.pending(url):
        good(f"The database is up to date, at step {before}.")
        return
    if check:
        refuse_missing_file(settings)
        where = f"at step {before}" if before else "empty"
        raise Refusal(
            f"The database is {where} and has to be brought up to date: pencilled migrate", code="database_not_migrated"
        )
    with ExitStack() as stack:
        if settings.embedded:
            stack.callback(lock_embedded(url).close)  # no server runs on a schema while it changes
        stack.enter_context(console(err=True).status("Bringing the database up to date …"))
        migrations.migrate(url)
    good(f"Brought the database up to date: from {before or 'nothing'} to step {migrations.current(url)}.")
