"""The commands of `pencilled connections` that say how a connection goes on, where it writes to, and what happened."""

from __future__ import annotations

import click

from connector.cli._calendars import why_paused
from connector.cli._lookup import find_connection, short
from connector.cli._shapes import instant_text
from connector.cli._shared import as_json, example, good, open_runtime, operator, print_json, print_table
from connector.domain.connection import Calendar
from connector.domain.notice import PauseReason
from connector.errors import RuleError
from connector.services.accounts import connect, retarget
from connector.services.sync import breaker
from connector.services.sync.breaker import How
from connector.services.views import connections
from connector.storage import calendars

_UNREAD = (PauseReason.MISSING, PauseReason.REFUSED)


@click.command()
@click.argument("connection")
@click.option("--accept-deletions", is_flag=True, help="What is gone was meant to be deleted; else it is put back.")
@click.option("--keep-unknown", is_flag=True, help="Entries of ours that nobody knows stay; else they are removed.")
@example("pencilled connections resume 3f2a91bc")
def resume(*, connection: str, accept_deletions: bool, keep_unknown: bool) -> None:
    """Go on with a calendar that was stopped because it looks wrong.

    What is gone from it is put back, and no client is told anything. With --accept-deletions each deletion counts as
    if it had been made alone: an offered time is taken back and its client told, and the practitioner is asked about
    each session before anybody is cancelled. A calendar that could not be read is tried again. From one with entries
    of ours that nobody knows these are removed; with --keep-unknown they stay, as the practitioner's own.

    CONNECTION is an id from `pencilled connections list`, or the beginning of one.

    Exit codes: 0 it goes on; 1 refused, such as a calendar that is not stopped.
    """
    runtime = open_runtime()
    how = How.ACCEPT if accept_deletions or keep_unknown else How.REVERT
    with runtime.database.begin() as db:
        target = calendars.target(db, find_connection(db, connection).id)
        unread = target.paused is not None and PauseReason(target.paused) in _UNREAD
        if unread and accept_deletions:
            raise RuleError(
                "The calendar “%(calendar)s” could not be read at all, so nothing is known to be deleted. Leave "
                "--accept-deletions out to have it tried again.",
                code="nothing_known_deleted",
                field="accept_deletions",
                calendar=target.name,
            )
        unknown = target.paused == PauseReason.UNKNOWN
        if target.paused is not None and (accept_deletions if unknown else keep_unknown):
            raise _other_question(target, unknown=unknown)
        breaker.resume(db, target.id, how, by=operator(), now=runtime.clock())
    if unread:
        good(f"“{target.name}” is tried again as soon as a server runs.")
    elif unknown:
        fate = "stay, as the practitioner's own" if keep_unknown else "are removed as soon as a server runs"
        good(f"“{target.name}” goes on: the entries that nobody knows {fate}.")
    elif accept_deletions:
        good(f"The deletions in “{target.name}” count now. The practitioner is asked about each session.")
    else:
        good(f"“{target.name}” goes on: what is gone is put back as soon as a server runs.")


def _other_question(calendar: Calendar, *, unknown: bool) -> RuleError:
    """Say that an answer is to another question than the one that is open."""
    if unknown:
        return RuleError(
            "The calendar “%(calendar)s” is stopped for another reason: it has entries of ours that nobody knows. "
            "Leave --accept-deletions out to have these removed, or give --keep-unknown to keep them.",
            code="stopped_over_unknown_entries",
            field="accept_deletions",
            calendar=calendar.name,
        )
    return RuleError(
        "The calendar “%(calendar)s” is stopped for another reason: %(reason)s. Leave --keep-unknown out, or give "
        "--accept-deletions if what is missing was deleted on purpose.",
        code="not_stopped_over_unknown_entries",
        field="keep_unknown",
        calendar=calendar.name,
        reason=why_paused(calendar),
    )


@click.command()
@click.argument("connection")
@click.option("--calendar", required=True, metavar="NAME", help="Name or URL of the calendar to write to from now on.")
@as_json
@example('pencilled connections target 3f2a91bc --calendar "Practice"')
def target(*, connection: str, calendar: str, as_json: bool) -> None:
    """Write to another calendar of the same account.

    The entries are written to it first, and removed from the old one once all of them stand there. Notes and colours
    on the old entries do not move along. The old calendar stays connected: its busy times count.

    CONNECTION is an id from `pencilled connections list`, or the beginning of one.

    Exit codes: 0 changed, or it was so already; 1 refused, and nothing has changed.
    """
    runtime = open_runtime()
    with runtime.database.read() as db:
        account = find_connection(db, connection)
        old = calendars.target(db, account.id)
    service = runtime.load_provider(account.provider)
    available = service.account(runtime.tokens(account.id), runtime.network).calendars()
    chosen = connect.choose(available, calendar)
    with runtime.database.begin() as db:
        new = retarget.retarget(db, runtime.policy, account.id, chosen, by=operator(), now=runtime.clock())
    if as_json:
        print_json({"id": account.id, "calendar": new.name, "changed": new.id != old.id})
    elif new.id == old.id:
        click.echo(f"The entries go to “{old.name}” already: nothing has changed.")
    else:
        good(f"The entries go to “{new.name}” instead of “{old.name}”; a running server moves them.")


@click.command()
@click.argument("connection")
@as_json
@example("pencilled connections history 3f2a91bc")
def history(*, connection: str, as_json: bool) -> None:
    """Show what happened to a connection.

    Who did what, when and why, oldest first.

    CONNECTION is an id from `pencilled connections list`, or the beginning of one.

    Exit codes: 0 shown; 1 there is no such connection.
    """
    runtime = open_runtime(in_standstill=True)
    with runtime.database.read() as db:
        account = find_connection(db, connection)
        page = connections.connection_page(db, account.practitioner_id, account.id)
    if as_json:
        print_json([{"at": line.at, "who": line.who, "what": line.what, "why": line.why} for line in page.timeline])
        return
    zone = page.practitioner.zone
    rows = ((instant_text(line.at, zone), line.who, line.what, line.why) for line in page.timeline)
    title = f"What happened to “{account.label}” ({short(account.id)})"
    print_table(("at", "who", "what", "why"), rows, title=title)
