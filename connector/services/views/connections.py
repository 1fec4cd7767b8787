"""What a practitioner has connected: every account with its calendars and their state."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import Connection as Db

from connector.domain.connection import Calendar, Connection
from connector.domain.facts import Disconnected
from connector.domain.people import Practitioner
from connector.errors import NotFoundError
from connector.language.offered import ENGLISH_ONLY, Languages
from connector.services.views.timeline import Line, line_of, teller_for
from connector.services.views.troubles import TroubleView, of_calendar, with_troubles
from connector.services.views.unread import UnreadView
from connector.services.views.unread import of_calendars as unread_in
from connector.storage import calendars, people, timeline

MENTIONED_FOR = timedelta(days=30)  # how long the page mentions that entries were left behind


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionView:
    """A connected account with its calendars.

    Attributes:
        target: The one our entries go to.
        others: Those that are watched, or from which our entries are being removed.
        troubles: What does not go through in the target.
        unread: Those of which some events could not be read.
    """

    connection: Connection
    target: Calendar
    others: tuple[Calendar, ...]
    troubles: tuple[TroubleView, ...] = ()
    unread: tuple[UnreadView, ...] = ()

    @property
    def calendars(self) -> tuple[Calendar, ...]:
        """All of them, the target first."""
        return (self.target, *self.others)


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionPage:
    """One connection with everything that happened to it, oldest first, and its other calendars.

    What does not go through at present stands in its timeline, too.
    """

    practitioner: Practitioner
    view: ConnectionView
    timeline: tuple[Line, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class FormerConnection:
    """An account that was disconnected while `left_behind` of our entries stood in its calendar."""

    at: datetime
    label: str
    left_behind: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionList:
    """A practitioner's connections, and those disconnected lately without their entries being removed."""

    practitioner: Practitioner
    connections: tuple[ConnectionView, ...]
    disconnected: tuple[FormerConnection, ...]


def connection_list(db: Db, practitioner_id: UUID, *, now: datetime) -> ConnectionList:
    """Return what a practitioner has connected.

    Raises: NotFoundError if there is no such practitioner.
    """
    facts = timeline.of_kind(db, practitioner_id, Disconnected, since=now - MENTIONED_FOR)
    return ConnectionList(
        practitioner=people.practitioner(db, practitioner_id),
        connections=tuple(_view(db, connection) for connection in calendars.connections_of(db, practitioner_id)),
        disconnected=tuple(
            FormerConnection(at=fact.at, label=fact.label, left_behind=fact.left_behind)
            for fact in facts
            if fact.left_behind
        ),
    )


def connection_view(db: Db, practitioner_id: UUID, connection_id: UUID) -> ConnectionView:
    """Return a connection of this practitioner.

    Raises: NotFoundError if there is none, or if it is somebody else's.
    """
    return _view(db, owned(db, practitioner_id, connection_id))


def connection_page(
    db: Db, practitioner_id: UUID, connection_id: UUID, *, languages: Languages = ENGLISH_ONLY
) -> ConnectionPage:
    """Return a connection of this practitioner with its timeline, in their language if it is among these.

    Raises: NotFoundError if there is none, or if it is somebody else's.
    """
    view = connection_view(db, practitioner_id, connection_id)
    practitioner = people.practitioner(db, practitioner_id)
    teller = teller_for(practitioner, languages)
    lines = (line_of(fact, teller) for fact in timeline.of_connection(db, connection_id))
    return ConnectionPage(
        practitioner=practitioner,
        view=view,
        timeline=with_troubles(lines, view.troubles, teller),
    )


def owned(db: Db, practitioner_id: UUID, connection_id: UUID) -> Connection:
    """Return a connection of this practitioner without its calendars.

    Raises: NotFoundError if there is none, or if it is somebody else's.
    """
    connection = calendars.connection(db, connection_id)
    if connection.practitioner_id != practitioner_id:
        raise NotFoundError("There is no such connection.", code="connection_not_found")
    return connection


def _view(db: Db, connection: Connection) -> ConnectionView:
    owned = calendars.in_connection(db, connection.id)
    return ConnectionView(
        connection=connection,
        target=owned[0],
        others=tuple(owned[1:]),
        troubles=of_calendar(db, owned[0]),
        unread=unread_in(db, owned),
    )
