"""`pencilled clients`: who receives sessions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any
from uuid import UUID, uuid4

import click
from sqlalchemy import select

from connector.cli._duplicates import asking_about_duplicates, despite_duplicate
from connector.cli._options import checked_locale, locale
from connector.cli._personal import erase, export
from connector.cli._shapes import when_text
from connector.cli._shared import as_json, example, good, open_runtime, operator, print_json, print_table, warn
from connector.domain.notice import Notice
from connector.domain.people import Client, Medium
from connector.services import beliefs, conversations, duplicates
from connector.services import people as changing
from connector.services.duplicates import Acceptance
from connector.services.numbers import check_number, is_doubtful
from connector.services.views.phrases import LETTERS
from connector.storage import people, published, tables
from connector.storage.published import PublishedCalendar


@click.group()
def clients() -> None:
    """Add, correct, list, export and erase clients: the people who receive sessions."""


for _command in (export, erase):
    clients.add_command(_command)


@clients.command()
@click.option("--name", required=True, help="Their name.")
@click.option("--email", default="", help="Where invitations and offers go.")
@click.option("--phone", default="", help="A number in international form, such as +4930123456.")
@click.option("--zone", required=True, help="Their IANA time zone, such as Europe/Berlin.")
@locale
@click.option(
    "--channel",
    "media",
    multiple=True,
    type=click.Choice([medium.value for medium in Medium]),
    default=[Medium.EMAIL.value],
    show_default=True,
    help="How they want to be told; can be given twice.",
)
@click.option("--texts-agreed", is_flag=True, help="They have agreed to texts on their phone; else they get none.")
@despite_duplicate
@as_json
@example('pencilled clients add --name "Alex Okoro" --email alex@example.org --zone Europe/London')
def add(
    *,
    name: str,
    email: str,
    phone: str,
    zone: str,
    locale: str,
    media: tuple[str, ...],
    texts_agreed: bool,
    despite: bool,
    as_json: bool,
) -> None:
    """Add a client.

    Exit codes: 0 added; 1 refused, such as one who has the address, number or name of another.
    """
    person = Client(
        id=uuid4(),
        name=name,
        zone=zone,
        email=email,
        phone=check_number(phone),
        locale=locale,
        media=frozenset(Medium(name) for name in media),
        texts_agreed=texts_agreed,
    )
    runtime = open_runtime()
    with runtime.database.begin() as db, asking_about_duplicates():
        duplicates.check_new(db, person, of=None, accepted=Acceptance(anything=despite))
        person = changing.add_client(db, person, now=runtime.clock())
    if not person.reachable & runtime.policy.media:
        warn("Note: with these data the client cannot be told anything, so no offer can be sent to them.")
    _doubt(person)
    if as_json:
        media_names = sorted(medium.value for medium in person.media)
        print_json(
            {
                "id": person.id,
                "name": name,
                "email": email,
                "phone": person.phone,
                "zone": zone,
                "channels": media_names,
            }
        )
    else:
        good(f"Added {person.name} ({person.id}).")


@clients.command()
@click.argument("client_id", type=click.UUID)
@click.option("--email", required=True, help="The right address.")
@despite_duplicate
@example("pencilled clients readdress 0c2f2f0e-7d1c-4f43-9d84-0a4ab8f3c1d2 --email alex@example.org")
def readdress(*, client_id: UUID, email: str, despite: bool) -> None:
    """Correct a client's mail address.

    What is still true is sent to the new one.

    Exit codes: 0 corrected; 1 refused, such as an unknown client or something that is no address.
    """
    runtime = open_runtime()
    with runtime.database.begin() as db, asking_about_duplicates():
        before = published.of_client(db, client_id)
        former = people.client(db, client_id)
        accepted = Acceptance(anything=despite)
        duplicates.check_changed(db, former, replace(former, email=email), of=None, accepted=accepted)
        person = conversations.readdress(db, client_id, email, by=operator(), now=runtime.clock())
        letters = beliefs.next_to_client(db, client_id, now=runtime.clock())
        after = published.of_client(db, client_id)
    if Medium.EMAIL in person.reachable:
        good(f"{person.name} is told at {person.email} from now on, and of what stands at once.")
    else:
        good(f"{person.name} has the address {person.email} from now on.")
        warn(
            "Note: no mail goes there, for they are not told by e-mail. Change that by pencilled clients change, with "
            "every --channel by which they are to be told."
        )
    _say_ended(before, after)
    _say_next(person, letters)


@clients.command()
@click.argument("client_id", type=click.UUID)
@click.option("--name", help="Their name.")
@click.option("--email", help="Where invitations and offers go; empty for none.")
@click.option("--phone", help="A number in international form, such as +4930123456; empty for none.")
@click.option("--zone", help="Their IANA time zone.")
@click.option("--locale", help="Language of their mails and pages, such as en, de or en_GB.")
@click.option(
    "--channel", "media", multiple=True, type=click.Choice([m.value for m in Medium]), help="How to tell them."
)
@click.option("--texts-agreed/--no-texts", default=None, help="Whether they agree to texts on their phone.")
@despite_duplicate
@example("pencilled clients change 0c2f2f0e-7d1c-4f43-9d84-0a4ab8f3c1d2 --phone +4930123456")
def change(
    *,
    client_id: UUID,
    name: str | None,
    email: str | None,
    phone: str | None,
    zone: str | None,
    locale: str | None,
    media: tuple[str, ...],
    texts_agreed: bool | None,
    despite: bool,
) -> None:
    """Change what is given about a client. At a new address they are told at once what is still true.

    Exit codes: 0 changed; 1 refused, such as an address, number or name that is another client's.
    """
    values = {"name": name, "email": email, "phone": phone, "zone": zone, "locale": checked_locale(locale)}
    changes: dict[str, Any] = {key: value for key, value in values.items() if value is not None}
    if media:
        changes["media"] = frozenset(Medium(one) for one in media)
    if texts_agreed is not None:
        changes["texts_agreed"] = texts_agreed
    if phone:
        changes["phone"] = check_number(phone)
    if not changes:
        raise click.UsageError("Say what to change: see --help.")
    runtime = open_runtime()
    accepted = Acceptance(anything=despite)
    with runtime.database.begin() as db, asking_about_duplicates():
        before = published.of_client(db, client_id)
        person = changing.change_client(db, client_id, changes, by=operator(), now=runtime.clock(), accepted=accepted)
        letters = beliefs.next_to_client(db, client_id, now=runtime.clock())
        after = published.of_client(db, client_id)
    good(f"{person.name} is changed.")
    _doubt(person)
    _say_ended(before, after)
    _say_next(person, letters)


@clients.command()
@click.argument("client_id", type=click.UUID)
@example("pencilled clients retire 0c2f2f0e-7d1c-4f43-9d84-0a4ab8f3c1d2")
def retire(*, client_id: UUID) -> None:
    """Have a client take no new bookings. Nothing is deleted.

    Exit codes: 0 retired; 1 refused, and what still stands.
    """
    runtime = open_runtime()
    with runtime.database.begin() as db:
        person = changing.retire_client(db, client_id, by=operator(), now=runtime.clock())
    good(f"{person.name} is retired and takes no new bookings.")


@clients.command()
@click.argument("client_id", type=click.UUID)
@example("pencilled clients unretire 0c2f2f0e-7d1c-4f43-9d84-0a4ab8f3c1d2")
def unretire(*, client_id: UUID) -> None:
    """Have a client who was retired take bookings again.

    Exit codes: 0 done; 1 refused, such as a client who was erased.
    """
    runtime = open_runtime()
    with runtime.database.begin() as db:
        person = changing.unretire_client(db, client_id, by=operator(), now=runtime.clock())
    good(f"{person.name} can be booked again.")


def _doubt(person: Client) -> None:
    """Say what is odd about the number, which is taken all the same, and who will not be texted."""
    if is_doubtful(person.phone):
        warn(f"Note: {person.phone} is in no range that its country has given out. Please check it.")
    if Medium.SMS in person.media and person.phone and not person.texts_agreed:
        warn("Note: they get no texts until they have agreed to them: pencilled clients change ID --texts-agreed")


def _say_ended(before: PublishedCalendar | None, after: PublishedCalendar | None) -> None:
    """Say that a subscription has ended with the address whose reader may have begun it."""
    if before is not None and after is None:
        warn(
            "Note: their calendar subscription has ended, since whoever read at the former address may have it. They "
            "are invited to their sessions by mail again, and can subscribe anew by the link in these mails."
        )


def _say_next(person: Client, letters: Sequence[Notice]) -> None:
    for notice in letters:
        about = f" ({when_text(notice.session.when)})" if notice.session else ""
        click.echo(f"{person.name} will now get: {LETTERS[notice.kind]}{about}, at {notice.to.address}.")


@clients.command("list")
@click.option("--all", "everybody_too", is_flag=True, help="Those who are retired as well.")
@as_json
@example("pencilled clients list --json")
def list_(*, everybody_too: bool, as_json: bool) -> None:
    """List the clients by name."""
    runtime = open_runtime(in_standstill=True)
    with runtime.database.read() as db:
        rows_by_name = db.execute(select(tables.clients).order_by(tables.clients.c.name)).all()
    everybody = [row for row in rows_by_name if everybody_too or row.retired_at is None]
    if as_json:
        names = ("id", "name", "email", "phone", "zone")
        print_json([{n: getattr(row, n) for n in names} | {"channels": _media(row.media)} for row in everybody])
    elif not everybody:
        click.echo("There is no client yet. Add one: pencilled clients add --help")
    else:
        rows = ((row.email or "-", row.name, row.phone or "-", row.zone, row.media, str(row.id)) for row in everybody)
        print_table(("e-mail", "name", "phone", "zone", "told by", "id"), rows)


def _media(stored: str) -> list[str]:
    return [name for name in stored.split(",") if name]
