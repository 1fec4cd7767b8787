"""`pencilled connections`: the calendars practitioners already use."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import TextIO

import click

from connector import paths
from connector.app import typed_provider
from connector.cli import Refusal, _connection_upkeep
from connector.cli._calendars import State, look, strength, troubles_of, why_paused
from connector.cli._lookup import find_connection, find_practitioner, short
from connector.cli._options import level, level_options, only_of, practitioner
from connector.cli._shapes import instant_text
from connector.cli._shared import (
    as_json,
    example,
    good,
    open_runtime,
    operator,
    print_json,
    print_table,
    stacked,
)
from connector.domain.connection import Calendar, Connection, ConnectionState
from connector.ports import Provider, SignIn
from connector.runtime import Runtime
from connector.services.accounts import connect
from connector.services.accounts.disconnect import begin, give_up
from connector.storage import calendars, people

password_options = stacked(
    (
        click.option("--password-file", type=click.File(), help="A file that holds the password."),
        click.option("--password-stdin", is_flag=True, help="Read the password from standard input."),
    )
)


@click.group()
def connections() -> None:
    """Connect practitioners' calendars, test, reconnect and disconnect them."""


for _command in (_connection_upkeep.resume, _connection_upkeep.target, _connection_upkeep.history):
    connections.add_command(_command)


@connections.command()
@practitioner
@click.option("--provider", default=typed_provider(), show_default=True, help="The calendar service.")
@click.option("--address", default="", help="The URL or host of the service, or the mail address used with it.")
@click.option("--username", default="", help="Can be left out beside a mail address that is the user name as well.")
@password_options
@click.option("--calendar", default="", help="Name or URL of the calendar to write to, if there are several.")
@click.option("--label", default="", help="What to call it; the calendar's name if left out.")
@level_options
@as_json
@example(
    "pencilled connections add --practitioner kim@example.org --address kim@icloud.com --calendar Work \\",
    "  --password-file kim.password --session-level 2 --hold-level 1",
)
def add(
    *,
    practitioner: str | None,
    provider: str,
    address: str,
    username: str,
    password_file: TextIO | None,
    password_stdin: bool,
    calendar: str,
    label: str,
    session_level: int | None,
    hold_level: int | None,
    as_json: bool,
) -> None:
    """Connect a calendar.

    The practitioner's sessions are shown in it from then on. Most services want an app password, made in their
    security settings, rather than the one people sign in with. It is asked for without being shown, unless it comes
    from a file or from standard input; it is never an argument, since those end up in the shell's history.

    Services that people sign in to are connected by their practitioners themselves, on the page this command names.

    Exit codes: 0 connected; 1 refused, and nothing is kept.
    """
    runtime = open_runtime()
    service = _typed(runtime, runtime.load_provider(provider), address)
    with runtime.database.read() as db:
        person = find_practitioner(db, practitioner)
    form = _form(address, username, password_file, from_stdin=password_stdin)
    request = connect.ConnectionRequest(
        provider=service,
        form=form,
        label=label,
        calendar=calendar,
        session_level=level(session_level),
        hold_level=level(hold_level),
    )
    target = connect.connect(
        runtime.database, runtime.seal, runtime.network, person.id, request, by=operator(), now=runtime.clock()
    )
    if as_json:
        with runtime.database.read() as db:
            print_json(_json(calendars.connection(db, target.connection_id), target))
    else:
        good(f"Connected “{target.name}” of {person.name} ({short(target.connection_id)}).")
        click.echo("Their sessions appear in it as soon as `pencilled serve` or `pencilled worker` runs.")


@connections.command("list")
@only_of
@as_json
@example("pencilled connections list")
def list_(*, practitioner: str | None, as_json: bool) -> None:
    """List the connected calendars and whether they work."""
    runtime = open_runtime(in_standstill=True)
    with runtime.database.read() as db:
        owner = find_practitioner(db, practitioner).id if practitioner else None
        names = {person.id: person for person in people.all_practitioners(db)}
        targets = [(account, calendars.target(db, account.id)) for account in calendars.connections_of(db, owner)]
    if as_json:
        print_json([_json(account, calendar) for account, calendar in targets])
        return
    if not targets:
        click.echo("No calendar is connected yet. Connect one: pencilled connections add --help")
        return
    rows = (
        (
            short(account.id),
            names[account.practitioner_id].name,
            account.label,
            calendar.name,
            account.provider,
            _state(account, calendar, troubles_of(runtime, calendar)),
            strength(calendar),
            instant_text(calendar.written_at, names[account.practitioner_id].zone) or "never",
        )
        for account, calendar in targets
    )
    print_table(("id", "practitioner", "label", "calendar", "service", "state", "holds", "last written"), rows)


@connections.command()
@click.argument("connection")
@example("pencilled connections test 3f2a91bc")
def test(*, connection: str) -> None:
    """Look whether a connection works.

    Signs in as Pencilled does, and looks whether the calendar is there and can be written to. Changes nothing.

    CONNECTION is an id from `pencilled connections list`, or the beginning of one.

    Exit codes: 0 all is well; 1 it is not, and why.
    """
    runtime = open_runtime(in_standstill=True)
    with runtime.database.read() as db:
        account = find_connection(db, connection)
    state = look(runtime, account)
    if not state.ok:
        raise Refusal(_line(account, state), code="connection_not_working")
    good(_line(account, state))


