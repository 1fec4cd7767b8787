"""A booking, a move and a cancellation as we send them, and how others have got them wrong."""

from __future__ import annotations

import re
from base64 import encodebytes
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from email import message_from_bytes
from email.message import Message
from functools import lru_cache

from connector.domain.notice import NoticeKind
from connector.domain.session import Session, SessionState, cancel, revised
from connector.outbox.letters import compose
from tests.domain.examples import KIM
from tests.outbox.people import BRAND, FROM, PRACTICE, SESSION, VIDEO, at, letter
from tests.receivers.models import Shown

Change = Callable[[bytes], bytes]

LATER = SESSION.stamp + timedelta(hours=1)


def _life() -> dict[NoticeKind, Session]:
    booked = SESSION
    moved = revised(replace(booked, when=at("2026-12-02T14:00")), now=LATER)
    corrected = revised(replace(moved, when=at("2026-12-03T14:00")), now=LATER)
    relocated = revised(replace(corrected, location=VIDEO), now=LATER)
    accepted = revised(replace(relocated, when=at("2026-12-04T16:00"), location=PRACTICE), now=LATER)
    return {
        NoticeKind.BOOKED: booked,
        NoticeKind.MOVED: moved,
        NoticeKind.CORRECTED: corrected,
        NoticeKind.RELOCATED: relocated,
        NoticeKind.ACCEPTED: accepted,
        NoticeKind.CANCELLED: cancel(accepted, by=KIM, now=LATER).session,
    }


LIFE = _life()
"""A session as each kind of letter with a calendar part tells of it, one after another."""


@lru_cache(maxsize=256)
def written(session: Session, kind: NoticeKind, *, locale: str = "en") -> bytes:
    """Write the letter that tells of a session, as it goes out."""
    told = letter(kind, session=session)
    told = replace(told, notice=replace(told.notice, to=replace(told.notice.to, locale=locale)))
    return compose(told, brand=BRAND, from_address=FROM).as_bytes()


def shown(session: Session) -> list[Shown]:
    """Return what stands in a calendar that is right about a session."""
    if session.state is SessionState.CANCELLED:
        return []
    return [(session.when.span.start, session.when.span.end, session.location.text)]


def altered(mail: bytes, change: Change, *, parameter: str | None = None, sender: str | None = None) -> bytes:
    """Return a mail with another calendar part.

    Args:
        mail: As we send it.
        change: What becomes of the calendar part's text.
        parameter: The part's method; empty for none, None as it is.
        sender: The From; None as it is.
    """
    message = message_from_bytes(mail)
    part = next(one for one in message.walk() if one.get_content_type() == "text/calendar")
    text = part.get_payload(decode=True)
    assert isinstance(text, bytes)
    part.set_payload(encodebytes(change(text.replace(b"\r\n ", b""))).decode())
    if sender is not None:
        message.replace_header("From", sender)
    if parameter is not None:
        _set_method(part, parameter)
    return message.as_bytes()


def _set_method(part: Message, parameter: str) -> None:
    if parameter:
        part.set_param("method", parameter)
    else:
        part.del_param("method")


def put(name: str, value: str) -> Change:
    """Give a property another value, whatever parameters it has."""
    return lambda text: re.sub(rf"(?m)^({name}[^:\r]*):[^\r]*".encode(), rf"\1:{value}".encode(), text)


def without(name: str) -> Change:
    """Leave a property out."""
    return lambda text: re.sub(rf"(?m)^{name}[;:][^\r]*\r\n".encode(), b"", text)


def doubled(text: bytes) -> bytes:
    """Tell of a second event."""
    event = text[text.index(b"BEGIN:VEVENT") : text.index(b"END:VCALENDAR")]
    return text.replace(b"END:VCALENDAR", put("UID", "another")(event) + b"END:VCALENDAR")


def both(*changes: Change) -> Change:
    """Make one change after another."""

    def changed(text: bytes) -> bytes:
        for change in changes:
            text = change(text)
        return text

    return changed


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """Something that others got wrong.

    Attributes:
        told: The letters that come, the last of them wrong unless `at` says otherwise.
        change: What is wrong in its calendar part; its lines are not folded.
        misled: The receivers that end with something else than what was agreed.
        at: Which of the letters is wrong.
        parameter: As in `altered`; so is the next.
    """

    told: tuple[NoticeKind, ...]
    change: Change
    misled: str
    at: int = -1
    parameter: str | None = None
    sender: str | None = None

    def mails(self) -> list[bytes]:
        """Return the mails as they come."""
        mails = [written(LIFE[kind], kind) for kind in self.told]
        mails[self.at] = altered(mails[self.at], self.change, parameter=self.parameter, sender=self.sender)
        return mails


