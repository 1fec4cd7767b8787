"""`pencilled endpoints`: where hosts are told of outcomes."""

from __future__ import annotations

from uuid import UUID

import click

from connector.cli._lookup import find_practitioner
from connector.cli._shared import as_json, example, good, open_runtime, operator, print_json, print_table
from connector.domain.outcomes import OutcomeType
from connector.services.outcomes import endpoints as use_cases
from connector.services.outcomes import in_process
from connector.services.views import deliveries
from connector.storage import endpoints as stored

_ID = "0c2f2f0e-7d1c-4f43-9d84-0a4ab8f3c1d2"


@click.group()
def endpoints() -> None:
    """Tell hosts of outcomes: sessions that were moved, offers that were accepted, and the like."""


@endpoints.command()
@click.argument("url")
@click.option(
    "--type",
    "types",
    multiple=True,
    type=click.Choice([one.value for one in OutcomeType]),
    help="Tell of these alone; once a type.",
)
@click.option("--practitioner", help="Tell of this one's alone: the id or mail address of a practitioner.")
@click.option("--external-id", help="What the host calls it.")
@as_json
@example(
    "pencilled endpoints add https://host.example/outcomes",
    "pencilled endpoints add https://host.example/moves --type session.moved --type session.cancelled",
)
def add(*, url: str, types: tuple[str, ...], practitioner: str | None, external_id: str | None, as_json: bool) -> None:
    """Have outcomes posted to an address from now on.

    They are signed by a secret, which is shown this once. The address begins with https://, unless
    CONNECTOR_INNER_HOSTS allows its host. How to check a signature is told in docs/webhooks.md.

    Exit codes: 0 added; 1 refused.
    """
    runtime = open_runtime()
    with runtime.database.begin() as db:
        person = find_practitioner(db, practitioner) if practitioner else None
        endpoint, secret = use_cases.add(
            db,
            runtime.seal,
            url,
            inner_hosts=runtime.network.inner_hosts,
            types=[OutcomeType(one) for one in types],
            practitioner_id=person.id if person else None,
            external_id=external_id,
            now=runtime.clock(),
        )
    _tell_secret(endpoint.id, secret, as_json=as_json, what="Outcomes go there from now on.")


@endpoints.command("list")
@as_json
@example("pencilled endpoints list")
def list_(*, as_json: bool) -> None:
    """List the endpoints, and what waits for each."""
    runtime = open_runtime(in_standstill=True)
    with runtime.database.read() as db:
        found = deliveries.overview(db)
    rows = [
        {
            "id": one.id,
            "url": one.url,
            "external_id": one.external_id,
            "types": sorted(one.types),
            "practitioner_id": one.practitioner_id,
            "state": "enabled" if one.is_enabled else f"disabled ({one.disabled_why})",
            "failing_since": one.failing_since,
            **{state.value: found.counts.get(one.id, {}).get(state.value, 0) for state in deliveries.DeliveryState},
        }
        for one in found.endpoints
    ]
    if as_json:
        print_json(rows)
    elif not rows:
        click.echo("No host is told of outcomes. Add an endpoint: pencilled endpoints add")
    else:
        columns = ("id", "url", "state", "failing_since", "delivered", "pending", "failed")
        for row in rows:
            row["url"] = "in the host's process" if row["id"] == in_process.ID else row["url"]
        print_table(columns, ([str(row[name] if row[name] is not None else "") for name in columns] for row in rows))


@endpoints.command("rotate-secret")
@click.argument("endpoint_id", type=click.UUID)
@as_json
@example(f"pencilled endpoints rotate-secret {_ID}")
def rotate_secret(*, endpoint_id: UUID, as_json: bool) -> None:
    """Sign by a new secret, which is shown this once.

    For a day the one before signs as well, so that the host can change over; an older one ends at once.

    Exit codes: 0 done; 1 refused.
    """
    runtime = open_runtime()
    with runtime.database.begin() as db:
        _, secret = use_cases.rotate_secret(db, runtime.seal, endpoint_id, now=runtime.clock())
    _tell_secret(endpoint_id, secret, as_json=as_json, what="For a day the secret before signs as well.")


@endpoints.command()
@click.argument("endpoint_id", type=click.UUID)
@example(f"pencilled endpoints enable {_ID}")
def enable(*, endpoint_id: UUID) -> None:
    """Let outcomes go to an endpoint again.

    Those that have waited go there in their order, of the last thirty days.

    Exit codes: 0 done; 1 refused.
    """
    runtime = open_runtime()
    with runtime.database.begin() as db:
        use_cases.enable(db, endpoint_id, now=runtime.clock())
    good("Outcomes go there again, those that have waited first.")


@endpoints.command()
@click.argument("endpoint_id", type=click.UUID)
@example(f"pencilled endpoints disable {_ID}")
def disable(*, endpoint_id: UUID) -> None:
    """Let nothing go to an endpoint.

    What happens waits for thirty days.

    Exit codes: 0 done; 1 refused.
    """
    runtime = open_runtime()
    with runtime.database.begin() as db:
        use_cases.disable(db, endpoint_id, now=runtime.clock())
    good("Nothing goes there any more. What happens waits for thirty days: pencilled endpoints enable")


@endpoints.command()
@click.argument("endpoint_id", type=click.UUID)
@click.confirmation_option("--yes", prompt="Forget this endpoint, and what waits for it?", help="Do not ask.")
@example(f"pencilled endpoints remove {_ID}")
def remove(*, endpoint_id: UUID) -> None:
    """Forget an endpoint, and what waits for it.

    Exit codes: 0 done; 1 refused, or not confirmed.
    """
    runtime = open_runtime()
    with runtime.database.begin() as db:
        use_cases.remove(db, endpoint_id)
    good("The endpoint is removed.")


@endpoints.command()
@click.argument("endpoint_id", type=click.UUID)
@example(f"pencilled endpoints test {_ID}")
def test(*, endpoint_id: UUID) -> None:
    """Post an `endpoint.test` to an endpoint.

    Whatever types it wants. That is done by whoever carries out what is due: `pencilled serve`, or `pencilled worker`.

    Exit codes: 0 it is on its way; 1 refused.
    """
    runtime = open_runtime()
    with runtime.database.begin() as db:
        use_cases.test(db, endpoint_id, by=operator(), now=runtime.clock())
        host = stored.get(db, endpoint_id).host
    good(f"A test is on its way to {host}. See what became of it: pencilled deliveries list")


def _tell_secret(endpoint_id: UUID, secret: str, *, as_json: bool, what: str) -> None:
    if as_json:
        print_json({"id": endpoint_id, "secret": secret})
        return
    good(f"Endpoint {endpoint_id}. {what}")
    click.echo(f"Its secret, which nobody can show again: {secret}")
