"""`pencilled clients export` and `erase`: what is stored about a client, and how all of it goes."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from uuid import UUID

import click
import msgspec

from connector.cli import Refusal
from connector.cli._shared import example, good, open_runtime, operator, warn
from connector.services import erasing, exporting
from connector.services.erasing import Remainder

_BACKUPS = (
    "Back-ups made before today still hold it, and so do letters that have left and notes of the practitioner's own in "
    "calendar events. After restoring such a back-up, erase again: docs/operating.md."
)

_SHARED = (
    "Somebody else goes by the same name, address or number. Where it was typed about others, or an event that nobody "
    "knows shows it, it is left: who is meant cannot be told."
)


@click.command()
@click.argument("client_id", type=click.UUID)
@click.option("--output", type=click.Path(path_type=Path), help="Write it there instead; only you can read the file.")
@example("pencilled clients export 0c2f2f0e-7d1c-4f43-9d84-0a4ab8f3c1d2 --output alex.json")
def export(*, client_id: UUID, output: Path | None) -> None:
    """Write all that is stored about a client as JSON.

    Who they are, sessions, offers and answers, letters, what they were taken to know, the timeline, and what stands in
    calendars about them. docs/operating.md says what each section holds.

    Exit codes: 0 written; 1 refused, such as an unknown client or a file that cannot be written.
    """
    runtime = open_runtime()
    with runtime.database.read() as db:
        sections = exporting.export(db, runtime.policy, client_id, now=runtime.clock())
    text = msgspec.json.format(msgspec.json.encode(sections), indent=2) + b"\n"
    if output is None:
        click.echo(text.decode(), nl=False)
        return
    try:
        _write(output, text)
    except OSError as error:
        words = f"Error: Cannot write {output}: {error.strerror or error}. Nothing was written."
        raise Refusal(words, code="file_not_written", values={"path": str(output)}) from error
    good(f"Written to {output}.")


@click.command()
@click.argument("client_id", type=click.UUID)
@click.option("--yes", is_flag=True, help="Do not ask.")
@example(
    "pencilled clients export 0c2f2f0e-7d1c-4f43-9d84-0a4ab8f3c1d2 --output alex.json",
    "pencilled clients erase 0c2f2f0e-7d1c-4f43-9d84-0a4ab8f3c1d2",
)
def erase(*, client_id: UUID, yes: bool) -> None:
    """Erase for good who a client is.

    Name, contacts, places and what was typed about them go from every table, letter and timeline, and from events in
    calendars. Their sessions stay as those of an
    erased client. Letters to them that have not left are not sent any more. Refused while a session is to come, an
    offer is open or a letter is on its way.

    Can be interrupted and run again. The database is written anew at the end, for which it needs as much free space
    as it has; with PostgreSQL each table is locked for that moment.

    Exit codes: 0 erased; 1 refused or not confirmed, or old copies are left in the database's files: run it again.
    """
    runtime = open_runtime()
    with runtime.database.read() as db:
        client = erasing.check(db, client_id, now=runtime.clock())
    if client.erased:
        click.echo("This client was erased before; what may be left is erased now.")
    elif not yes:
        click.confirm(f"This erases {client.name} for good, and cannot be undone. Go on?", abort=True)
    with runtime.database.begin() as db:
        erased = erasing.erase(db, runtime.policy, client_id, by=operator(), now=runtime.clock())
    erasing.remember(runtime.database, runtime.witness, client_id)
    left = erasing.finish(runtime.database)
    unsent = f" {erased.unsent} letters that had not left are not sent any more." if erased.unsent else ""
    good(f"Erased. Sessions that are kept without a name: {erased.sessions}.{unsent}")
    _say_remainders(erased.remainders)
    if erased.shared:
        warn(_SHARED)
    click.echo(_BACKUPS)
    if left:
        raise Refusal(
            f"Error: The database's files may still hold old copies: {left}. Run this again when less goes on, or "
            "while nothing runs; it does no harm.",
            code="database_not_rewritten",
            values={"left": left},
        )


def _say_remainders(remainders: Sequence[Remainder]) -> None:
    for one in remainders:
        events = "1 event" if one.entries == 1 else f"{one.entries} events"
        if one.why:
            warn(f"In “{one.calendar}” {events} may still show them: {one.why}. Until then only by hand.")
        else:
            click.echo(f"In “{one.calendar}” {events} will be written without them as soon as a server runs.")


def _write(path: Path, text: bytes) -> None:
    """Write a file as a whole or not at all, for its owner alone."""
    new = path.with_name(f".{path.name}.{os.getpid()}.new")
    try:
        descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        new.replace(path)
    except OSError:
        with suppress(OSError):
            new.unlink(missing_ok=True)
        raise
