"""The commands of `pencilled sessions` that change a session, or answer for its client."""

from __future__ import annotations

from datetime import datetime, timedelta

import click

from connector.cli._conflicts import consent_for, despite_conflict
from connector.cli._lookup import find_answerable, find_session, no_alternative, short
from connector.cli._options import LocalTime, at, fold, located, minutes, needed
from connector.cli._shapes import place_text, when_text
from connector.cli._shared import entered_for, example, good, open_runtime
from connector.domain.facts import Attestation, MoveReason
from connector.domain.people import Actor, Role
from connector.domain.session import Edit, Location, Session
from connector.domain.span import When, instant
from connector.errors import RuleError
from connector.runtime import Runtime
from connector.services.scheduling import answers, sessions
from connector.storage import people

_UNCHANGED = "It stands there already: nothing has changed, and nobody was told."


@click.command()
@click.argument("session")
@click.option("--at", "start", required=True, type=LocalTime(), help="The new beginning, on the practitioner's clock.")
@minutes
@fold
@located
@click.option("--agreed-by", required=True, metavar="NAME", help="Who agreed to the new time.")
@click.option("--agreed-at", type=LocalTime(), help="When they did, on the practitioner's clock; now if left out.")
@click.option("--channel", required=True, metavar="TEXT", help="How they told you: on the phone, by mail, in person.")
@despite_conflict
@example(
    'pencilled sessions reschedule 3f2a91bc --at "2026-12-02 15:00" \\',
    '  --agreed-by "Alex Okoro" --agreed-at "2026-11-27 10:15" --channel "on the phone"',
)
def reschedule(
    *,
    session: str,
    start: datetime,
    minutes: int | None,
    fold: str | None,
    location: Location | None,
    agreed_by: str,
    agreed_at: datetime | None,
    channel: str,
    despite: bool,
) -> None:
    """Move a session to a time the client has agreed to. It stands at once, and the client is mailed a confirmation.

    Only for what the client has agreed to: say who, when and how. Else offer them the time: pencilled offers draft.

    Exit codes: 0 moved, or it stood there already; 1 refused.
    """
    runtime = open_runtime()
    subject, zone = _session_and_zone(runtime, session)
    agreement = _instant(agreed_at, zone) if agreed_at else runtime.clock()
    if agreement > runtime.clock():
        raise RuleError(
            "The client cannot have agreed in the future. Correct --agreed-at.",
            code="agreed_at_in_future",
            field="agreed_at",
        )
    when = _when(subject, start, zone, minutes, fold)
    attestation = Attestation(who=agreed_by, at=agreement, channel=channel)
    _save(runtime, subject, Edit(when=when, location=location, attestation=attestation), despite=despite)


@click.command()
@click.argument("session")
@click.option("--at", "start", required=True, type=LocalTime(), help="The right time, on the practitioner's clock.")
@minutes
@fold
@located
@click.option("--override-past", is_flag=True, help="Also to a time that has passed already.")
@despite_conflict
@example('pencilled sessions correct 3f2a91bc --at "2026-12-01 15:00"')
def correct(
    *,
    session: str,
    start: datetime,
    minutes: int | None,
    fold: str | None,
    location: Location | None,
    override_past: bool,
    despite: bool,
) -> None:
    """Correct a time that was entered by mistake.

    The client is told that the time named before does not apply. If that notice has not left yet, it never will.

    Exit codes: 0 corrected, or it stood there already; 1 refused.
    """
    runtime = open_runtime()
    subject, zone = _session_and_zone(runtime, session)
    when = _when(subject, start, zone, minutes, fold)
    edit = Edit(when=when, location=location, reason=MoveReason.CORRECTION, override_past=override_past)
    _save(runtime, subject, edit, despite=despite)


@click.command()
@click.argument("session")
@located
@example("pencilled sessions relocate 3f2a91bc --online https://meet.example.org/kim")
def relocate(*, session: str, location: Location | None) -> None:
    """Change the place of a session, and nothing else. The client is told; nobody has to agree.

    Exit codes: 0 changed, or it was so already; 1 refused.
    """
    place = needed(location)
    runtime = open_runtime()
    subject, _ = _session_and_zone(runtime, session)
    _save(runtime, subject, Edit(location=place))


