"""What happened, in plain words: one sentence a fact, for the timeline that answers who, what, when and why."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar, assert_never

from connector.domain.entry import EntryKind
from connector.domain.facts import (
    AccessLost,
    AccessRegained,
    AlternativeFact,
    AlternativeMoved,
    AlternativeWithdrawn,
    Answer,
    AnyFact,
    Attendance,
    Attestation,
    CalendarFact,
    CalendarPaused,
    CalendarPutRight,
    CalendarResumed,
    ClientAnswered,
    ClientErased,
    ConflictAccepted,
    ConflictFound,
    ConnectionAdded,
    ConnectionFact,
    Deviation,
    Disconnected,
    DisconnectRequested,
    Dropped,
    EntriesRefused,
    EntriesTaken,
    EntryFact,
    EntryReverted,
    EventDeleted,
    EventMoved,
    EventsRead,
    EventsUnread,
    FlagCleared,
    FlagReason,
    HoldsProved,
    LocationChanged,
    MoveReason,
    NoticeFact,
    NoticeHeldBack,
    NoticeRefused,
    NoticeSent,
    OfferAccepted,
    OfferDiscarded,
    OfferDrafted,
    OfferFact,
    OfferLapsed,
    OfferRejected,
    OfferReplaced,
    OfferSent,
    OfferWithdrawn,
    PersonChanged,
    PractitionerAnswered,
    PractitionerAsked,
    QuestionDropped,
    QuestionFact,
    QuestionKind,
    SessionBooked,
    SessionCancelled,
    SessionFact,
    SessionFlagged,
    SessionMoved,
    TargetChanged,
    UnknownFact,
)
from connector.domain.notice import NoticeKind, PauseReason, RevertReason
from connector.domain.people import Actor, Role
from connector.domain.span import When

_Stored = TypeVar("_Stored", bound=str)


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line of a timeline as a person reads it; `why` is empty where nobody gave a reason."""

    at: datetime
    who: str
    what: str
    why: str


LETTERS = {
    NoticeKind.BOOKED: "booking confirmation",
    NoticeKind.MOVED: "notice of the new time",
    NoticeKind.CORRECTED: "correction",
    NoticeKind.RELOCATED: "notice of the new place",
    NoticeKind.ACCEPTED: "confirmation of the chosen time",
    NoticeKind.CANCELLED: "cancellation",
    NoticeKind.OFFERED: "offer of other times",
    NoticeKind.OFFER_CHANGED: "notice that the offer has changed",
    NoticeKind.OFFER_REMINDER: "reminder of the offer",
    NoticeKind.REJECTED: "receipt for the answer that no time suits",
    NoticeKind.LAPSED: "notice that the offer has lapsed",
    NoticeKind.WITHDRAWN: "notice that the offer was taken back",
    NoticeKind.CLIENT_ACCEPTED: "news that a time was chosen",
    NoticeKind.CLIENT_REJECTED: "news that no time suits",
    NoticeKind.CLIENT_CANCELLED: "news that the session was cancelled",
    NoticeKind.CLIENT_ANSWERED: "news of an answer to the invitation",
    NoticeKind.OFFER_LAPSED: "news that the offer has lapsed",
    NoticeKind.DRAFT_WAITING: "reminder of an unsent draft",
    NoticeKind.ENTRY_REVERTED: "news that a calendar entry was put back",
    NoticeKind.MOVE_ASKED: "question about a session moved in a calendar",
    NoticeKind.REPLACE_ASKED: "question whether to replace the offer",
    NoticeKind.DELETE_ASKED: "question about a session deleted in a calendar",
    NoticeKind.OFFER_TAKEN_BACK: "news that the offer was taken back",
    NoticeKind.CONFLICT_FOUND: "news that an offered time is no longer free",
    NoticeKind.CALENDAR_PAUSED: "question about a calendar that looks wrong",
    NoticeKind.OPERATOR_PAUSED: "news that a calendar was stopped",
    NoticeKind.RESTORED: "list of what was put right after a restore",
    NoticeKind.RESTORE_FOUND: "news that the database was restored",
    NoticeKind.ACCESS_LOST: "request to reconnect a calendar",
    NoticeKind.ENTRIES_REFUSED: "news that a calendar takes no entries",
    NoticeKind.CALENDAR_UNREACHABLE: "news that a calendar is out of reach",
    NoticeKind.INSTALLATION_REFUSED: "news that a calendar service refuses this installation",
    NoticeKind.NOT_DELIVERED: "news that a message did not arrive",
    NoticeKind.NOT_TOLD: "news that a message could not be sent in time",
    NoticeKind.SIGN_IN: "sign-in link",
}

