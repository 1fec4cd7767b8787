"""What a host is told of: which facts are outcomes, and what each says. Ids, times and words from closed lists alone.

Never a name, an address, a place or anything that somebody has written: whoever needs these asks for them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from connector.domain import facts
from connector.domain.facts import Fact
from connector.domain.notice import NoticeKind
from connector.domain.notice_table import NOTICES
from connector.domain.people import Role
from connector.domain.span import When, zone_named


class OutcomeType(StrEnum):
    """What has happened, as hosts know it."""

    SESSION_BOOKED = "session.booked"
    SESSION_MOVED = "session.moved"
    SESSION_RELOCATED = "session.relocated"
    SESSION_CANCELLED = "session.cancelled"
    SESSION_NEEDS_ATTENTION = "session.needs_attention"
    SESSION_ATTENTION_CLEARED = "session.attention_cleared"
    OFFER_SENT = "offer.sent"
    OFFER_ACCEPTED = "offer.accepted"
    OFFER_REJECTED = "offer.rejected"
    OFFER_LAPSED = "offer.lapsed"
    OFFER_WITHDRAWN = "offer.withdrawn"
    OFFER_REPLACED = "offer.replaced"
    OFFER_ALTERNATIVE_MOVED = "offer.alternative_moved"
    OFFER_ALTERNATIVE_WITHDRAWN = "offer.alternative_withdrawn"
    OFFER_CONFLICT_FOUND = "offer.conflict_found"
    QUESTION_ASKED = "question.asked"
    QUESTION_ANSWERED = "question.answered"
    QUESTION_DROPPED = "question.dropped"
    CONNECTION_ADDED = "connection.added"
    CONNECTION_ACCESS_LOST = "connection.access_lost"
    CONNECTION_REAUTHORIZED = "connection.reauthorized"
    CONNECTION_REMOVED = "connection.removed"
    CALENDAR_PAUSED = "calendar.paused"
    CALENDAR_RESUMED = "calendar.resumed"
    MESSAGE_SENT = "message.sent"
    MESSAGE_FAILED = "message.failed"
    ENDPOINT_TEST = "endpoint.test"


@dataclass(frozen=True, slots=True, kw_only=True)
class OutcomeTime:
    """A span with the offsets that its zone has then."""

    start: datetime
    end: datetime
    zone: str

    @classmethod
    def of(cls, when: When) -> OutcomeTime:
        """Write a span on the clock of its zone."""
        zone = zone_named(when.zone)
        return cls(start=when.span.start.astimezone(zone), end=when.span.end.astimezone(zone), zone=when.zone)


@dataclass(frozen=True, slots=True, kw_only=True)
class Details:
    """What a type of outcome says beside what all of them do; nothing more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BookedDetails(Details):
    """Of a session that was booked."""

    time: OutcomeTime


@dataclass(frozen=True, slots=True, kw_only=True)
class MovedDetails(Details):
    """Of a session that changed its time."""

    old_time: OutcomeTime
    new_time: OutcomeTime


@dataclass(frozen=True, slots=True, kw_only=True)
class SentDetails(Details):
    """Of an offer that was sent."""

    times: tuple[OutcomeTime, ...]
    expires_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class AcceptedDetails(Details):
    """Of an offer of which an alternative was chosen."""

    alternative_id: UUID
    time: OutcomeTime


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplacedDetails(Details):
    """Of an offer in whose place there is another."""

    new_offer_id: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class AlternativeMovedDetails(Details):
    """Of an alternative that moved."""

    alternative_id: UUID
    old_time: OutcomeTime
    new_time: OutcomeTime


@dataclass(frozen=True, slots=True, kw_only=True)
class AlternativeDetails(Details):
    """Of an alternative that was taken back, or at whose time something else stands."""

    alternative_id: UUID
    time: OutcomeTime


