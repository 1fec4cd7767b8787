"""What happened, in the past tense. Stored in order, facts make the timeline of a session, an offer or a connection.

A fact is stored under its `tag`, which never changes: a class may be renamed, a tag may not. A field added later has a
default, so that facts stored before it still read.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import ClassVar, get_args
from uuid import UUID

from connector.domain.people import Actor, Medium
from connector.domain.span import When


class MoveReason(StrEnum):
    """Why a session moved: a correction is told differently from a move."""

    AGREED = "agreed"
    CORRECTION = "correction"
    ACCEPTED = "accepted"
    RESTORED = "restored"  # after the database was set back: its event stood there


class FlagReason(StrEnum):
    """Why a session needs its practitioner."""

    REJECTED = "rejected"
    LAPSED = "lapsed"
    RESTORED = "restored"  # the database was set back, and it is not certain how this session stands
    DECLINED = "declined"  # out of the client's calendar, which cancels nothing


class QuestionKind(StrEnum):
    """What the practitioner is asked about a session whose event they changed in their calendar."""

    MOVED = "moved"  # they moved it: ask the client, already agreed, or revert it
    REPLACE = "replace"  # they moved it while an offer was open: should this time replace the offer
    DELETED = "deleted"  # they deleted it: cancel the session, revert it, or offer other times


class Answer(StrEnum):
    """What a practitioner can answer; the values stand in the addresses of the links."""

    ASK_CLIENT = "ask"
    AGREED = "agreed"
    REVERT = "back"
    REPLACE = "replace"
    LEAVE = "leave"
    CANCEL = "cancel"
    OFFER_OTHERS = "offer"


class AbsenceAnswer(StrEnum):
    """What a practitioner can answer; to offer other times is no answer but an act."""

    KEEP = "keep"  # the sessions take place: never asked about again
    UNRELATED = "unrelated"  # events of this calendar never concern sessions


class AbsenceEnd(StrEnum):
    """What has ended a question that nobody has answered."""

    GONE = "gone"  # the event is not there any more, or no absence any more
    OVER = "over"
    SETTLED = "settled"  # no session is left in it that waits for its practitioner
    UNITED = "united"  # with another one, whose question goes on


class Attendance(StrEnum):
    """What a client says to an invitation, out of their calendar program."""

    ACCEPTED = "accepted"
    DECLINED = "declined"
    TENTATIVE = "tentative"


class MailKind(StrEnum):
    """What a mail of a client's asks of their practitioner."""

    WORDS = "words"  # to read it
    UNPROVED = "unproved"  # an answer to the invitation, and nothing proves that it is theirs: whether it counts
    PROPOSAL = "proposal"  # another time that they would like
    DECLINED = "declined"  # what follows, since they do not come
    WISH = "wish"  # written on their page of the session: what would suit them


class Doubt(StrEnum):
    """Why a mail does not count, or is shown otherwise than usual, though it may be proved to be of the client."""

    UNORDERED = "unordered"  # they have answered before, and it is not certain which answer is the later one
    UNNUMBERED = "unnumbered"  # it does not say which time of several it answers
    OTHER_ORGANIZER = "other_organizer"  # it answers somebody else's invitation, or was changed on the way
    OTHER_MAILBOX = "other_mailbox"  # it is the answer of an address that was not invited
    FORMER = "former"  # it is about what no longer stands
    DELEGATED = "delegated"  # somebody else shall come
    SERIES = "series"  # it is about one of a series
    UNREADABLE = "unreadable"  # a calendar program has sent it, and it cannot be understood for certain
    WHOLE = "whole"  # it is not certain which words of it are theirs: all are shown


class MailChoice(StrEnum):
    """What a practitioner can decide about a mail; the values stand in the addresses of the links."""

    TAKE = "take"  # as the client's answer
    DISMISS = "dismiss"
    AGREE = "agree"
    REFUSE = "refuse"
    CANCEL = "cancel"
    KEEP = "keep"


class Dropped(StrEnum):
    """What has decided a question before its practitioner did."""

    MOVED_BACK = "moved_back"
    BROUGHT_BACK = "brought_back"
    CHANGED_AGAIN = "changed_again"  # the last change counts, and is asked about
    CANNOT_STAND = "cannot_stand"  # moved on to a time that cannot be, and so reverted
    DECIDED = "decided"  # on a page, by the client, or by the end of the offer it was about
    DISCONNECTED = "disconnected"  # the calendar it was done in
    RESTORED = "restored"  # the database was set back, and it may have been answered since


class Subject(StrEnum):
    """Whose timeline it is."""

    SESSION = "session"
    PRACTITIONER = "practitioner"
    CONNECTION = "connection"


