"""A letter as mail, with the calendar message in the two places where mail programs look for it (iMIP, RFC 6047)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from hashlib import blake2s

from connector.domain.people import check_address
from connector.ical.itip import one_line

_METHOD = re.compile(rb"\r\nMETHOD:(REQUEST|CANCEL)\r\n")
_FILE = {"REQUEST": "invite.ics", "CANCEL": "cancel.ics"}
_UNFIT_FOR_A_NAME = re.compile(r'["\\<>()\[\],;:@]')  # structure in an address header (RFC 5322 section 3.2.3)
_MESSAGE_ID = re.compile(r"<[^<>@\s]{1,200}@[^<>@\s]{1,200}>")


@dataclass(frozen=True, slots=True, kw_only=True)
class Mailbox:
    """A name and an address, as they stand in From and To."""

    name: str
    address: str


def message(
    *,
    sender: Mailbox,
    recipient: Mailbox,
    subject: str,
    text: str,
    html: str,
    message_id: str,
    date: datetime,
    thread_id: str | None = None,
    reply_to: Mailbox | None = None,
    calendar: bytes | None = None,
) -> EmailMessage:
    """Build the mail that carries a letter, and a calendar message if there is one.

    Args:
        sender: With a calendar message this must be its organizer's address, or mail programs distrust it.
        recipient: The one person it goes to.
        subject: Shown on lock screens.
        text: Complete on its own.
        html: The same for those who see it.
        message_id: Angle brackets included; the same at every attempt.
        date: Aware.
        thread_id: Message-ID of the first mail about the same thing.
        reply_to: Who reads what is written back; None for nobody.
        calendar: What `itip` built; its METHOD becomes the parameter that mail programs go by.
    Returns: multipart/alternative, within multipart/mixed beside the attachment if there is a calendar message.
    Raises: RuleError for an address that could not stand bare; ValueError for a bad Message-ID or calendar message.
    Source: RFC 6047 section 2.4; Auto-Submitted in RFC 3834 section 5.
    """
    mail = EmailMessage(policy=SMTP)
    mail["From"] = _address(sender)
    mail["To"] = _address(recipient)
    if reply_to is not None:
        mail["Reply-To"] = _address(reply_to)
    mail["Subject"] = _plain(subject.replace("\u00a0", " "))  # stays ASCII if it can
    mail["Date"] = date
    mail["Message-ID"] = _checked_id(message_id)
    if thread_id is not None and thread_id != message_id:
        mail["In-Reply-To"] = _checked_id(thread_id)
        mail["References"] = _checked_id(thread_id)
    mail["Auto-Submitted"] = "auto-generated"
    # Quoted-printable for words, base64 for the calendar: nothing relies on 8BITMIME, and gateways leave base64 alone.
    mail.set_content(text, cte="quoted-printable")
    mail.add_alternative(html, subtype="html", cte="quoted-printable")
    if calendar is not None:
        _add_calendar(mail, calendar)
    _set_boundaries(mail, message_id)
    return mail


def _set_boundaries(mail: EmailMessage, message_id: str) -> None:
    """Have a letter be the same bytes whenever it is written; no line of its parts can be one of these boundaries."""
    number = int.from_bytes(blake2s(message_id.encode(), digest_size=7).digest())
    for n, part in enumerate(one for one in mail.walk() if one.is_multipart()):
        part.set_boundary(f"==============={number:018}{n}==")


def _add_calendar(mail: EmailMessage, calendar: bytes) -> None:
    method = _method(calendar)
    mail.add_alternative(calendar.decode(), subtype="calendar", params={"method": method}, cte="base64")
    name = _FILE[method]
    # Not a second text/calendar with a method: some servers would process the invitation twice.
    mail.add_attachment(calendar, maintype="application", subtype="ics", filename=name, params={"name": name})


def _address(mailbox: Mailbox) -> Address:
    name = _plain(_UNFIT_FOR_A_NAME.sub(" ", mailbox.name))
    return Address(display_name=name, addr_spec=check_address(mailbox.address))


def _plain(text: str) -> str:
    """Return one line that no header parser takes for an encoded word (RFC 2047)."""
    return one_line(text).replace("=?", "= ?")


def _checked_id(message_id: str) -> str:
    if not _MESSAGE_ID.fullmatch(message_id):
        raise ValueError(f"{message_id!r} is not a Message-ID in angle brackets")
    return message_id


def _method(calendar: bytes) -> str:
    head, event, _ = calendar.partition(b"BEGIN:VEVENT")
    method = _METHOD.search(head)
    if method is None or not event:
        raise ValueError("a calendar message needs its METHOD, REQUEST or CANCEL, above the event")
    return method[1].decode()