@click.command()
@click.argument("session")
@click.option("--reason", default="", help="Why; for the timeline, the client is not told.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@example('pencilled sessions cancel 3f2a91bc --reason "The practice is closed" --yes')
def cancel(*, session: str, reason: str, yes: bool) -> None:
    """Cancel a session, and its open offer with it. The client is told, and it leaves every calendar.

    Exit codes: 0 cancelled, or it was already; 1 refused, or not confirmed.
    """
    runtime = open_runtime()
    subject, _ = _session_and_zone(runtime, session)
    if not yes:
        click.confirm(f"Cancel {when_text(subject.when)}? The client is told at once", abort=True)
    with runtime.database.begin() as db:
        by = entered_for(people.practitioner(db, subject.practitioner_id))
        sessions.cancel(db, runtime.policy, subject.id, by=by, now=runtime.clock(), reason=reason)
    good(f"Cancelled {short(subject.id)}: {when_text(subject.when)}.")


@click.command()
@click.argument("session")
@click.option("--support", required=True, metavar="NAME", help="Who acts for the client.")
@click.option("--reason", required=True, help="Why the client does not do it themselves.")
@click.option("--accept", "number", type=click.IntRange(1), metavar="N", help="Alternative number N suits them.")
@click.option("--reject", "verdict", flag_value="reject", help="None of the times suits them; the session stays.")
@click.option("--cancel", "verdict", flag_value="cancel", help="They cancel the booking itself.")
@example('pencilled sessions answer 3f2a91bc --support "Robin Hale" --reason "cannot open the mail" --accept 2')
def answer(*, session: str, support: str, reason: str, number: int | None, verdict: str | None) -> None:
    """Answer a session's offer for a client who cannot. Everything is as if they had done it, but your name is noted.

    The numbers are those of `pencilled offers show SESSION`. --accept works after the deadline too, as long as the
    time is still free.

    Exit codes: 0 answered, or answered so before; 1 refused.
    """
    if (number is None) == (verdict is None):
        raise click.UsageError("Say one of --accept N, --reject and --cancel.")
    by = Actor(role=Role.SUPPORT, name=support, reason=reason)
    runtime = open_runtime()
    now = runtime.clock()
    with runtime.database.begin() as db:
        offer = find_answerable(db, find_session(db, session))
        if number is None:
            give = answers.reject if verdict == "reject" else answers.cancel_booking
            give(db, runtime.policy, offer.id, by=by, now=now)
        elif number > len(offer.alternatives):
            raise no_alternative(offer)
        else:
            answers.accept(db, runtime.policy, offer.id, offer.alternatives[number - 1].id, by=by, now=now)
        after = find_session(db, session)
    good(f"Answered for the client. The session is {after.state.value}: {when_text(after.when)}.")


def _session_and_zone(runtime: Runtime, named: str) -> tuple[Session, str]:
    with runtime.database.read() as db:
        session = find_session(db, named)
        return session, people.practitioner(db, session.practitioner_id).zone


def _when(session: Session, start: datetime, zone: str, minutes: int | None, fold: str | None) -> When:
    length = timedelta(minutes=minutes) if minutes else session.when.span.duration
    return at(start, zone=zone, length=length, fold=fold)


def _instant(local: datetime, zone: str) -> datetime:
    """Return the instant of a wall time at which somebody agreed; of two, the earlier is near enough."""
    return instant(at(local, zone=zone, length=timedelta(minutes=1), fold="earlier").span.start)


def _save(runtime: Runtime, session: Session, edit: Edit, *, despite: bool = False) -> None:
    moves = edit.when is not None and edit.when != session.when
    times = [edit.when] if moves and edit.when is not None else []
    consent = consent_for(runtime, session.practitioner_id, times, despite=despite)
    with runtime.database.begin() as db:
        by = entered_for(people.practitioner(db, session.practitioner_id))
        after = sessions.edit(db, runtime.policy, session.id, edit, by=by, now=runtime.clock(), consent=consent)
    if after == session:
        click.echo(_UNCHANGED)
    else:
        good(f"{short(after.id)} is now {when_text(after.when)}, {place_text(after.location)}. The client is told.")
