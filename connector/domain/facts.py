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


class QuestionKind(StrEnum):
    """What the practitioner is asked about a session whose event they changed in their calendar."""

    MOVED = "moved"  # they moved it: ask the client, already agreed, or put it back
    REPLACE = "replace"  # they moved it while an offer was open: shall this time replace the offer
    DELETED = "deleted"  # they deleted it: cancel the session, put it back, or offer other times


class Answer(StrEnum):
    """What a practitioner can answer; the values stand in the addresses of the links."""

    ASK_CLIENT = "ask"
    AGREED = "agreed"
    PUT_BACK = "back"
    REPLACE = "replace"
    LEAVE = "leave"
    CANCEL = "cancel"
    OFFER_OTHERS = "offer"


class Dropped(StrEnum):
    """What has decided a question before its practitioner did."""

    MOVED_BACK = "moved_back"
    BROUGHT_BACK = "brought_back"
    CHANGED_AGAIN = "changed_again"  # the last act counts, and is asked about
    CANNOT_STAND = "cannot_stand"  # moved on to a time that cannot be, and so put back
    DECIDED = "decided"  # on a page, by the client, or by the end of the offer it was about
    DISCONNECTED = "disconnected"  # the calendar it was done in


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
    """The practitioner changed or deleted one of our entries in their own calendar, and it was put back.

    `reason` is a PutBack of the notice; `moved_to` where they had put it.
    """

    key: str
    deleted: bool
    reason: str = ""
    moved_to: When | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EventMoved(Fact):
    """The practitioner moved one of our entries in their own calendar, for good."""

    key: str
    calendar: str
    to: When


@dataclass(frozen=True, slots=True, kw_only=True)
class EventDeleted(Fact):
    """The practitioner deleted one of our entries in their own calendar, for good."""

    key: str
    calendar: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PractitionerAsked(Fact):
    """The practitioner was asked what they meant by it."""

    question_id: UUID
    question: QuestionKind
    moved_to: When | None
    answers_itself_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class PractitionerAnswered(Fact):
    """They said what they meant, or it was chosen for them when they did not."""

    question_id: UUID
    question: QuestionKind
    answer: Answer


@dataclass(frozen=True, slots=True, kw_only=True)
class QuestionDropped(Fact):
    """A question was decided by something else."""

    question_id: UUID
    dropped: Dropped


@dataclass(frozen=True, slots=True, kw_only=True)
class ClashFound(Fact):
    """An offered time is no longer free in another calendar of the practitioner."""

    alternative_id: UUID
    when: When
    calendar: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CalendarStopped(Fact):
    """A calendar looked wrong, so nothing is done about it until somebody says so; `reason` is a Stop."""

    calendar: str
    reason: str
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CalendarResumed(Fact):
    """Work on a calendar goes on; `how` is restore, accept, or itself when all that was missing is back."""

    calendar: str
    how: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetChanged(Fact):
    """The entries of a connection go to another of its calendars."""

    old: str
    new: str


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldsProved(Fact):
    """It was tried out whether a calendar keeps the time of a tentative event busy."""

    calendar: str
    firm: bool


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
