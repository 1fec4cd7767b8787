"""From an invitation in a mailbox to an answer that a gateway posts, and back: real mail, real door, real pages."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from email.message import EmailMessage
from typing import Self

import pytest
from flask.testing import FlaskClient

from connector import app
from connector.domain.session import Session
from connector.storage.ledger import Kind
from tests.domain.examples import client, when
from tests.inbox import mails
from tests.journeys.stage import Installation
from tests.webhooks.test_mail import SECRET, posted

SERVER = "mx.pencilled.example"
BASE = "http://p.example"


@dataclass
class Answered(Installation):
    """An installation that takes mail in; its client has been invited."""

    booked: Session = field(init=False)
    door: FlaskClient = field(init=False)

    def __enter__(self) -> Self:
        super().__enter__()
        self.practice.runtime, self.practice.prompt = self.runtime, True
        self.booked = self.practice.book(of=self.practice.another_client(client(name="Alex", email=mails.CLIENT)))
        self.door = app.create_app(self.runtime).test_client()
        return self

    def environment(self) -> dict[str, str]:
        own = {"CONNECTOR_MAIL_SECRET": SECRET, "CONNECTOR_MAIL_GATEWAY_ID": SERVER}
        return {**super().environment(), **own}

    def to(self, address: str) -> list[EmailMessage]:
        return [one.message for one in self.mailbox.messages if address in one.recipients]

    def arrive(self, raw: bytes) -> None:
        """Have the gateway post a mail that it vouches for, and everybody told what follows."""
        results = f"Authentication-Results: {SERVER}; dmarc=pass header.from=client.example\r\n"
        body = results.encode() + raw
        assert self.door.post("/hooks/mail", base_url=BASE, headers=posted(body), data=body).status_code == 204
        self.practice.carry_out(Kind.MAIL)
        self.practice.mail()

    def press(self, path: str) -> str:
        """Open a page and press its one button; return what it leads to."""
        [token] = re.findall(r'name="csrf_token" value="([^"]+)"', self.door.get(path, base_url=BASE).text)[:1]
        form = {"csrf_token": token}
        answer = self.door.post(path, base_url=BASE, data=form, follow_redirects=True)
        self.practice.mail()
        return answer.text


@pytest.fixture
def answered(sqlite_url: str) -> Iterator[Answered]:
    with Answered(database_url=sqlite_url, public_url=BASE) as installation:
        yield installation


def calendar_of(mail: EmailMessage) -> str:
    """Return the calendar part of a mail, unfolded."""
    [part] = [part for part in mail.walk() if part.get_content_type() == "text/calendar"]
    return re.sub(r"\r?\n[ \t]", "", str(part.get_content())).replace("\r\n", "\n")


def value(ics: str, name: str) -> str:
    [found] = re.findall(rf"^{name}[;:].*$", ics, re.MULTILINE)
    return str(found)


def text_of(mail: EmailMessage) -> str:
    body = mail.get_body(("plain",))
    assert body is not None
    return str(body.get_content())


def test_a_wish_out_of_a_calendar_is_declined_and_the_next_one_agreed_to(answered: Answered) -> None:
    invitation = calendar_of(answered.to(mails.CLIENT)[-1])
    uid, sequence = value(invitation, "UID").partition(":")[2], value(invitation, "SEQUENCE")
    for n, (hours, choice) in enumerate(((72, "refuse"), (96, "agree"))):
        span = when(hours).span
        times = (f"DTSTART:{span.start:%Y%m%dT%H%M%SZ}", f"DTEND:{span.end:%Y%m%dT%H%M%SZ}")
        organizer = value(invitation, "ORGANIZER").rpartition("mailto:")[2]
        wish = mails.calendar("COUNTER", *times, uid=uid, sequence=sequence, organizer=organizer).replace(
            "T2015", f"T202{n}"
        )
        answered.arrive(mails.answer(wish, f"X-Number: {n}", method="COUNTER").replace(b"<a1@", f"<b{n}@".encode()))
        [link] = re.findall(rf"{BASE}(/mail/\S+)", text_of(answered.to(answered.practice.kim.email)[-1]))
        answered.press(f"{link}/{choice}")
    told = [calendar_of(mail) for mail in answered.to(mails.CLIENT)]
    assert [value(ics, "METHOD") for ics in told] == ["METHOD:REQUEST", "METHOD:DECLINECOUNTER", "METHOD:REQUEST"]
    assert [value(ics, "SEQUENCE") for ics in told] == ["SEQUENCE:0", "SEQUENCE:0", "SEQUENCE:1"]
    assert value(told[-1], "DTSTART") == f"DTSTART:{when(96).span.start:%Y%m%dT%H%M%SZ}"
    assert answered.practice.session(answered.booked).when == when(96)


@pytest.mark.long
def test_words_reach_the_practitioner_whose_reply_goes_to_the_client(answered: Answered) -> None:
    letter = answered.to(mails.CLIENT)[-1]
    answered.arrive(mails.plain("I may be late.").replace(mails.OURS.encode(), str(letter["Message-ID"]).encode()))
    passed_on = answered.to(answered.practice.kim.email)[-1]
    assert "> I may be late." in text_of(passed_on)
    assert [address.addr_spec for address in passed_on["Reply-To"].addresses] == [mails.CLIENT]


@pytest.mark.long
def test_who_asks_how_things_stand_gets_the_same_invitation_again(answered: Answered) -> None:
    first = answered.to(mails.CLIENT)[-1]
    uid, sequence = value(calendar_of(first), "UID").partition(":")[2], value(calendar_of(first), "SEQUENCE")
    answered.arrive(mails.answer(mails.calendar("REFRESH", uid=uid, sequence=sequence), method="REFRESH"))
    _, again = answered.to(mails.CLIENT)
    assert calendar_of(again) == calendar_of(first)
