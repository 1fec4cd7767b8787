"""What waits for a practitioner: in one place, what is most urgent first, each with what can be done about it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection

from connector.domain.people import Practitioner
from connector.services.views.absences import AbsencePage, open_absences
from connector.services.views.sessions import (
    LOOKS_BACK,
    CalendarView,
    SessionRow,
    calendar_views,
    session_rows,
    with_drafts,
)
from connector.storage import calendars, client_mails, conversations, messages, questions, sessions

MOST = 10  # sessions that are shown in full; the others are one page further


@dataclass(frozen=True, slots=True, kw_only=True)
class Needs:
    """What waits for a practitioner.

    Attributes:
        calendars: Those that are stopped, lost, or in which something does not go through.
        absences: Those that stand in a calendar over booked sessions, about which they are asked.
        rows: The sessions: those whose client was not told first, then by their time.
        more: How many others there are.
        refuses_mail: Whether the last letter to the practitioner themselves was refused.
    """

    practitioner: Practitioner
    calendars: tuple[CalendarView, ...]
    absences: tuple[AbsencePage, ...]
    rows: tuple[SessionRow, ...]
    more: int
    refuses_mail: bool

    @property
    def count(self) -> int:
        """How many things they are; of calendars, each one."""
        return len(self.calendars) + len(self.absences) + len(self.rows) + self.more + self.refuses_mail


def needs(db: Connection, practitioner: Practitioner, *, now: datetime, most: int = MOST) -> Needs:
    """Return what waits for a practitioner, in as many statements whatever there is of it."""
    connected = calendar_views(db, practitioner.id, calendars.calendars_of(db, practitioner.id))
    rows = needing(db, practitioner, now=now)
    return Needs(
        practitioner=practitioner,
        calendars=tuple(one for one in connected if one.lost or one.paused or one.troubles),
        absences=tuple(open_absences(db, practitioner.id, now=now)),
        rows=tuple(rows[:most]),
        more=len(rows[most:]),
        refuses_mail=conversations.refuses_mail(db, practitioner.id),
    )


def needing(db: Connection, practitioner: Practitioner, *, now: datetime) -> list[SessionRow]:
    """Return the sessions that wait for their practitioner, unsent drafts among them; the untold first."""
    among: set[UUID] = {
        *questions.open_of_practitioner(db, practitioner.id),
        *client_mails.open_of_practitioner(db, practitioner.id),
        *conversations.unheard(db, practitioner.id),
        *messages.in_doubt(db, practitioner.id),
        *with_drafts(db, practitioner.id),
    }
    found = sessions.flagged_or_among(db, practitioner.id, among, since=now - LOOKS_BACK)
    rows = [one for one in session_rows(db, practitioner, found, now=now) if one.needs_practitioner or one.drafted]
    return sorted(rows, key=lambda one: (_urgency(one), one.session.when.span.start))


def _urgency(row: SessionRow) -> int:
    """Return what comes first: who was not told, what asks for an answer, what is marked, what is only begun."""
    if (row.unheard and not row.told_by) or row.doubtful:
        return 0
    if row.question is not None or row.mail is not None:
        return 1
    return 2 if row.needs_practitioner else 3
