"""`pencilled times`: when somebody is free."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

import click

from connector.cli._lookup import find_session, short
from connector.cli._shapes import when_json, when_text
from connector.cli._shared import as_json, example, open_runtime, print_json, print_table, warn
from connector.runtime import Runtime
from connector.services import standstill
from connector.services.sync import free_busy
from connector.services.views.availability import (
    FEWEST_MINUTES,
    MOST_MINUTES,
    MOST_SUGGESTIONS,
    Suggestions,
    suggestions,
    widest,
)
from connector.services.working_hours import Source


@click.group()
def times() -> None:
    """Suggest times at which a practitioner is free."""


@times.command()
@click.argument("session")
@click.option(
    "--count", default=9, show_default=True, type=click.IntRange(1, MOST_SUGGESTIONS), help="How many, at most."
)
@click.option(
    "--step",
    default=15,
    show_default=True,
    type=click.IntRange(FEWEST_MINUTES, MOST_MINUTES),
    help="Minutes between two starts that are looked at.",
)
@as_json
@example("pencilled times suggest 3f2a91bc --json")
def suggest(*, session: str, count: int, step: int, as_json: bool) -> None:
    """Suggest times in place of a session's, the best first. Nothing is offered, held or told.

    They lie in its practitioner's working hours, outside everything that is in their calendars or kept for others, and
    not at night for the client unless the old time does. None begins before the client had as long to answer as they
    have. SESSION is an id from `pencilled sessions list`, or the beginning of one.

    Exit codes: 0 answered, even if nothing was found; 1 refused, such as a session that was cancelled.
    """
    runtime = open_runtime(in_standstill=True)
    with runtime.database.read() as db:
        subject = find_session(db, session)
    _read_calendars(runtime, subject.practitioner_id, widest(subject, runtime.policy, now=runtime.clock()).end)
    with runtime.database.read() as db:
        found = suggestions(db, runtime.policy, find_session(db, session), now=runtime.clock(), count=count, step=step)
    if as_json:
        print_json(_json(found))
        return
    for spot in found.taken.blind:
        warn(str(free_busy.blindness(spot)))
    if found.hours.source is not Source.CONFIRMED:
        warn(f"The working hours are {found.hours.source}: see pencilled practitioners hours show")
    if not found.times:
        click.echo("Nothing is free within eight weeks.")
        return
    rows = ((when_text(one.when), str(one.reason)) for one in found.times)
    print_table(("time", "how it differs"), rows)
    click.echo(f'Offer some of them: pencilled offers draft {short(subject.id)} --at "YYYY-MM-DD HH:MM"')


def _read_calendars(runtime: Runtime, practitioner_id: UUID, until: datetime) -> None:
    """Have their calendars read, for a moment at most; not while a restored database waits."""
    if not standstill.stands(runtime.database):
        free_busy.read_now(
            runtime.database, runtime.policy, runtime.remote, practitioner_id, until, clock=runtime.clock
        )


def _json(found: Suggestions) -> dict[str, Any]:
    return {
        "session_id": found.session.id,
        "as_of": found.taken.as_of,
        "complete": found.taken.complete,
        "hours": found.hours.source,
        "blind_spots": [
            {"calendar": spot.calendar, "last_read_at": spot.since, "unread_events": spot.events}
            for spot in found.taken.blind
        ],
        "suggestions": [{**when_json(one.when), "reason": str(one.reason)} for one in found.times],
    }
