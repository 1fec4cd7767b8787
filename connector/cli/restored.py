"""`pencilled restored`: the database was restored from a back-up, and what differs is put right by one decision."""

from __future__ import annotations

from collections.abc import Sequence

import click

from connector.cli import Refusal
from connector.cli._shapes import when_text
from connector.cli._shared import example, good, open_runtime, operator, print_table, warn
from connector.domain.notice import PauseReason
from connector.domain.restore import Follow
from connector.domain.span import Span, When
from connector.errors import RuleError
from connector.runtime import Runtime
from connector.services import erasing, restoring, standstill, surveys
from connector.services.surveys import Survey
from connector.storage import calendars, people

_CONSEQUENCES = {
    Follow.CALENDARS: "Sessions stand where their events stand; an offer whose times are gone is over; what nobody "
    "knows stays, as the practitioner's own.",
    Follow.DATABASE: "Everything is put back as the database has it; an offer that the calendars show as answered is "
    "over; what nobody knows is removed.",
}

_ELSEWHERE = (
    "“{name}”, another calendar of the same account, holds {count} entries of ours that nobody knows. If entries went "
    "there instead of to “{target}” since the back-up, have them go there again after the decision (pencilled "
    "connections target); it is asked about these then. What “{target}” does not show is not taken to be gone."
)


@click.command()
@click.option(
    "--follow", type=click.Choice([side.value for side in Follow]), help="Which side is right; without it, only list."
)
@click.option("--dry-run", is_flag=True, help="Only list what differs; nothing is stopped or changed.")
@click.option("--leave-unread", is_flag=True, help="Decide although a calendar cannot be read; that one stays stopped.")
@click.option(
    "--continue",
    "continues",
    is_flag=True,
    help="The database was not restored again: go on with a decision, for what could not be read then.",
)
@click.option("--yes", is_flag=True, help="Do not ask.")
@example("pencilled restored", "pencilled restored --follow calendars")
def restored(*, follow: str | None, dry_run: bool, leave_unread: bool, continues: bool, yes: bool) -> None:
    """Say that the database was restored from a back-up, list what differs from the calendars, and put it right.

    Give it before anything else is started. From then on nothing is written, decided or told to anybody, until
    --follow says which side is right: `calendars` (mostly) or `database`. Clients are told nothing by it. Every
    practitioner gets one letter that lists what was put right, and which of their entries nobody knows. Calendars
    that could not be read then are decided about later, with --continue; without it, the database counts as
    restored again.

    Exit codes: 0 listed, or put right; 1 refused, such as a calendar that cannot be read.
    """
    runtime = open_runtime(in_standstill=True)
    if not dry_run:
        _begin(runtime, continues=continues, yes=yes)
    found = surveys.take(
        runtime.database,
        runtime.policy,
        runtime.remote,
        open_account=runtime.account,
        before=dry_run and not continues and not standstill.is_known(runtime.database, runtime.witness),
        now=runtime.clock(),
    )
    _show(runtime, found)
    if dry_run:
        return
    if follow is None:
        more = " --continue" if continues else ""
        click.echo(f"Decide: pencilled restored --follow calendars{more}, or --follow database{more}.")
        if standstill.stands(runtime.database):
            click.echo("Nothing goes out until you do.")
        return
    unread = [survey.calendar.name for survey in found if survey.error]
    if unread and not leave_unread:
        raise Refusal(
            f"Error: {len(unread)} of the calendars cannot be read. Try again once they can, or add --leave-unread: "
            "they stay stopped then, until you decide about them by the same command with --continue.",
            code="calendars_unread",
            values={"calendars": tuple(unread)},
        )
    side = Follow(follow)
    if not yes:
        click.confirm(f"{_CONSEQUENCES[side]} No client is told anything. Go on?", abort=True)
    left = restoring.decide(
        runtime.database, runtime.policy, runtime.remote, found, side, by=operator(), now=runtime.clock()
    )
    for survey in left:
        warn(
            f"“{survey.calendar.name}” stays stopped: {survey.error}. "
            f"Once that is mended: pencilled restored --follow {side.value} --continue"
        )
    _erase_again(runtime)
    good("That is put right. Calendars are brought up to date, and practitioners told, as soon as a server runs.")


def _erase_again(runtime: Runtime) -> None:
    """Erase again who was erased after the back-up was made, as far as it is remembered."""
    ends = erasing.repeat(runtime.database, runtime.policy, runtime.witness, by=operator(), now=runtime.clock())
    if not ends:
        return
    for client_id, obstacle in ends.items():
        if obstacle:
            warn(f"Client {client_id} was erased and is back: {obstacle} Then: pencilled clients erase {client_id}")
        else:
            click.echo(f"Client {client_id}, who was erased before, is erased again.")
    if left := erasing.finish(runtime.database):
        warn(f"The database's files may still hold old copies: {left}. Erase one of these clients again later.")


def _begin(runtime: Runtime, *, continues: bool, yes: bool) -> None:
    """Have everything stand still, unless it does so since this very restore, or this continues a decision."""
    stands = standstill.stands(runtime.database)
    with runtime.database.read() as db:
        waits = any(calendar.paused == PauseReason.RESTORED for calendar in calendars.calendars_of(db))
        is_empty = not people.all_practitioners(db)
    if continues and not stands and not waits:
        raise RuleError(
            "There is no decision to go on with: no calendar waits for one. Leave --continue out.",
            code="no_restore_to_continue",
            field="continue",
        )
    if continues or standstill.is_known(runtime.database, runtime.witness):
        return
    if is_empty:
        raise RuleError(
            "This database is empty, so nothing in it can differ from what stands in calendars. There is nothing to "
            "do.",
            code="nothing_to_restore",
        )
    if not yes and not stands:
        if waits:
            click.echo("Calendars wait that could not be read before. To decide about these alone, add --continue.")
        click.confirm(
            "This stops everything until you have decided. Was the database restored from a back-up?", abort=True
        )
    standstill.declare(runtime.database, runtime.policy, runtime.witness, by=operator(), now=runtime.clock())


def _show(runtime: Runtime, surveys: Sequence[Survey]) -> None:
    with runtime.database.read() as db:
        zones = {person.id: person.zone for person in people.all_practitioners(db)}
    for survey in surveys:
        name, zone = survey.calendar.name, zones[survey.calendar.practitioner_id]
        if survey.error:
            click.echo(f"“{name}”: cannot be read: {survey.error}")
            continue
        rows = [
            (one.what, one.kind, one.title, _time(one.wanted, zone), _time(one.actual, zone))
            for one in survey.differences(runtime.clock())
        ]
        if rows:
            print_table(("differs", "what", "title", "in the database", "in the calendar"), rows, title=f"“{name}”")
        else:
            click.echo(f"“{name}”: nothing differs.")
        for other in survey.elsewhere:
            click.echo(_ELSEWHERE.format(name=other.name, count=other.count, target=name))


def _time(span: Span | None, zone: str) -> str:
    return when_text(When.of(span, zone=zone)) if span is not None else ""
