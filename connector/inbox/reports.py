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
_RECIPIENTS = ("original-recipient", "final-recipient")
_NAMED = re.compile(r"^<([^<>\s]{3,320})>:", re.MULTILINE)  # as Postfix and qmail write
_MOST_NAMED = 50
_LONGEST_READ = 100_000  # bytes of a part that are looked at
_WRITTEN_STATUS = re.compile(r"(?<![\d.])5\.\d{1,3}\.\d{1,3}(?![\d.])", re.ASCII)
_WRITTEN_CODE = re.compile(r"(?<![\d.-])55[0-4](?=[ -])", re.ASCII)  # RFC 5321
_PERMANENT = re.compile(r"permanent error|permanent failure|permanent fatal error", re.IGNORECASE)  # as qmail says
_GOES_ON = re.compile(
    r"delay|verz[öo]ger|warning|will (?:be )?(?:retr|try)|(?:keep|still) trying|not need to resend", re.IGNORECASE
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Undelivered:
    """One recipient whom a letter did not reach.

    Attributes:
        addresses: Under which the report names them, in small letters: as the letter had it, and as servers have passed
            it on; empty if it names none.
        status: As RFC 3463 numbers it, such as `5.1.1`; empty if it is not told.
        is_final: Whether its server has given up; else it goes on trying.
    """

    addresses: tuple[str, ...]
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
    if not (author.startswith(SERVERS) or (failed and _is_of_a_program(mail.message))):
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
    recipients = _addresses(*(failed.split(",") if failed else _NAMED.findall(said)))
    return Bounce(
        letters=tuple(letters),
        undelivered=(Undelivered(addresses=recipients, status=status[0] if status else "", is_final=True),),
    )


def _is_of_a_program(message: Message) -> bool:
    """Whether a mail says that nobody has written it: nobody is to answer it, or it was submitted by itself."""
    submitted = value(message, "auto-submitted").partition(";")[0].strip().lower()
    return value(message, "return-path") == "<>" or submitted not in {"", "no"}


def _addresses(*texts: str) -> tuple[str, ...]:
    """Return those that are addresses, each once."""
    return tuple(dict.fromkeys(one for text in texts[:_MOST_NAMED] if (one := address(text))))


def _text(part: Message) -> str:
    return one_ending(decoded(part)[:_LONGEST_READ]).decode(errors="replace")


def _undelivered(part: Message) -> Iterator[Undelivered]:
    if part.get_content_type() != "message/delivery-status":
        return
    for block in part.get_payload():
        action = value(block, "action").partition(" ")[0].lower() if isinstance(block, Message) else ""
        if not isinstance(block, Message) or action not in _ACTION:
            continue
        named = (value(block, name).rpartition(";")[2].strip().strip("<>") for name in _RECIPIENTS)
        status = _STATUS.match(value(block, "status"))
        yield Undelivered(
            addresses=_addresses(*named),
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
