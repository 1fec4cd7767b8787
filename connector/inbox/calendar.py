"""What an attendee's calendar program says to an organizer (iTIP, RFC 5546), out of whatever anybody may have sent.

Nothing is expanded, and nothing is remembered: it is read as all foreign objects are (decision 40).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from html import unescape

from connector.domain.facts import Attendance
from connector.domain.span import LONGEST, SHORTEST, Span
from connector.domain.text import visible
from connector.ical import reading
from connector.ical.foreign import lines, text, values
from connector.ical.foreign.clock import UNIVERSAL
from connector.ical.foreign.lines import Component
from connector.inbox.bounds import CalendarPart
from connector.inbox.headers import address

_LONGEST_UID = 255
LONGEST_COMMENT = 2_000
_YEARS = range(2000, 2101)
_NUMBER = re.compile(r"\d{1,9}", re.ASCII)
_ESCAPED = re.compile(r"\\([\\;,nN])")


class Unclear(StrEnum):
    """Why nothing can be done about a mail; the value is a stored word, and one of the metrics."""

    OTHER_METHOD = "other_method"  # it is no answer, such as an invitation of their own
    CONTRADICTORY = "contradictory"  # several objects, or a header and its object, do not say the same
    NOT_WHOLE = "not_whole"
    NOT_ONE_EVENT = "not_one_event"
    SERIES = "series"  # it is about one of a series, or makes one: no invitation of ours is any
    UID = "uid"
    SEQUENCE = "sequence"
    ATTENDEE = "attendee"  # not exactly one, or none with an address
    DELEGATED = "delegated"  # somebody else shall come
    NO_ANSWER = "no_answer"  # neither yes, no nor perhaps
    TIME = "time"  # another time is wanted, and cannot be read, or is none for a session
    AUTOMATIC = "automatic"  # no person has written it (RFC 3834)
    EMPTY = "empty"  # nothing but what it quotes
    NOT_ONE_AUTHOR = "not_one_author"


@dataclass(frozen=True, slots=True, kw_only=True)
class Garbled:
    """An answer of a calendar program that cannot be understood for certain, with what can be read of it.

    Attributes:
        reason: Why.
        uid: Of what it is about; empty if it does not say.
        answer: What they say; None if that cannot be read.
        stamp: As in `Said`.
        comment: As in `Said`.
        name: As in `Said`.
    """

    reason: Unclear
    uid: str = ""
    answer: Attendance | None = None
    stamp: datetime | None = None
    comment: str = ""
    name: str = field(default="", compare=False, repr=False)


class UnclearError(Exception):
    """An object cannot be understood as an answer."""

    def __init__(self, reason: Unclear, garbled: Garbled | None = None) -> None:
        super().__init__(reason.value)
        self.reason = reason
        self.garbled = garbled or Garbled(reason=reason)


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What all answers have.

    Attributes:
        uid: Of the invitation that it is about.
        sequence: The revision that they have seen; None if they do not tell.
        attendee: Whose answer it is, in small letters.
        organizers: Whom they answer, in small letters, as far as they tell: Exchange leaves that out. Empty text is
            somebody whose address cannot be read.
        stamp: When it was made, aware UTC, by a clock of theirs; None if it does not tell.
        comment: What they have added, on one line.
        name: What they are called there.
    """

    uid: str
    sequence: int | None
    attendee: str
    organizers: frozenset[str] = frozenset()
    stamp: datetime | None = None
    comment: str = ""
    name: str = field(default="", compare=False, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply(Said):
    """They come, do not come, or perhaps (REPLY)."""

    answer: Attendance


@dataclass(frozen=True, slots=True, kw_only=True)
class Counter(Said):
    """They would like another time (COUNTER)."""

    span: Span


@dataclass(frozen=True, slots=True, kw_only=True)
class Refresh(Said):
    """They ask for the invitation as it stands now (REFRESH)."""


CalendarMessage = Reply | Counter | Refresh


def read(parts: tuple[CalendarPart, ...]) -> CalendarMessage | None:
    """Return what the calendar parts of a mail say, which is the same in each; None if it has none.

    Raises: UnclearError.
    """
    messages = {_message(part) for part in parts}
    if len(messages) > 1:
        raise UnclearError(Unclear.CONTRADICTORY)
    return next(iter(messages), None)


def _message(part: CalendarPart) -> CalendarMessage:
    calendar = lines.component(_named(part.data))
    if calendar is None or calendar.kind != "VCALENDAR":
        raise UnclearError(Unclear.NOT_WHOLE)
    method = _method(part, calendar)
    scan = lines.scan(lines.filtered(part.data))
    if not scan.is_whole or scan.is_cut:
        raise UnclearError(Unclear.NOT_WHOLE)
    events = [inner for inner in calendar.parts if inner.kind == "VEVENT"]
    if len(events) != 1 or len(scan.events) != 1:
        raise UnclearError(Unclear.NOT_ONE_EVENT)
    [event] = events
    try:
        return _meant(method, event, part.data)
    except UnclearError as error:
        raise UnclearError(error.reason, _garbled(error.reason, event)) from error


def _garbled(reason: Unclear, event: Component) -> Garbled:
    words = {(attendee.parameter("PARTSTAT") or "").lower() for attendee in event.all("ATTENDEE")}
    word = words.pop() if len(words) == 1 else ""
    return Garbled(
        reason=reason,
        uid=_uid(event),
        answer=Attendance(word) if word in set(Attendance) else None,
        stamp=_stamp(event),
        comment=_comment(event),
        name=_name(event),
    )


def _uid(event: Component) -> str:
    """Return what an object is about; empty if that is no name that we could have given.

    A database is asked for it: what has characters that nobody can see, such as NUL, is asked for nowhere.
    """
    uid = event.value("UID")
    is_one = len(uid) <= _LONGEST_UID and uid.isprintable() and "\ufffd" not in uid
    return uid if is_one else ""


def _meant(method: str, event: Component, data: bytes) -> CalendarMessage:
    if any(line.name in reading.RECURRENCE for line in event.lines):
        raise UnclearError(Unclear.SERIES)
    uid, sequence = _uid(event), event.value("SEQUENCE")
    if not uid:
        raise UnclearError(Unclear.UID)
    if sequence and not _NUMBER.fullmatch(sequence):
        raise UnclearError(Unclear.SEQUENCE)
    attendees = list(event.all("ATTENDEE"))
    attendee = address(attendees[0].value) if len(attendees) == 1 else ""
    if not attendee:
        raise UnclearError(Unclear.ATTENDEE)
    said = Said(
        uid=uid,
        sequence=int(sequence) if sequence else None,
        attendee=attendee,
        organizers=frozenset(address(line.value) for line in event.all("ORGANIZER")),
        stamp=_stamp(event),
        comment=_comment(event),
        name=_name(event),
    )
    common = {name: getattr(said, name) for name in Said.__slots__}
    if method == "REPLY":
        return Reply(**common, answer=_answer(attendees[0].parameter("PARTSTAT")))
    if method == "COUNTER":
        content = reading.read(data)
        if content is None or not _is_for_a_session(content.span):
            raise UnclearError(Unclear.TIME)
        return Counter(**common, span=content.span)
    return Refresh(**common)


def _is_for_a_session(span: Span) -> bool:
    """Whether a session could be then, on any clock: at the ends of all time some clocks have no time."""
    return SHORTEST <= span.duration <= LONGEST and span.start.year in _YEARS


def _named(data: bytes) -> bytes:
    """Return the lines of an object, unfolded, their names in capitals."""
    named = ((text.name(line), line) for line in text.unfolded(data, len(data)).split(b"\n"))
    return b"\n".join(name.encode() + line[len(name) :].lstrip(b" \t") for name, line in named if name)


def _method(part: CalendarPart, calendar: Component) -> str:
    """Return what kind of message it is: mail programs go by the part's header, and others by the object."""
    methods = {method for method in (part.method, calendar.value("METHOD").upper()) if method}
    if len(methods) > 1:
        raise UnclearError(Unclear.CONTRADICTORY)
    method = next(iter(methods), "")
    if method not in {"REPLY", "COUNTER", "REFRESH"}:
        raise UnclearError(Unclear.OTHER_METHOD)
    return method


def _answer(partstat: str | None) -> Attendance:
    word = (partstat or "").lower()
    if word == "delegated":
        raise UnclearError(Unclear.DELEGATED)
    if word not in set(Attendance):
        raise UnclearError(Unclear.NO_ANSWER)
    return Attendance(word)


def _stamp(event: Component) -> datetime | None:
    try:
        moment = values.moment(event.value("DTSTAMP"), zone=UNIVERSAL, home=UNIVERSAL)
    except values.NonsenseError:
        return None
    return moment.wall.replace(tzinfo=UTC)


def _name(event: Component) -> str:
    return next((attendee.parameter("CN") or "" for attendee in event.all("ATTENDEE")), "")


def _comment(event: Component) -> str:
    """Return what they have added: as the standard says, or as Google writes it beside the answer."""
    beside = next((attendee.parameter("X-RESPONSE-COMMENT") or "" for attendee in event.all("ATTENDEE")), "")
    value = event.value("COMMENT") or beside
    plain = unescape(_ESCAPED.sub(lambda escaped: " " if escaped[1] in "nN" else escaped[1], value))
    return visible(plain, longest=LONGEST_COMMENT)
