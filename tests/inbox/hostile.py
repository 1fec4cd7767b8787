"""Mails that were made to do harm, and which bound each breaks; None for those that harm nobody within the bounds.

They are made when they are asked for: together they would take a lot of memory, and that is what is counted.
"""

from __future__ import annotations

from collections.abc import Callable

from connector.inbox.bounds import Excess
from tests.inbox import mails

Mail = Callable[[], bytes]
MEGABYTE = 1024 * 1024


def _nested(depth: int, kind: str = "multipart/mixed") -> bytes:
    opened = "".join(f'Content-Type: {kind}; boundary="b{n}"\r\n\r\n--b{n}\r\n' for n in range(depth))
    return (mails.header() + opened + "\r\nhello\r\n").encode()


def _parts(count: int, name: str = "b", separator: str = "\r\n") -> bytes:
    top = f'Content-Type: multipart/mixed; boundary="{name}"{separator}{separator}'
    return (
        mails.header().replace("\r\n", separator) + top + f"--{name}{separator}{separator}x{separator}" * count
    ).encode()


def _headed(line: bytes, times: int = 1) -> bytes:
    return mails.header().encode() + line * times + b"\r\n\r\nhello\r\n"


def _calendar(*properties: str) -> bytes:
    return mails.answer(mails.calendar("REPLY", *properties))


def _reported(blocks: bytes) -> bytes:
    return mails.header().encode() + b"Content-Type: message/delivery-status\r\n\r\n" + blocks


def _digest(depth: int) -> bytes:
    opened = "".join(f'Content-Type: multipart/digest; boundary="b{n}"\r\n\r\n--b{n}\r\n\r\n' for n in range(depth))
    return (mails.header() + opened).encode()


def _after_header(text: str) -> bytes:
    return (mails.header() + text).encode()


def _typed(value: str, body: str = "\r\nx\r\n") -> bytes:
    return (mails.header(f"Content-Type: {value}") + body).encode()


BREAKING: dict[str, tuple[Excess, Mail]] = {
    "a mail of ten megabytes": (Excess.MAIL_SIZE, lambda: mails.plain("x" * 10 * MEGABYTE)),
    "a line of ten megabytes": (Excess.MAIL_SIZE, lambda: _headed(b"X-A: " + b"a" * 10 * MEGABYTE)),
    "one byte too many": (Excess.MAIL_SIZE, lambda: b"a" * (MEGABYTE + 1)),
    "a mail of line feeds": (Excess.MAIL_LINES, lambda: b"\n" * MEGABYTE),
    "a mail of carriage returns": (Excess.MAIL_LINES, lambda: b"\r" * MEGABYTE),
    "a mail of short headers": (Excess.MAIL_LINES, lambda: b"a:\n" * 300_000),
    "a NUL in the header": (Excess.NUL, lambda: _headed(b"X-A: a\0b\r\n")),
    "a NUL in the body": (Excess.NUL, lambda: mails.plain("a\0b")),
    "a header of 100 kB in one line": (Excess.HEADER_SIZE, lambda: _headed(b"X-A: " + b"a" * 100_000)),
    "a folded header of 100 kB": (
        Excess.HEADER_SIZE,
        lambda: _headed(b"X-A: a\r\n" + b" aaaaaaaaaaaaaaaa\r\n" * 6_000),
    ),
    "a header without an end": (Excess.HEADER_SIZE, lambda: b"X-A: a\r\n" * 20_000),
    "encoded words without end": (Excess.HEADER_SIZE, lambda: _headed(b"Subject: " + b"=?utf-8?q?a?= " * 20_000)),
    "many headers": (Excess.HEADER_LINES, lambda: _headed(b"X-A: a\r\n", 600)),
    "many folds": (Excess.HEADER_LINES, lambda: _headed(b"X-A: a\r\n" + b" a\r\n" * 600)),
    "a long Content-Type": (Excess.CONTENT_HEADER, lambda: _typed("text/plain; a=" + "b" * 3_000)),
    "a folded Content-Type": (Excess.CONTENT_HEADER, lambda: _typed("text/plain;" + "\r\n a=b;" * 400)),
    "RFC 2231 in 400 pieces": (
        Excess.CONTENT_HEADER,
        lambda: _typed("a/b;" + "".join(f"\r\n n*{n}=b;" for n in range(400))),
    ),
    "a long Content-Type of a part": (
        Excess.CONTENT_HEADER,
        lambda: _after_header(mails.multipart("mixed", "CONTENT-TYPE: a/b; c=" + "d" * 3_000 + "\r\n\r\nx")),
    ),
    "a long Content-Disposition": (
        Excess.CONTENT_HEADER,
        lambda: _headed(b"Content-Disposition: a; f=" + b"b" * 3_000),
    ),
    "2,000 nested parts": (Excess.NESTING, lambda: _nested(2_000)),
    "2,000 nested mails": (
        Excess.NESTING,
        lambda: _after_header("Content-Type: message/rfc822\r\n\r\n" * 2_000),
    ),
    "21 nested parts": (Excess.NESTING, lambda: _nested(21)),
    "11 nested parts": (Excess.NESTING, lambda: _nested(11)),
    "nested parts in a folded header": (Excess.NESTING, lambda: _nested(50, "\r\n multipart/mixed")),
    "nested parts behind a form feed": (Excess.NESTING, lambda: _nested(50, "\f\v multipart/mixed")),
    "nested digests": (Excess.NESTING, lambda: _digest(9)),
    "1,000 nested digests": (Excess.NESTING, lambda: _digest(1_000)),
    "51 parts": (Excess.PARTS, lambda: _parts(51)),
    "2,000 parts": (Excess.PARTS, lambda: _parts(2_000)),
    "2,000 parts between carriage returns": (Excess.PARTS, lambda: _parts(2_000, separator="\r")),
    "2,000 parts with a quoted boundary": (Excess.PARTS, lambda: _parts(2_000, name="a b;c")),
    "2,000 parts with a boundary in pieces": (
        Excess.PARTS,
        lambda: _typed("multipart/mixed; boundary*0=a; boundary*1=b", "\r\n" + "--ab\r\n\r\nx\r\n" * 2_000),
    ),
    "2,000 parts with an encoded boundary": (
        Excess.PARTS,
        lambda: _typed("multipart/mixed; boundary*=utf-8''a%62", "\r\n" + "--ab\r\n\r\nx\r\n" * 2_000),
    ),
    "2,000 blocks of a report": (Excess.PARTS, lambda: _reported(b"A: b\r\n\r\n" * 2_000)),
    "blocks of a report behind a false end": (Excess.PARTS, lambda: _reported(b"--x\r\n" + b"A: b\r\n\r\n" * 7_000)),
    "empty blocks of a report": (Excess.PARTS, lambda: _reported(b"\r\n" * 29_000)),
    "a boundary in a set that does not decode": (
        Excess.UNPARSABLE,
        lambda: _typed("multipart/mixed; boundary*=idna''a%ff", "\r\n--a\r\n\r\nx\r\n"),
    ),
    "a large calendar": (Excess.CALENDAR_SIZE, lambda: _calendar("COMMENT:" + "a" * 70_000)),
    "a long calendar": (Excess.CALENDAR_LINES, lambda: _calendar("\r\n".join(["X-A:b"] * 2_100))),
    "a crowd": (Excess.ATTENDEES, lambda: _calendar("\r\n".join(["ATTENDEE:mailto:a@b.example"] * 30))),
    "a folded crowd": (Excess.ATTENDEES, lambda: _calendar("\r\n".join(["ATT\r\n ENDEE:mailto:a@b.example"] * 30))),
    "a crowd in a file": (
        Excess.ATTENDEES,
        lambda: _after_header(
            mails.part("application/octet-stream; name=a.ICS", "\r\nATTENDEE:mailto:a@b.example" * 30)
        ),
    ),
}

