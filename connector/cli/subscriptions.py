"""`pencilled subscriptions`: the calendars that people's programs fetch from us."""

from __future__ import annotations

from uuid import UUID

import click

from connector.cli._lookup import find_practitioner
from connector.cli._options import practitioner
from connector.cli._shared import as_json, example, good, open_runtime, operator, print_json, print_table
from connector.services import publishing
from connector.storage import people, published


@click.group()
def subscriptions() -> None:
    """List, make and end calendar subscriptions: the addresses from which programs fetch sessions, or busy times."""


@subscriptions.command("list")
@as_json
@example("pencilled subscriptions list")
def list_(*, as_json: bool) -> None:
    """List the subscriptions that are open.

    And when a program last fetched each. Their addresses are shown to nobody but their owners.
    """
    runtime = open_runtime(in_standstill=True)
    with runtime.database.read() as db:
        every = published.every(db)
        names = {
            **people.practitioner_names(db, [one.practitioner_id for one in every if one.practitioner_id]),
            **people.client_names(db, [one.client_id for one in every if one.client_id]),
        }
    rows = [
        {
            "id": one.id,
            "of": "client" if one.client_id else "practitioner",
            "name": names[owner],
            "busy_only_for": one.name,
            "made_at": one.made_at,
            "fetched_at": one.fetched_at,
        }
        for one in every
        if (owner := one.client_id or one.practitioner_id) is not None
    ]
    if as_json:
        print_json(rows)
    elif not rows:
        click.echo("Nobody has a calendar subscription.")
    else:
        columns = ("name", "of", "busy_only_for", "made_at", "fetched_at", "id")
        empty = {"busy_only_for": "", "fetched_at": "never"}
        shown = ([str(row[name] or empty.get(name, "")) for name in columns] for row in rows)
        print_table(("name", "of a", "only busy times, for", "made at", "last fetched", "id"), shown)


@subscriptions.command()
@practitioner
@click.option("--name", required=True, help="For whom it is, such as the booking page that is to fetch it.")
@as_json
@example('pencilled subscriptions busy --practitioner kim@example.org --name "Our booking page"')
def busy(*, practitioner: str | None, name: str, as_json: bool) -> None:
    """Make an address that tells when somebody is not free.

    Sessions and held times alike, with the time that is kept free after each: no names, no titles, no places. Any
    booking page that can subscribe to a calendar (.ics) can use it. Make one for each program, so that each can be
    ended by itself: `pencilled subscriptions revoke`.

    Exit codes: 0 made; 1 refused.
    """
    runtime = open_runtime()
    with runtime.database.begin() as db:
        person = find_practitioner(db, practitioner)
        made = publishing.open_busy(db, runtime.seal, person.id, name=name, by=operator(), now=runtime.clock())
    address = runtime.published_address(publishing.token_of(runtime.seal, made))
    if as_json:
        print_json({"id": made.id, "name": made.name, "practitioner_id": person.id, "address": address})
        return
    good(f"Whoever knows this address learns when {person.name} is not free:")
    click.echo(address)


@subscriptions.command()
@click.argument("subscription_id", type=click.UUID)
@example("pencilled subscriptions revoke 0c2f2f0e-7d1c-4f43-9d84-0a4ab8f3c1d2")
def revoke(*, subscription_id: UUID) -> None:
    """End a subscription at once.

    Such as when somebody else has learnt its address. A client is invited again, by mail, to the sessions that stood in
    it. Whoever wants a new address gets one on the page that they had the old one from.

    Exit codes: 0 ended; 1 refused, such as one that is not open.
    """
    runtime = open_runtime()
    with runtime.database.begin() as db:
        ended = publishing.end(db, subscription_id, by=operator(), now=runtime.clock())
    good("The subscription has ended: nothing can be fetched there any more.")
    if ended.client_id is not None:
        click.echo("Its client is invited again to the sessions that stood in it.")
