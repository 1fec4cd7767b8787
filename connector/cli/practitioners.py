"""`pencilled practitioners`: who gives sessions."""

from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

import click

from connector.cli._options import LEVELS, level_options, locale
from connector.cli._shared import as_json, example, good, open_runtime, print_json, print_table
from connector.domain.people import Level, Practitioner
from connector.errors import RuleError
from connector.storage import people

replies = click.option(
    "--replies/--no-replies",
    default=False,
    show_default=True,
    help="Whether clients who write back to a letter reach them by mail; else the letters ask not to write back.",
)


@click.group()
def practitioners() -> None:
    """Add, change and list practitioners: the people who give sessions."""


@practitioners.command()
@click.option("--name", required=True, help="As clients know them.")
@click.option("--email", required=True, help="Where their news goes, and what they sign in with.")
@click.option("--zone", required=True, help="Their IANA time zone, such as Europe/Berlin.")
@locale
@click.option(
    "--buffer", default=0, show_default=True, type=click.IntRange(0, 240), help="Minutes kept free after each session."
)
@level_options
@replies
@as_json
@example('pencilled practitioners add --name "Kim Berg" --email kim@example.org --zone Europe/Berlin --buffer 10')
def add(
    *,
    name: str,
    email: str,
    zone: str,
    locale: str,
    buffer: int,
    session_level: int | None,
    hold_level: int | None,
    replies: bool,
    as_json: bool,
) -> None:
    """Add a practitioner. The privacy levels are the defaults of the calendars connected later; 2 if left out.

    Exit codes: 0 added; 1 refused, such as an address that is taken.
    """
    person = Practitioner(
        id=uuid4(),
        name=name,
        email=email,
        zone=zone,
        locale=locale,
        buffer=timedelta(minutes=buffer),
        session_level=Level.INITIALS if session_level is None else Level(session_level),
        hold_level=Level.INITIALS if hold_level is None else Level(hold_level),
        takes_replies=replies,
    )
    runtime = open_runtime()
    with runtime.database.begin() as db:
        people.add_practitioner(db, person, now=runtime.clock())
    if as_json:
        print_json(_json(person))
        return
    good(f"Added {person.name} ({person.id}).")
    click.echo(f"Next: pencilled connections add --practitioner {person.email} --help")


@practitioners.command()
@click.argument("email")
@replies
@example("pencilled practitioners change kim@example.org --replies")
def change(*, email: str, replies: bool) -> None:
    """Change whether clients may write back to a practitioner.

    Exit codes: 0 changed; 1 there is no practitioner with this address.
    """
    runtime = open_runtime()
    with runtime.database.begin() as db:
        person = people.practitioner_by_email(db, email)
        if person is None:
            raise RuleError(f"There is no practitioner with the address {email}. See: pencilled practitioners list")
        people.take_replies(db, person.id, taken=replies)
    good(f"{person.name}: clients {'reach them by writing' if replies else 'are asked not to write'} back to letters.")


@practitioners.command("list")
@as_json
@example("pencilled practitioners list")
def list_(*, as_json: bool) -> None:
    """List the practitioners by name."""
    runtime = open_runtime()
    with runtime.database.read() as db:
        everybody = people.all_practitioners(db)
    if as_json:
        print_json([_json(person) for person in everybody])
    elif not everybody:
        click.echo("There is no practitioner yet. Add one: pencilled practitioners add --help")
    else:
        rows = (
            (
                p.email,
                p.name,
                p.zone,
                _minutes(p.buffer),
                f"{p.session_level} / {p.hold_level}",
                "yes" if p.takes_replies else "no",
                str(p.id),
            )
            for p in everybody
        )
        print_table(("e-mail", "name", "zone", "buffer", "session / hold level", "replies", "id"), rows)
        click.echo(f"Levels: {LEVELS}.")


def _minutes(length: timedelta) -> str:
    return f"{int(length.total_seconds() // 60)} min"


def _json(person: Practitioner) -> dict[str, object]:
    return {
        "id": person.id,
        "name": person.name,
        "email": person.email.lower(),
        "zone": person.zone,
        "locale": person.locale,
        "buffer_minutes": int(person.buffer.total_seconds() // 60),
        "session_level": int(person.session_level),
        "hold_level": int(person.hold_level),
        "replies": person.takes_replies,
    }