_ATTENDANCE = {
    Attendance.ACCEPTED: "Accepted the invitation out of their calendar",
    Attendance.DECLINED: "Declined the invitation out of their calendar; the session stands until it is changed",
    Attendance.TENTATIVE: "Answered “maybe” to the invitation out of their calendar",
}
_REASONS = {
    MoveReason.AGREED: "at the client's wish or with their agreement",
    MoveReason.CORRECTION: "to correct a mistake",
    MoveReason.ACCEPTED: "by choosing an offered time",
    MoveReason.RESTORED: "where its event stood when the database had been restored",
}
ANSWERS = {
    Answer.ASK_CLIENT: "ask the client",
    Answer.AGREED: "the client has already agreed",
    Answer.REVERT: "put it back",
    Answer.REPLACE: "replace the offer by this time",
    Answer.LEAVE: "leave the offer as it is",
    Answer.CANCEL: "cancel the session",
    Answer.OFFER_OTHERS: "offer other times",
}
PAUSES = {
    PauseReason.MISSING: "it is not there any more",
    PauseReason.REFUSED: "it may not be read",
    PauseReason.EMPTIED: "nothing of ours stands in it any more",
    PauseReason.SHRUNKEN: "more is gone from it at once than a person deletes",
    PauseReason.UNKNOWN: "it holds entries of ours that nobody knows",
    PauseReason.RESTORED: "the database was restored from a back-up, and which side is right has to be decided",
}
REVERT: Mapping[str, str] = {
    RevertReason.PAST: ": that time had passed",
    RevertReason.TAKEN: ": that time is kept for somebody else",
    RevertReason.BUSY: ": something else stands at that time",
    RevertReason.SHAPE: ": all-day, repeated or free entries cannot be kept",
    RevertReason.UNFIT: ": that time cannot be offered",
    RevertReason.DECIDED: ": its time was decided meanwhile",
    RevertReason.UNASKED: ": the client could not be asked",
    RevertReason.NO_ANSWER: ": nobody said what it meant",
}
_QUESTIONS = {
    QuestionKind.MOVED: "Asked the practitioner what moving the session{where} means",
    QuestionKind.REPLACE: "Put the session back, and asked whether the open offer shall be replaced by its move{where}",
    QuestionKind.DELETED: "Asked the practitioner what deleting the session{where} means",
}
_DROPPED = {
    Dropped.MOVED_BACK: "the entry was moved back",
    Dropped.BROUGHT_BACK: "the entry was brought back",
    Dropped.CHANGED_AGAIN: "the entry was changed again",
    Dropped.CANNOT_STAND: "the entry was moved on to a time that cannot be",
    Dropped.DECIDED: "it was decided in another way",
    Dropped.DISCONNECTED: "the calendar was disconnected",
    Dropped.RESTORED: "the database was restored, and it may have been answered since",
}
_RESUMED = {
    "restore": "everything is put back",
    "accept": "the deletions were meant",
    "removed": "what nobody knows is removed",
    "kept": "what nobody knows is the practitioner's own",
    "itself": "everything is there again",
    "over": "what had stopped it is over",
    "follow_calendars": "after a restore, what stands in the calendars is right",
    "follow_database": "after a restore, what the database says is right",
}
DEVIATIONS = {
    Deviation.SET_BACK: "its service had gone back to an earlier state",
    Deviation.MADE_AGAIN: "it was there again after it had been gone, without anything of ours",
    Deviation.UNTOLD: "they had been changed there without our being told, and a repair was asked for",
}
_STRENGTHS = {
    True: "tentative reads as free, so holds are shown as busy",
    False: "tentative holds keep their time busy",
}
_FLAGS = {
    FlagReason.REJECTED: "none of the offered times suited",
    FlagReason.LAPSED: "the offer lapsed without an answer",
    FlagReason.RESTORED: "the database was restored, and it is not certain how this session stands",
    FlagReason.DECLINED: "the client has declined the invitation",
}


