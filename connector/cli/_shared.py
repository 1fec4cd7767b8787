"""What several commands need: the settings, a runtime on a migrated database, and ways to print."""

from __future__ import annotations

import getpass
import inspect
import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import click
import msgspec
from rich import box
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.table import Table
from rich.text import Text

from connector import app, logs
from connector.cli import ENVIRON, Refusal, WrongSettings
from connector.domain.people import Actor, Practitioner, Role
from connector.errors import RuleError
from connector.runtime import Runtime
from connector.services import standstill
from connector.settings import Settings
from connector.storage import keys, schema
from connector.storage.database import Database, read_url

NOT_MIGRATED = "The database is not up to date. Run `pencilled migrate` first."
_FROM_HERE = {True: "", False: " from this folder"}  # whether a path is a whole one
_WIDE = 200  # columns where no person watches: a program that reads a table needs whole lines
as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON for programs.")


def read_settings() -> Settings:
    """Read the settings from the environment, or those that a host has given.

    Raises: SettingsError.
    """
    context = click.get_current_context(silent=True)
    given = context.meta.get(ENVIRON) if context is not None else None
    return app.read_settings(os.environ if given is None else given)  # noqa: TID251 - handed to Settings, which alone reads it


def open_runtime(
    settings: Settings | None = None, *, quiet: bool = True, own_keys: bool = True, in_standstill: bool = False
) -> Runtime:
    """Put an installation together on a database that is up to date; it closes with the command.

    Args:
        settings: If they have been read already.
        quiet: Log no less than warnings; for commands that a person watches.
        own_keys: Refuse keys that do not open what is stored.
        in_standstill: Go on while a restored database waits to be put right: for what changes nothing, for what the
            decision may need, and for servers, which wait for it.
    Raises: SettingsError; Refusal if there is no database, it has to be migrated first, or its key is missing;
        StandstillError.
    """
    settings = settings or read_settings()
    log_as(settings, quiet=quiet)
    refuse_missing_file(settings)
    runtime = build(settings)
    refuse_unmigrated(runtime.database, settings)
    if own_keys:
        refuse_strange_keys(runtime)
    standstill.look(runtime.database, runtime.policy, runtime.witness, clock=runtime.clock)
    if not in_standstill:
        standstill.refuse(runtime.database)
    return runtime


def build(settings: Settings) -> Runtime:
    """Put an installation together; it closes with the command.

    Raises: SettingsError; WrongSettings if the key of its database is missing.
    """
    try:
        runtime = app.build(settings)
    except RuleError as error:
        raise WrongSettings.of(error) from error
    click.get_current_context().call_on_close(runtime.database.dispose)
    return runtime


def refuse_strange_keys(runtime: Runtime) -> None:
    """Raise WrongSettings if the keys are not those that the database was sealed with."""
    settings = runtime.settings
    try:
        keys.refuse_strange(runtime.database, runtime.seal, settings.database_url, in_file=not settings.secret_keys)
    except RuleError as error:
        raise WrongSettings.of(error) from error


def log_as(settings: Settings, *, quiet: bool) -> None:
    """Log as the settings say, or as a host does; `quiet` leaves out what a person who watches need not know."""
    context = click.get_current_context(silent=True)
    if context is not None and ENVIRON in context.meta:
        logs.through_host()
        return
    level = "warning" if quiet and settings.log_level == "info" else settings.log_level
    logs.configure(level=level, style=settings.log_format)


def missing_file(settings: Settings) -> str:
    """Say which SQLite file is not there, and how to name the right one; empty if it is."""
    path = Path(read_url(settings.database_url).database or "")
    if not settings.embedded or path.exists():
        return ""
    return (
        f"There is no database {path.resolve()}, to which CONNECTOR_DATABASE_URL leads{_FROM_HERE[path.is_absolute()]}."
        " If yours is elsewhere, name its whole path, as in sqlite:////var/lib/pencilled/pencilled.sqlite3; to begin a "
        "new installation there: pencilled migrate --new"
    )


def refuse_missing_file(settings: Settings) -> None:
    """Raise Refusal if the SQLite file is not there: opening it would make it, empty."""
    if words := missing_file(settings):
        path = str(Path(read_url(settings.database_url).database or "").resolve())
        raise Refusal(f"Error: {words}", code="database_file_missing", values={"path": path})


def refuse_by_chance(settings: Settings) -> None:
    """Raise Refusal where a new installation would begin because of the folder that a command happened to run in."""
    if not Path(read_url(settings.database_url).database or "").is_absolute():
        refuse_missing_file(settings)


def refuse_unmigrated(database: Database, settings: Settings) -> None:
    """Raise Refusal unless the schema is the newest that we know.

    Raises: RuleError if it is newer still.
    """
    with database.read() as db:
        step = schema.step(db)
    schema.refuse_newer(step, settings.database_url)
    if step != schema.newest():
        raise Refusal(f"Error: {NOT_MIGRATED}", code="database_not_migrated")


def cannot_listen(settings: Settings, error: Exception) -> Refusal:
    """Say why nobody can be served at the address of the settings."""
    why = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return Refusal(
        f"Error: Cannot listen on {settings.listen}: {why}. See CONNECTOR_LISTEN.",
        code="cannot_listen",
        values={"address": settings.listen, "why": why},
    )


def operator() -> Actor:
    """Return who acts on the installation: the operator, under the name they have on this machine."""
    return Actor(role=Role.OPERATOR, name=_user())


def entered_for(practitioner: Practitioner) -> Actor:
    """Return who acts on a session: its practitioner, whose wish it is, with the name of whoever entered it."""
    return Actor(role=Role.PRACTITIONER, name=f"{practitioner.name} (entered by {_user()})")


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container may run under a number without a name
        return f"user {os.getuid()}"


def print_json(value: object) -> None:
    """Print a value as JSON; instants in UTC."""
    click.echo(msgspec.json.format(msgspec.json.encode(value), indent=2))


def print_table(columns: Sequence[str], rows: Iterable[Sequence[str]], *, title: str = "") -> None:
    """Print a table; the first column is never cut."""
    table = Table(box=box.SIMPLE, title=title or None, title_justify="left", title_style="bold", pad_edge=False)
    for number, name in enumerate(columns):
        table.add_column(name, no_wrap=number == 0)
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    console().print(table)


def console(*, err: bool = False) -> Console:
    """Return a console on standard output or error; wide where it is no terminal."""
    console = Console(stderr=err, highlight=False)
    if not console.is_terminal:
        console.width = _WIDE
    return console


def progress(*, shown: bool = True) -> Progress:
    """Return a progress bar on standard error, so that what is printed can be piped."""
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        console=console(err=True),
        disable=not shown,
    )


def good(words: str) -> None:
    """Say that something is done."""
    click.secho(words, fg="green")


def warn(words: str) -> None:
    """Say something to be noticed, on standard error."""
    click.secho(words, fg="yellow", err=True)


def stacked(options: Iterable[Callable[..., Any]]) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Make one decorator of several click options, in the order they are to appear in --help."""
    in_order = list(options)

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        for option in reversed(in_order):
            function = option(function)
        return function

    return decorate


def example(*lines: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """End a command's help with an example, its lines kept as they are; goes below the command's own decorator."""

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        text = "\n".join(f"  {line}" for line in lines)
        function.__doc__ = f"{inspect.cleandoc(function.__doc__ or '')}\n\n\b\nExample:\n{text}"
        return function

    return decorate
