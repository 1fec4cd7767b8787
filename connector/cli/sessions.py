"""`pencilled sessions`: book and look; the commands that change a session are in `_session_changes`."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID, uuid4

import click

from connector.cli._conflicts import consent_for, despite_conflict
from connector.cli._lookup import find_client, find_practitioner, find_session, short
from connector.cli._options import LocalTime, at, fold, located, minutes, needed, practitioner
from connector.cli._session_changes import answer, cancel, correct, relocate, reschedule
from connector.cli._shapes import instant_text, offer_json, place_text, session_json, when_json, when_text
from connector.cli._shared import (
    as_json,
    entered_for,
    example,
    good,
    open_runtime,
    print_json,
    print_table,
    progress,
)
from connector.domain.change import ChangeKind
from connector.domain.facts import FlagReason
from connector.domain.people import Client, Practitioner
from connector.domain.question import Question
from connector.domain.session import Location, Session, SessionKind, SessionState
from connector.domain.span import When
from connector.errors import TimeTakenError
from connector.runtime import Runtime
from connector.services.scheduling.conflicts import Consent
from connector.services.scheduling.sessions import book as book_session
from connector.services.views.sessions import SessionPage, SessionRow, session_list, session_page

_LENGTH = timedelta(minutes=50)
_FLAGS = {
    FlagReason.REJECTED: "the offer was rejected",
    FlagReason.LAPSED: "the offer lapsed",
    FlagReason.RESTORED: "a restore left it uncertain how it stands",
    FlagReason.DECLINED: "the client has declined the invitation",
}
_ASKED = {ChangeKind.MOVED: "MOVED IN THE CALENDAR", ChangeKind.DELETED: "DELETED IN THE CALENDAR"}


@click.group()
def sessions() -> None:
    """Book, show, move and cancel sessions, and answer offers for clients who cannot.

    SESSION is an id from `pencilled sessions list`, or the beginning of one. Times are on the practitioner's clock.
    Whatever is done here is recorded as the practitioner's act, entered by you; only `answer` is support's.
    """


for _command in (reschedule, correct, relocate, cancel, answer):
    sessions.add_command(_command)


@sessions.command()
@practitioner
@click.option("--client", required=True, metavar="EMAIL|ID", help="For whom.")
@click.option("--at", "start", required=True, type=LocalTime(), help="When it begins, on the practitioner's clock.")
@minutes
@fold
@located
@click.option(
    "--kind",
    type=click.Choice([kind.value for kind in SessionKind]),
    default=SessionKind.FOLLOWUP.value,
    show_default=True,
    help="Whether they meet for the first time.",
)
@click.option("--weekly", type=click.IntRange(2, 104), metavar="N", help="Book N sessions, a week apart, as a series.")
@despite_conflict
@as_json
@example(
    'pencilled sessions book --client alex@example.org --at "2026-12-01 14:00" --minutes 50 \\',
    '  --in-person "Linden Street 4, Berlin" --weekly 8',
)
def book(
    *,
    practitioner: str | None,
    client: str,
    start: datetime,
    minutes: int | None,
    fold: str | None,
    location: Location | None,
    kind: str,
    weekly: int | None,
    despite: bool,
    as_json: bool,
) -> None:
    """Book a session, or a weekly series of them.

    The client is told, and it appears in the practitioner's calendars.

    It lasts 50 minutes unless --minutes says otherwise. A series keeps its wall time when the clocks change; it is
    booked as a whole or not at all.

    If something stands there in another calendar of theirs, that is said and nothing is booked; --despite-conflict
    books all the same.

    Exit codes: 0 booked; 1 refused, such as a time that is taken, and nothing is booked.
    """
    place = needed(location)
    runtime = open_runtime()
    with runtime.database.read() as db:
        person, receiver = find_practitioner(db, practitioner), find_client(db, client)
    length = timedelta(minutes=minutes) if minutes else _LENGTH
    starts = [start + timedelta(weeks=week) for week in range(weekly or 1)]
    times = [at(local, zone=person.zone, length=length, fold=fold) for local in starts]
    consent = consent_for(runtime, person.id, times, despite=despite)
    booked = _book(runtime, person, receiver, times, place, SessionKind(kind), consent=consent)
    if as_json:
        print_json({"sessions": [session_json(session, receiver.name) for session in booked]})
        return
    for session in booked:
        good(f"Booked {short(session.id)}: {when_text(session.when)}, {receiver.name}, {place_text(session.location)}.")


def _book(
    runtime: Runtime,
    person: Practitioner,
    client: Client,
    times: list[When],
    place: Location,
    kind: SessionKind,
    *,
    consent: Consent,
) -> list[Session]:
    """Book all of the times in one transaction."""
    series: UUID | None = uuid4() if len(times) > 1 else None
    booked = []
    with progress(shown=series is not None) as bar, runtime.database.begin() as db:
        task = bar.add_task("Booking the series", total=len(times))
        for when in times:
            try:
                session = book_session(
                    db,
                    runtime.policy,
                    practitioner_id=person.id,
                    client_id=client.id,
                    when=when,
                    location=place,
                    by=entered_for(person),
                    now=runtime.clock(),
                    kind=kind,
                    series_id=series,
                    consent=consent,
                )
            except TimeTakenError as error:
                error.adding("It is about %(when)s. Nothing has been booked.", when=when.local)
                raise
            booked.append(session)
            bar.advance(task)
    return booked


@sessions.command("list")
@practitioner
@as_json
@example("pencilled sessions list --practitioner kim@example.org")
def list_(*, practitioner: str | None, as_json: bool) -> None:
    """List a practitioner's sessions.

    First those that need attention, then those to come, then those of the last 90 days.
    """
    runtime = open_runtime(in_standstill=True)
    with runtime.database.read() as db:
        person = find_practitioner(db, practitioner)
        page = session_list(db, person.id, now=runtime.clock())
    rows = (*page.flagged, *page.upcoming, *page.past)
    if as_json:
        print_json([session_json(row.session, row.client_name) | {"offer_expires_at": row.deadline} for row in rows])
    elif not rows:
        click.echo(f"{person.name} has no session yet. Book one: pencilled sessions book --help")
    else:
        cells = (_cells(row, person.zone) for row in rows)
        print_table(("id", "when", "client", "state", "place"), cells)


@sessions.command()
@click.argument("session")
@as_json
@example("pencilled sessions show 3f2a91bc")
def show(*, session: str, as_json: bool) -> None:
    """Show a session and all that happened.

    Where it stands, its offers, every message about it, and who did what, when and why.
    """
    runtime = open_runtime(in_standstill=True)
    with runtime.database.read() as db:
        subject = find_session(db, session)
        page = session_page(db, runtime.policy, subject.practitioner_id, subject.id, now=runtime.clock())
    if as_json:
        print_json(_page_json(page))
    else:
        _print_page(page)


def _cells(row: SessionRow, zone: str) -> tuple[str, ...]:
    session = row.session
    return (
        short(session.id),
        when_text(session.when),
        row.client_name,
        _standing(row, zone),
        place_text(session.location),
    )


def _standing(row: SessionRow, zone: str) -> str:
    words = [row.session.state.value]
    if row.session.flag is not None:
        words.append(f"NEEDS ATTENTION: {_FLAGS[row.session.flag]}")
    if row.question is not None:
        until = instant_text(row.question.answers_itself_at, zone)
        words.append(f"{_ASKED[row.question.row.remote_change]}: THE PRACTITIONER IS ASKED, until {until}")
    if row.mail is not None:
        words.append("A MAIL OF THE CLIENT'S WAITS FOR A DECISION")
    if row.deadline is not None:
        words.append(f"{row.offered} offered until {instant_text(row.deadline, zone)}")
    if row.drafted:
        words.append("draft not sent")
    if row.unreached:
        words.append("NOTHING REACHES THE CLIENT")
    elif row.unheard:
        words.append("A MESSAGE DID NOT ARRIVE" + (", another one did" if row.told_by else ""))
    if row.doubtful:
        words.append("A TEXT MAY NOT HAVE ARRIVED")
    return ", ".join(words)


def _print_page(page: SessionPage) -> None:
    session, zone = page.session, page.practitioner.zone
    standing = "cancelled" if session.state is SessionState.CANCELLED else session.state.value
    click.secho(f"{when_text(session.when)}: {page.client.name} with {page.practitioner.name}", bold=True)
    click.echo(f"{session.kind.value}, {standing}, {place_text(session.location)}, revision {session.revision}")
    click.echo(f"id {session.id}" + (f", in series {session.series_id}" if session.series_id else ""))
    _print_attention(page)
    history = ((instant_text(line.at, zone), line.who, line.what, line.why) for line in page.timeline)
    print_table(("at", "who", "what", "why"), history, title="What happened")
    letters = ((m.about, m.to, m.medium.value, m.state.value, m.error) for m in page.messages)
    print_table(("message", "to", "by", "state", "error"), letters, title="Messages")


def _print_attention(page: SessionPage) -> None:
    """Print what is open about a session, a line each."""
    session, zone = page.session, page.practitioner.zone
    if session.flag is not None:
        click.secho(f"Needs attention: {_FLAGS[session.flag]}.", fg="yellow")
    if page.question is not None:
        until = instant_text(page.question.answers_itself_at, zone)
        change = _ASKED[page.question.row.remote_change].capitalize()
        click.secho(f"{change}: its practitioner is asked, until {until}", fg="yellow")
    if page.unreached:
        words = "Nothing reaches the client. Enter an address, or that they agree to texts: pencilled clients change"
        click.secho(words, fg="yellow")
    if page.address_fails:
        words = "The last mail to the client was refused or came back. Correct the address: pencilled clients change"
        click.secho(words, fg="yellow")
    if page.undecided:
        click.secho("A mail of the client's waits for a decision of the practitioner.", fg="yellow")
    if page.missing_in:
        click.secho(f"Not yet in: {', '.join(page.missing_in)}", fg="yellow")
    if page.open is not None:
        until = instant_text(page.open.offer.expires_at, zone)
        click.echo(f"An offer is open until {until}: pencilled offers show {short(session.id)}")
    if page.draft is not None:
        click.echo(f"A draft has not been sent: pencilled offers show {short(session.id)}")


def _question_json(question: Question) -> dict[str, object]:
    return {
        "id": question.id,
        "kind": question.kind,
        "asked_at": question.asked_at,
        "answers_itself_at": question.answers_itself_at,
        "moved_to": when_json(question.moved_to) if question.moved_to else None,
    }


def _page_json(page: SessionPage) -> dict[str, object]:
    session = page.session
    open_offer = page.open.offer if page.open else None
    return session_json(session, page.client.name) | {
        "missing_in": page.missing_in,
        "address_fails": page.address_fails,
        "question": _question_json(page.question) if page.question else None,
        "open_offer": offer_json(open_offer, session) if open_offer else None,
        "draft": offer_json(page.draft, session) if page.draft else None,
        "past_offers": [offer_json(offer, session) for offer in page.past],
        "timeline": [{"at": line.at, "who": line.who, "what": line.what, "why": line.why} for line in page.timeline],
        "messages": [
            {
                "kind": m.kind,
                "to_client": m.to_client,
                "to": m.to,
                "state": m.state,
                "sent_at": m.sent_at,
                "error": m.error,
            }
            for m in page.messages
        ],
    }
