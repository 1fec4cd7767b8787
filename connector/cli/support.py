"""`pencilled support`: who helps clients, and what they have looked at and done."""

from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

import click

from connector.cli._options import locale
from connector.cli._shared import as_json, example, good, open_runtime, print_json, print_table, warn
from connector.domain.people import SupportPerson
from connector.language.offered import ENGLISH_ONLY
from connector.language.telling import Teller
from connector.services import support_people
from connector.services.views import support as views


@click.group()
def support() -> None:
    """Name the people who help clients, and see what they have looked at and done."""


@support.command()
@click.argument("name")
@click.argument("email")
@locale
@example('pencilled support add "Robin Hale" robin@example.org')
def add(*, name: str, email: str, locale: str) -> None:
    """Let somebody help clients. They sign in at /support with that address, and act under that name.

    Exit codes: 0 added; 1 refused, such as an address that is taken.
    """
    person = SupportPerson(id=uuid4(), name=name, email=email, locale=locale)
    runtime = open_runtime()
    with runtime.database.begin() as db:
        support_people.add(db, person, now=runtime.clock())
    good(f"Added {person.name}. They sign in at {runtime.support_address}")


@support.command()
@click.argument("email")
@example("pencilled support remove robin@example.org")
def remove(*, email: str) -> None:
    """Let somebody help clients no more.

    They are signed out everywhere at once; what they did stays noted.

    Exit codes: 0 removed; 1 refused: nobody of support has that address.
    """
    runtime = open_runtime()
    with runtime.database.begin() as db:
        person = support_people.remove(db, email)
    good(f"{person.name} helps no more, and is signed out everywhere.")


@support.command("list")
@as_json
@example("pencilled support list")
def list_(*, as_json: bool) -> None:
    """List the people who help clients, by name."""
    runtime = open_runtime(in_standstill=True)
    with runtime.database.read() as db:
        everybody = support_people.every(db)
    if as_json:
        print_json([{"name": one.name, "email": one.email, "locale": one.locale} for one in everybody])
    elif not everybody:
        click.echo("Nobody is named. Add somebody: pencilled support add --help")
    else:
        print_table(("e-mail", "name", "locale"), ((one.email, one.name, one.locale) for one in everybody))


@support.command()
@click.option("--days", default=30, show_default=True, type=click.IntRange(1, 3650), help="So far back.")
@click.option(
    "--most",
    default=views.MOST_AUDITED,
    show_default=True,
    type=click.IntRange(1, 1_000_000),
    help="No more lines than that.",
)
@as_json
@example("pencilled support log --days 7")
def log(*, days: int, most: int, as_json: bool) -> None:
    """Show what support has looked at and done.

    By whom, when and why, the last first. Searches are there by what they have shown. Where there is more than is
    shown, a last line says so.
    """
    runtime = open_runtime(in_standstill=True)
    with runtime.database.read() as db:
        teller = Teller.to(locale="en", zone="UTC", languages=ENGLISH_ONLY)
        audit = views.audit(db, since=runtime.clock() - timedelta(days=days), most=most, teller=teller)
    lines = audit.lines
    if as_json:
        print_json(
            [
                {
                    "at": one.at,
                    "who": one.who,
                    "why": one.why,
                    "what": one.what,
                    "session": one.session_id,
                    "found": list(one.found),
                }
                for one in lines
            ]
        )
    elif not lines:
        click.echo("Support has looked at nothing and done nothing.")
    else:
        rows = (
            (f"{one.at:%Y-%m-%d %H:%M}", one.who, one.what, str(one.session_id or "")[:8], one.why) for one in lines
        )
        print_table(("when (UTC)", "who", "what", "session", "why"), rows)
    if audit.is_longer:
        warn(f"There is more, before that: raise --most (now {most}), or name fewer --days.")
