"""From an invitation to an answer out of a mail program, through a real mailbox, to the practitioner."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from uuid import uuid4

import pytest
from icalendar import Calendar

from connector.domain.facts import FlagReason
from connector.domain.session import Session
from tests.fakes.dovecot import Dovecot, dovecot
from tests.fakes.mailbox import Caught
from tests.inbox import mails
from tests.journeys.stage import Installation

pytestmark = pytest.mark.dovecot
SERVER = "mx.pencilled.example"


@pytest.fixture(scope="module")
def server() -> Iterator[Dovecot]:
    with dovecot() as server:
        yield server


@dataclass(kw_only=True)
class Answered(Installation):
    """An installation that reads a mailbox of its own."""

    url: str

    def environment(self) -> dict[str, str]:
        mailbox = {"CONNECTOR_MAILBOX_URL": self.url, "CONNECTOR_MAIL_SERVER_ID": SERVER}
        return {**super().environment(), **mailbox}


def invitation(caught: Caught) -> Calendar:
    [part] = [part for part in caught.message.walk() if part.get_content_type() == "text/calendar"]
    return Calendar.from_ical(part.get_content())


def declined(caught: Caught, address: str) -> bytes:
    """Return what a client's mail program answers to an invitation, as their mail server passes it on."""
    [event] = invitation(caught).walk("VEVENT")
    ics = mails.calendar(
        partstat="DECLINED",
        attendee=address,
        uid=str(event["UID"]),
        sequence=f"SEQUENCE:{event['SEQUENCE']}",
        organizer=str(event["ORGANIZER"]).removeprefix("mailto:"),
    )
    results = f"Authentication-Results: {SERVER}; dmarc=pass header.from={address.rpartition('@')[2]}\r\n"
    return results.encode() + mails.answer(ics, sender=address)


def test_who_declines_in_their_calendar_has_their_practitioner_told_while_nobody_looks(
    server: Dovecot, sqlite_url: str
) -> None:
    user = f"sessions-{uuid4().hex[:8]}"
    with Answered(database_url=sqlite_url, url=server.url(user)) as stage:
        stage.start()
        session: Session = stage.practice.book()
        [caught] = stage.mailbox.wait_for(1)
        [event] = invitation(caught).walk("VEVENT")
        assert event["ATTENDEE"].params["RSVP"] == "TRUE"
        server.deliver(user, declined(caught, stage.practice.alex.email), at=stage.now)
        stage.until(lambda: stage.practice.session(session).flag, lambda flag: flag is FlagReason.DECLINED)
        [_, told] = stage.mailbox.wait_for(2)
        assert told.recipients == (stage.practice.kim.email,)
        stage.until(lambda: server.seen(user), lambda seen: seen == [True])
