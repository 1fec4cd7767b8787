"""What stands at a time, as it is answered; never what it is."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

import msgspec
from msgspec import Meta

from connector.api import problems
from connector.errors import ConflictError, Finding, TimeTakenError

_MOST_ACCEPTED = 100

AcceptedIds = Annotated[
    tuple[Annotated[str, Meta(max_length=64)], ...],
    Meta(
        max_length=_MOST_ACCEPTED,
        description="The ids of the conflicts that were shown, over which this is done knowingly.",
    ),
]


class ConflictBody(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What stands at a time; never what it is.

    Attributes:
        reason: A session, a time held for a client, something in a calendar, or a calendar of which nobody knows.
        start: When it begins, in UTC.
        end: When it ends, the buffer of sessions and holds included.
        id: By which it can be accepted; not given where it cannot be.
        session_id: The session that has the time, or for which it is held.
        offer_id: The offer by which it is held.
        calendar: The name of the calendar.
    """

    reason: Literal["session", "hold", "outside_event", "blind_spot"]
    start: datetime
    end: datetime
    id: str | None = None
    session_id: UUID | None = None
    offer_id: UUID | None = None
    calendar: str | None = None


def conflicts_of(found: Sequence[Finding]) -> list[ConflictBody]:
    """Return what stands in other calendars, and the calendars of which nobody knows."""
    return [
        ConflictBody(
            reason="blind_spot" if one.is_blind else "outside_event",
            start=one.start,
            end=one.end,
            id=one.id,
            calendar=one.calendar,
        )
        for one in found
    ]


class ConflictsPart(msgspec.Struct, frozen=True, kw_only=True):
    """Beside a refusal for what stands at a time.

    Attributes:
        conflicts: What stands there.
    """

    conflicts: list[ConflictBody]


def _taken(error: TimeTakenError) -> ConflictsPart:
    conflicts = [
        ConflictBody(
            reason="hold" if kept.is_hold else "session",
            start=kept.start,
            end=kept.end,
            session_id=kept.session_id,
            offer_id=kept.offer_id,
        )
        for kept in error.kept
    ]
    return ConflictsPart(conflicts=conflicts)


def _found(error: ConflictError) -> ConflictsPart:
    return ConflictsPart(conflicts=conflicts_of(error.found))


problems.tells(TimeTakenError, ConflictsPart, _taken)
problems.tells(ConflictError, ConflictsPart, _found)
