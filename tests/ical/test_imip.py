# ruff: noqa: RUF001  the dash between two times is the one that letters print
from __future__ import annotations

from datetime import UTC, datetime
from email import message_from_bytes
from email.header import decode_header, make_header
from email.message import EmailMessage
from email.policy import default
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.errors import RuleError
from connector.ical import imip
from tests.ical.test_itip import cancel, request

names = st.text(st.characters(exclude_categories=["Cs"]), max_size=200)
HEADERS = ["From", "To", "Subject", "Date", "Message-ID", "Auto-Submitted", "MIME-Version", "Content-Type"]


def message(**changes: Any) -> EmailMessage:
    usual: dict[str, Any] = {
        "sender": imip.Mailbox(name="Dr. Kim Beispiel via Pencilled", address="r-1@sessions.example.org"),
        "recipient": imip.Mailbox(name="Alex Sommer", address="alex@client.example"),
        "subject": "New time for your session",
        "text": "Grüße, 14:00–14:50 😀\n",
        "html": "<p>Grüße, 14:00–14:50 😀</p>\n",
        "message_id": "<2@sessions.example.org>",
        "date": datetime(2026, 11, 24, 9, tzinfo=UTC),
    }
    return imip.message(**usual | changes)


def received(sent: EmailMessage) -> EmailMessage:
    parsed = message_from_bytes(sent.as_bytes(), policy=default)
    assert isinstance(parsed, EmailMessage)
    return parsed


def tree(mail: EmailMessage) -> list[str]:
    return [part.get_content_type() for part in mail.walk()]


def test_letter_with_a_calendar_message_has_the_tree_that_mail_programs_look_for() -> None:
    assert tree(received(message(calendar=request()))) == [
        "multipart/mixed",
        "multipart/alternative",
        "text/plain",
        "text/html",
        "text/calendar",
        "application/ics",
    ]


def test_letter_of_words_alone_has_no_attachment() -> None:
    assert tree(received(message())) == ["multipart/alternative", "text/plain", "text/html"]


def test_letter_that_is_written_again_is_the_same_bytes_and_another_is_not() -> None:
    first = message(calendar=request()).as_bytes()

    assert message(calendar=request()).as_bytes() == first
    boundaries = {part.get_boundary() for part in received(message(calendar=request())).walk() if part.is_multipart()}
    others = {part.get_boundary() for part in received(message(message_id="<3@x.example>")).walk()}
    assert len(boundaries) == 2
    assert not boundaries & others


@pytest.mark.parametrize(
    ("calendar", "method", "file"), [(request(), "REQUEST", "invite.ics"), (cancel(), "CANCEL", "cancel.ics")]
)
def test_method_parameter_and_file_name_follow_the_calendar_message(calendar: bytes, method: str, file: str) -> None:
    *_, part, attachment = received(message(calendar=calendar)).walk()

    assert part.get_param("method") == method
    assert part.get_param("charset") == "utf-8"
    assert part["Content-Disposition"] is None
    assert part["Content-Transfer-Encoding"] == "base64"
    assert part.get_payload(decode=True) == calendar
    assert attachment.get_filename() == attachment.get_param("name") == file
    assert attachment.get_param("method") is None
    assert attachment.get_payload(decode=True) == calendar


def test_bytes_on_the_wire_are_ascii_in_crlf_lines() -> None:
    wire = message(calendar=request(), subject="Änderung 😀").as_bytes()

    assert wire.isascii()
    assert b"\r\r\n" not in wire
    assert b"\n" not in wire.replace(b"\r\n", b"")
    assert max(len(line) for line in wire.split(b"\r\n")) <= 78


def test_a_letter_goes_on_from_the_one_before_it_and_names_all_of_its_thread() -> None:
    first, last = "<0@sessions.example.org>", "<1@sessions.example.org>"
    mail = received(message(thread=(first, last)))

    assert mail["In-Reply-To"] == last
    assert mail["References"].split() == [first, last]


def test_a_long_thread_is_written_in_lines_that_mail_servers_take() -> None:
    thread = tuple(f"<{uuid4()}@sessions.example.org>" for _ in range(21))
    wire = message(thread=thread).as_bytes()

    assert received(message(thread=thread))["References"].split() == list(thread)
    assert max(len(line) for line in wire.split(b"\r\n")) <= 998


def test_first_letter_refers_to_nothing() -> None:
    assert received(message(thread=())).keys() == HEADERS


def test_mail_says_that_a_machine_wrote_it_and_when() -> None:
    mail = received(message())

    assert mail["Auto-Submitted"] == "auto-generated"
    assert mail["Date"].datetime == datetime(2026, 11, 24, 9, tzinfo=UTC)
    assert mail["Message-ID"] == "<2@sessions.example.org>"


@given(name=names)
def test_any_name_stays_a_name_of_one_person(name: str) -> None:
    mail = received(
        message(
            sender=imip.Mailbox(name=name, address="r-1@sessions.example.org"),
            recipient=imip.Mailbox(name=name, address="alex@client.example"),
            subject=name,
        )
    )

    assert mail.keys() == HEADERS
    assert [a.addr_spec for a in mail["From"].addresses] == ["r-1@sessions.example.org"]
    assert [a.addr_spec for a in mail["To"].addresses] == ["alex@client.example"]


@pytest.mark.parametrize(
    "name",
    [
        "Jörg Müller-Lüdenscheidt",
        "Zoë 😀",
        "דנה לוי",
        "ليلى حسن",
        "山田 太郎",
        "Dr. Kim Beispiel Ph.D.",
        "Maximiliane-Wilhelmine von und zu der Öhe " * 4,
    ],
)
def test_name_is_shown_as_it_is_written(name: str) -> None:
    written = message(recipient=imip.Mailbox(name=name, address="alex@client.example")).as_bytes()

    raw = message_from_bytes(written)["To"].replace("\r\n", "").rpartition(" <")[0].strip('"')
    assert str(make_header(decode_header(raw))) == name.strip()


@pytest.mark.parametrize(
    "text", ["x\r\nBcc: eve@example.org", "x\nX-Evil: 1", "=?utf-8?q?x=0D=0ABcc=3A_eve=40example.org?=", "x\u2028y\x0b"]
)
def test_headers_cannot_be_written_through_a_name_or_a_subject(text: str) -> None:
    mail = received(message(subject=text, recipient=imip.Mailbox(name=text, address="alex@client.example")))

    assert mail.keys() == HEADERS
    assert len(mail["To"].addresses) == 1
    assert mail["Subject"].isprintable()


@pytest.mark.parametrize(
    "address", ["", "alex", "a@b\r\nBcc: eve@example.org", "Alex <alex@client.example>", "a@b, c@d"]
)
def test_address_that_cannot_stand_bare_is_refused(address: str) -> None:
    with pytest.raises(RuleError):
        message(recipient=imip.Mailbox(name="Alex", address=address))


@pytest.mark.parametrize("message_id", ["", "2@sessions.example.org", "<2@a>\r\nBcc: eve@example.org", "<a b@c>"])
def test_message_id_is_one_token_in_angle_brackets(message_id: str) -> None:
    with pytest.raises(ValueError, match="Message-ID"):
        message(message_id=message_id)
    with pytest.raises(ValueError, match="Message-ID"):
        message(thread=(message_id,))


@pytest.mark.parametrize("calendar", [b"", b"METHOD:REQUEST", request().replace(b"METHOD:REQUEST\r\n", b"")])
def test_calendar_message_without_a_method_is_refused(calendar: bytes) -> None:
    with pytest.raises(ValueError, match="METHOD"):
        message(calendar=calendar)