@connections.command()
@click.argument("connection")
@click.option("--address", default="", help="As when it was connected.")
@click.option("--username", default="", help="As when it was connected.")
@password_options
@example("pencilled connections reconnect 3f2a91bc --address kim@icloud.com --password-stdin < kim.password")
def reconnect(
    *, connection: str, address: str, username: str, password_file: TextIO | None, password_stdin: bool
) -> None:
    """Give a connection a new password.

    Everything that waited for it goes on. It has to be the same account: the calendar stays the one that was
    chosen. For services that people sign in to it names the page where their practitioner signs in again. CONNECTION is
    an id from `pencilled connections list`, or the beginning of one.

    Exit codes: 0 connected again; 1 refused, and nothing has changed.
    """
    runtime = open_runtime(in_standstill=True)
    with runtime.database.read() as db:
        account = find_connection(db, connection)
    service = _typed(runtime, runtime.load_provider(account.provider), address)
    form = _form(address, username, password_file, from_stdin=password_stdin)
    credentials = connect.new_credentials(runtime.database, runtime.network, account.id, service, form)
    with runtime.database.begin() as db:
        connect.reauthorize(db, runtime.seal, account.id, credentials, by=operator(), now=runtime.clock())
    good(f"“{account.label}” is connected again. What waited for it is due now.")


@connections.command()
@click.argument("connection")
@click.option("--leave-entries", is_flag=True, help="Do not ask the calendar service for anything: entries stay there.")
@as_json
@example("pencilled connections disconnect 3f2a91bc")
def disconnect(*, connection: str, leave_entries: bool, as_json: bool) -> None:
    """Disconnect a calendar.

    What is to come is removed from it as soon as `pencilled serve` or `pencilled worker` runs, the permission is given
    back, and the credentials are deleted. What is over stays. If the access is lost, nothing can be removed: the
    connection ends at once, and the entries stay.

    CONNECTION is an id from `pencilled connections list`, or the beginning of one.

    Exit codes: 0 disconnected, or about to be; 1 there is no such connection.
    """
    runtime = open_runtime()
    with runtime.database.begin() as db:
        account = find_connection(db, connection)
        end = give_up if leave_entries else begin
        end(db, runtime.policy, account.id, by=operator(), now=runtime.clock())
        in_progress = account.id in {other.id for other in calendars.connections_of(db, account.practitioner_id)}
    if as_json:
        print_json({"id": account.id, "disconnected": not in_progress})
    elif in_progress:
        good(f"“{account.label}” is being disconnected; a running server removes its entries within a minute.")
    else:
        good(f"“{account.label}” is disconnected. Entries that were written to it stay there.")


def _typed(runtime: Runtime, service: Provider, address: str) -> Provider:
    """Return a provider that is connected by what is entered here.

    Raises: Refusal that names the page if people sign in at the service itself; UsageError without an address.
    """
    if isinstance(service, SignIn):
        page = f"{runtime.settings.public_url}{paths.CALENDARS}"
        raise Refusal(
            f"{service.label} is connected by its practitioner, who signs in there. Open {page}",
            code="service_signs_in",
            values={"service": service.label, "page": page},
        )
    if not address:
        raise click.UsageError("Missing option '--address'.")
    return service


def _state(account: Connection, calendar: Calendar, troubles: str) -> str:
    if account.state is ConnectionState.ACCESS_LOST:
        return "access lost: reconnect"
    if account.state is ConnectionState.DISCONNECTING:
        return f"being disconnected: {calendar.trouble}" if calendar.trouble else "being disconnected"
    if calendar.paused is not None:
        return f"STOPPED: {why_paused(calendar)}"
    return troubles or "ok"


def _form(address: str, username: str, password_file: TextIO | None, *, from_stdin: bool) -> Mapping[str, str]:
    return {"address": address, "username": username, "password": _password(password_file, from_stdin=from_stdin)}


def _password(file: TextIO | None, *, from_stdin: bool) -> str:
    if file is not None and from_stdin:
        raise click.UsageError("Give the password once: --password-file or --password-stdin.")
    if file is not None or from_stdin:
        return (file or sys.stdin).read().rstrip("\r\n")
    password: str = click.prompt("Password", hide_input=True, err=True)
    return password


def _line(account: Connection, state: State) -> str:
    return f"{'ok' if state.ok else '!!'}  {account.label}: {state.words}"


def _json(account: Connection, calendar: Calendar) -> dict[str, object]:
    return {
        "id": account.id,
        "practitioner_id": account.practitioner_id,
        "provider": account.provider,
        "label": account.label,
        "state": account.state,
        "created_at": account.created_at,
        "calendar": {
            "id": calendar.id,
            "name": calendar.name,
            "remote_id": calendar.remote_id,
            "session_level": int(calendar.disclosure.session_level),
            "hold_level": int(calendar.disclosure.hold_level),
            "trouble": calendar.trouble and str(calendar.trouble),
            "trouble_since": calendar.trouble_since,
            "read_trouble": calendar.read_trouble and str(calendar.read_trouble),
            "read_trouble_since": calendar.read_trouble_since,
            "refused_since": calendar.refused_at,
            "written_at": calendar.written_at,
            "read_at": calendar.read_at,
            "stopped": calendar.paused,
            "stopped_at": calendar.paused_at,
            "stopped_count": calendar.paused_count,
            "firm_holds": calendar.disclosure.firm_holds,
            "probed_at": calendar.probed_at,
        },
    }
