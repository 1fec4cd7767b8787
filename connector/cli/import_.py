"""`pencilled import`: sessions that were booked elsewhere, out of a table or a calendar."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO
from uuid import UUID

import click

from connector.cli._conflicts import despite_conflict
from connector.cli._lookup import find_practitioner, short
from connector.cli._options import checked_locale, located, practitioner
from connector.cli._refusals import Refusal
from connector.cli._shapes import place_text, when_json, when_text
from connector.cli._shared import as_json, entered_for, example, good, open_runtime, print_json, progress, warn
from connector.domain.people import Practitioner
from connector.domain.session import Location
from connector.domain.span import zone_named
from connector.errors import RuleError
from connector.importing import calendar, table
from connector.importing.rows import Read
from connector.runtime import Runtime
from connector.services.importing import Import, Outcome, Result, Terms

LARGEST = 64 * 1024 * 1024  # bytes of a file that is read
_LONG = 50  # rows that are worth a bar
_START = 200
_WORDS = {
    (False, Outcome.NEW): "would be booked",
    (False, Outcome.CHANGED): "would be changed",
    (True, Outcome.NEW): "booked",
    (True, Outcome.CHANGED): "changed",
}


@click.command("import")
@click.argument("path", metavar="FILE", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@practitioner
@click.option("--apply", is_flag=True, help="Do it. Without this, only what would be done is said.")
@click.option("--dry-run", "dry", is_flag=True, help="Only say what would be done: the default.")
@click.option("--tell-clients", "tell", is_flag=True, help="Tell clients, too; else they are taken to know already.")
@click.option("--client-zone", metavar="ZONE", help="Of new clients whose row says none; else the practitioner's.")
@click.option("--client-locale", metavar="LOCALE", help="Likewise their language.")
@click.option("--ignore-column", "ignored", multiple=True, metavar="NAME", help="A column that means nothing here.")
@located
@despite_conflict
@as_json
@example("pencilled import sessions.csv --practitioner kim@example.org", "pencilled import sessions.csv --apply")
def import_(
    *,
    path: Path,
    practitioner: str | None,
    apply: bool,
    dry: bool,
    tell: bool,
    client_zone: str | None,
    client_locale: str | None,
    ignored: tuple[str, ...],
    location: Location | None,
    despite: bool,
    as_json: bool,
) -> None:
    """Bring in sessions that were booked elsewhere.

    FILE is a table (CSV) whose first line names its columns, or a calendar (.ics). Columns: external_id and start;
    end or minutes; client_external_id, client_email or client_phone; and, if they are known, client_name, client_zone,
    client_locale, zone, location, location_kind, kind and series. In a calendar, UID is the external id, and the one
    person who is invited is the client.

    Nothing is changed until --apply. A row is known again by its external id, so a file can be brought in again: what
    is there already changes nothing, and a row that is refused changes nothing either. Each row is done by itself;
    after a break, run the same again.

    Clients are told nothing unless --tell-clients says so: they know from where it was booked. The first change of such
    a session invites them.

    Exit codes: 0 nothing was refused; 1 at least one row was, or the whole file; 2 wrong usage.
    """
    if apply and dry:
        raise click.UsageError("Give --apply or --dry-run, not both.")
    checked_locale(client_locale)
    runtime = open_runtime()
    with runtime.database.read() as db:
        person = find_practitioner(db, practitioner)
    zone_named(client_zone or person.zone)
    terms = Terms(
        location=location,
        zone=client_zone or person.zone,
        locale=client_locale or person.locale,
        despite=despite,
        tell=tell,
        by=entered_for(person),
    )
    work = Import(
        database=runtime.database,
        policy=runtime.policy,
        practitioner=person,
        terms=terms,
        clock=runtime.clock,
        apply=apply,
    )
    with _opened(path) as file:
        total, rows = _rows(file, runtime, person, ignored)
        _read_calendars(runtime, person, file, ignored, despite=despite)
        results = _shown(work.run(rows), total)
        counts = _print_json(results, person.id, apply=apply) if as_json else _print(results, apply=apply)
    if counts[Outcome.REFUSED]:
        raise click.exceptions.Exit(1)


def _opened(path: Path) -> IO[bytes]:
    try:
        file = path.open("rb")
    except OSError as error:
        raise Refusal(f"Error: {path} cannot be read: {error.strerror}", code="import_file_unreadable") from error
    if path.stat().st_size > LARGEST:
        file.close()
        words = f"Error: {path} is larger than {LARGEST // 1024 // 1024} MB. Part it, such as by years."
        raise Refusal(words, code="import_file_too_large")
    return file


def _rows(
    file: IO[bytes], runtime: Runtime, person: Practitioner, ignored: tuple[str, ...]
) -> tuple[int, Iterator[Read]]:
    """Return about how many rows a file has, and each of them."""
    file.seek(0)
    if calendar.is_calendar(file.read(_START)):
        file.seek(0)
        content = file.read()
        every = list(calendar.read(content, owner={person.email}, zone=person.zone, now=runtime.clock()))
        return len(every), iter(every)
    written = table.sniffed(file, ignored=ignored)
    file.seek(0)
    return max(sum(1 for _ in file) - 1, 0), table.read(file, written, zone=person.zone)


def _read_calendars(
    runtime: Runtime, person: Practitioner, file: IO[bytes], ignored: tuple[str, ...], *, despite: bool
) -> None:
    """Have the practitioner's calendars read as far ahead as the file goes, so that what stands there is known."""
    if despite:
        return
    _total, rows = _rows(file, runtime, person, ignored)
    latest = max(
        (when for row in rows if (when := getattr(row, "when", None))), key=lambda one: one.span.end, default=None
    )
    if latest is not None and latest.span.end > runtime.clock():
        runtime.read_busy(person.id, [latest])


