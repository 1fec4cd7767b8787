from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from connector.inbox.bounds import Excess, QuarantinedError, bounded
from tests.inbox import mails
from tests.inbox.hostile import BREAKING, HARMLESS
from tests.inbox.hostile_answers import USUAL

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
