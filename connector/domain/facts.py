"""What happened, in the past tense. Stored in order, facts make the timeline of a session, an offer or a connection."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

from connector.domain.people import Actor
from connector.domain.span import When


class MoveReason(StrEnum):
    """Why a session moved: a correction is told differently from a move."""

    AGREED = "agreed"
    CORRECTION = "correction"
    ACCEPTED = "accepted"


class FlagReason(StrEnum):
    """Why a session needs its practitioner."""

    REJECTED = "rejected"
    LAPSED = "lapsed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Attestation:
    """That the client has agreed to a time: who said so, when, and by which channel."""

    who: str
    at: datetime
    channel: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """Something that happened to a session, at an instant in UTC, done by somebody."""

    at: datetime
    by: Actor
    session_id: UUID | None = None
    offer_id: UUID | None = None
    connection_id: UUID | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionBooked(Fact):
    """A session was taken in."""

    when: When


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionMoved(Fact):
    """A session changed its time."""

    old: When
    new: When
    reason: MoveReason
    attestation: Attestation | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LocationChanged(Fact):
    """A session changed its place."""

    old: str
    new: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionCancelled(Fact):
    """A session ended before it took place."""

    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionFlagged(Fact):
    """A session needs its practitioner."""

    reason: FlagReason


@dataclass(frozen=True, slots=True, kw_only=True)
class FlagCleared(Fact):
    """A session no longer needs its practitioner."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OfferDrafted(Fact):
    """Alternatives were noted down; nobody was told."""

    alternatives: tuple[When, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class OfferDiscarded(Fact):
    """A draft was thrown away unsent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OfferSent(Fact):
    """Every alternative is held and the client was asked; the clock runs until `expires_at`."""

    alternatives: tuple[When, ...]
    expires_at: datetime
    window: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class OfferAccepted(Fact):
    """One alternative was chosen."""

    alternative_id: UUID
    chosen: When


@dataclass(frozen=True, slots=True, kw_only=True)
class OfferRejected(Fact):
    """None of the alternatives suits; the session keeps its time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OfferLapsed(Fact):
    """The deadline passed without an answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OfferWithdrawn(Fact):
    """The offer was taken back before an answer came."""

    why: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class OfferReplaced(Fact):
    """Another offer took the place of this one."""

    new_offer_id: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class AlternativeWithdrawn(Fact):
    """One alternative was taken back; the others stand."""

    alternative_id: UUID
    when: When


@dataclass(frozen=True, slots=True, kw_only=True)
class AlternativeMoved(Fact):
    """One alternative moved; the deadline did not."""

    alternative_id: UUID
    old: When
    new: When


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryTouched(Fact):
    """The practitioner changed or deleted one of our entries in their own calendar, and it was put back."""

    key: str
    deleted: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionAdded(Fact):
    """A calendar account was connected."""

    provider: str
    label: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessLost(Fact):
    """A calendar service no longer accepts our credentials."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessRestored(Fact):
    """A calendar service accepts our credentials again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DisconnectAsked(Fact):
    """Somebody wants a calendar account disconnected; what is ours is taken out of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Disconnected(Fact):
    """A calendar account is disconnected and its credentials are deleted; `left_behind` of our events may stand yet."""

    label: str
    left_behind: int


@dataclass(frozen=True, slots=True, kw_only=True)
class NoticeSent(Fact):
    """A message was handed to its mail server or gateway."""

    kind: str
    channel: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NoticeRefused(Fact):
    """A message was refused for good; somebody has to reach this person another way."""

    kind: str
    channel: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NoticeHeldBack(Fact):
    """A message had not left yet when a correction made it wrong; it never will."""

    kind: str
    revision: int