def line_of(fact: AnyFact | UnknownFact) -> Line:
    """Say one fact in plain words."""
    return Line(at=fact.at, who=_who(fact.by), what=_what(fact), why=fact.by.reason or _why(fact))


def _who(by: Actor) -> str:
    match by.role:
        case Role.CLOCK:
            return "automatically"
        case Role.SUPPORT:
            return f"{by.name} (support)"
        case Role.PRACTITIONER:
            return by.name or "the practitioner"
        case Role.CLIENT:
            return f"{by.name} (client)" if by.name else "the client"
        case Role.HOST:
            return by.name or "the booking platform"
        case Role.OPERATOR:
            return by.name or "the operator"


def _why(fact: AnyFact | UnknownFact) -> str:
    match fact:
        case SessionMoved(attestation=Attestation() as attestation):
            return f"{attestation.who} agreed on {attestation.at:%d %B %Y} ({attestation.channel})"
        case ClientAnswered(comment=comment):
            return comment
        case OfferWithdrawn(why=why) | NoticeRefused(why=why) | EntriesRefused(why=why):
            return why
        case _:
            return ""


def _what(fact: AnyFact | UnknownFact) -> str:
    if isinstance(fact, SessionFact):
        return _of_session(fact)
    if isinstance(fact, OfferFact):
        return _of_offer(fact)
    if isinstance(fact, AlternativeFact):
        return _of_alternative(fact)
    if isinstance(fact, EntryFact):
        return _of_entry(fact)
    if isinstance(fact, QuestionFact):
        return _of_question(fact)
    if isinstance(fact, CalendarFact):
        return _of_calendar(fact)
    if isinstance(fact, ConnectionFact):
        return _of_connection(fact)
    if isinstance(fact, NoticeFact):
        return _of_notice(fact)
    if isinstance(fact, UnknownFact):
        return f"Something that a newer version has noted, and this one cannot tell: {fact.stored_tag}"
    assert_never(fact)


def _of_session(fact: SessionFact) -> str:
    match fact:
        case SessionBooked():
            return f"Session booked for {_time(fact.when)}"
        case SessionMoved():
            return f"Session moved from {_time(fact.old)} to {_time(fact.new)}, {_REASONS[fact.reason]}"
        case LocationChanged():
            return f"Place changed from “{fact.old}” to “{fact.new}”"
        case SessionCancelled():
            return f"Session cancelled: {fact.reason}" if fact.reason else "Session cancelled"
        case PersonChanged():
            return f"Changed about the {fact.who}: {', '.join(fact.changed)}"
        case ClientErased():
            return "Erased who the client is, and everything that tells of them"
        case SessionFlagged():
            return f"Needs attention: {_FLAGS[fact.reason]}"
        case FlagCleared():
            return "Needs no attention any more"
        case ClientAnswered():
            return _ATTENDANCE[fact.answer]
        case _:
            assert_never(fact)


def _of_offer(fact: OfferFact) -> str:
    match fact:
        case OfferDrafted():
            return f"{_counted(fact.alternatives)} noted down; nothing sent, nothing held"
        case OfferDiscarded():
            return "Draft thrown away, unsent"
        case OfferSent():
            return f"{_counted(fact.alternatives)} offered and held: {'; '.join(map(_time, fact.alternatives))}"
        case OfferAccepted():
            return f"Chose {_time(fact.chosen)}"
        case OfferRejected():
            return "Answered that none of the offered times suits; all were released"
        case OfferLapsed():
            return "The deadline passed without an answer; all offered times were released"
        case OfferWithdrawn():
            return "Offer taken back; all offered times were released"
        case OfferReplaced():
            return "Offer replaced by a new one"
        case _:
            assert_never(fact)


def _of_alternative(fact: AlternativeFact) -> str:
    match fact:
        case AlternativeWithdrawn():
            return f"Offered time taken back: {_time(fact.when)}"
        case AlternativeMoved():
            return f"Offered time moved from {_time(fact.old)} to {_time(fact.new)}"
        case ConflictFound():
            return f"Something stands in “{fact.calendar}” at an offered time: {_time(fact.when)}"
        case ConflictAccepted():
            known = f"something stands there in {_quoted(fact.calendars)}" if fact.calendars else ""
            unread = f"nobody knows what stands there in {_quoted(fact.unread)}" if fact.unread else ""
            return f"Saved {_time(fact.when)} knowing that {' and '.join(filter(None, (known, unread)))}"
        case _:
            assert_never(fact)


