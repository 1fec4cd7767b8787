"""When a practitioner works: as they or somebody for them has said, else as their sessions tell, else as is usual."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

from sqlalchemy import Connection

from connector.domain.facts import PersonChanged
from connector.domain.people import Actor, Practitioner
from connector.domain.span import zone_named
from connector.domain.working_hours import ASSUMED, WorkingHours, learnt
from connector.services import standstill
from connector.storage import timeline
from connector.storage import working_hours as stored

LEARNT_FROM = timedelta(days=90)  # of sessions, before now and after


class Source(StrEnum):
    """Where hours come from."""

    CONFIRMED = "confirmed"  # somebody has said so
    LEARNT = "learnt"  # the practitioner's sessions tell so
    ASSUMED = "assumed"  # nothing is known


@dataclass(frozen=True, slots=True, kw_only=True)
class CurrentHours:
    """The hours by which a practitioner is free now; `version` is 0 until somebody has said any.

    `confirmed_at`: when somebody has; aware UTC.
    """

    hours: WorkingHours
    source: Source
    zone: str
    version: int = 0
    confirmed_at: datetime | None = None


def current(db: Connection, practitioner: Practitioner, *, now: datetime) -> CurrentHours:
    """Return a practitioner's hours."""
    said = stored.get(db, practitioner.id)
    if said is not None:
        return CurrentHours(
            hours=said.hours,
            source=Source.CONFIRMED,
            zone=practitioner.zone,
            version=said.version,
            confirmed_at=said.confirmed_at,
        )
    booked = stored.booked(db, practitioner.id, since=now - LEARNT_FROM, until=now + LEARNT_FROM)
    if not booked:
        return CurrentHours(hours=ASSUMED, source=Source.ASSUMED, zone=practitioner.zone)
    return CurrentHours(
        hours=learnt(booked, zone_named(practitioner.zone)), source=Source.LEARNT, zone=practitioner.zone
    )


def change(
    db: Connection,
    practitioner_id: UUID,
    hours: WorkingHours,
    *,
    by: Actor,
    now: datetime,
    seen: Callable[[CurrentHours], None] = lambda _before: None,
) -> CurrentHours:
    """Store when a practitioner works; saying again what was said already changes nothing.

    Args:
        db: The transaction, in which they are locked first.
        practitioner_id: Who it is.
        hours: All of their hours; exceptions of days that are over may be left out.
        by: Who says so.
        now: Aware UTC.
        seen: Called with what is to be changed; raises if it is not what `by` has seen.

    Raises: NotFoundError; StandstillError.
    """
    practitioner = standstill.lock(db, practitioner_id)
    before = current(db, practitioner, now=now)
    seen(before)
    if before.source is Source.CONFIRMED and before.hours == hours:
        return before
    stored.save(db, practitioner_id, hours, now=now)
    timeline.append(db, practitioner_id, [PersonChanged(at=now, by=by, who="practitioner", changed=("hours",))])
    return current(db, practitioner, now=now)


def confirm(
    db: Connection,
    practitioner_id: UUID,
    *,
    by: Actor,
    now: datetime,
    seen: Callable[[CurrentHours], None] = lambda _before: None,
) -> CurrentHours:
    """Have the hours that are shown count as said: those that were learnt change no more with each session.

    `seen`: as of `change`.

    Raises: NotFoundError; StandstillError.
    """
    practitioner = standstill.lock(db, practitioner_id)
    return change(db, practitioner_id, current(db, practitioner, now=now).hours, by=by, now=now, seen=seen)
