"""`pencilled deliveries`: what became of outcomes."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import click

from connector.cli import Refusal
from connector.cli._shared import as_json, example, good, open_runtime, print_json, print_table
from connector.services.outcomes import endpoints, looking
from connector.services.views import deliveries as views
from connector.storage import endpoints as stored


@click.group()
def deliveries() -> None:
    """Look at what became of outcomes, and have them delivered once more."""


@deliveries.command("list")
@click.option("--endpoint", "endpoint_id", type=click.UUID, help="Those to this endpoint.")
@click.option("--state", type=click.Choice([one.value for one in views.DeliveryState]), help="Those of this state.")
@as_json
@example("pencilled deliveries list --state pending")
def list_(*, endpoint_id: UUID | None, state: str | None, as_json: bool) -> None:
    """List the newest hundred deliveries."""
    runtime = open_runtime(in_standstill=True)
    with runtime.database.read() as db:
        found = views.shown(db, endpoint_id=endpoint_id, state=views.DeliveryState(state) if state else None)
    rows = [
        {
            "id": one.id,
            "endpoint_id": one.endpoint_id,
            "event_id": one.event_id,
            "type": one.type.value,
            "at": one.at,
            "session_id": one.session_id,
            "state": one.state.value,
            "attempts": one.attempts,
            "status": one.status,
            "error": str(one.error) if one.error else None,
            "next_at": one.next_at,
        }
        for one in found
    ]
    if as_json:
        print_json(rows)
    elif not rows:
        click.echo("No outcome was to be delivered in the last thirty days.")
    else:
        columns = ("id", "type", "at", "state", "attempts", "status", "error", "next_at")
        print_table(columns, ([str(row[name] if row[name] is not None else "") for name in columns] for row in rows))


@deliveries.command()
@click.option("--endpoint", "endpoint_id", type=click.UUID, help="Show those to this endpoint, and no other.")
@as_json
@example("pencilled deliveries page", "pencilled deliveries page --endpoint 0c2f2f0e-7d1c-4f43-9d84-0a4ab8f3c1d2")
def page(*, endpoint_id: UUID | None, as_json: bool) -> None:
    """Make a link to a page that shows deliveries.

    For an hour, to whoever has it, without signing in: for you, or with --endpoint for the host's developer. It says
    what became of each outcome and how its endpoint has answered, nothing personal, and changes nothing.

    Exit codes: 0 made; 1 refused.
    """
    runtime = open_runtime(in_standstill=True)
    if endpoint_id is not None:
        with runtime.database.read() as db:
            stored.get(db, endpoint_id)
    token, link = looking.make(runtime.seal, endpoint_id=endpoint_id, now=runtime.clock())
    address = runtime.deliveries_address(token)
    if as_json:
        print_json({"address": address, "until": link.until, "endpoint_id": endpoint_id})
        return
    good(f"Until {link.until:%d %b %Y, %H:%M} UTC whoever has this address sees deliveries:")
    click.echo(address)


@deliveries.command()
@click.argument("delivery_id", type=click.UUID, required=False)
@click.option(
    "--since",
    type=click.DateTime(["%Y-%m-%dT%H:%M:%S%z", "%Y-%m-%dT%H:%M%z"]),
    help="All outcomes since this instant, with its offset: 2026-12-01T10:00:00+01:00.",
)
@click.option("--endpoint", "endpoint_id", type=click.UUID, help="With --since: to this endpoint alone.")
@example(
    "pencilled deliveries replay 0c2f2f0e-7d1c-4f43-9d84-0a4ab8f3c1d2",
    "pencilled deliveries replay --since 2026-12-01T10:00:00+01:00",
)
def replay(*, delivery_id: UUID | None, since: datetime | None, endpoint_id: UUID | None) -> None:
    """Deliver one outcome once more, or all since an instant.

    Under the ids that they had. Since an instant: in their order, to every endpoint that is enabled or to one, also
    what it never got.

    Exit codes: 0 they are on their way; 1 refused; 2 neither a delivery nor an instant is named, or both.
    """
    if (delivery_id is None) == (since is None):
        raise click.UsageError("Name a delivery, or an instant with --since.")
    runtime = open_runtime()
    now = runtime.clock()
    with runtime.database.begin() as db:
        if delivery_id is not None:
            endpoints.replay(db, delivery_id, now=now)
            many = 1
        else:
            assert since is not None  # noqa: S101 - for the type checker
            chosen = [one.id for one in stored.every(db) if one.is_enabled] if endpoint_id is None else [endpoint_id]
            if not chosen:
                raise Refusal("No endpoint is enabled. See them: pencilled endpoints list", code="no_endpoint_enabled")
            many = sum(endpoints.replay_since(db, one, since, now=now) for one in chosen)
    good(f"{many} {'delivery is' if many == 1 else 'deliveries are'} on their way once more.")
