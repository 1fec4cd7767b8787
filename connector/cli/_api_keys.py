"""`pencilled keys api`: the keys by which a host's own programs act."""

from __future__ import annotations

from typing import Any

import click

from connector.cli._lookup import find_practitioner
from connector.cli._shared import as_json, example, good, open_runtime, print_json, print_table
from connector.domain.api_key import ApiKey, Scope
from connector.services import api_keys

_MOST = 10_000


@click.group()
def api() -> None:
    """Make, list and revoke keys of the REST API."""


@api.command()
@click.option(
    "--scope",
    "scopes",
    multiple=True,
    required=True,
    type=click.Choice([scope.value for scope in Scope]),
    help="What it may do; repeat it for more. Each may read what it writes.",
)
@click.option("--practitioner", help="For whom alone it acts, by e-mail or id; left out, for the whole installation.")
@click.option("--name", default="Host", show_default=True, help="What its acts are shown under.")
@as_json
@example('pencilled keys api add --name "Booking site" --scope read --scope sessions --scope offers')
def add(*, scopes: tuple[str, ...], practitioner: str | None, name: str, as_json: bool) -> None:
    """Make a key and show it, this once: nobody can show it again.

    Exit codes: 0 made; 1 refused, such as a practitioner who is not there.
    """
    runtime = open_runtime()
    with runtime.database.begin() as db:
        made = api_keys.make(
            db,
            name=name,
            scopes=[Scope(word) for word in scopes],
            practitioner_id=find_practitioner(db, practitioner).id if practitioner is not None else None,
            now=runtime.clock(),
        )
    if as_json:
        print_json({**_row(made.key), "secret": made.secret})
        return
    click.echo(made.secret)
    good(f"{made.key.name} may act by this key ({made.key.prefix}). Keep it now: it is not shown again.")


@api.command("list")
@as_json
@example("pencilled keys api list")
def list_(*, as_json: bool) -> None:
    """List the keys, revoked ones among them; of each only how it begins."""
    runtime = open_runtime(in_standstill=True)
    with runtime.database.read() as db:
        rows = [_row(key) for key in api_keys.listed(db, limit=_MOST)]
    if as_json:
        print_json(rows)
    elif not rows:
        click.echo("There is no API key. Make one: pencilled keys api add --help")
    else:
        columns = ("prefix", "name", "scopes", "practitioner_id", "last_used_at", "revoked_at")
        shown = ([_cell(row[column]) for column in columns] for row in rows)
        print_table(("key", "name", "scopes", "practitioner", "last used", "revoked"), shown)


@api.command()
@click.argument("prefix")
@example("pencilled keys api revoke pk_1f0c9a2b")
def revoke(*, prefix: str) -> None:
    """Let nobody act by a key any more, from now on. It is named by how it begins, as `list` shows it.

    Exit codes: 0 revoked, also before; 1 there is no such key.
    """
    runtime = open_runtime()
    with runtime.database.begin() as db:
        key = api_keys.revoke(db, api_keys.of_prefix(db, prefix), now=runtime.clock())
    good(f"{key.name} ({key.prefix}) lets nobody in any more.")


def _row(key: ApiKey) -> dict[str, Any]:
    return {
        "id": key.id,
        "prefix": key.prefix,
        "name": key.name,
        "scopes": sorted(key.scopes),
        "practitioner_id": key.practitioner_id,
        "created_at": key.created_at,
        "last_used_at": key.last_used_at,
        "revoked_at": key.revoked_at,
    }


def _cell(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(value)
    return "" if value is None else str(value)
