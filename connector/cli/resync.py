"""`pencilled resync`: what calendars should show, against what they are known to show."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from threading import Event
from uuid import UUID

import click

from connector.cli import Refusal
from connector.cli._calendars import why_paused
from connector.cli._due_work import carry_out, standing
from connector.cli._lookup import find_practitioner
from connector.cli._options import only_of
from connector.cli._shapes import when_json, when_text
from connector.cli._shared import as_json, example, good, open_runtime, print_json, print_table, progress
from connector.domain.entry import Showing
from connector.domain.reconcile import Action, Put
from connector.domain.span import When
from connector.errors import ConnectorError, SettingsError
from connector.runtime import Runtime
from connector.services.sync import pull, push
from connector.services.sync.push import Picture
from connector.storage import calendars, ledger, people
from connector.storage.ledger import Key, Kind
from connector.storage.locks import lock_embedded

_LOOK_SECONDS = 0.1
_AT_ONCE = 4
_SHOWING_WORDS = {Showing.CONFIRMED: "busy", Showing.TENTATIVE: "tentative", Showing.FIRM: "busy"}


@click.command()
@only_of
@click.option("--dry-run", is_flag=True, help="Only show what would be done, call by call.")
@click.option("--wait", is_flag=True, help="Wait until it is done; without a running server, do it right here.")
@as_json
@example("pencilled resync --dry-run", "pencilled resync --wait")
def resync(*, practitioner: str | None, dry_run: bool, wait: bool, as_json: bool) -> None:
    """Bring calendars to exactly what they should show: everybody's, unless a practitioner is named.

    Reads each calendar as a whole and puts right whatever was changed in it without our being told; what its owner has
    just done there counts as always. Prints the plan: what is written and removed, in this order. Running it twice
    changes nothing the second time. Without --wait the calendars are only made due, and the running server does it
    within a second.

    A calendar that was stopped is left alone, and why it was is said.

    Exit codes: 0 done, or due; 1 with --wait: a calendar could not be brought there, and why.
    """
    if dry_run and wait:
        raise click.UsageError("Give one of --dry-run and --wait.")
    runtime = open_runtime(in_standstill=dry_run)
    pictures = _pictures(runtime, practitioner)
    _show(runtime, pictures, as_json=as_json)
    if dry_run:
        return
    with runtime.database.begin() as db:
        for picture in pictures:
            calendars.ask_for_comparison(db, picture.calendar.id, repair=True)
            for kind in (Kind.PULL, Kind.CALENDAR):
                key = Key(kind, str(picture.calendar.id))
                lane, urgency = picture.calendar.lane, kind.urgency_asked
                ledger.touch(db, key, due_at=runtime.clock(), lane=lane, urgency=urgency)
    if not wait:
        if not as_json:
            click.echo("The calendars are due; a running server brings them up to date within a second.")
        return
    _wait(runtime, pictures)
    if not as_json:
        good("Every calendar shows what it should.")


def _pictures(runtime: Runtime, named: str | None) -> list[Picture]:
    with runtime.database.read() as db:
        owner = find_practitioner(db, named).id if named else None
        pictures = [
            push.picture(db, runtime.policy, own.id, now=runtime.clock()) for own in calendars.calendars_of(db, owner)
        ]
    return [_compared(runtime, picture) for picture in pictures]


def _compared(runtime: Runtime, picture: Picture) -> Picture:
    """Return the plan as it is after a look at the whole calendar; as it is known, and a word, if that cannot be."""
    calendar = picture.calendar
    try:
        remote = runtime.remote(calendar.id)
        actions = pull.foreseen(runtime.database, runtime.policy, calendar.id, remote, now=runtime.clock())
    except ConnectorError as error:
        click.echo(
            f"“{calendar.name}” could not be read ({error}): what follows is what is known to be left.", err=True
        )
        return picture
    return replace(picture, actions=tuple(actions))


def _show(runtime: Runtime, pictures: Sequence[Picture], *, as_json: bool) -> None:
    with runtime.database.read() as db:
        zones = {person.id: person.zone for person in people.all_practitioners(db)}
    if as_json:
        print_json([_json(picture, zones[picture.calendar.practitioner_id]) for picture in pictures])
        return
    if not pictures:
        click.echo("No calendar is connected.")
    for picture in pictures:
        name, zone = picture.calendar.name, zones[picture.calendar.practitioner_id]
        if picture.calendar.paused is not None:
            click.echo(f"“{name}”: stopped, so nothing is done: {why_paused(picture.calendar)}.")
            continue
        if not picture.actions:
            click.echo(f"“{name}”: nothing to do.")
            continue
        rows = [_row(number, action, zone) for number, action in enumerate(picture.actions, 1)]
        print_table(("no.", "do", "what", "when", "title", "shown as", "remote name"), rows, title=f"“{name}”")


def _row(number: int, action: Action, zone: str) -> tuple[str, ...]:
    what = f"{action.key.kind.value} {action.key.id.hex[:8]}"
    if not isinstance(action, Put):
        return (str(number), "remove", what, "", "", "", action.ref.name)
    content = action.entry.content
    when = when_text(When.of(content.span, zone=zone))
    return (str(number), _verb(action), what, when, content.title, _SHOWING_WORDS[content.showing], action.ref.name)


def _json(picture: Picture, zone: str) -> dict[str, object]:
    actions = []
    for action in picture.actions:
        row: dict[str, object] = {"do": _verb(action), "entry": str(action.key), "remote_name": action.ref.name}
        if isinstance(action, Put):
            content = action.entry.content
            row |= {"title": content.title, "location": content.location, "shown_as": _SHOWING_WORDS[content.showing]}
            row |= when_json(When.of(content.span, zone=zone))
        actions.append(row)
    calendar = picture.calendar
    return {"calendar_id": calendar.id, "calendar": calendar.name, "stopped": calendar.paused, "actions": actions}


def _verb(action: Action) -> str:
    if not isinstance(action, Put):
        return "remove"
    return "change" if action.ref.href else "write"


def _wait(runtime: Runtime, pictures: Sequence[Picture]) -> None:
    """Wait for the calendars, with a bar of what is left to do; the work is done here if no server is there for it.

    Raises: Refusal naming each calendar that could not be brought to what it should show.
    """
    names = {picture.calendar.id: picture.calendar.name for picture in pictures}
    total = sum(len(picture.actions) for picture in pictures)
    with ExitStack() as stack:
        running = _start(runtime, names, stack) if _alone(runtime, stack) else []
        bar = stack.enter_context(progress(shown=total > 0))
        task = bar.add_task("Bringing calendars up to date", total=total)
        while True:
            standings = {calendar_id: standing(runtime, calendar_id) for calendar_id in names}
            bar.update(task, completed=total - sum(state.left for state in standings.values()))
            _check(running)
            if not any(state.busy for state in standings.values()):
                break
            time.sleep(_LOOK_SECONDS)
    failed = [f"  “{names[calendar_id]}”: {state.error}" for calendar_id, state in standings.items() if state.error]
    if failed:
        raise Refusal(
            "\n".join(("Error: Not every calendar could be brought there:", *failed)),
            code="calendars_not_brought",
            values={"calendars": tuple(names[one] for one, state in standings.items() if state.error)},
        )


def _alone(runtime: Runtime, stack: ExitStack) -> bool:
    """Whether the work can be done here: on PostgreSQL beside other workers, on SQLite if no server runs."""
    if not runtime.settings.embedded:
        return True
    try:
        stack.callback(lock_embedded(runtime.settings.database_url).close)
    except SettingsError:
        return False
    ledger.clear_leases(runtime.database)  # of a server that was killed
    return True


def _start(runtime: Runtime, ids: Iterable[UUID], stack: ExitStack) -> list[Future[None]]:
    pool, stop = stack.enter_context(ThreadPoolExecutor(max_workers=_AT_ONCE)), Event()
    stack.callback(stop.set)
    return [pool.submit(carry_out, runtime, calendar_id, stop) for calendar_id in ids]


def _check(running: Sequence[Future[None]]) -> None:
    for future in running:
        if future.done():
            future.result()  # a bug in the thread is a bug here
