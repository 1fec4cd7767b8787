"""What mail servers report of letters that did not arrive (RFC 3464)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from email.message import Message

from connector.inbox.bounds import BoundedMail, decoded, one_ending
from connector.inbox.headers import address, ids, value

_ACTION = {"failed": True, "delayed": False}
_STATUS = re.compile(r"[245]\.\d{1,3}\.\d{1,3}", re.ASCII)
_MESSAGE_ID = re.compile(r"^message-id:([^\n]*(?:\n[ \t][^\n]*)*)", re.IGNORECASE | re.MULTILINE)


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
