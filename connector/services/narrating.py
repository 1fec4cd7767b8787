"""What happened, in plain words: one sentence a fact, for the timeline that answers who, what, when and why."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from connector.domain.facts import Answer, Dropped, FlagReason, MoveReason, QuestionKind
from connector.domain.notice import NoticeKind, PutBack, Stop
from connector.domain.people import Actor, Role
from connector.storage.timeline import Line


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
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
    NoticeKind.REJECTED: "receipt for the answer that no time suits",
    NoticeKind.LAPSED: "notice that the offer has lapsed",
    NoticeKind.WITHDRAWN: "notice that the offer was taken back",
    NoticeKind.CLIENT_ACCEPTED: "news that a time was chosen",
    NoticeKind.CLIENT_REJECTED: "news that no time suits",
    NoticeKind.CLIENT_CANCELLED: "news that the session was cancelled",
    NoticeKind.OFFER_LAPSED: "news that the offer has lapsed",
    NoticeKind.DRAFT_WAITING: "reminder of an unsent draft",
    NoticeKind.ENTRY_PUT_BACK: "news that a calendar entry was put back",
    NoticeKind.MOVE_ASKED: "question about a session moved in a calendar",
    NoticeKind.REPLACE_ASKED: "question whether to replace the offer",
    NoticeKind.DELETE_ASKED: "question about a session deleted in a calendar",
    NoticeKind.OFFER_TAKEN_BACK: "news that the offer was taken back",
    NoticeKind.CLASH_FOUND: "news that an offered time is no longer free",
    NoticeKind.CALENDAR_STOPPED: "question about a calendar that looks wrong",
    NoticeKind.OPERATOR_STOPPED: "news that a calendar was stopped",
    NoticeKind.ACCESS_LOST: "request to reconnect a calendar",
    NoticeKind.NOT_DELIVERED: "news that a message did not arrive",
    NoticeKind.SIGN_IN: "sign-in link",
}

_REASONS = {
    MoveReason.AGREED: "at the client's wish or with their agreement",
    MoveReason.CORRECTION: "to correct a mistake",
    MoveReason.ACCEPTED: "by choosing an offered time",
}
ANSWERS = {
    Answer.ASK_CLIENT: "ask the client",
    Answer.AGREED: "the client has already agreed",
    Answer.PUT_BACK: "put it back",
    Answer.REPLACE: "replace the offer by this time",
    Answer.LEAVE: "leave the offer as it is",
    Answer.CANCEL: "cancel the session",
    Answer.OFFER_OTHERS: "offer other times",
}
STOPS = {
    Stop.MISSING: "it is not there any more",
    Stop.REFUSED: "it may not be read",
    Stop.EMPTIED: "nothing of ours stands in it any more",
    Stop.SHRUNKEN: "more is gone from it at once than a person deletes",
}
PUT_BACK = {
    PutBack.PAST: ": that time had passed",
    PutBack.TAKEN: ": that time is kept for somebody else",
    PutBack.BUSY: ": something else stands at that time",
    PutBack.SHAPE: ": all-day, repeated or free entries cannot be kept",
    PutBack.UNFIT: ": that time cannot be offered",
    PutBack.DECIDED: ": its time was decided meanwhile",
    PutBack.UNASKED: ": the client could not be asked",
    PutBack.NO_ANSWER: ": nobody said what it meant",
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
}
_RESUMED = {
    "restore": "everything is put back",
    "accept": "the deletions were meant",
    "itself": "everything is there again",
}
_STRENGTHS = {
    True: "tentative reads as free, so holds are shown as busy",
    False: "tentative holds keep their time busy",
}
_FLAGS = {
    FlagReason.REJECTED: "none of the offered times suited",
    FlagReason.LAPSED: "the offer lapsed without an answer",
}


def told(line: Line) -> Told:
    """Say one fact in plain words; a kind that has no sentence of its own is named as it is."""
    say = _SENTENCES.get(line.kind)
    what = say(line.details) if say else _spaced(line.kind)
    return Told(at=line.at, who=_who(line.by), what=what, why=line.by.reason or _why(line.details))


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


def _why(details: dict[str, Any]) -> str:
    attestation = details.get("attestation")
    if attestation:
        at = datetime.fromisoformat(attestation["at"])
        return f"{attestation['who']} agreed on {at:%d %B %Y} ({attestation['channel']})"
    return str(details.get("why") or "")


def _moved(details: dict[str, Any]) -> str:
    reason = _REASONS[MoveReason(details["reason"])]
    return f"Session moved from {_time(details['old'])} to {_time(details['new'])}, {reason}"


def _cancelled(details: dict[str, Any]) -> str:
    return f"Session cancelled: {details['reason']}" if details["reason"] else "Session cancelled"


def _refused(details: dict[str, Any]) -> str:
    return f"Could not be delivered by {details['channel']}: {_letter(details)}"


def _touched(details: dict[str, Any]) -> str:
    moved_to = details.get("moved_to")
    done = "deleted" if details["deleted"] else f"moved to {_time(moved_to)}" if moved_to else "changed"
    why = PUT_BACK.get(details.get("reason", ""), "")
    return f"The {_entry(details)} was {done} in a calendar, and was put back{why}"


def _asked(details: dict[str, Any]) -> str:
    what = _QUESTIONS[QuestionKind(details["question"])]
    where = f" to {_time(details['moved_to'])}" if details["moved_to"] else ""
    return what.format(where=where)


def _answered(details: dict[str, Any]) -> str:
    return f"Answer: {ANSWERS[Answer(details['answer'])]}"


def _stopped(details: dict[str, Any]) -> str:
    gone = f" ({details['count']} entries)" if details["count"] else ""
    return f"Calendar “{details['calendar']}” stopped: {STOPS[Stop(details['reason'])]}{gone}"


def _entry(details: dict[str, Any]) -> str:
    return "hold" if str(details["key"]).startswith("hold:") else "session"


def _disconnected(details: dict[str, Any]) -> str:
    left = details["left_behind"]
    kept = f"; {left} of our entries may still stand in it" if left else ""
    return f"Calendar disconnected: {details['label']}{kept}"


_SENTENCES: dict[str, Callable[[dict[str, Any]], str]] = {
    "SessionBooked": lambda d: f"Session booked for {_time(d['when'])}",
    "SessionMoved": _moved,
    "LocationChanged": lambda d: f"Place changed from “{d['old']}” to “{d['new']}”",
    "SessionCancelled": _cancelled,
    "SessionFlagged": lambda d: f"Needs attention: {_FLAGS[FlagReason(d['reason'])]}",
    "FlagCleared": lambda _: "Needs no attention any more",
    "OfferDrafted": lambda d: f"{_counted(d['alternatives'])} noted down; nothing sent, nothing held",
    "OfferDiscarded": lambda _: "Draft thrown away, unsent",
    "OfferSent": lambda d: f"{_counted(d['alternatives'])} offered and held: {_times(d['alternatives'])}",
    "OfferAccepted": lambda d: f"Chose {_time(d['chosen'])}",
    "OfferRejected": lambda _: "Answered that none of the offered times suits; all were released",
    "OfferLapsed": lambda _: "The deadline passed without an answer; all offered times were released",
    "OfferWithdrawn": lambda _: "Offer taken back; all offered times were released",
    "OfferReplaced": lambda _: "Offer replaced by a new one",
    "AlternativeWithdrawn": lambda d: f"Offered time taken back: {_time(d['when'])}",
    "AlternativeMoved": lambda d: f"Offered time moved from {_time(d['old'])} to {_time(d['new'])}",
    "EntryTouched": _touched,
    "EventMoved": lambda d: f"The {_entry(d)} was moved to {_time(d['to'])} in the calendar “{d['calendar']}”",
    "EventDeleted": lambda d: f"The {_entry(d)} was deleted in the calendar “{d['calendar']}”",
    "PractitionerAsked": _asked,
    "PractitionerAnswered": _answered,
    "QuestionDropped": lambda d: f"The question to the practitioner no longer stands: {_DROPPED[d['dropped']]}",
    "ClashFound": lambda d: f"Something stands in “{d['calendar']}” at an offered time: {_time(d['when'])}",
    "CalendarStopped": _stopped,
    "CalendarResumed": lambda d: f"Calendar “{d['calendar']}” goes on: {_RESUMED[d['how']]}",
    "TargetChanged": lambda d: f"Entries go to “{d['new']}” instead of “{d['old']}”",
    "HoldsProved": lambda d: f"Tried out in “{d['calendar']}”: {_STRENGTHS[bool(d['firm'])]}",
    "ConnectionAdded": lambda d: f"Calendar connected: {d['label']}",
    "AccessLost": lambda _: "The calendar no longer lets us in",
    "AccessRestored": lambda _: "The calendar lets us in again",
    "DisconnectAsked": lambda _: "Asked for the calendar to be disconnected",
    "Disconnected": _disconnected,
    "NoticeSent": lambda d: f"Sent by {d['channel']}: {_letter(d)}",
    "NoticeRefused": _refused,
    "NoticeHeldBack": lambda d: f"Kept from leaving, because a correction made it wrong: {_letter(d)}",
}


def _letter(details: dict[str, Any]) -> str:
    kind = str(details["kind"])
    return LETTERS[NoticeKind(kind)] if kind in set(NoticeKind) else kind


def _counted(alternatives: list[Any]) -> str:
    return "1 time" if len(alternatives) == 1 else f"{len(alternatives)} times"


def _times(alternatives: list[Any]) -> str:
    return "; ".join(_time(when) for when in alternatives)


def _time(when: dict[str, Any]) -> str:
    local = datetime.fromisoformat(when["local"])
    return f"{local:%a %d %b %Y, %H:%M} ({when['zone']})"


def _spaced(kind: str) -> str:
    return "".join(f" {letter.lower()}" if letter.isupper() else letter for letter in kind).strip().capitalize()