@dataclass(frozen=True, slots=True, kw_only=True)
class Attestation:
    """That the client has agreed to a time: who said so, when, and by which channel."""

    who: str
    at: datetime
    channel: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """Something that happened to a session, at an instant in UTC, done by somebody."""

    tag: ClassVar[str]

    at: datetime
    by: Actor
    session_id: UUID | None = None
    offer_id: UUID | None = None
    connection_id: UUID | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionBooked(Fact):
    """A session was booked; `elsewhere`: before, and brought in here, so that its client knows of it already."""

    tag: ClassVar[str] = "session_booked"

    when: When
    elsewhere: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionMoved(Fact):
    """A session changed its time."""

    tag: ClassVar[str] = "session_moved"

    old: When
    new: When
    reason: MoveReason
    attestation: Attestation | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LocationChanged(Fact):
    """A session changed its place."""

    tag: ClassVar[str] = "location_changed"

    old: str
    new: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionCancelled(Fact):
    """A session ended before it took place."""

    tag: ClassVar[str] = "session_cancelled"

    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonChanged(Fact):
    """The client of a session, or a practitioner, was changed or retired; `changed` names fields and quotes nothing."""

    tag: ClassVar[str] = "person_changed"

    who: str
    changed: tuple[str, ...]


STOPPED_TEXTS = ("texts_stopped",)  # what has changed about a client whose agreement to texts ended by their own word


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientErased(Fact):
    """Everything that tells who a session's client is was erased."""

    tag: ClassVar[str] = "client_erased"


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionLookedAt(Fact):
    """Somebody of support has looked at a session; why is the reason that they have given.

    `person` is who, where we know them by more than a name: somebody later may be called the same.
    """

    tag: ClassVar[str] = "session_looked_at"

    person: UUID | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionsFound(Fact):
    """A search of somebody of support has shown sessions of one practitioner; `person` as of a look."""

    tag: ClassVar[str] = "sessions_found"

    found: tuple[UUID, ...]
    person: UUID | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionFlagged(Fact):
    """A session needs its practitioner."""

    tag: ClassVar[str] = "session_flagged"

    reason: FlagReason


@dataclass(frozen=True, slots=True, kw_only=True)
class FlagCleared(Fact):
    """A session no longer needs its practitioner."""

    tag: ClassVar[str] = "flag_cleared"


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientAnswered(Fact):
    """The client has answered an invitation out of their calendar program; that changes nothing by itself.

    Attributes:
        answer: What they say.
        sequence: Of the invitation that they have answered.
        stamp: When, by a clock of theirs, aware UTC; None if it did not tell.
        comment: What they have added.
    """

    tag: ClassVar[str] = "client_answered"

    answer: Attendance
    sequence: int
    stamp: datetime | None = None
    comment: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientWrote(Fact):
    """A mail or text about the session has come, for its practitioner to read or decide; it changes nothing by itself.

    Attributes:
        mail_id: Where its words are kept.
        mail: What it asks of them.
        medium: By which it came.
        trusted: Whether it is proved to be of the client.
        proposed: The time that it would like.
        doubt: Why it does not count by itself, beside that nothing may prove it.
    """

    tag: ClassVar[str] = "client_wrote"

    mail_id: UUID
    mail: MailKind
    trusted: bool
    medium: Medium = Medium.EMAIL
    proposed: When | None = None
    doubt: Doubt | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MailDecided(Fact):
    """The practitioner has decided about a mail of their client's."""

    tag: ClassVar[str] = "mail_decided"

    mail_id: UUID
    mail: MailKind
    choice: MailChoice


