"""What a practitioner sees of a calendar that is, or was, paused because it looks wrong."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING
from uuid import UUID

from sqlalchemy import Connection as Db

from connector.domain.change import ChangeKind
from connector.domain.connection import Calendar, Connection, ConnectionState
from connector.domain.entry import EntryKind
from connector.domain.facts import CalendarResumed
from connector.domain.notice import PauseReason
from connector.domain.people import Practitioner
from connector.language.offered import ENGLISH_ONLY, Languages
from connector.services.sync.breaker import LINK_LASTS, find
from connector.services.views.timeline import Line, line_of, teller_for
from connector.storage import calendars, people, remote_changes, timeline, unknown_entries
from connector.storage.seal import Seal
from connector.storage.unknown_entries import Fate, StoredEntry

if TYPE_CHECKING:
    from connector.language.telling import Teller


@dataclass(frozen=True, slots=True, kw_only=True)
class PausedPage:
    """What a practitioner sees of a calendar that is, or was, paused.

    Attributes:
        reason: Why it is paused; None if it is not any more.
        sessions: How many sessions' entries are missing from it.
        holds: How many holds are.
        unknown: The entries with our mark that nobody knows.
        resumed: Who said last how to go on, and when.
        link: Since when the calendar was paused that the link is about; None if it is about no stop.
    """

    calendar: Calendar
    connection: Connection
    practitioner: Practitioner
    reason: PauseReason | None
    sessions: int
    holds: int
    unknown: Sequence[StoredEntry]
    resumed: Line | None
    link: datetime | None

    @property
    def is_about_this_stop(self) -> bool:
        """Whether the link is about the stop that lasts, and no earlier one."""
        return self.link is not None and self.link == self.calendar.paused_at

    def has_ended(self, now: datetime) -> bool:
        """Whether the link was mailed so long ago that it decides nothing any more, nor shows anything."""
        return self.link is None or now >= self.link + LINK_LASTS

    @property
    def is_readable(self) -> bool:
        """Whether something of it is otherwise than it should be, rather than the whole calendar gone."""
        return self.reason in (PauseReason.EMPTIED, PauseReason.SHRUNKEN, PauseReason.UNKNOWN)

    @property
    def is_lost(self) -> bool:
        """Whether its account has to be reconnected first."""
        return self.connection.state is ConnectionState.ACCESS_LOST

    @property
    def version(self) -> str:
        """What a form says it was about, so that nobody accepts more than the page said."""
        since = self.calendar.paused_at.isoformat() if self.calendar.paused_at else ""
        return f"{since} {self.sessions} {self.holds} {len(self.unknown)}"


def paused_page(db: Db, seal: Seal, token: str, *, languages: Languages = ENGLISH_ONLY) -> PausedPage:
    """Return what the link in the letter about a paused calendar shows.

    Raises: NotFoundError if the link is none of ours, or the calendar is disconnected.
    """
    calendar, link = find(db, seal, token)
    changes = remote_changes.of_calendar(db, calendar.id)
    missing = [key.kind for key, change in changes.items() if change.kind is ChangeKind.DELETED]
    practitioner = people.practitioner(db, calendar.practitioner_id)
    return PausedPage(
        calendar=calendar,
        connection=calendars.connection(db, calendar.connection_id),
        practitioner=practitioner,
        reason=PauseReason(calendar.paused) if calendar.paused else None,
        sessions=missing.count(EntryKind.SESSION),
        holds=missing.count(EntryKind.HOLD),
        unknown=unknown_entries.of_calendar(db, calendar.id, Fate.ASKED),
        resumed=_resumed(db, calendar, teller_for(practitioner, languages)),
        link=link,
    )


def is_paused(db: Db, calendar_id: UUID, *, since: datetime | None) -> bool:
    """Whether a calendar is paused, and has been since then. Raises: NotFoundError if it is disconnected."""
    calendar = calendars.calendar(db, calendar_id)
    return calendar.paused is not None and calendar.paused_at == since


def _resumed(db: Db, calendar: Calendar, teller: Teller) -> Line | None:
    for fact in reversed(timeline.of_connection(db, calendar.connection_id)):
        if isinstance(fact, CalendarResumed) and fact.calendar_id == calendar.id:
            return line_of(fact, teller)
    return None
