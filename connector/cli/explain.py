"""`pencilled explain`: why something stands in a calendar."""

from __future__ import annotations

import click

from connector.cli._shapes import instant_text, unread_json
from connector.cli._shared import as_json, example, open_runtime, print_json, print_table
from connector.services.views.explain import Explanation
from connector.services.views.explain import explain as explain_word
from connector.storage import people


@click.command()
@click.argument("word")
@as_json
@example("pencilled explain 1f0c3b52-8a55-5b0e-9d0a-3f1f6f1b7c11")
def explain(*, word: str, as_json: bool) -> None:
    """Say why something stands in a calendar: what it is, who brought it about, and what follows.

    WORD is what the calendar service calls the event: its id, its address or its UID. The whole id of a session, or the
    UID of its invitation, explains every event of it.

    Exit codes: 0 explained; 1 nothing of ours is called that.
    """
    runtime = open_runtime(in_standstill=True)
    with runtime.database.read() as db:
        explanations = explain_word(db, runtime.policy, word, now=runtime.clock())
        zones = {person.id: person.zone for person in people.all_practitioners(db)}
    if as_json:
        print_json([_json(explanation) for explanation in explanations])
        return
    for explanation in explanations:
        _print(explanation)
    by_session = {explanation.session.id: explanation for explanation in explanations}
    for session_id, explanation in by_session.items():
        title = f"What happened to session {session_id}" if len(by_session) > 1 else "What happened"
        zone = zones[explanation.calendar.practitioner_id]
        rows = ((instant_text(line.at, zone), line.who, line.what, line.why) for line in explanation.history)
        print_table(("at", "who", "what", "why"), rows, title=title)


def _print(explanation: Explanation) -> None:
    click.secho(explanation.what, bold=True)
    calendar, owner = explanation.calendar.name, explanation.practitioner_name
    click.echo(f"In the calendar “{calendar}” of {owner}; session {explanation.session.id}.")
    if explanation.who:
        click.echo(f"{explanation.who}.")
    click.echo(explanation.stands)
    for sentence in explanation.follows:
        click.echo(sentence)
    if explanation.unread:
        click.echo(f"In the same calendar {explanation.unread.sentence}.")
    click.echo()


def _json(explanation: Explanation) -> dict[str, object]:
    return {
        "kind": explanation.kind,
        "what": explanation.what,
        "who": explanation.who,
        "stands": explanation.stands,
        "follows": explanation.follows,
        "unread_events": [] if explanation.unread is None else unread_json(explanation.unread),
        "session_id": explanation.session.id,
        "client_name": explanation.client_name,
        "practitioner_name": explanation.practitioner_name,
        "calendar_id": explanation.calendar.id,
        "calendar": explanation.calendar.name,
        "remote_name": explanation.mirror.ref.name,
        "remote_address": explanation.mirror.ref.href,
        "timeline": [
            {"at": line.at, "who": line.who, "what": line.what, "why": line.why} for line in explanation.history
        ],
    }