_MOVED = (NoticeKind.BOOKED, NoticeKind.MOVED)
_ENDED = (NoticeKind.BOOKED, NoticeKind.CANCELLED)
_BELOW = both(without("METHOD"), lambda text: text.replace(b"END:VEVENT\r\n", b"END:VEVENT\r\nMETHOD:REQUEST\r\n"))
_TWICE = b"SEQUENCE:2\r\nSEQUENCE:0\r\n"

ALL = "Apple, Gmail, Outlook classic, Outlook new, strict"

FAULTS = {
    "a second UID": Fault(told=_MOVED, change=put("UID", "another"), misled=ALL),
    "two events in one": Fault(told=_MOVED, change=doubled, misled=ALL),
    "SEQUENCE not raised": Fault(told=_MOVED, change=put("SEQUENCE", "1"), misled="Gmail, strict"),
    "neither SEQUENCE nor DTSTAMP raised": Fault(
        told=_MOVED,
        change=both(put("SEQUENCE", "1"), put("DTSTAMP", "20261124T090000Z")),
        misled="Apple, Gmail, strict",
    ),
    "SEQUENCE begun anew": Fault(told=_MOVED, change=put("SEQUENCE", "0"), misled=ALL),
    "SEQUENCE left out": Fault(told=_MOVED, change=without("SEQUENCE"), misled=ALL),
    "SEQUENCE twice": Fault(
        told=_MOVED, change=lambda text: text.replace(b"SEQUENCE:2\r\n", _TWICE), misled="Gmail, strict"
    ),
    "DTSTAMP older": Fault(told=_MOVED, change=put("DTSTAMP", "20261123T090000Z"), misled="Gmail"),
    "DTSTAMP in local time": Fault(
        told=_MOVED, change=put("DTSTAMP", "20261124T110000"), misled="Apple, Gmail, Outlook new, strict"
    ),
    "DTSTAMP left out": Fault(told=_MOVED, change=without("DTSTAMP"), misled="Apple, Gmail, Outlook new, strict"),
    "METHOD missing": Fault(told=_MOVED, change=without("METHOD"), misled=ALL),
    "METHOD below the event": Fault(told=_MOVED, change=_BELOW, misled="Outlook classic, strict"),
    "the method parameter missing": Fault(
        told=_MOVED, change=both(), parameter="", misled="Apple, Gmail, Outlook new, strict"
    ),
    "the method parameter of another": Fault(
        told=_MOVED, change=both(), parameter="CANCEL", misled="Apple, Gmail, Outlook new, strict"
    ),
    "another organizer": Fault(told=_MOVED, change=put("ORGANIZER", "mailto:kim@practice.example"), misled=ALL),
    "another organizer, who also sends it": Fault(
        told=_MOVED,
        change=put("ORGANIZER", "mailto:kim@practice.example"),
        sender="kim@practice.example",
        misled="Gmail, Outlook classic, Outlook new, strict",
    ),
    "sent by another than its organizer": Fault(
        told=_MOVED, change=both(), sender="no-reply@sessions.example.org", misled="Apple, Gmail, Outlook new"
    ),
    "ATTENDEE of another address": Fault(
        told=_MOVED, change=put("ATTENDEE", "mailto:other@client.example"), misled=ALL
    ),
    "ATTENDEE left out": Fault(told=_MOVED, change=without("ATTENDEE"), misled=ALL),
    "SUMMARY left out": Fault(told=_MOVED, change=without("SUMMARY"), misled="strict"),
    "lines that end in LF": Fault(
        told=_MOVED, change=lambda text: text.replace(b"\r\n", b"\n"), misled="Outlook classic, strict"
    ),
    "a time without a zone": Fault(told=_MOVED, change=put("DTSTART", "20261202T130000"), misled=ALL),
    "an end before its start": Fault(told=_MOVED, change=put("DTEND", "20261202T120000Z"), misled=ALL),
    "a place told without SEQUENCE": Fault(
        told=(NoticeKind.BOOKED, NoticeKind.MOVED, NoticeKind.CORRECTED, NoticeKind.RELOCATED),
        change=put("SEQUENCE", "3"),
        misled="Gmail",
    ),
    "CANCEL without ATTENDEE": Fault(told=_ENDED, change=without("ATTENDEE"), misled=ALL),
    "CANCEL without a higher SEQUENCE": Fault(told=_ENDED, change=put("SEQUENCE", "1"), misled="Gmail, strict"),
    "CANCEL of an event that is not said to be cancelled": Fault(
        told=_ENDED, change=put("STATUS", "CONFIRMED"), misled="strict"
    ),
    "a cancellation by REQUEST": Fault(told=_ENDED, change=put("METHOD", "REQUEST"), parameter="REQUEST", misled=ALL),
    "a booking that was published": Fault(
        told=_ENDED, change=put("METHOD", "PUBLISH"), parameter="PUBLISH", at=0, misled="Gmail, Outlook classic"
    ),
}
