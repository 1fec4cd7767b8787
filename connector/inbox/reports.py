"""What mail servers report of letters that did not arrive: by RFC 3464, or in words of their own.

Their own words are believed in one case: they are final, and return the Message-ID of a letter.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from email.message import Message

from connector.inbox.bounds import BoundedMail, decoded, one_ending
from connector.inbox.headers import address, ids, value

_ACTION = {"failed": True, "delayed": False}
_STATUS = re.compile(r"[245]\.\d{1,3}\.\d{1,3}", re.ASCII)
_MESSAGE_ID = re.compile(r"^[> \t]{0,8}message-id:([^\n]*(?:\n[ \t][^\n]*)*)", re.IGNORECASE | re.MULTILINE)
SERVERS = ("mailer-daemon@", "postmaster@")
_LONGEST_READ = 100_000  # bytes of a part that are looked at
_WRITTEN_STATUS = re.compile(r"(?<![\d.])5\.\d{1,3}\.\d{1,3}(?![\d.])", re.ASCII)
_WRITTEN_CODE = re.compile(r"(?<![\d.-])55[0-4](?=[ -])", re.ASCII)  # RFC 5321
_PERMANENT = re.compile(r"permanent error|permanent failure|permanent fatal error", re.IGNORECASE)  # as qmail says
_GOES_ON = re.compile(
    r"delay|verz[öo]ger|warning|will (?:be )?(?:retr|try)|(?:keep|still) trying|not need to resend", re.IGNORECASE
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Undelivered:
    """One address that a letter did not arrive at.

    Attributes:
        address: In small letters; empty if the report does not say which, or not so that it is one.
        status: As RFC 3463 numbers it, such as `5.1.1`; empty if it is not told.
        is_final: Whether its server has given up; else it goes on trying.
    """

    address: str
    status: str
    is_final: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounce:
    """Letters that did not arrive.

    Attributes:
        letters: Message-IDs of what came back; only these say that it is about a letter of ours.
        undelivered: Where it did not arrive.
    """

    letters: tuple[str, ...]
    undelivered: tuple[Undelivered, ...]


def is_report(mail: BoundedMail) -> bool:
    """Whether a mail server, or a mail program by itself, reports something."""
    return mail.message.get_content_type() == "multipart/report"


def read(mail: BoundedMail) -> Bounce | None:
    """Return which letters did not arrive; None if a report tells of something else, such as that one was read."""
    undelivered = tuple(one for part in mail.parts for one in _undelivered(part))
    if not undelivered:
        return None
    letters = dict.fromkeys(one for part in mail.parts for one in _returned(part))
    return Bounce(letters=tuple(letters), undelivered=undelivered)


def read_words(mail: BoundedMail, *, author: str) -> Bounce | None:
    """Return which letters did not arrive, as a server tells in words alone; None unless it has given up for good.

    Source: what Exim (`X-Failed-Recipients`), qmail (cr.yp.to/proto/qsbmf.txt) and others write to whom no report of
    the standard's form is due.
    """
    failed = value(mail.message, "x-failed-recipients")
    if not (failed or author.startswith(SERVERS)):
        return None
    texts = [_text(part) for part in mail.parts if part.get_content_maintype() == "text"]
    said = texts[0] if texts else ""
    status = _WRITTEN_STATUS.search(said)
    is_coded = bool(status or _WRITTEN_CODE.search(said)) and not _GOES_ON.search(said)
    if not (failed or _PERMANENT.search(said) or is_coded):
        return None
    named = [ids(*_MESSAGE_ID.findall(text)) for text in texts]
    letters = dict.fromkeys(one for found in (*named, *map(_returned, mail.parts)) for one in found)
    if not letters:
        return None
    recipient = address(failed.partition(",")[0])
    return Bounce(
        letters=tuple(letters),
        undelivered=(Undelivered(address=recipient, status=status[0] if status else "", is_final=True),),
    )


def _text(part: Message) -> str:
    return one_ending(decoded(part)[:_LONGEST_READ]).decode(errors="replace")


def _undelivered(part: Message) -> Iterator[Undelivered]:
    if part.get_content_type() != "message/delivery-status":
        return
    for block in part.get_payload():
        action = value(block, "action").partition(" ")[0].lower() if isinstance(block, Message) else ""
        if not isinstance(block, Message) or action not in _ACTION:
            continue
        recipient = value(block, "original-recipient") or value(block, "final-recipient")
        status = _STATUS.match(value(block, "status"))
        yield Undelivered(
            address=address(recipient.rpartition(";")[2].strip().strip("<>")),
            status=status[0] if status else "",
            is_final=_ACTION[action],
        )


def _returned(part: Message) -> tuple[str, ...]:
    """Return the Message-ID of a letter that came back, whole or its header alone."""
    if part.get_content_type() == "message/rfc822" and part.is_multipart():
        letter = part.get_payload(0)
        return ids(value(letter, "message-id")) if isinstance(letter, Message) else ()
    if part.get_content_type() in {"text/rfc822-headers", "message/rfc822-headers"}:
        found = _MESSAGE_ID.search(one_ending(decoded(part)).decode(errors="replace"))
        return ids(found[1]) if found else ()
    return ()