def _shown(results: Iterator[Result], total: int) -> Iterator[Result]:
    """Yield each result, with a bar beside it in a long file."""
    with progress(shown=total > _LONG) as bar:
        task = bar.add_task("Rows", total=total)
        for result in results:
            yield result
            bar.advance(task)


def _print(results: Iterable[Result], *, apply: bool) -> Counter[Outcome]:
    counts: Counter[Outcome] = Counter()
    newcomers = 0
    for result in results:
        counts[result.outcome] += 1
        newcomers += result.is_new_client
        if result.outcome is Outcome.REFUSED:
            warn(f"line {result.line}: {result.external_id or 'no id'}: refused. {result.why}")
        elif (words := _WORDS.get((apply, result.outcome))) and result.when is not None:
            click.echo(f"line {result.line}: {result.external_id}: {words}: {_told(result)}")
    told = ", ".join(f"{counts[one]} {one.value}" for one in Outcome)
    good(f"{'Done' if apply else 'Nothing was changed. It would be'}: {told}; {newcomers} new clients.")
    if counts[Outcome.PAST]:
        click.echo("Past: they have begun already, so there is nothing left to keep.")
    if not apply and (counts[Outcome.NEW] or counts[Outcome.CHANGED]):
        click.echo("To do it, run the same with --apply.")
    return counts


def _told(result: Result) -> str:
    when = when_text(result.when) if result.when else ""
    parts = [f"{when_text(result.old)} -> {when}" if result.old and result.old != result.when else when]
    parts.append(f"{result.client} (new client)" if result.is_new_client else result.client)
    parts.append(place_text(result.location) if result.location else "")
    if result.session_id is not None:
        parts.append(short(result.session_id))
    return ", ".join(part for part in parts if part)


def _print_json(results: Iterable[Result], practitioner_id: UUID, *, apply: bool) -> Counter[Outcome]:
    counts: Counter[Outcome] = Counter()
    rows = []
    for result in results:
        counts[result.outcome] += 1
        rows.append(_json(result))
    print_json(
        {
            "applied": apply,
            "practitioner_id": practitioner_id,
            "counts": {one.value: counts[one] for one in Outcome},
            "rows": rows,
        }
    )
    return counts


def _json(result: Result) -> dict[str, object]:
    return {
        "line": result.line,
        "external_id": result.external_id,
        "outcome": result.outcome,
        "session_id": result.session_id,
        "when": when_json(result.when) if result.when else None,
        "old": when_json(result.old) if result.old else None,
        "client": result.client,
        "new_client": result.is_new_client,
        "why": _why(result.why) if result.why else None,
    }


def _why(error: RuleError) -> dict[str, object]:
    return {"code": error.code, "field": error.field, "message": str(error)}
