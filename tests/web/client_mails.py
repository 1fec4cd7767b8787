"""Mails of clients until their practitioner is told of them, as the worker reads them."""

from __future__ import annotations

from dataclasses import replace

from connector.domain.client_mail import ClientMail
from connector.domain.notice_table import Link
from connector.domain.span import When
from connector.services import receiving
from connector.storage import client_mails, messages
from connector.storage.incoming import Door
from connector.storage.ledger import Kind
from tests.inbox import mails
from tests.web.stage import Stage
from tests.work.driver import Driver

SERVER = "mx.pencilled.example"
KINDS = ("words", "unproved", "proposal", "declined")


def arrive(stage: Stage, raw: bytes, *, vouched: bool = True) -> ClientMail:
    """Take a mail in that our mail server vouches for or not, and return it as its practitioner sees it."""
    domain = stage.kim.email.rpartition("@")[2]
    results = f"Authentication-Results: {SERVER}; dmarc={'pass' if vouched else 'fail'} header.from={domain}\r\n"
    settings = replace(stage.runtime.settings, mail_server_id=SERVER)
    with stage.runtime.database.begin() as db:
        receiving.receive(db, results.encode() + raw, door=Door.MAILBOX, now=stage.now)
    Driver(runtime=replace(stage.runtime, settings=settings)).carry_out(Kind.MAIL)
    stage.mail()
    return mail_of(stage)


def mail_of(stage: Stage) -> ClientMail:
    """Return the latest mail about the stage's session."""
    with stage.runtime.database.read() as db:
        return client_mails.of_session(db, stage.session.id)[0]


def words(stage: Stage, text: str = "I may be <b>late</b>.\r\nSorry!", *, vouched: bool = True) -> ClientMail:
    """Have the client write in answer to what they were told."""
    stage.mail()
    with stage.runtime.database.read() as db:
        letter = [one for one in messages.of_session(db, stage.session.id) if one.to_client][-1]
    raw = mails.plain(text, sender=stage.kim.email)
    return arrive(stage, raw.replace(mails.OURS.encode(), letter.message_id.encode()), vouched=vouched)


def answer(stage: Stage, partstat: str = "DECLINED", *, vouched: bool = True) -> ClientMail:
    """Have the client answer the invitation out of their calendar."""
    return arrive(stage, _said(stage, "REPLY", "COMMENT:I am ill", partstat=partstat), vouched=vouched)


def wish(stage: Stage, wished: When, *, vouched: bool = True) -> ClientMail:
    """Have the client ask for another time out of their calendar."""
    span = wished.span
    times = (f"DTSTART:{span.start:%Y%m%dT%H%M%SZ}", f"DTEND:{span.end:%Y%m%dT%H%M%SZ}")
    return arrive(stage, _said(stage, "COUNTER", *times, "COMMENT:A little later?"), vouched=vouched)


def of_kind(stage: Stage, kind: str) -> ClientMail:
    """Have a mail of each kind come."""
    if kind == "words":
        return words(stage)
    if kind == "proposal":
        return wish(stage, stage.at(8, 16))
    return answer(stage, vouched=kind == "declined")


def page_of(stage: Stage, mail: ClientMail) -> str:
    """Return the path of a mail's page."""
    return stage.runtime.link(Link.MAIL, mail.id).removeprefix(stage.runtime.settings.public_url)


def _said(stage: Stage, method: str, *properties: str, partstat: str = "TENTATIVE") -> bytes:
    stage.mail()
    session = stage.stored_session()
    ics = mails.calendar(
        method,
        *properties,
        partstat=partstat,
        attendee=stage.kim.email,
        uid=session.uid,
        sequence=f"SEQUENCE:{session.revision}",
        organizer=session.organizer,
    )
    return mails.answer(ics, method=method, sender=stage.kim.email)
