"""What a practitioner sees of the questions about their absences."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection

from connector.domain.absence import Absence
from connector.domain.connection import Calendar
from connector.domain.people import Practitioner
from connector.domain.session import Session
from connector.errors import NotFoundError
from connector.services.scheduling import absences as questions
from connector.storage import absences, calendars, people, sessions
from connector.storage.seal import Seal


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """A session that an absence names, and with whom."""

    session: Session
    client: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AbsencePage:
    """What a practitioner sees of one absence.

    Attributes:
        sessions: Those that it names, by time.
        calendars: Those that say so, and are still connected.
    """

    absence: Absence
    practitioner: Practitioner
    sessions: tuple[Named, ...]
    calendars: tuple[Calendar, ...]

    @property
    def is_open(self) -> bool:
        """Whether it waits for an answer."""
        return self.absence.is_open


def absence_page(db: Connection, seal: Seal, token: str, *, now: datetime) -> AbsencePage:
    """Return what the link in a letter about an absence shows.

    Raises: NotFoundError if the link is none of ours, or the question ended more than 90 days ago.
    """
    absence = questions.find(db, seal, token, now=now)
    return _pages(db, [absence])[0]


def open_absences(db: Connection, practitioner_id: UUID, *, now: datetime) -> Sequence[AbsencePage]:
    """Return the questions about absences that wait for a practitioner, the next absence first."""
    return _pages(db, absences.open_of_practitioner(db, practitioner_id, now=now))


def absence_of(db: Connection, practitioner_id: UUID, absence_id: UUID) -> AbsencePage:
    """Return one of a practitioner's absences, with its span and its sessions, whether or not it is still asked about.

    Raises: NotFoundError if there is none, or it is another practitioner's.
    """
    absence = absences.get(db, absence_id)
    if absence.practitioner_id != practitioner_id:
        raise NotFoundError("There is no such question.", code="question_not_found")
    return _pages(db, [absence])[0]


def sessions_of(db: Connection, absence_id: UUID) -> Sequence[Session]:
    """Return the sessions that an absence names, by time.

    Raises: NotFoundError.
    """
    return questions.in_order(db, absences.get(db, absence_id).places)


def _pages(db: Connection, found: Sequence[Absence]) -> Sequence[AbsencePage]:
    """Gather what several absences of one practitioner show, in as many statements as for one."""
    if not found:
        return []
    practitioner = people.practitioner(db, found[0].practitioner_id)
    places = {place for one in found for place in one.places}
    by_id = {one.id: one for one in sessions.with_ids(db, {place.session_id for place in places})}
    names = people.client_names(db, [one.client_id for one in by_id.values()])
    own = calendars.all_of(db, practitioner.id)
    return [
        AbsencePage(
            absence=one,
            practitioner=practitioner,
            sessions=tuple(
                Named(session=by_id[place.session_id], client=names[by_id[place.session_id].client_id])
                for place in sorted(one.places, key=lambda place: (place.starts_at, place.session_id))
                if place.session_id in by_id
            ),
            calendars=tuple(calendar for calendar in own if calendar.id in {key.calendar_id for key in one.keys}),
        )
        for one in found
    ]
