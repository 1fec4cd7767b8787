from __future__ import annotations

import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from time import process_time

import pytest

from connector.inbox.bounds import LARGEST, Excess, QuarantinedError, bounded, identity
from tests.inbox import mails
from tests.inbox.hostile import BREAKING, HARMLESS
from tests.inbox.hostile_answers import USUAL

MARKERS = (
    *(
        "content-type:message/delivery-status",
        "content-type:\n message/delivery-status",
        "content-type:multipart/mixed",
    ),
    *("content-type:", "content-a", "boundary=b", 'boundary="', "boundary \t", "--b", "\nATTENDEE", "message-id:"),
)
GLUE = {"beside": " ", "within a word": "x", "in a folded line": "\n ", "below one another": "\n", "apart": "\n\n"}
ROOT = Path(__file__).parent.parent.parent


@pytest.mark.parametrize("name", BREAKING)
def test_what_breaks_a_bound_is_quarantined_with_the_bound_that_it_broke(name: str) -> None:
    excess, mail = BREAKING[name]
    with pytest.raises(QuarantinedError) as caught:
        bounded(mail())
    assert caught.value.excess is excess


@pytest.mark.parametrize("name", HARMLESS)
def test_what_breaks_no_bound_is_parsed_whatever_it_says(name: str) -> None:
    assert bounded(HARMLESS[name]()).parts


def test_the_whole_corpus_is_read_within_a_hundred_mebibytes() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.inbox.within_memory"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert int(done.stdout) == len(BREAKING) + len(HARMLESS) + len(USUAL)
    assert int(done.stdout) >= 150


def test_every_bound_has_a_mail_that_breaks_it() -> None:
    assert {excess for excess, _ in BREAKING.values()} == set(Excess)


def test_a_refusal_says_nothing_of_the_mail() -> None:
    with pytest.raises(QuarantinedError) as caught:
        bounded(mails.plain("a\0b"))
    assert str(caught.value) == "nul"


def test_a_calendar_part_is_decoded_and_says_its_method() -> None:
    [part] = bounded(mails.answer()).calendars
    assert (part.method, part.data) == ("REPLY", mails.calendar().encode())


def test_what_somebody_forwards_is_not_among_the_parts_of_their_mail() -> None:
    inside = "Content-Type: message/rfc822\r\n\r\n" + mails.answer().decode()
    words = mails.part("text/plain; charset=utf-8", "What does this mean?")
    mail = bounded((mails.header() + mails.multipart("mixed", words, inside, boundary="outer")).encode())
    assert mail.calendars == ()
    assert [part.get_content_type() for part in mail.parts] == ["multipart/mixed", "text/plain", "message/rfc822"]


def test_ten_levels_and_fifty_parts_are_within_the_bounds() -> None:
    levels = "".join(f'Content-Type: multipart/mixed; boundary="b{n}"\r\n\r\n--b{n}\r\n' for n in range(9))
    parts = mails.multipart("mixed", *["\r\nx"] * 50)
    assert bounded((mails.header() + levels + "\r\nx\r\n").encode()).parts
    assert len(bounded((mails.header() + parts).encode()).parts) == 51


@pytest.mark.parametrize("glue", GLUE)
def test_counting_takes_no_longer_for_a_mail_made_of_what_is_counted(glue: str) -> None:
    for marker in MARKERS:
        piece = f"{GLUE[glue]}{marker}".encode()
        top = mails.header("Content-Type: multipart/mixed; boundary=b").encode() + b"\n"
        begun = process_time()
        raw = top + piece * ((LARGEST - len(top)) // len(piece))
        identity(raw)
        with suppress(QuarantinedError):
            bounded(raw)
        assert process_time() - begun < 2, marker  # milliseconds; a square is ten seconds and more


def test_reports_are_counted_wherever_they_are_declared() -> None:
    report = "Content-Type: message/delivery-status\r\n\r\n" + "a: b\r\n\r\n" * 60
    with pytest.raises(QuarantinedError, match="parts"):
        bounded((mails.header() + mails.multipart("report", report)).encode())


def test_a_copy_is_known_by_what_nobody_who_passes_it_on_can_change() -> None:
    mail = mails.answer()
    for written_on in (
        *(b"Content-Language: en", b"Subject: [external]", b"To: other@client.example"),
        *(b"Date: Mon, 3 May 2027 10:00:00 +0000\r\nReceived: here", b"Message-ID: <new@client.example>"),
    ):
        dated = b"Date: Tue, 24 Nov 2026 10:00:00 +0000\r\n" + mail
        assert identity(written_on + b"\r\n" + dated) == identity(dated)
    assert identity(mail.replace(b"<a1@", b"<a2@")) != identity(mail)