@dataclass(frozen=True, slots=True, kw_only=True)
class OfferDrafted(Fact):
    """Alternatives were noted down; nobody was told."""

    tag: ClassVar[str] = "offer_drafted"

    alternatives: tuple[When, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class OfferDiscarded(Fact):
    """A draft was thrown away unsent."""

    tag: ClassVar[str] = "offer_discarded"


@dataclass(frozen=True, slots=True, kw_only=True)
class OfferSent(Fact):
    """Every alternative is held and the client was asked; the clock runs until `expires_at`."""

    tag: ClassVar[str] = "offer_sent"

    alternatives: tuple[When, ...]
    expires_at: datetime
    window: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class OfferAccepted(Fact):
    """One alternative was chosen."""

    tag: ClassVar[str] = "offer_accepted"

    alternative_id: UUID
    chosen: When


@dataclass(frozen=True, slots=True, kw_only=True)
class OfferRejected(Fact):
    """None of the alternatives suits; the session keeps its time."""

    tag: ClassVar[str] = "offer_rejected"


@dataclass(frozen=True, slots=True, kw_only=True)
class OfferLapsed(Fact):
    """The deadline passed without an answer."""

    tag: ClassVar[str] = "offer_lapsed"


@dataclass(frozen=True, slots=True, kw_only=True)
class OfferWithdrawn(Fact):
    """The offer was taken back before an answer came."""

    tag: ClassVar[str] = "offer_withdrawn"

    why: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class OfferReplaced(Fact):
    """Another offer took the place of this one."""

    tag: ClassVar[str] = "offer_replaced"

    new_offer_id: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class AlternativeWithdrawn(Fact):
    """One alternative was taken back; the others stand."""

    tag: ClassVar[str] = "alternative_withdrawn"

    alternative_id: UUID
    when: When


@dataclass(frozen=True, slots=True, kw_only=True)
class AlternativeMoved(Fact):
    """One alternative moved; the deadline did not."""

    tag: ClassVar[str] = "alternative_moved"

    alternative_id: UUID
    old: When
    new: When


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryReverted(Fact):
    """The practitioner changed or deleted one of our entries in their own calendar, and it was reverted.

    `reason` is the RevertReason of the notice; `moved_to` where they had put it.
    """

    tag: ClassVar[str] = "entry_reverted"

    key: str
    deleted: bool
    reason: str = ""
    moved_to: When | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EventMoved(Fact):
    """The practitioner moved one of our entries in their own calendar, for good."""

    tag: ClassVar[str] = "event_moved"

    key: str
    calendar: str
    to: When


@dataclass(frozen=True, slots=True, kw_only=True)
class EventDeleted(Fact):
    """The practitioner deleted one of our entries in their own calendar, for good."""

    tag: ClassVar[str] = "event_deleted"

    key: str
    calendar: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PractitionerAsked(Fact):
    """The practitioner was asked what they meant by it."""

    tag: ClassVar[str] = "practitioner_asked"

    question_id: UUID
    question: QuestionKind
    moved_to: When | None
    answers_itself_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class PractitionerAnswered(Fact):
    """They said what they meant, or it was chosen for them when they did not."""

    tag: ClassVar[str] = "practitioner_answered"

    question_id: UUID
    question: QuestionKind
    answer: Answer


@dataclass(frozen=True, slots=True, kw_only=True)
class QuestionDropped(Fact):
    """A question was decided by something else."""

    tag: ClassVar[str] = "question_dropped"

    question_id: UUID
    dropped: Dropped


@dataclass(frozen=True, slots=True, kw_only=True)
class AbsenceAsked(Fact):
    """The practitioner was asked about a session, since a calendar of theirs says that they are away then."""

    tag: ClassVar[str] = "absence_asked"

    absence_id: UUID
    starts_at: datetime
    ends_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class AbsenceAnswered(Fact):
    """They said that the session takes place, or that this calendar never concerns it."""

    tag: ClassVar[str] = "absence_answered"

    absence_id: UUID
    answer: AbsenceAnswer


@dataclass(frozen=True, slots=True, kw_only=True)
class AbsenceDropped(Fact):
    """The question about a session in an absence ended by itself."""

    tag: ClassVar[str] = "absence_dropped"

    absence_id: UUID
    ended: AbsenceEnd


@dataclass(frozen=True, slots=True, kw_only=True)
class ConflictFound(Fact):
    """An offered time is no longer free in another calendar of the practitioner."""

    tag: ClassVar[str] = "conflict_found"

    alternative_id: UUID
    when: When
    calendar: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ConflictAccepted(Fact):
    """A time was saved by somebody who knew that something stands there in these calendars, or that nobody knows."""

    tag: ClassVar[str] = "conflict_accepted"

    when: When
    calendars: tuple[str, ...] = ()
    unread: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class CalendarPaused(Fact):
    """A calendar looked wrong, so nothing is done about it until somebody says so; `reason` is a PauseReason."""

    tag: ClassVar[str] = "calendar_paused"

    calendar: str
    reason: str
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CalendarResumed(Fact):
    """Work on a calendar goes on; `how` is restore, accept, or itself when all that was missing is back.

    After the database had been set back, it is which side was followed; after entries that nobody knows, what becomes
    of them (kept, removed).

    `calendar_id` is None in facts stored before it was kept, where no one calendar went by that name.
    """

    tag: ClassVar[str] = "calendar_resumed"

    calendar: str
    how: str
    calendar_id: UUID | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EntriesRefused(Fact):
    """A calendar can be read, but takes no entries; `why` is what its service says."""

    tag: ClassVar[str] = "entries_refused"

    calendar: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EntriesTaken(Fact):
    """A calendar that had refused entries takes them again, and shows all that it should."""

    tag: ClassVar[str] = "entries_taken"

    calendar: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EventsUnread(Fact):
    """So many events of a calendar could not be read, of which all could be before; others may follow untold."""

    tag: ClassVar[str] = "events_unread"

    calendar: str
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class EventsRead(Fact):
    """All events of a calendar can be read again."""

    tag: ClassVar[str] = "events_read"

    calendar: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CalendarPutRight(Fact):
    """What a look found otherwise by nobody's wish is put right: so many entries; `cause` is a Deviation."""

    tag: ClassVar[str] = "calendar_put_right"

    calendar: str
    count: int
    cause: str


class Deviation(StrEnum):
    """Why a calendar stands otherwise than it should, though nobody has wished it."""

    SET_BACK = "set_back"  # its service went back to an earlier state
    MADE_AGAIN = "made_again"  # it was gone, and is there again without anything of ours
    UNTOLD = "untold"  # something was changed in it, and no feed has told of it


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetChanged(Fact):
    """The entries of a connection go to another of its calendars."""

    tag: ClassVar[str] = "target_changed"

    old: str
    new: str


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldsProved(Fact):
    """It was tried out whether a calendar keeps the time of a tentative event busy."""

    tag: ClassVar[str] = "holds_proved"

    calendar: str
    firm: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionAdded(Fact):
    """A calendar account was connected."""

    tag: ClassVar[str] = "connection_added"

    provider: str
    label: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessLost(Fact):
    """A calendar service no longer accepts our credentials."""

    tag: ClassVar[str] = "access_lost"


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessRegained(Fact):
    """A calendar service accepts our credentials again."""

    tag: ClassVar[str] = "access_restored"


@dataclass(frozen=True, slots=True, kw_only=True)
class DisconnectRequested(Fact):
    """Somebody wants a calendar account disconnected; what is ours is taken out of it."""

    tag: ClassVar[str] = "disconnect_asked"


@dataclass(frozen=True, slots=True, kw_only=True)
class Disconnected(Fact):
    """A calendar account is disconnected and its credentials are deleted; `left_behind` of our events may stand yet."""

    tag: ClassVar[str] = "disconnected"

    label: str
    left_behind: int


@dataclass(frozen=True, slots=True, kw_only=True)
class NoticeSent(Fact):
    """A message was handed to its mail server or gateway."""

    tag: ClassVar[str] = "notice_sent"

    kind: str
    medium: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NoticeRefused(Fact):
    """A message was refused for good; somebody has to reach this person another way."""

    tag: ClassVar[str] = "notice_refused"

    kind: str
    medium: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NoticeInDoubt(Fact):
    """A text may have left or not, and nobody will ever know; it is not sent again."""

    tag: ClassVar[str] = "notice_in_doubt"

    kind: str
    medium: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NoticeArrived(Fact):
    """A text of which its gateway had said that it failed has arrived after all."""

    tag: ClassVar[str] = "notice_arrived"

    kind: str
    medium: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NoticeHeldBack(Fact):
    """A message had not left yet when a correction made it wrong; it never will."""

    tag: ClassVar[str] = "notice_held_back"

    kind: str
    revision: int


@dataclass(frozen=True, slots=True, kw_only=True)
class UnknownFact(Fact):
    """Something a newer version has stored and this one cannot read. It is told as such, and never stored again."""

    stored_tag: str


SessionFact = (
    SessionBooked
    | SessionMoved
    | LocationChanged
    | SessionCancelled
    | PersonChanged
    | ClientErased
    | SessionLookedAt
    | SessionsFound
    | SessionFlagged
    | FlagCleared
)
MailFact = ClientAnswered | ClientWrote | MailDecided
OfferFact = (
    OfferDrafted
    | OfferDiscarded
    | OfferSent
    | OfferAccepted
    | OfferRejected
    | OfferLapsed
    | OfferWithdrawn
    | OfferReplaced
)
AlternativeFact = AlternativeWithdrawn | AlternativeMoved | ConflictFound | ConflictAccepted
EntryFact = EntryReverted | EventMoved | EventDeleted
QuestionFact = PractitionerAsked | PractitionerAnswered | QuestionDropped
AbsenceFact = AbsenceAsked | AbsenceAnswered | AbsenceDropped
CalendarFact = (
    CalendarPaused
    | CalendarResumed
    | EntriesRefused
    | EntriesTaken
    | EventsUnread
    | EventsRead
    | CalendarPutRight
    | TargetChanged
    | HoldsProved
)
ConnectionFact = ConnectionAdded | AccessLost | AccessRegained | DisconnectRequested | Disconnected
NoticeFact = NoticeSent | NoticeRefused | NoticeInDoubt | NoticeHeldBack | NoticeArrived
AnyFact = (
    SessionFact
    | MailFact
    | OfferFact
    | AlternativeFact
    | EntryFact
    | QuestionFact
    | AbsenceFact
    | CalendarFact
    | ConnectionFact
    | NoticeFact
)

BY_TAG: dict[str, type[AnyFact]] = {kind.tag: kind for kind in get_args(AnyFact)}
