"""`pencilled offers`: other times for a session that cannot stay where it is."""

from __future__ import annotations

from datetime import datetime, timedelta

import click
from sqlalchemy import Connection as Db

from connector.cli._lookup import find_answerable, find_draft, find_session, no_alternative, short
from connector.cli._options import LocalTime, Window, at, fold, located, minutes
from connector.cli._shapes import alternative_row, instant_text, offer_json, when_text
from connector.cli._shared import (
    as_json,
    entered_for,
    example,
    good,
    open_runtime,
    print_json,
    print_table,
    warn,
)
from connector.domain.offer import Offer, OfferState
from connector.domain.session import Location, Session
from connector.runtime import Runtime
from connector.services.scheduling import offers as offer_service
from connector.services.views.offers import state_now
from connector.storage import offers as offer_rows
from connector.storage import people


@click.group()
def offers() -> None:
    """Offer a client other times: draft, show, send, withdraw.

    A session has one draft and one open offer at most, so SESSION names them: an id from `pencilled sessions list`,
    or the beginning of one. Times are on the practitioner's clock.
    """


@offers.command()
@click.argument("session")
@click.option("--at", "starts", required=True, multiple=True, type=LocalTime(), help="One time; give it several times.")
@minutes
@fold
@located
@click.option("--window", type=Window(), help="How long the client has to answer, such as 24h; the setting otherwise.")
@as_json
@example('pencilled offers draft 3f2a91bc --at "2026-12-02 10:00" --at "2026-12-03 16:30" --window 24h')
def draft(
    *,
    session: str,
    starts: tuple[datetime, ...],
    minutes: int | None,
    fold: str | None,
    location: Location | None,
    window: timedelta | None,
    as_json: bool,
) -> None:
    """Note down 1 to 10 alternatives.

    Nothing is sent and nothing is held; an earlier draft is thrown away. They last as long as the session unless
    --minutes says otherwise, and take place where it does unless a place is given.

    Exit codes: 0 noted down; 1 refused, such as a time that is taken.
    """
    runtime = open_runtime()
    with runtime.database.begin() as db:
        subject = find_session(db, session)
        person = people.practitioner(db, subject.practitioner_id)
        length = timedelta(minutes=minutes) if minutes else subject.when.span.duration
        times = [(at(start, zone=person.zone, length=length, fold=fold), location) for start in starts]
        offer = offer_service.draft(
            db, runtime.policy, subject.id, times, by=entered_for(person), now=runtime.clock(), window=window
        )
    if as_json:
        print_json(offer_json(offer, subject))
        return
    _print(offer, subject, person.zone)
    click.echo(f"Nothing has been sent and nothing is held. To send it: pencilled offers send {short(subject.id)}")


@offers.command()
@click.argument("session")
@as_json
@example("pencilled offers show 3f2a91bc")
def show(*, session: str, as_json: bool) -> None:
    """Show a session's draft and its offer.

    That is the open offer, or else the last one sent. Commands take alternatives by the numbers shown here.
    """
    runtime = open_runtime(in_standstill=True)
    with runtime.database.read() as db:
        subject = find_session(db, session)
        zone = people.practitioner(db, subject.practitioner_id).zone
        offers_of_session = offer_rows.of_session(db, subject.id)
        rows = [offer for offer in offers_of_session if offer.state is OfferState.DRAFT]
        if not rows or any(offer.sent_at for offer in offers_of_session):
            rows.append(find_answerable(db, subject))
    if as_json:
        now = runtime.clock()
        print_json([offer_json(offer, subject) | {"state": state_now(offer, now)} for offer in rows])
        return
    for offer in rows:
        _print(offer, subject, zone, now=runtime.clock())


@offers.command()
@click.argument("session")
@as_json
@example("pencilled offers send 3f2a91bc")
def send(*, session: str, as_json: bool) -> None:
    """Send a session's draft.

    Every alternative is held, the client is asked, and the clock runs. An offer that is still open is replaced; its
    links can change nothing from then on.

    Exit codes: 0 sent, warnings on standard error; 1 refused, and nothing is held.
    """
    runtime = open_runtime()
    with runtime.database.begin() as db:
        subject = find_session(db, session)
        person = people.practitioner(db, subject.practitioner_id)
        offer = find_draft(db, subject)
        sent = offer_service.send(db, runtime.policy, offer.id, by=entered_for(person), now=runtime.clock())
    if as_json:
        print_json(offer_json(sent.offer, subject) | {"warnings": [str(warning) for warning in sent.warnings]})
        return
    for warning in sent.warnings:
        warn(str(warning))
    count = len(sent.offer.held)
    times = "1 time is held" if count == 1 else f"{count} times are held"
    good(f"Sent. {times}, and the client can answer until {instant_text(sent.offer.expires_at, person.zone)}.")


@offers.command()
@click.argument("session")
@click.option("--number", type=click.IntRange(1), metavar="N", help="Take back this alternative only.")
@click.option("--why", default="", help="Why; for the timeline, the client is not told.")
@example("pencilled offers withdraw 3f2a91bc --number 2")
def withdraw(*, session: str, number: int | None, why: str) -> None:
    """Take an offer back, or one alternative of it.

    The client is told, and the session keeps its time. Taking back the last alternative takes back the offer. A
    draft that was never sent is thrown away.

    Exit codes: 0 taken back; 1 refused, such as an offer that has been answered.
    """
    runtime = open_runtime()
    with runtime.database.begin() as db:
        subject = find_session(db, session)
        words = _withdraw(db, runtime, subject, number, why)
    good(words)


def _withdraw(db: Db, runtime: Runtime, session: Session, number: int | None, why: str) -> str:
    """Take back what stands, and say what that was."""
    by, now = entered_for(people.practitioner(db, session.practitioner_id)), runtime.clock()
    open_offer = offer_rows.in_state(db, session.id, OfferState.OPEN)
    draft_offer = offer_rows.in_state(db, session.id, OfferState.DRAFT)
    if open_offer is None and draft_offer is not None and number is None:
        offer_service.discard(db, runtime.policy, draft_offer.id, by=by, now=now)
        return "The draft is thrown away. Nobody knew of it."
    offer = open_offer or find_answerable(db, session)
    if number is None:
        offer_service.withdraw(db, runtime.policy, offer.id, by=by, now=now, why=why)
        return "The offer is taken back: its times are free again, and the client is told."
    if number > len(offer.alternatives):
        raise no_alternative(offer)
    chosen = offer.alternatives[number - 1]
    after = offer_service.withdraw_alternative(db, runtime.policy, offer.id, chosen.id, by=by, now=now)
    rest = f"{len(after.held)} still offered" if after.held else "it was the last one, so the offer has ended"
    return f"Alternative {number} is taken back ({rest}), and the client is told."


def _print(offer: Offer, session: Session, zone: str, *, now: datetime | None = None) -> None:
    state = state_now(offer, now) if now else offer.state
    words = {
        OfferState.DRAFT: "Draft: nothing sent, nothing held",
        OfferState.OPEN: f"Open: the client can answer until {instant_text(offer.expires_at, zone)}",
    }
    title = words.get(state, f"{state.value.capitalize()} {instant_text(offer.ended_at or offer.expires_at, zone)}")
    click.echo(f"Session {short(session.id)}, {session.state.value} for {when_text(session.when)}")
    rows = (
        alternative_row(number, alternative, offer, session) for number, alternative in enumerate(offer.alternatives, 1)
    )
    print_table(("no.", "when", "place", ""), rows, title=title)
