"""How much of a mail is looked at: counted on its bytes before any parser sees them.

Anybody can write to us. What lies within the bounds is parsed in milliseconds and a few megabytes, whatever it says;
everything else is quarantined, with the bound that it broke as a word of its own. See docs/decisions/0049.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from email import message_from_bytes, policy
from email.message import Message
from email.utils import collapse_rfc2231_value
from enum import StrEnum
from hashlib import sha256

from connector.ical.foreign import text

LARGEST = 1024 * 1024  # bytes of a mail; whoever fetches one asks for no more than one byte beyond
MOST_LINES = 30_000  # of a mail: whatever a parser makes of lines, it makes no more than so many of them
LARGEST_HEADER = 64 * 1024
MOST_HEADER_LINES = 500
LONGEST_CONTENT_HEADER = 2 * 1024  # Content-Type and its kin, anywhere
MOST_PARTS = 50
DEEPEST = 10  # parts inside one another
LARGEST_CALENDAR = 64 * 1024
MOST_CALENDAR_LINES = 2_000
MOST_ATTENDEES = 20

_MOST_CONTAINERS = 2 * DEEPEST  # declared anywhere; the parser goes into each, so they are counted before it starts
_CONTENT = re.compile(rb"^content-[!-9;-~]*:[^\n]*(?:\n[ \t][^\n]*)*", re.IGNORECASE | re.MULTILINE)
_CONTAINER = re.compile(rb"content-type:[\s\x1c-\x1f]*(?:multipart|message)/", re.IGNORECASE)
_BOUNDARY = re.compile(rb'boundary[ \t\n]*=[ \t\n]*(?:"([^"]*)"|([^\n;]*))', re.IGNORECASE)
_AUTHORS = re.compile(  # what whoever passes a mail on keeps as it is, and signatures cover
    rb"^(message-id|from|date|content-type|content-transfer-encoding):[^\n]*(?:\n[ \t][^\n]*)*",
    re.IGNORECASE | re.MULTILINE,
)
_DELIMITER = re.compile(rb"^--([^\n]*)", re.MULTILINE)
_REPORT = re.compile(rb"content-type:[\s\x1c-\x1f]*message/delivery-status", re.IGNORECASE)
_ATTENDEE = re.compile(rb"\nATTENDEE" + text.NAME_END, re.IGNORECASE)
_CALENDARS = frozenset({"text/calendar", "application/ics"})


class Excess(StrEnum):
    """Which bound a mail has broken; the value is a stored word, and one of the metrics."""

    MAIL_SIZE = "mail_size"
    MAIL_LINES = "mail_lines"
    NUL = "nul"  # no mail program writes one, and readers disagree about where it ends
    HEADER_SIZE = "header_size"
    HEADER_LINES = "header_lines"
    CONTENT_HEADER = "content_header"
    PARTS = "parts"
    NESTING = "nesting"
    CALENDAR_SIZE = "calendar_size"
    CALENDAR_LINES = "calendar_lines"
    ATTENDEES = "attendees"
    UNPARSABLE = "unparsable"  # a parser failed over it, within all bounds


class QuarantinedError(Exception):
    """A mail is outside of the bounds; nothing of it is read."""

    def __init__(self, excess: Excess) -> None:
        super().__init__(excess.value)
        self.excess = excess


@dataclass(frozen=True, slots=True, kw_only=True)
class CalendarPart:
    """A calendar object in a mail, decoded; its VTIMEZONEs and all else as they came.

    `method` is what the part's own header says that it is, in capitals; empty if it does not.
    """

    method: str
    data: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class BoundedMail:
    """A mail within all bounds.

    Attributes:
        data: As it came.
        message: Parsed by the rules of `compat32`, which decode nothing before it is asked for.
        parts: What it consists of, outermost first; mails inside it are one part each, and nothing of theirs is here.
        calendars: The calendar objects among these.
    """

    data: bytes
    message: Message
    parts: tuple[Message, ...]
    calendars: tuple[CalendarPart, ...]


def bounded(data: bytes) -> BoundedMail:
    """Return a mail once it has been counted.

    Raises: QuarantinedError.
    """
    _count_bytes(data)
    try:
        message = message_from_bytes(data, policy=policy.compat32)
    except Exception as error:
        raise QuarantinedError(Excess.UNPARSABLE) from error
    _count_tree(message)
    parts = tuple(_own_parts(message))
    calendars = tuple(_calendar(part) for part in parts if is_calendar(part))
    return BoundedMail(data=data, message=message, parts=parts, calendars=calendars)


def identity(data: bytes) -> str:
    """Return what is the same in every copy of a mail, whichever way it came: not what servers have written on it.

    Of several headers of a name the last counts, as for signatures: who passes a mail on writes above it.
    """
    header, _, body = one_ending(data).partition(b"\n\n")
    last = {found[1].lower(): found[0] for found in _AUTHORS.finditer(header)} if len(header) <= LARGEST_HEADER else {}
    own = b"\n".join(last[name] for name in sorted(last)) if last else header
    return sha256(own + b"\n\n" + body.rstrip(b"\n")).hexdigest()


def is_calendar(part: Message) -> bool:
    """Whether a part is a calendar object, or says by its file's name that it is."""
    if part.is_multipart():
        return False
    names = (parameter(part, "filename", "content-disposition"), parameter(part, "name"))
    return part.get_content_type() in _CALENDARS or any(name.lower().endswith(".ics") for name in names)


