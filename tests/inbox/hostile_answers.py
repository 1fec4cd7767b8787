"""Answers to an invitation that were made to do harm, forged, stale, foreign, senseless, endless; what each becomes.

They are made around an invitation that was really sent, so that nothing but what is wrong with them keeps them from
counting. Those of `hostile` break bounds, or look as if; these are within all of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from tests.inbox import mails

SERVER = "mx.pencilled.example"


@dataclass(frozen=True, slots=True, kw_only=True)
class Around:
    """The invitation that they are about.

    Attributes:
        sequence: The revision that was sent last; an earlier one was sent before it.
        attendee: Who was invited.
        other: Another client of the same practitioner, who was not.
        session_id: What it is called inside, and never told.
        letter: The Message-ID of the letter.
        answered: The DTSTAMP of the answer that counted last.
    """

    uid: str = mails.UID
    sequence: int = 2
    attendee: str = mails.CLIENT
    other: str = "sam@client.example"
    session_id: str = "6f0c2a52-51a4-4f0e-9f3c-0c8f2c1f7a11"
    letter: str = mails.OURS
    answered: str = "20261122T201500Z"
    organizer: str = mails.ORGANIZER

    @property
    def domain(self) -> str:
        """The domain of whoever was invited."""
        return self.attendee.rpartition("@")[2]


@dataclass(frozen=True, slots=True, kw_only=True)
class Hostile:
    """One mail, and the word for what becomes of it."""

    name: str
    becomes: str
    data: bytes


class _Maker:
    """Writes answers that would count, but for one thing each."""

    def __init__(self, about: Around) -> None:
        self.about = about
        self.number = 0

    def object(self, *properties: str, method: str = "REPLY", stamp: str = "", **changes: str) -> str:
        """Return a calendar object, made after the answer that counted."""
        self.number += 1
        usual = {
            "attendee": self.about.attendee,
            "uid": self.about.uid,
            "organizer": self.about.organizer,
            "sequence": f"SEQUENCE:{self.about.sequence}",
        }
        ics = mails.calendar(method, *properties, **{**usual, **changes})
        return ics.replace("20261122T201500Z", stamp or f"20261201T{self.number // 60:02}{self.number % 60:02}00Z")

    def mail(
        self, ics: str | None = None, *lines: str, method: str = "REPLY", sender: str = "", results: str | None = None
    ) -> bytes:
        """Return the mail that brings it, which our mail server vouches for unless `results` say otherwise."""
        self.number += 1
        vouching = f"Authentication-Results: {SERVER}; dmarc=pass header.from={self.about.domain}"
        top = vouching if results is None else results
        unique = f"X-Number: {self.number}"
        own = [line for line in (top, unique) if line]
        data = mails.answer(self.object() if ics is None else ics, *lines, method=method, sender=sender or self.sender)
        return ("\r\n".join([*own, ""])).encode() + data.replace(b"<a1@", f"<{self.number}@".encode())

    @property
    def sender(self) -> str:
        return f"Alex <{self.about.attendee}>"

    def reply(self, *properties: str, **changes: str) -> bytes:
        return self.mail(self.object(*properties, **changes))

    def counter(self, *properties: str) -> bytes:
        return self.mail(self.object(*properties, method="COUNTER"), method="COUNTER")

    def words(self, *lines: str, sender: str = "", text: str = "Away until May.") -> bytes:
        self.number += 1
        data = mails.plain(f"{text} {self.number}", *lines, sender=sender or self.sender)
        return data.replace(mails.OURS.encode(), self.about.letter.encode())


def made(about: Around) -> Iterator[Hostile]:
    """Yield every one of them; none changes anything by itself, and few are shown to anybody."""
    for group in (_forged, _authors, _stale, _foreign, _senseless, _series, _methods, _broken, _times, _automatic):
        yield from (Hostile(name=name, becomes=word, data=data) for name, word, data in group(_Maker(about), about))


_Made = Iterator[tuple[str, str, bytes]]


def _forged(make: _Maker, about: Around) -> _Made:
    """What nothing proves: it is shown, and never applied."""
    domain, server = about.domain, SERVER
    results = {
        "without any word of our server": "",
        "our server says that it is forged": f"Authentication-Results: {server}; dmarc=fail header.from={domain}",
        "our server says nothing": f"Authentication-Results: {server}; none",
        "another server vouches": f"Authentication-Results: mx.evil.example; dmarc=pass header.from={domain}",
        "our server's word below another's": (
            f"Authentication-Results: mx.evil.example; dmarc=pass header.from={domain}\r\n"
            f"Authentication-Results: {server}; dmarc=pass header.from={domain}"
        ),
        "a server of nearly our name": f"Authentication-Results: {server}.evil; dmarc=pass header.from={domain}",
        "our name in a comment": f"Authentication-Results: evil ({server}); dmarc=pass header.from={domain}",
        "passed for another domain": f"Authentication-Results: {server}; dmarc=pass header.from=evil.example",
        "signed by another domain": f"Authentication-Results: {server}; dkim=pass header.d=evil.example",
        "signed by a domain below": f"Authentication-Results: {server}; dkim=pass header.d=mail.{domain}",
        "only its envelope passed": f"Authentication-Results: {server}; spf=pass smtp.mailfrom={domain}",
        "passed in a quotation": f'Authentication-Results: {server}; x="; dmarc=pass header.from={domain}"',
        "failed and passed": (
            f"Authentication-Results: {server}; dmarc=fail header.from={domain}; dmarc=pass header.from={domain}"
        ),
        "forwarded, which broke its signature": (
            f"Authentication-Results: {server}; dkim=fail header.d={domain}; arc=pass"
        ),
        "an endless word of our server": f"Authentication-Results: {server}; dmarc=pass" + " x" * 3_000,
        "a signature that cannot be": "DKIM-Signature: v=1; a=rsa-sha1; d=" + domain + "; s=a; h=from; l=0; bh=; b=",
    }
    for name, line in results.items():
        yield name, "unproved", make.mail(results=line)
    yield "from another address of theirs", "unproved", make.mail(sender=f"alex@work.{domain}")
    yield "from a stranger in their name", "unproved", make.mail(sender=f'"{about.attendee}" <eve@evil.example>')


def _authors(make: _Maker, about: Around) -> _Made:
    for name, sender in {
        "two authors": f"{about.attendee}, eve@evil.example",
        "two authors, one in a group": f"us: {about.attendee}, eve@evil.example;",
        "an author without an address": "Alex",
        "no author at all": " ",
        "an author behind a comment that never ends": "(" * 200 + about.attendee,
        "an address in an address": f"<<{about.attendee}>>",
    }.items():
        yield name, "not_one_author", make.mail(sender=sender)
    yield "a second From", "not_one_author", make.mail(None, "From: eve@evil.example")
    yield "a second From with a blank", "not_one_author", make.mail(None, "From : eve@evil.example")


def _stale(make: _Maker, about: Around) -> _Made:
    yield "the answer that counted, once more", "repeated", make.reply(stamp=about.answered)
    yield "the same, made before it", "repeated", make.reply(stamp="20200101T000000Z")
    yield "another answer, made before it", "unordered", make.reply(stamp="20200101T000000Z", partstat="DECLINED")
    yield (
        "an answer that does not say when",
        "repeated",
        make.mail(make.object(stamp="gone").replace("DTSTAMP:gone\r\n", ""), results=None),
    )
    yield "to what was sent before", "stale", make.reply(sequence=f"SEQUENCE:{about.sequence - 1}")
    yield "to the very first", "stale", make.reply(sequence="SEQUENCE:0")
    yield "without a SEQUENCE, the same", "repeated", make.reply(sequence="X-NO:1")
    yield "without a SEQUENCE", "unordered", make.reply(sequence="X-NO:1", partstat="DECLINED")
    yield (
        "to somebody else's invitation",
        "other_organizer",
        make.reply(organizer="eve@evil.example", partstat="DECLINED"),
    )
    yield "to what will be sent next", "ahead", make.reply(sequence=f"SEQUENCE:{about.sequence + 1}")
    yield "to what will never be sent", "ahead", make.reply(sequence="SEQUENCE:999999999")
    for name, value in {
        "below zero": "-1",
        "a fraction": "1.5",
        "in other digits": "\u0662",
        "a word": "two",
        "five thousand digits": "9" * 5_000,
    }.items():
        yield f"a SEQUENCE {name}", "sequence", make.reply(sequence=f"SEQUENCE:{value}")


def _foreign(make: _Maker, about: Around) -> _Made:
    for name, attendee in {
        "another client": about.other,
        "a stranger": "eve@evil.example",
        "nearly theirs": f"{about.attendee}.evil.example",
        "with a plus": about.attendee.replace("@", "+a@"),
    }.items():
        yield f"of {name}, passed on by themselves", "other_mailbox", make.reply(attendee=attendee)
        own = make.mail(make.object(attendee=attendee), sender=attendee)
        yield f"of {name}", "not_invited", own
        yield f"of {name}, in their name", "not_invited", make.mail(make.object(attendee=attendee), results="")
    for name, attendee in {
        "nobody": "",
        "no address": "urn:uuid:1",
        "two addresses": f"{about.attendee},eve@evil.example",
        "a line break": f"{about.attendee}\\nBcc:eve@evil.example",
    }.items():
        yield f"of {name}", "attendee", make.reply(attendee=attendee)
    yield "of two", "attendee", make.reply("ATTENDEE;PARTSTAT=ACCEPTED:mailto:eve@evil.example")
    yield "to nobody's invitation", "unknown", make.reply(uid="nobody-knows-this")
    yield "to what it is called inside", "unknown", make.reply(uid=about.session_id)
    yield "to the invitation in capitals", "unknown", make.reply(uid=about.uid.upper())
    yield "to a UID of quotes", "unknown", make.reply(uid="' OR '1'='1")
    yield "without a UID", "uid", make.reply(uid="")
    yield "a UID with a NUL", "uid", make.reply(uid=about.uid + "\0")
    yield "a UID that is no text", "uid", make.reply(uid=about.uid + "\ud800")
    yield "a UID of three hundred characters", "uid", make.reply(uid="a" * 300)


def _senseless(make: _Maker, _about: Around) -> _Made:
    yield "delegated", "delegated", make.reply(partstat="DELEGATED")
    yield "delegated to somebody", "delegated", make.reply(partstat='DELEGATED;DELEGATED-TO="mailto:eve@evil.example"')
    for partstat in ("NEEDS-ACTION", "COMPLETED", "X-YES", '""', "ACCEPTED,DECLINED"):
        yield f"the answer {partstat}", "no_answer", make.reply(partstat=partstat)


def _series(make: _Maker, _about: Around) -> _Made:
    for name, line in {
        "one of a series": "RECURRENCE-ID:20261203T130000Z",
        "all that follow": "RECURRENCE-ID;RANGE=THISANDFUTURE:20261203T130000Z",
        "a series": "RRULE:FREQ=WEEKLY",
        "every second for ever": "RRULE:FREQ=SECONDLY;COUNT=999999999",
        "an interval of nothing": "RRULE:FREQ=DAILY;INTERVAL=0",
        "the thirtieth of February": "RRULE:FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30",
        "a thousand rules": "\r\n".join(["RRULE:FREQ=SECONDLY;BYSECOND=0,1,2,3"] * 1_000),
        "a thousand dates": "RDATE:" + ",".join(["20261203T130000Z"] * 1_000),
        "a thousand exceptions": "\r\n".join(["EXDATE:20261203T130000Z"] * 1_000),
    }.items():
        yield f"{name}, as an answer", "series", make.reply(line)
        yield f"{name}, as a wish", "series", make.counter("DTSTART:20261204T090000Z", "DTEND:20261204T095000Z", line)


def _methods(make: _Maker, _about: Around) -> _Made:
    for method in ("REQUEST", "CANCEL", "PUBLISH", "ADD", "DECLINECOUNTER", "X-MOVE"):
        yield f"our own method {method}", "unmatched", make.mail(make.object(method=method), method=method)
    yield "one method outside and another inside", "contradictory", make.mail(make.object(method="COUNTER"))
    yes, no = make.object(), make.object(partstat="DECLINED")
    both = mails.part("text/calendar; method=REPLY", yes), mails.part("application/ics; name=a.ics", no)
    top = f"Authentication-Results: {SERVER}; dmarc=pass header.from={_about.domain}\r\n"
    several = top + mails.header(sender=make.sender) + mails.multipart("mixed", *both)
    yield "yes in one part and no in another", "contradictory", several.encode()


def _broken(make: _Maker, _about: Around) -> _Made:
    whole = make.object()
    yield "half an object", "not_whole", make.mail(whole[: len(whole) // 2])
    yield "an object that does not end", "not_whole", make.mail(whole.replace("END:VCALENDAR\r\n", ""))
    yield "no object", "not_whole", make.mail("hello")
    yield "an empty object", "not_whole", make.mail("")
    yield "two events", "not_one_event", make.reply("END:VEVENT", "BEGIN:VEVENT", "UID:b")
    yield "a task", "not_one_event", make.mail(make.object().replace("VEVENT", "VTODO"))
    yield "no event", "not_one_event", make.mail("BEGIN:VCALENDAR\r\nMETHOD:REPLY\r\nEND:VCALENDAR\r\n")
    yield "nine hundred events inside one another", "not_whole", make.reply(*["BEGIN:VEVENT"] * 900)


def _times(make: _Maker, _about: Around) -> _Made:
    for name, lines in {
        "no time": ("SUMMARY:a",),
        "a whole day": ("DTSTART;VALUE=DATE:20261204",),
        "in no zone": ("DTSTART:20261204T090000", "DTEND:20261204T095000"),
        "in a zone that nobody knows": ("DTSTART;TZID=Nowhere:20261204T090000", "DTEND;TZID=Nowhere:20261204T095000"),
        "in a zone that is a path": (
            "DTSTART;TZID=../../etc/passwd:20261204T090000",
            "DTEND;TZID=../../etc/passwd:20261204T095000",
        ),
        "before its beginning": ("DTSTART:20261204T090000Z", "DTEND:20261204T080000Z"),
        "of no length": ("DTSTART:20261204T090000Z", "DURATION:PT0S"),
        "of a thousand years": ("DTSTART:20261204T090000Z", "DURATION:P365000D"),
        "of two days": ("DTSTART:20261204T090000Z", "DURATION:P2D"),
        "in the year zero": ("DTSTART:00000101T000000Z", "DURATION:PT50M"),
        "in the month thirteen": ("DTSTART:20261304T090000Z", "DTEND:20261304T095000Z"),
        "long before anybody was born": ("DTSTART:10010101T090000Z", "DURATION:PT50M"),
        "on the last day of all": ("DTSTART:99991231T120000Z", "DURATION:PT50M"),
        "at the end of all time": ("DTSTART:99991231T235900Z", "DURATION:PT50M"),
    }.items():
        yield f"a wish {name}", "time", make.counter(*lines)


def _automatic(make: _Maker, about: Around) -> _Made:
    for name, line in {
        "a vacation": "Auto-Submitted: auto-replied",
        "a vacation with a comment": "Auto-Submitted: Auto-Replied (vacation)",
        "a program": "Auto-Submitted: auto-generated",
        "an answering machine": "Precedence: auto_reply",
        "an older answering machine": "X-Autoreply: yes",
        "an empty envelope": "Return-Path: <>",
    }.items():
        yield f"words of {name}", "automatic", make.words(line)
    for line in ("List-Id: <news.example>", "Precedence: bulk", "X-Loop: alex@client.example"):
        yield f"words of a person behind {line}", "shown", make.words(line)
        elsewhere = make.words(line).replace(about.letter.encode(), b"<a@b.example>")
        yield f"a mail with {line}", "automatic", elsewhere
    for sender in ("MAILER-DAEMON@client.example", "postmaster@client.example"):
        yield f"words of {sender}", "automatic", make.words(sender=sender)
    quoted = make.words(text="> nothing of their own").replace(b"\r\n\r\n>", b"\r\n\r\nOn 1 May 2026 Kim wrote:\r\n>")
    yield "nothing but a quotation", "shown", quoted
    yield "nothing at all", "empty", make.words(text="NOTHING").partition(b"NOTHING")[0]
    yield (
        "words that answer nothing of ours",
        "unmatched",
        make.words().replace(about.letter.encode(), b"<a@b.example>"),
    )
    yield "a letter that came back to somebody else", "bounce", mails.bounce(returned="<a@b.example>")


USUAL = tuple(made(Around()))
