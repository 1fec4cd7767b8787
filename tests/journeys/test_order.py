"""What arrives in a client's mailbox, in which order, when the mail server was away for a while: real SMTP."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from icalendar import Calendar
from sqlalchemy import Row, select

from connector.domain.facts import MoveReason
from connector.domain.session import Edit, Location, LocationKind
from connector.storage import ledger
from tests.domain.examples import when
from tests.fakes.mailbox import Caught
from tests.journeys.stage import Installation

ONLINE = Location(kind=LocationKind.ONLINE, text="https://meet.example.org/kim")


@pytest.fixture
def away(sqlite_url: str) -> Iterator[Installation]:
    """An installation whose mail server answers 451 until `recover`."""
    with Installation(sqlite_url) as installation:
        installation.start()
        installation.mailbox.refuse_with(451)
        yield installation


def tried(installation: Installation) -> None:
    """Wait until a letter could not leave."""
    installation.until(lambda: [row.attempts for row in conversations(installation)], any)


def at_rest(installation: Installation) -> None:
    """Wait until nobody tries a letter: it might be taken after all."""

    def is_under_way(row: Row[Any]) -> bool:
        return row.lease_until is not None or (row.due_at is not None and row.due_at <= installation.now)

    installation.until(lambda: [row for row in conversations(installation) if is_under_way(row)], lambda rows: not rows)


def conversations(installation: Installation) -> Sequence[Row[Any]]:
    with installation.runtime.database.read() as db:
        return db.execute(select(ledger.due).where(ledger.due.c.kind == ledger.Kind.CONVERSATION.value)).all()


def recover(installation: Installation) -> list[str]:
    """Let the mail server take letters again, and return what arrives at the client: METHOD, SEQUENCE and subject."""
    at_rest(installation)
    installation.mailbox.refuse_with(None)
    installation.wait(minutes=20)
    installation.settled()
    to_client = [mail for mail in installation.mailbox.messages if mail.recipients == ("alex@client.example",)]
    return [told(mail) for mail in to_client]


def told(mail: Caught) -> str:
    """Return METHOD, SEQUENCE and the first words of the subject."""
    words = " ".join(str(mail.message["Subject"]).split()[:2])
    for part in mail.message.walk():
        if part.get_content_type() == "text/calendar":
            (event,) = Calendar.from_ical(str(part.get_payload(decode=True), "utf-8")).walk("VEVENT")  # type: ignore[arg-type]
            return f"{part.get_param('method')} {event['SEQUENCE']} {words}"
    return words


def test_a_booking_cancelled_while_the_mail_server_was_away_never_arrives(away: Installation) -> None:
    booked = away.practice.book()
    tried(away)
    away.practice.cancel(booked)
    assert recover(away) == []


def test_moves_while_the_mail_server_was_away_arrive_as_one_letter_with_the_last_time(away: Installation) -> None:
    booked = away.practice.book()
    tried(away)
    for hours in (60, 72, 84):
        away.practice.move(booked, when(hours))
    assert recover(away) == ["REQUEST 3 Your session"]


def test_a_place_told_late_does_not_decide_how_a_correction_is_told(away: Installation) -> None:
    away.mailbox.refuse_with(None)
    booked = away.practice.book()
    away.mailbox.wait_for(1)
    away.settled()
    away.mailbox.refuse_with(451)
    away.practice.edit(booked, Edit(location=ONLINE))
    tried(away)
    away.practice.edit(booked, Edit(when=when(50), reason=MoveReason.CORRECTION))
    assert recover(away) == ["REQUEST 0 Your session", "REQUEST 2 Correction: your"]


def test_an_offer_taken_back_while_the_mail_server_was_away_never_arrives(away: Installation) -> None:
    away.mailbox.refuse_with(None)
    booked = away.practice.book()
    away.mailbox.wait_for(1)
    away.settled()
    away.mailbox.refuse_with(451)
    offer = away.practice.offer(booked)
    tried(away)
    away.practice.withdraw(offer)
    assert recover(away) == ["REQUEST 0 Your session"]
