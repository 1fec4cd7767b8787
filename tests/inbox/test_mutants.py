"""Mails with something changed, left out or put in at random: none of them breaks a reader, whatever it makes of it."""

from __future__ import annotations

import random
from contextlib import suppress

import pytest

from connector.inbox.authorship import prove
from connector.inbox.bounds import QuarantinedError, bounded
from connector.inbox.meaning import read
from tests.inbox import mails
from tests.inbox.test_authorship import PASSED, SERVER, keys, signed

PIECES = (
    *(b"=?utf-8?q?a?=", b"boundary*0=", b"charset*=idna''%ff", b"name*1*=", b"\r\n\r\n", b"BEGIN:VEVENT\r\n"),
    *(b"DTSTART:99999999T999999Z\r\n", b"DTSTAMP:00010101T000000Z\r\n", b"Content-Type: message/rfc822\r\n", b"From: "),
    *(b"Content-Transfer-Encoding: x-uuencode\r\n", b"\xff", b"\xed\xa0\x80", b"9" * 20, b"xn--", b"=", b"@"),
    *(b";", b'"', b"(", b"<", b",", b"\\"),
)


def seeds() -> list[bytes]:
    vouched = f"Authentication-Results: {SERVER}; {PASSED}\r\n".encode()
    page = mails.header() + mails.part("text/html; charset=utf-8", "<p>Yes</p><blockquote>No</blockquote>")
    counter = mails.answer(mails.calendar("COUNTER"), method="COUNTER")
    words = mails.plain("Yes.\n\nOn 3 May 2027 Kim wrote:\n> Your session\n")
    said = f"550 5.1.1 nobody here\r\n\r\nMessage-ID: {mails.OURS}\r\n"
    told = mails.plain(said, sender="MAILER-DAEMON@mx.client.example")
    return [mails.answer(), vouched + mails.answer(), counter, words, mails.bounce(), told, signed(), page.encode()]


def mutant(seed: bytes, chance: random.Random) -> bytes:
    changed = bytearray(seed)
    for _ in range(chance.randint(1, 6)):
        at = chance.randrange(len(changed))
        match chance.randrange(4):
            case 0:
                changed[at] = chance.randrange(256)
            case 1:
                changed[at:at] = chance.choice(PIECES)
            case 2 if len(changed) > 100:
                del changed[at : at + chance.randint(1, 20)]
            case _:
                other = chance.randrange(len(changed))
                changed[at:at] = changed[other : other + chance.randint(1, 60)]
    return bytes(changed)


@pytest.mark.parametrize("times", [500, pytest.param(15_000, marks=pytest.mark.long)])
def test_no_mutant_breaks_a_reader(times: int) -> None:
    chance, originals = random.Random(times), seeds()
    for _ in range(times):
        with suppress(QuarantinedError):
            mail = bounded(mutant(chance.choice(originals), chance))
            read(mail)
            prove(mail, server=chance.choice(["", SERVER]), keys=keys())