@dataclass(frozen=True, slots=True, kw_only=True)
class AskedDetails(Details):
    """Of a question to the practitioner; it answers itself when nobody does."""

    question_id: UUID
    question: str
    moved_to: OutcomeTime | None
    answers_itself_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class AnsweredDetails(Details):
    """Of a question that was answered."""

    question_id: UUID
    question: str
    answer: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DroppedDetails(Details):
    """Of a question that something else has decided."""

    question_id: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class AddedDetails(Details):
    """Of an account that was connected."""

    provider: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RemovedDetails(Details):
    """Of an account that was disconnected; so many of our events may stand in it yet."""

    left_behind: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PausedDetails(Details):
    """Of a calendar that looked wrong: so many entries were gone."""

    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ResumedDetails(Details):
    """Of a calendar on which work goes on."""

    calendar_id: UUID | None


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageDetails(Details):
    """Of a letter or a text: which, by which medium, and to whom; never what it says."""

    message: str
    medium: str
    to: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """One thing that a host is told.

    Attributes:
        actor: In which capacity somebody did it.
        cause: The outcome of the same act that has brought it about; None for what was done itself.
        reason: Why, a word of a closed list; empty where there is none.
    """

    type: OutcomeType
    at: datetime
    actor: Role
    details: Details = Details()
    cause: OutcomeType | None = None
    reason: str = ""
    session_id: UUID | None = None
    offer_id: UUID | None = None
    connection_id: UUID | None = None


