"""`pencilled practitioners`: who gives sessions."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import uuid4

import click
from sqlalchemy import Connection as Db

from connector.cli._duplicates import asking_about_duplicates, despite_duplicate
from connector.cli._hours import hours
from connector.cli._options import LEVELS, checked_locale, level, level_options, locale
from connector.cli._shared import as_json, example, good, open_runtime, operator, print_json, print_table
from connector.domain.people import Level, Practitioner
from connector.errors import NotFoundError
from connector.services import duplicates
from connector.services import people as changing
from connector.services.duplicates import Acceptance
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


practitioners.add_command(hours)


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
@despite_duplicate
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
    despite: bool,
    as_json: bool,
) -> None:
    """Add a practitioner. The privacy levels are the defaults of the calendars connected later; 2 if left out.

    Exit codes: 0 added; 1 refused, such as an address that is taken, or the name of another.
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
    with runtime.database.begin() as db, asking_about_duplicates():
        duplicates.check_practitioner(db, person, accepted=Acceptance(anything=despite))
        changing.add_practitioner(db, person, now=runtime.clock())
    if as_json:
        print_json(_json(person))
        return
    good(f"Added {person.name} ({person.id}).")
    click.echo(f"Next: pencilled connections add --practitioner {person.email} --help")


@practitioners.command()
@click.argument("email")
@click.option("--name", help="As clients know them.")
@click.option("--email", "new_email", help="Another address, for their news and to sign in with.")
@click.option("--zone", help="Their IANA time zone; sessions that are booked keep theirs.")
@click.option("--locale", type=str, help="Language of their mails and pages, such as en, de or en_GB.")
@click.option("--buffer", type=click.IntRange(0, 240), help="Minutes kept free after each session, those booked too.")
@level_options
@click.option("--replies/--no-replies", default=None, help="Whether clients may write back to letters.")
@despite_duplicate
@example("pencilled practitioners change kim@example.org --buffer 15 --replies")
def change(
    *,
    email: str,
    name: str | None,
    new_email: str | None,
    zone: str | None,
    locale: str | None,
    buffer: int | None,
    session_level: int | None,
    hold_level: int | None,
    replies: bool | None,
    despite: bool,
) -> None:
    """Change what is given about a practitioner. Privacy levels are those of calendars connected later.

    At a new address they are told at once what they have not heard, and links to sign in mailed before are void.

    Exit codes: 0 changed; 1 refused, such as a buffer by which sessions would collide.
    """
    values = {
        "name": name,
        "email": new_email,
        "zone": zone,
        "locale": checked_locale(locale),
        "buffer": None if buffer is None else timedelta(minutes=buffer),
        "session_level": level(session_level),
        "hold_level": level(hold_level),
        "takes_replies": replies,
    }
    changes: dict[str, Any] = {key: value for key, value in values.items() if value is not None}
    if not changes:
        raise click.UsageError("Say what to change: see --help.")
    runtime = open_runtime()
    with runtime.database.begin() as db, asking_about_duplicates():
        found = _named(db, email)
        wanted = replace(found, **changes)
        duplicates.check_practitioner(db, wanted, before=found, accepted=Acceptance(anything=despite))
        person = changing.change_practitioner(db, found.id, changes, by=operator(), now=runtime.clock())
    good(f"{person.name} is changed.")
    if new_email is not None:
        click.echo(f"They are told at {person.email} from now on, at once of what they have not heard.")
        click.echo("Links to sign in that were mailed before are void.")
    if replies is not None:
        how = "reach them by writing" if replies else "are asked not to write"
        good(f"{person.name}: clients {how} back to letters.")


@practitioners.command()
@click.argument("email")
@example("pencilled practitioners retire kim@example.org")
def retire(*, email: str) -> None:
    """Have a practitioner take no new bookings. Their calendars are disconnected first; nothing is deleted.

    Exit codes: 0 retired; 1 refused, and what still stands.
    """
    runtime = open_runtime()
    with runtime.database.begin() as db:
        now = runtime.clock()
        person = changing.retire_practitioner(db, _named(db, email).id, by=operator(), now=now)
    good(f"{person.name} is retired and takes no new bookings.")


@practitioners.command()
@click.argument("email")
@example("pencilled practitioners unretire kim@example.org")
def unretire(*, email: str) -> None:
    """Have a practitioner who was retired take bookings again.

    Exit codes: 0 done; 1 refused.
    """
    runtime = open_runtime()
    with runtime.database.begin() as db:
        person = changing.unretire_practitioner(db, _named(db, email).id, by=operator(), now=runtime.clock())
    good(f"{person.name} can be booked again.")


def _named(db: Db, email: str) -> Practitioner:
    person = people.practitioner_by_email(db, email)
    if person is None:
        raise NotFoundError(
            "No practitioner has the address %(address)s. See `pencilled practitioners list --all`.",
            code="practitioner_address_unknown",
            field="practitioner",
            address=email,
        )
    return person


@practitioners.command("list")
@click.option("--all", "everybody_too", is_flag=True, help="Those who are retired as well.")
@as_json
@example("pencilled practitioners list")
def list_(*, everybody_too: bool, as_json: bool) -> None:
    """List the practitioners by name."""
    runtime = open_runtime(in_standstill=True)
    with runtime.database.read() as db:
        everybody = [one for one in people.all_practitioners(db) if everybody_too or not one.retired]
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