def parameter(part: Message, name: str, header: str = "content-type") -> str:
    """Return a parameter of a part's header; empty if it has none, or none that can be decoded."""
    try:
        value = part.get_param(name, "", header)
        return collapse_rfc2231_value(value).strip() if value else ""
    except ValueError:  # of a character set that does not decode as it is asked to
        return ""


def decoded(part: Message) -> bytes:
    """Return the bytes of a part that has no parts; what is not base64 although it says so stays as it is."""
    payload = part.get_payload(decode=True)
    return payload if isinstance(payload, bytes) else b""


def one_ending(data: bytes) -> bytes:
    """Return text with one line feed after each line: parsers take all three endings for one."""
    return data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")


def _count_bytes(data: bytes) -> None:
    _within(len(data), LARGEST, Excess.MAIL_SIZE)
    _within(data.count(b"\0"), 0, Excess.NUL)
    plain = one_ending(data)
    _within(plain.count(b"\n"), MOST_LINES, Excess.MAIL_LINES)
    header = plain.partition(b"\n\n")[0]
    _within(len(header), LARGEST_HEADER, Excess.HEADER_SIZE)
    _within(header.count(b"\n"), MOST_HEADER_LINES, Excess.HEADER_LINES)
    contents = list(_CONTENT.finditer(plain))
    longest = max((found.end() - found.start() for found in contents), default=0)
    _within(longest, LONGEST_CONTENT_HEADER, Excess.CONTENT_HEADER)
    _within(sum(_CONTAINER.match(found[0]) is not None for found in contents), _MOST_CONTAINERS, Excess.NESTING)
    _within(_declared_parts(plain, contents), MOST_PARTS, Excess.PARTS)


def _declared_parts(plain: bytes, contents: list[re.Match[bytes]]) -> int:
    """Count the lines that begin a part, and the blocks of reports: the parser makes a part of each.

    Reports are containers, so there are few by now: counting walks over a mail a bounded number of times.
    """
    boundaries = {
        (found[1] or found[2] or b"").strip() for content in contents for found in _BOUNDARY.finditer(content[0])
    }
    count = sum(found[1].strip() in boundaries for found in _DELIMITER.finditer(plain)) if boundaries else 0
    return count + sum(_blocks(plain, found.end()) for found in contents if _REPORT.match(found[0]))


def _blocks(plain: bytes, start: int) -> int:
    """Count the blocks of a report, up to the next line that may end it."""
    end = plain.find(b"\n--", start)
    return plain.count(b"\n\n", start, end if end >= 0 else len(plain))


def _count_tree(message: Message) -> None:
    """Count once more what the parser has made of it: nothing can be hidden from that."""
    count, level = 0, [message]
    for _ in range(DEEPEST):
        count += len(level)
        _within(count, MOST_PARTS + 1, Excess.PARTS)  # the mail itself is none
        level = [inner for part in level for inner in _inside(part)]
    _within(len(level), 0, Excess.NESTING)


def _own_parts(message: Message) -> Iterator[Message]:
    """Yield a mail's parts without those of mails inside it: what somebody forwards is not what they say."""
    yield message
    if message.get_content_maintype() == "multipart":
        for part in _inside(message):
            yield from _own_parts(part)


def _inside(part: Message) -> list[Message]:
    payload = part.get_payload() if part.is_multipart() else []
    return [inner for inner in payload if isinstance(inner, Message)] if isinstance(payload, list) else []


def _calendar(part: Message) -> CalendarPart:
    data = decoded(part)
    _within(len(data), LARGEST_CALENDAR, Excess.CALENDAR_SIZE)
    _within(one_ending(data).count(b"\n"), MOST_CALENDAR_LINES, Excess.CALENDAR_LINES)
    attendees = sum(1 for _ in _ATTENDEE.finditer(text.unfolded(data, len(data))))
    _within(attendees, MOST_ATTENDEES, Excess.ATTENDEES)
    return CalendarPart(method=parameter(part, "method").upper(), data=data)


def _within(count: int, most: int, excess: Excess) -> None:
    if count > most:
        raise QuarantinedError(excess)
