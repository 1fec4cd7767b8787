"""What happened, in plain words: one sentence a fact, for the timeline that answers who, what, when and why."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from connector.domain.facts import FlagReason, MoveReason
from connector.domain.notice import NoticeKind
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
    NoticeKind.ACCESS_LOST: "request to reconnect a calendar",
    NoticeKind.NOT_DELIVERED: "news that a message did not arrive",
    NoticeKind.SIGN_IN: "sign-in link",
}

_REASONS = {
    MoveReason.AGREED: "at the client's wish or with their agreement",
    MoveReason.CORRECTION: "to correct a mistake",
    MoveReason.ACCEPTED: "by choosing an offered time",
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
    entry = "hold" if str(details["key"]).startswith("hold:") else "session"
    return f"The {entry} was {'deleted' if details['deleted'] else 'changed'} in a calendar, and was put back"


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
