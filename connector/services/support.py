"""Somebody of support looks at a session, for a reason that its timeline keeps, before they see anything or act."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import Connection

from connector.domain.connection import Calendar
from connector.domain.facts import AnyFact, SessionLookedAt, SessionsFound, UnknownFact
from connector.domain.notice import PauseReason
from connector.domain.people import Actor, Role
from connector.domain.session import Session
from connector.errors import RuleError
from connector.services import standstill
from connector.services.sync import breaker
from connector.services.sync.breaker import How
from connector.storage import calendars, sessions, timeline

_SEARCH = "search"  # the reason of what a search shows: nobody gives another
LOOK_LASTS = timedelta(hours=1)  # then they say once more why


def look(db: Connection, session_id: UUID, *, by: Actor, person: UUID | None = None, now: datetime) -> None:
    """Note that somebody of support looks at a session, and why.

    `person` is who that is, if they are one of those whom the operator has named; a host gives a name alone.

    Raises: NotFoundError; StandstillError while nothing may be noted.
    """
    standstill.check(db)
    session = sessions.get(db, session_id)
    look = SessionLookedAt(at=now, by=by, session_id=session_id, person=person)
    timeline.append(db, session.practitioner_id, [look])


def note_found(
    db: Connection, found: Sequence[Session], *, name: str, person: UUID | None = None, now: datetime
) -> None:
    """Note of which sessions a search shows when they are and whose, before it does; what was typed is kept nowhere.

    Raises: StandstillError while nothing may be noted.
    """
    standstill.check(db)
    by = Actor(role=Role.SUPPORT, name=name, reason=_SEARCH)
    for practitioner_id in dict.fromkeys(session.practitioner_id for session in found):
        own = tuple(session.id for session in found if session.practitioner_id == practitioner_id)
        timeline.append(db, practitioner_id, [SessionsFound(at=now, by=by, found=own, person=person)])


@dataclass(frozen=True, slots=True, kw_only=True)
class StoppedCalendar:
    """A calendar of a practitioner that is stopped; `way_on` is how support may have it go on, None if it may not."""

    calendar: Calendar
    reason: PauseReason
    way_on: How | None


def stopped_calendars(db: Connection, practitioner_id: UUID) -> tuple[StoppedCalendar, ...]:
    """Return which calendars of a practitioner are stopped."""
    return tuple(
        StoppedCalendar(calendar=calendar, reason=reason, way_on=_way_on(reason))
        for calendar in calendars.calendars_of(db, practitioner_id)
        if calendar.paused is not None
        for reason in (PauseReason(calendar.paused),)
    )


def _way_on(reason: PauseReason) -> How | None:
    """Return the way on by which nothing is lost: what it takes to take anything away, the practitioner alone knows."""
    if reason is PauseReason.RESTORED:
        return None  # whoever runs the installation decides
    return How.ACCEPT if reason is PauseReason.UNKNOWN else How.REVERT


def resume(
    db: Connection, session_id: UUID, calendar_id: UUID, *, since: datetime | None, by: Actor, now: datetime
) -> None:
    """Have a stopped calendar go on, of the practitioner of a session, so that nothing is lost.

    `since` is the stop that was shown; another one has to be looked at first.

    Raises: NotFoundError; RuleError if it is not stopped, stopped anew, or not for support to decide; StandstillError.
    """
    practitioner_id = sessions.get(db, session_id).practitioner_id
    standstill.lock(db, practitioner_id)
    stopped = {one.calendar.id: one for one in stopped_calendars(db, practitioner_id)}.get(calendar_id)
    if stopped is None or stopped.calendar.paused_at != since:
        raise RuleError(
            "This calendar goes on by now, or was stopped once more. This is how it stands.",
            code="calendar_stop_changed",
            field="calendar",
        )
    if stopped.way_on is None:
        raise RuleError(
            "This calendar was stopped because Pencilled's database was set back to an earlier state. Whoever runs "
            "this installation decides how it goes on.",
            code="calendar_stopped_by_restore",
        )
    breaker.resume(db, calendar_id, stopped.way_on, by=by, now=now)


def looked_for(db: Connection, session_id: UUID, *, name: str, person: UUID | None = None, now: datetime) -> str:
    """Return why somebody looks at a session just now; empty if they have not said so lately.

    Who it is their id says, where they have one: whoever is called as somebody before was has not looked yet.
    """
    looks = timeline.of_session(db, session_id, SessionLookedAt)
    lately = (fact for fact in reversed(looks) if now < fact.at + LOOK_LASTS)
    return next((fact.by.reason for fact in lately if _is_of(fact, name, person)), "")


def _is_of(fact: AnyFact | UnknownFact, name: str, person: UUID | None) -> bool:
    return isinstance(fact, SessionLookedAt) and fact.by.name == name and fact.person == person
