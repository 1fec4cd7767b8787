"""What endpoints are posted, as the description of the API has it: a schema and an example a type."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields
from datetime import UTC, datetime, timedelta, timezone
from typing import Any, Literal, get_type_hints
from uuid import UUID

import msgspec

from connector.api.openapi import Event
from connector.domain import outcomes
from connector.domain.outcomes import OutcomeTime, OutcomeType
from connector.domain.people import Role

SUMMARIES: dict[OutcomeType, str] = {
    OutcomeType.SESSION_BOOKED: "A session was booked",
    OutcomeType.SESSION_MOVED: "A session changed its time",
    OutcomeType.SESSION_RELOCATED: "A session changed its place",
    OutcomeType.SESSION_CANCELLED: "A session was cancelled",
    OutcomeType.SESSION_NEEDS_ATTENTION: "A session needs its practitioner",
    OutcomeType.SESSION_ATTENTION_CLEARED: "A session no longer needs its practitioner",
    OutcomeType.OFFER_SENT: "A client was offered other times",
    OutcomeType.OFFER_ACCEPTED: "A client chose one of the times",
    OutcomeType.OFFER_REJECTED: "None of the times suits the client",
    OutcomeType.OFFER_LAPSED: "An offer ended without an answer",
    OutcomeType.OFFER_WITHDRAWN: "An offer was taken back",
    OutcomeType.OFFER_REPLACED: "Another offer took the place of one",
    OutcomeType.OFFER_ALTERNATIVE_MOVED: "One of the offered times moved",
    OutcomeType.OFFER_ALTERNATIVE_WITHDRAWN: "One of the offered times was taken back",
    OutcomeType.OFFER_CONFLICT_FOUND: "An offered time is no longer free in another calendar",
    OutcomeType.QUESTION_ASKED: "A practitioner is asked what a change in their calendar means",
    OutcomeType.QUESTION_ANSWERED: "They said so, or it was chosen for them",
    OutcomeType.QUESTION_DROPPED: "Something else has decided the question",
    OutcomeType.CONNECTION_ADDED: "A calendar account was connected",
    OutcomeType.CONNECTION_ACCESS_LOST: "A calendar account must be connected again",
    OutcomeType.CONNECTION_REAUTHORIZED: "A calendar account lets us in again",
    OutcomeType.CONNECTION_REMOVED: "A calendar account was disconnected",
    OutcomeType.CALENDAR_PAUSED: "A calendar looks wrong, and nothing is done about it until somebody says so",
    OutcomeType.CALENDAR_RESUMED: "Work on a calendar goes on",
    OutcomeType.MESSAGE_SENT: "A message was handed over",
    OutcomeType.MESSAGE_FAILED: "A message did not leave, or nobody knows whether it did",
    OutcomeType.ENDPOINT_TEST: "An endpoint is tested",
}
_COMMON: tuple[tuple[str, Any], ...] = (
    ("occurred_at", datetime),
    ("actor", Role),
    ("cause", OutcomeType | None),
    ("reason", str | None),
    ("practitioner_id", UUID | None),
    ("practitioner_external_id", str | None),
    ("client_id", UUID | None),
    ("client_external_id", str | None),
    ("session_id", UUID | None),
    ("session_external_id", str | None),
    ("revision", int | None),
    ("offer_id", UUID | None),
    ("offer_external_id", str | None),
    ("connection_id", UUID | None),
    ("connection_external_id", str | None),
)
_AT = datetime(2026, 11, 27, 9, tzinfo=UTC)
_START = datetime(2026, 12, 1, 10, tzinfo=timezone(timedelta(hours=1)))
_TIME = OutcomeTime(start=_START, end=_START + timedelta(minutes=50), zone="Europe/Berlin")
_LATER = OutcomeTime(start=_START + timedelta(days=2), end=_START + timedelta(days=2, minutes=50), zone="Europe/Berlin")
_SAMPLES: dict[str, Any] = {
    "time": _TIME,
    "old_time": _TIME,
    "new_time": _LATER,
    "moved_to": _LATER,
    "times": (_LATER,),
    "expires_at": _AT + timedelta(days=1),
    "answers_itself_at": _AT + timedelta(minutes=30),
    "question": "moved",
    "answer": "agreed",
    "provider": "calendar",
    "left_behind": 0,
    "count": 14,
    "message": "offered",
    "medium": "email",
    "to": "client",
}


def every() -> Iterator[Event]:
    """Yield each type of outcome with its schema and an example of it."""
    for type_ in OutcomeType:
        details = outcomes.details_of(type_)
        hints = get_type_hints(details)
        own = [(field.name, hints[field.name]) for field in fields(details)]
        name = "".join(word.title() for word in type_.value.replace("_", ".").split("."))
        data = msgspec.defstruct(f"{name}Data", [*_COMMON, *own], frozen=True, kw_only=True, module=__name__)
        data.__doc__ = SUMMARIES[type_] + "."
        parts = [("id", str), ("type", Literal[type_.value]), ("timestamp", datetime), ("data", data)]
        event = msgspec.defstruct(f"{name}Event", parts, frozen=True, kw_only=True, module=__name__)
        event.__doc__ = SUMMARIES[type_] + ", as it is posted to endpoints."
        sample = data(**_common(type_), **{part: _sample(part) for part, _ in own})
        example = event(id=f"msg_{UUID(int=1).hex}", type=type_.value, timestamp=_AT, data=sample)
        yield Event(type=type_.value, summary=SUMMARIES[type_], body=event, example=example)


def _common(type_: OutcomeType) -> dict[str, Any]:
    known: dict[str, Any] = dict.fromkeys(name for name, _ in _COMMON)
    subject = type_.partition(".")[0]
    known |= {"occurred_at": _AT, "actor": Role.CLIENT if type_ is OutcomeType.OFFER_ACCEPTED else Role.PRACTITIONER}
    if subject != "endpoint":
        known["practitioner_id"] = UUID(int=2)
    if subject in {"session", "offer", "question", "message"}:
        known |= {
            "client_id": UUID(int=3),
            "session_id": UUID(int=4),
            "session_external_id": "booking-17",
            "revision": 1,
        }
    if subject == "offer":
        known["offer_id"] = UUID(int=5)
    if subject in {"connection", "calendar"}:
        known["connection_id"] = UUID(int=6)
    return known


def _sample(name: str) -> Any:
    return _SAMPLES[name] if name in _SAMPLES else UUID(int=7)