HARMLESS: dict[str, Mail] = {
    "nothing": lambda: b"",
    "one line feed": lambda: b"\n",
    "a megabyte of one line": lambda: mails.plain("x" * (MEGABYTE - 400)),
    "every byte but NUL": lambda: _headed(bytes(range(1, 256))),
    "a megabyte of quotes": lambda: mails.plain("> a\r\n" * 29_000),
    "a megabyte of opened tags": lambda: _typed("text/html", "\r\n" + "<style" * 150_000),
    "a megabyte of open brackets": lambda: _typed("text/html", "\r\n" + "<" * 900_000),
    "a set that is slow to decode": lambda: _typed("text/plain; charset=punycode", "\r\n" + "a-" + "b" * 900_000),
    "a set that is none": lambda: _typed("text/plain; charset=zlib", "\r\nx"),
    "a set with a path": lambda: _typed("text/plain; charset=../../etc/passwd", "\r\nx"),
    "a boundary that is empty": lambda: _typed('multipart/mixed; boundary=""', "\r\n--\r\n\r\nx\r\n--\r\n"),
    "parts without a boundary": lambda: _typed("multipart/mixed", "\r\nx"),
    "a thousand comments in From": lambda: (mails.header(sender="(" * 1_000 + "a@b.example")).encode(),
    "From in many quotes": lambda: (mails.header(sender='"' * 10_001 + "a@b.example")).encode(),
    "encoded words": lambda: _headed(b"Subject: " + b"=?utf-8?b?" + b"/w" * 20_000 + b"?="),
    "an RRULE bomb": lambda: _calendar("DTSTART:20261203T130000Z", "RRULE:FREQ=SECONDLY;COUNT=999999999"),
    "a zone bomb": lambda: _calendar(
        *(
            "BEGIN:VTIMEZONE",
            "TZID:a",
            *("BEGIN:STANDARD", "RRULE:FREQ=SECONDLY", "END:STANDARD") * 100,
            "END:VTIMEZONE",
        )
    ),
    "nested components": lambda: _calendar(*["BEGIN:VEVENT"] * 900),
    "a base64 that is none": lambda: _typed(
        "text/calendar; method=REPLY\r\nContent-Transfer-Encoding: base64", "\r\n%%%=a=\r\n"
    ),
    "a uuencoded part": lambda: _typed(
        "text/calendar; method=REPLY\r\nContent-Transfer-Encoding: x-uuencode", "\r\nbegin 644 a\r\n#@@@\r\n"
    ),
    "surrogates in an object": lambda: (
        mails.header().encode() + b"Content-Type: text/calendar\r\n\r\nBEGIN:\xed\xa0\x80\r\n"
    ),
    "a name in a set that does not decode": lambda: _typed("text/plain; name*=idna''a%ff.ics", "\r\nx"),
    "two headers of a kind": lambda: _headed(
        b"Content-Type: text/plain\r\nContent-Type: multipart/mixed; boundary=a\r\n"
    ),
    "a header that is none": lambda: _headed(b"From : victim@client.example\r\n"),
}