_DetailsClass = type[Details]


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A type of outcome, the class of its details, and how these and the reason follow from the fact."""

    type: OutcomeType
    details: _DetailsClass = Details
    says: Callable[[Any], Details] = lambda _fact: Details()
    reason: Callable[[Any], str] = lambda _fact: ""


_time = OutcomeTime.of


def _message(fact: facts.NoticeSent | facts.NoticeRefused | facts.NoticeInDoubt) -> MessageDetails:
    return MessageDetails(message=fact.kind, medium=fact.medium, to=NOTICES[NoticeKind(fact.kind)].to.value)


def _is_told(fact: Fact) -> bool:
    """Whether a host is told of a message: a sign-in link is no business of theirs; another version may have kinds."""
    if isinstance(fact, facts.NoticeSent | facts.NoticeRefused | facts.NoticeInDoubt):
        return fact.session_id is not None and fact.kind in _KINDS
    return True


_T = OutcomeType
ROWS: Mapping[type[Fact], Row] = {
    facts.SessionBooked: Row(
        type=_T.SESSION_BOOKED, details=BookedDetails, says=lambda fact: BookedDetails(time=_time(fact.when))
    ),
    facts.SessionMoved: Row(
        type=_T.SESSION_MOVED,
        details=MovedDetails,
        says=lambda fact: MovedDetails(old_time=_time(fact.old), new_time=_time(fact.new)),
        reason=lambda fact: fact.reason.value,
    ),
    facts.LocationChanged: Row(type=_T.SESSION_RELOCATED),
    facts.SessionCancelled: Row(type=_T.SESSION_CANCELLED),
    facts.SessionFlagged: Row(type=_T.SESSION_NEEDS_ATTENTION, reason=lambda fact: fact.reason.value),
    facts.FlagCleared: Row(type=_T.SESSION_ATTENTION_CLEARED),
    facts.OfferSent: Row(
        type=_T.OFFER_SENT,
        details=SentDetails,
        says=lambda fact: SentDetails(times=tuple(map(_time, fact.alternatives)), expires_at=fact.expires_at),
    ),
    facts.OfferAccepted: Row(
        type=_T.OFFER_ACCEPTED,
        details=AcceptedDetails,
        says=lambda fact: AcceptedDetails(alternative_id=fact.alternative_id, time=_time(fact.chosen)),
    ),
    facts.OfferRejected: Row(type=_T.OFFER_REJECTED),
    facts.OfferLapsed: Row(type=_T.OFFER_LAPSED),
    facts.OfferWithdrawn: Row(type=_T.OFFER_WITHDRAWN),
    facts.OfferReplaced: Row(
        type=_T.OFFER_REPLACED,
        details=ReplacedDetails,
        says=lambda fact: ReplacedDetails(new_offer_id=fact.new_offer_id),
    ),
    facts.AlternativeMoved: Row(
        type=_T.OFFER_ALTERNATIVE_MOVED,
        details=AlternativeMovedDetails,
        says=lambda fact: AlternativeMovedDetails(
            alternative_id=fact.alternative_id, old_time=_time(fact.old), new_time=_time(fact.new)
        ),
    ),
    facts.AlternativeWithdrawn: Row(
        type=_T.OFFER_ALTERNATIVE_WITHDRAWN,
        details=AlternativeDetails,
        says=lambda fact: AlternativeDetails(alternative_id=fact.alternative_id, time=_time(fact.when)),
    ),
    facts.ConflictFound: Row(
        type=_T.OFFER_CONFLICT_FOUND,
        details=AlternativeDetails,
        says=lambda fact: AlternativeDetails(alternative_id=fact.alternative_id, time=_time(fact.when)),
    ),
    facts.PractitionerAsked: Row(
        type=_T.QUESTION_ASKED,
        details=AskedDetails,
        says=lambda fact: AskedDetails(
            question_id=fact.question_id,
            question=fact.question.value,
            moved_to=_time(fact.moved_to) if fact.moved_to else None,
            answers_itself_at=fact.answers_itself_at,
        ),
    ),
    facts.PractitionerAnswered: Row(
        type=_T.QUESTION_ANSWERED,
        details=AnsweredDetails,
        says=lambda fact: AnsweredDetails(
            question_id=fact.question_id, question=fact.question.value, answer=fact.answer.value
        ),
    ),
    facts.QuestionDropped: Row(
        type=_T.QUESTION_DROPPED,
        details=DroppedDetails,
        says=lambda fact: DroppedDetails(question_id=fact.question_id),
        reason=lambda fact: fact.dropped.value,
    ),
    facts.ConnectionAdded: Row(
        type=_T.CONNECTION_ADDED, details=AddedDetails, says=lambda fact: AddedDetails(provider=fact.provider)
    ),
    facts.AccessLost: Row(type=_T.CONNECTION_ACCESS_LOST),
    facts.AccessRegained: Row(type=_T.CONNECTION_REAUTHORIZED),
    facts.Disconnected: Row(
        type=_T.CONNECTION_REMOVED,
        details=RemovedDetails,
        says=lambda fact: RemovedDetails(left_behind=fact.left_behind),
    ),
    facts.CalendarPaused: Row(
        type=_T.CALENDAR_PAUSED,
        details=PausedDetails,
        says=lambda fact: PausedDetails(count=fact.count),
        reason=lambda fact: fact.reason,
    ),
    facts.CalendarResumed: Row(
        type=_T.CALENDAR_RESUMED,
        details=ResumedDetails,
        says=lambda fact: ResumedDetails(calendar_id=fact.calendar_id),
        reason=lambda fact: fact.how,
    ),
    facts.NoticeSent: Row(type=_T.MESSAGE_SENT, details=MessageDetails, says=_message),
    facts.NoticeRefused: Row(
        type=_T.MESSAGE_FAILED, details=MessageDetails, says=_message, reason=lambda _fact: "refused"
    ),
    facts.NoticeInDoubt: Row(
        type=_T.MESSAGE_FAILED, details=MessageDetails, says=_message, reason=lambda _fact: "in_doubt"
    ),
}
# What no host can do anything about, or learns by the outcome that follows from it.
SILENT: frozenset[type[Fact]] = frozenset(
    {
        facts.PersonChanged,
        facts.ClientErased,
        facts.SessionLookedAt,
        facts.SessionsFound,
        facts.ClientAnswered,
        facts.ClientWrote,
        facts.MailDecided,
        facts.OfferDrafted,
        facts.OfferDiscarded,
        facts.AbsenceAsked,
        facts.AbsenceAnswered,
        facts.AbsenceDropped,
        facts.ConflictAccepted,
        facts.EntryReverted,
        facts.EventMoved,
        facts.EventDeleted,
        facts.EntriesRefused,
        facts.EntriesTaken,
        facts.EventsUnread,
        facts.EventsRead,
        facts.CalendarPutRight,
        facts.TargetChanged,
        facts.HoldsProved,
        facts.DisconnectRequested,
        facts.NoticeHeldBack,
        facts.NoticeArrived,
    }
)
_DETAILS = {row.type: row.details for row in ROWS.values()} | {_T.ENDPOINT_TEST: Details}
_KINDS = frozenset(kind.value for kind in NoticeKind)


def details_of(type_: OutcomeType) -> _DetailsClass:
    """Return the class of what outcomes of a type say."""
    return _DETAILS[type_]


def outcomes(happened: Iterable[Fact]) -> Iterator[Outcome]:
    """Yield what a host is told of the facts of one act, in their order; of each what has brought it about."""
    first: OutcomeType | None = None
    for fact in happened:
        row = ROWS.get(type(fact))
        if row is None or not _is_told(fact):
            continue
        yield Outcome(
            type=row.type,
            at=fact.at,
            actor=fact.by.role,
            details=row.says(fact),
            cause=first,
            reason=row.reason(fact),
            session_id=fact.session_id,
            offer_id=fact.offer_id,
            connection_id=fact.connection_id,
        )
        first = first or row.type
