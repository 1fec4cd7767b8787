"""What a calendar should show: the entry of a session, or the hold of an offered alternative."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import assert_never
from uuid import UUID

from connector.domain.offer import Alternative, Offer
from connector.domain.people import ERASED, Level
from connector.domain.session import Location, Session, SessionState
from connector.domain.span import Span


class EntryKind(StrEnum):
    """What an entry stands for."""

    SESSION = "session"
    HOLD = "hold"


class Showing(StrEnum):
    """How an entry looks in a calendar; each of them keeps the time busy."""

    CONFIRMED = "confirmed"
    TENTATIVE = "tentative"
    FIRM = "firm"  # a hold where tentative would be read as free: shown as plainly busy


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class EntryKey:
    """Which entry: the session's own, or that of one alternative. Written `session:<uuid>` or `hold:<uuid>`."""

    kind: EntryKind
    id: UUID

    def __str__(self) -> str:
        return f"{self.kind}:{self.id}"

    @classmethod
    def parse(cls, text: str) -> EntryKey:
        """Read what `str` wrote."""
        kind, _, identity = text.partition(":")
        return cls(kind=EntryKind(kind), id=UUID(identity))


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """The four things that are ours in a calendar event: time, status, title, location.

    Whatever else an event carries (notes, colour, reminders) belongs to the practitioner.
    """

    span: Span
    title: str
    location: str
    showing: Showing

    @property
    def fingerprint(self) -> str:
        """A digest equal exactly when the four are; comparable between what we want and what was read back.

        Some services tidy the blanks in a text, so those make no difference.
        """
        title, location = (" ".join(text.split()) for text in (self.title, self.location))
        parts = (self.span.start.isoformat(), self.span.end.isoformat(), title, location, self.showing)
        return hashlib.sha256("\x1f".join(parts).encode()).hexdigest()[:32]


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryWords:
    """What entries are called in a calendar, in the language of its practitioner; by default in English.

    In every language a title is one of these words, and after a colon whatever is shown of the client.
    """

    session: str = "Session"
    hold: str = "Hold"
    busy: str = "Busy"

    def title(self, kind: EntryKind, client_name: str, level: Level) -> str:
        """Return the title of an entry, which tells no more of its client than this level; nothing of an erased one."""
        if level is Level.BUSY:
            return self.busy
        word = {EntryKind.SESSION: self.session, EntryKind.HOLD: self.hold}[kind]
        shown = "" if client_name == ERASED else shown_of(client_name, level)
        return f"{word}: {shown}" if shown else word


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryLink:
    """Where an entry leads: to its practitioner's page of the session, in the field that a service has for that.

    It is no part of what an entry shows: an event that stands without it, or with an older one, is as it should be, and
    gets it with whatever is written next.

    Attributes:
        url: The address, which ends with the session's id; it opens nothing to whoever is not signed in.
        title: What it is called, where a service asks for that.
    """

    url: str
    title: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One event we want in a calendar. `session_id` groups a session with the holds of its offers."""

    key: EntryKey
    session_id: UUID
    content: Content
    link: EntryLink | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Disclosure:
    """What one calendar may show of a client, and whether its holds can be soft."""

    session_level: Level
    hold_level: Level
    firm_holds: bool = False


def entries_for(
    session: Session,
    offers: Iterable[Offer],
    client_name: str,
    disclosure: Disclosure,
    *,
    words: EntryWords,
    put_at: Span | None = None,
    link: EntryLink | None = None,
) -> Iterator[Entry]:
    """Yield what a calendar should show for one session: its own entry while it stands, and its holds.

    Of a client who was erased nothing is shown at any level. `put_at` is where the practitioner has moved the session's
    own event in this calendar: it stays there while they are asked about it. `link` is where entries lead that show
    more than that their practitioner is busy.
    """
    if session.state is not SessionState.BOOKED:
        return
    yield Entry(
        key=EntryKey(kind=EntryKind.SESSION, id=session.id),
        session_id=session.id,
        content=Content(
            span=put_at or session.when.span,
            title=words.title(EntryKind.SESSION, client_name, disclosure.session_level),
            location=_place(session.location, client_name, disclosure.session_level),
            showing=Showing.CONFIRMED,
        ),
        link=link if disclosure.session_level is not Level.BUSY else None,
    )
    for offer in offers:
        for alternative in offer.held:
            yield replace(
                _hold(session, alternative, client_name, disclosure, words),
                link=link if disclosure.hold_level is not Level.BUSY else None,
            )


def _hold(
    session: Session, alternative: Alternative, client_name: str, disclosure: Disclosure, words: EntryWords
) -> Entry:
    location = alternative.location or session.location
    return Entry(
        key=EntryKey(kind=EntryKind.HOLD, id=alternative.id),
        session_id=session.id,
        content=Content(
            span=alternative.when.span,
            title=words.title(EntryKind.HOLD, client_name, disclosure.hold_level),
            location=_place(location, client_name, disclosure.hold_level),
            showing=Showing.FIRM if disclosure.firm_holds else Showing.TENTATIVE,
        ),
    )


def leads_to(url: str, session_id: UUID) -> bool:
    """Whether an address is that of a link of ours, be it of a former address of the installation."""
    return url.strip().rstrip("/").lower().endswith(f"/{session_id}")


def neutral(content: Content, kind: EntryKind, level: Level, *, words: EntryWords) -> Content:
    """Return what stands in a calendar without anything that tells whose it is."""
    return replace(content, title=words.title(kind, ERASED, level), location="")


def shown_of(client_name: str, level: Level) -> str:
    """Return what a title shows of a client at a level: nothing below that of initials."""
    names = client_name.split()
    match level:
        case Level.BUSY | Level.NEUTRAL:
            return ""
        case Level.INITIALS:
            return ". ".join(part[0].upper() for part in names) + "."
        case Level.FIRST_NAME:
            return names[0]
        case Level.FULL:
            return client_name
        case _:
            assert_never(level)


def named_in(title: str) -> Iterator[str]:
    """Yield what may name a client in a title of whichever language: whatever follows a colon."""
    _, *rest = title.split(":")
    for number in range(len(rest)):
        yield ":".join(rest[number:]).strip()


def _place(location: Location, client_name: str, level: Level) -> str:
    return location.text if level is Level.FULL and client_name != ERASED else ""