def _of_entry(fact: EntryFact) -> str:
    entry = "hold" if fact.key.startswith(f"{EntryKind.HOLD}:") else "session"
    match fact:
        case EntryReverted():
            moved = f"moved to {_time(fact.moved_to)}" if fact.moved_to else "changed"
            done = "deleted" if fact.deleted else moved
            why = REVERT.get(fact.reason, "")
            return f"The {entry} was {done} in a calendar, and was put back{why}"
        case EventMoved():
            return f"The {entry} was moved to {_time(fact.to)} in the calendar “{fact.calendar}”"
        case EventDeleted():
            return f"The {entry} was deleted in the calendar “{fact.calendar}”"
        case _:
            assert_never(fact)


def _of_question(fact: QuestionFact) -> str:
    match fact:
        case PractitionerAsked():
            where = f" to {_time(fact.moved_to)}" if fact.moved_to else ""
            return _QUESTIONS[fact.question].format(where=where)
        case PractitionerAnswered():
            return f"Answer: {ANSWERS[fact.answer]}"
        case QuestionDropped():
            return f"The question to the practitioner no longer stands: {_DROPPED[fact.dropped]}"
        case _:
            assert_never(fact)


def _of_calendar(fact: CalendarFact) -> str:
    match fact:
        case CalendarPaused():
            gone = f" ({fact.count} entries)" if fact.count else ""
            return f"Calendar “{fact.calendar}” stopped: {_named(PAUSES, fact.reason)}{gone}"
        case CalendarResumed():
            return f"Calendar “{fact.calendar}” goes on: {_named(_RESUMED, fact.how)}"
        case EntriesRefused():
            return f"Calendar “{fact.calendar}” can be read, but takes no entries; we keep trying"
        case EntriesTaken():
            return f"Calendar “{fact.calendar}” takes entries again, and shows all that it should"
        case EventsUnread():
            events, they = ("1 event", "it is") if fact.count == 1 else (f"{fact.count} events", "they are")
            return f"In the calendar “{fact.calendar}” {events} could not be read; nobody knows when {they}"
        case EventsRead():
            return f"In the calendar “{fact.calendar}” every event can be read again"
        case CalendarPutRight():
            entries = "1 entry is" if fact.count == 1 else f"{fact.count} entries are"
            return f"In the calendar “{fact.calendar}” {entries} put right: {_named(DEVIATIONS, fact.cause)}"
        case TargetChanged():
            return f"Entries go to “{fact.new}” instead of “{fact.old}”"
        case HoldsProved():
            return f"Tried out in “{fact.calendar}”: {_STRENGTHS[fact.firm]}"
        case _:
            assert_never(fact)


def _of_connection(fact: ConnectionFact) -> str:
    match fact:
        case ConnectionAdded():
            return f"Calendar connected: {fact.label}"
        case AccessLost():
            return "The calendar no longer lets us in"
        case AccessRegained():
            return "The calendar lets us in again"
        case DisconnectRequested():
            return "Asked for the calendar to be disconnected"
        case Disconnected():
            kept = f"; {fact.left_behind} of our entries may still stand in it" if fact.left_behind else ""
            return f"Calendar disconnected: {fact.label}{kept}"
        case _:
            assert_never(fact)


def _of_notice(fact: NoticeFact) -> str:
    letter = _named(LETTERS, fact.kind)
    match fact:
        case NoticeSent():
            return f"Sent by {fact.medium}: {letter}"
        case NoticeRefused():
            return f"Could not be delivered by {fact.medium}: {letter}"
        case NoticeHeldBack():
            return f"Kept from leaving, because a correction made it wrong: {letter}"
        case _:
            assert_never(fact)


def _named(words: Mapping[_Stored, str], stored: str) -> str:
    """Return the words for what is stored; the stored word itself if it is newer than we are."""
    return next((text for key, text in words.items() if key == stored), stored)


def _counted(alternatives: Sequence[When]) -> str:
    return "1 time" if len(alternatives) == 1 else f"{len(alternatives)} times"


def _time(when: When) -> str:
    return f"{when.local:%a %d %b %Y, %H:%M} ({when.zone})"


def _quoted(calendars: Sequence[str]) -> str:
    return ", ".join(f"“{name}”" for name in calendars)
