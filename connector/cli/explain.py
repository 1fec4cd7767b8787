"""`pencilled explain`: why something stands in a calendar."""

from __future__ import annotations

from collections.abc import Sequence

import click

from connector.cli._shapes import said_at
from connector.cli._shared import as_json, example, open_runtime, print_json, print_table
from connector.services.views import explain as explaining
from connector.services.views.explain import Explanation
from connector.storage import people


@click.command()
@click.argument("word")
@as_json
@example("pencilled explain 1f0c3b52-8a55-5b0e-9d0a-3f1f6f1b7c11")
def explain(*, word: str, as_json: bool) -> None:
    """Say why something stands in a calendar: what it is, who brought it about, and what follows.

    WORD is what the calendar service calls the event: its id, its address or its UID. The whole id of a session, or the
    UID of its invitation, explains every event of it.

    Exit codes: 0 explained; 1 nothing of ours goes by that word.
    """
    runtime = open_runtime()
    with runtime.database.read() as db:
        found = explaining.explain(db, runtime.policy, word, now=runtime.clock())
        zones = {person.id: person.zone for person in people.all_practitioners(db)}
    if as_json:
        print_json([_json(one) for one in found])
        return
    for one in found:
        _print(one)
    for session_id, told in {one.session.id: one for one in found}.items():
        title = f"What happened to session {session_id}" if _several(found) else "What happened"
        zone = zones[told.calendar.practitioner_id]
        rows = ((said_at(line.at, zone), line.who, line.what, line.why) for line in told.history)
        print_table(("at", "who", "what", "why"), rows, title=title)


def _several(found: Sequence[Explanation]) -> bool:
    return len({one.session.id for one in found}) > 1


def _print(one: Explanation) -> None:
    click.secho(one.what, bold=True)
    click.echo(f"In the calendar “{one.calendar.name}” of {one.practitioner_name}; session {one.session.id}.")
    if one.who:
        click.echo(f"{one.who}.")
    for sentence in one.follows:
        click.echo(sentence)
    click.echo()


def _json(one: Explanation) -> dict[str, object]:
    return {
        "kind": one.kind,
        "what": one.what,
        "who": one.who,
        "follows": one.follows,
        "session_id": one.session.id,
        "client_name": one.client_name,
        "practitioner_name": one.practitioner_name,
        "calendar_id": one.calendar.id,
        "calendar": one.calendar.name,
        "remote_name": one.mirror.ref.name,
        "remote_address": one.mirror.ref.href,
        "timeline": [{"at": line.at, "who": line.who, "what": line.what, "why": line.why} for line in one.history],
    }
