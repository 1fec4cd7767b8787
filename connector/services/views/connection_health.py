"""How each connection fares, for programs: in one word, since when, and why."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import Connection as Db

from connector.domain.connection import Calendar, CalendarRole, Connection, ConnectionState, TroubleKind
from connector.domain.notice import PauseReason
from connector.sentence import Sentence
from connector.services.views.phrases import PAUSES
from connector.services.views.troubles import WHO
from connector.storage import calendars

_LOST = Sentence("The account no longer lets us in. Its practitioner has to reconnect it.")
_LEAVING = Sentence("Our entries are being removed.")


class Health(StrEnum):
    """How a connection fares, the worst that holds of it."""

    OK = "ok"
    TROUBLED = "troubled"  # something does not go through; it is tried again
    PAUSED = "paused"  # nothing is done until its practitioner, or the operator, has decided
    ACCESS_LOST = "access_lost"  # its practitioner has to reconnect it
    DISCONNECTING = "disconnecting"  # it is gone once its entries are removed


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthView:
    """How a connection fares.

    Attributes:
        since: Since when, aware UTC; None while all is well, or where it is not stored.
        what: What does not go through: "written", "read" or "compared"; empty for another reason.
        kind: Who can end it, where something does not go through.
        why: What went wrong last, a part of a sentence; None while all is well.
        then: Who can do something about it, or what follows, a whole sentence; None for nothing.
    """

    health: Health
    since: datetime | None = None
    what: str = ""
    kind: TroubleKind | None = None
    why: Sentence | None = None
    then: Sentence | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionHealth:
    """A connection, how it fares, and its calendars: the one our entries go to, and those that are only read."""

    connection: Connection
    health: HealthView
    target: Calendar
    watched: tuple[Calendar, ...]


def connection_page(
    db: Db,
    *,
    practitioner_id: UUID | None,
    external_id: str | None,
    after: tuple[datetime, UUID] | None,
    limit: int,
) -> Sequence[ConnectionHealth]:
    """Return connections, the oldest first, in two statements.

    Args:
        db: The transaction.
        practitioner_id: Whose; None for everybody's.
        external_id: What the host calls it; None for any.
        after: When the last one of the page before was made, and its id; None for the first page.
        limit: How many at most.
    """
    found = calendars.page_of_connections(
        db, practitioner_id=practitioner_id, external_id=external_id, after=after, limit=limit
    )
    theirs = calendars.of_connections(db, [connection.id for connection in found])
    return [_view(connection, theirs[connection.id]) for connection in found if connection.id in theirs]


def connection_health(db: Db, connection: Connection) -> ConnectionHealth:
    """Return how a connection fares."""
    return _view(connection, calendars.in_connection(db, connection.id))


def seen(db: Db, connection_id: UUID, *, sees: Callable[[UUID], bool]) -> Connection:
    """Return a connection, as far as whoever asks may see what is its practitioner's.

    Raises: NotFoundError, the same for a hidden one as for one that is not there.
    """
    connection = calendars.connection(db, connection_id)
    return connection if sees(connection.practitioner_id) else calendars.connection(db, UUID(int=0))


def _view(connection: Connection, its_calendars: Sequence[Calendar]) -> ConnectionHealth:
    target = its_calendars[0]
    return ConnectionHealth(
        connection=connection,
        health=_health(connection, target),
        target=target,
        watched=tuple(one for one in its_calendars if one.role is CalendarRole.WATCHED),
    )


def _health(connection: Connection, target: Calendar) -> HealthView:
    match connection.state:
        case ConnectionState.DISCONNECTING:
            return HealthView(
                health=Health.DISCONNECTING, since=target.trouble_since, why=target.trouble, then=_LEAVING
            )
        case ConnectionState.ACCESS_LOST:
            return HealthView(health=Health.ACCESS_LOST, then=_LOST)
        case ConnectionState.OK:
            return _health_of(target)


def _health_of(target: Calendar) -> HealthView:
    if target.paused:
        why = Sentence.of(PAUSES[PauseReason(target.paused)], {})
        return HealthView(health=Health.PAUSED, since=target.paused_at, why=why)
    faults = (("written", target.write_fault), ("read", target.read_fault), ("compared", target.compare_fault))
    for what, fault in faults:
        if fault is not None:
            return HealthView(
                health=Health.TROUBLED,
                since=fault.since,
                what=what,
                kind=fault.kind,
                why=fault.words,
                then=Sentence.of(WHO[fault.kind], {}),
            )
    return HealthView(health=Health.OK)
