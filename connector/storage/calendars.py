"""Connections to calendar services, and the calendars chosen in each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Row, case, delete, func, insert, select
from sqlalchemy import Connection as Db
from sqlalchemy.exc import IntegrityError

from connector.domain.connection import Calendar, CalendarRole, Connection, ConnectionState
from connector.domain.entry import Disclosure
from connector.domain.people import Level
from connector.errors import NotFoundError, RuleError
from connector.storage.database import is_written_already
from connector.storage.tables import calendars, connections
from connector.storage.versions import named_once, raising

_BREAK = {"sync_token": None}
"""What every break does to a calendar: what happened meanwhile may never be told, so the next look reads everything."""

_COMPARED_WELL = {"compare_trouble": None, "compare_trouble_kind": None, "compare_trouble_since": None}
_NO_TROUBLE = {
    **_COMPARED_WELL,
    "trouble": None,
    "trouble_kind": None,
    "trouble_since": None,
    "read_trouble": None,
    "read_trouble_kind": None,
    "read_trouble_since": None,
    "unreadable_at": None,
    "refused_at": None,
    "outage_told_at": None,
}

# What is shown of a connection is how its calendars stand, too. Workers write their rows, and need not wait for each
# other: so each row has a version of its own, and the sum rises with every change.
_OF_CALENDARS = select(func.coalesce(func.sum(calendars.c.version), 0)).where(
    calendars.c.connection_id == connections.c.id
)
_CONNECTION = (connections, (connections.c.version + _OF_CALENDARS.scalar_subquery()).label("shown_version"))


def add_connection(db: Db, connection: Connection) -> None:
    """Store a new connection.

    Raises: ExistsError if the external id is taken.
    """
    values = {
        "id": connection.id,
        "practitioner_id": connection.practitioner_id,
        "provider": connection.provider,
        "label": connection.label,
        "credentials": connection.credentials,
        "state": connection.state.value,
        "sign_ins": connection.sign_ins,
        "created_at": connection.created_at,
        "external_id": connection.external_id,
    }
    with named_once(connections, connection.external_id):
        db.execute(insert(connections).values(values))


def add_calendar(db: Db, calendar: Calendar, *, now: datetime) -> None:
    """Store the calendar chosen in a connection."""
    values = {
        "id": calendar.id,
        "connection_id": calendar.connection_id,
        "practitioner_id": calendar.practitioner_id,
        "role": calendar.role.value,
        "remote_id": calendar.remote_id,
        "name": calendar.name,
        "session_level": int(calendar.disclosure.session_level),
        "hold_level": int(calendar.disclosure.hold_level),
        "firm_holds": calendar.disclosure.firm_holds,
        "lane": calendar.lane,
        "identity": calendar.identity,
        "created_at": now,
    }
    with _written_once(calendar.name):
        db.execute(insert(calendars).values(values))


@contextmanager
def _written_once(name: str) -> Iterator[None]:
    """Say in words that somebody else was quicker to have their entries go to a calendar."""
    try:
        yield
    except IntegrityError as error:
        if not is_written_already(error):
            raise
        raise RuleError(
            "The calendar “%(calendar)s” is connected to Pencilled already. Choose another one, or make a new one "
            "there.",
            code="calendar_connected_already",
            field="calendar",
            calendar=name,
        ) from error


def written_elsewhere(db: Db, identity: str, *, besides: UUID) -> Sequence[Calendar]:
    """Return the calendars of this identity that our entries go to, or are being removed from, in other connections."""
    same = (calendars.c.identity == identity) & (calendars.c.role != CalendarRole.WATCHED.value)
    query = select(calendars).where(same, calendars.c.connection_id != besides).order_by(calendars.c.created_at)
    return [_calendar(row) for row in db.execute(query)]


def doubles(db: Db) -> Sequence[Sequence[Calendar]]:
    """Return the calendars that several connections write to, as older versions allowed, the eldest of each first."""
    written = (calendars.c.role != CalendarRole.WATCHED.value) & calendars.c.identity.is_not(None)
    several = select(calendars.c.identity).where(written).group_by(calendars.c.identity).having(func.count() > 1)
    query = select(calendars).where(written, calendars.c.identity.in_(several))
    rows = [_calendar(row) for row in db.execute(query.order_by(calendars.c.identity, calendars.c.created_at))]
    return [list(group) for _, group in groupby(rows, key=lambda calendar: calendar.identity)]


def connection(db: Db, connection_id: UUID) -> Connection:
    """Return a connection.

    Raises: NotFoundError.
    """
    row = db.execute(select(*_CONNECTION).where(connections.c.id == connection_id)).first()
    if row is None:
        raise NotFoundError("There is no such connection.", code="connection_not_found")
    return _connection(row)


def connection_by_external_id(db: Db, external_id: str) -> Connection | None:
    """Return the connection that the host calls so."""
    row = db.execute(select(*_CONNECTION).where(connections.c.external_id == external_id)).first()
    return _connection(row) if row else None


def name_connection(db: Db, connection_id: UUID, external_id: str | None) -> None:
    """Store what the host calls a connection.

    Raises: ExistsError if another one is called so.
    """
    with named_once(connections, external_id):
        db.execute(raising(connections, {"external_id": external_id}).where(connections.c.id == connection_id))


def calendar(db: Db, calendar_id: UUID) -> Calendar:
    """Return a calendar.

    Raises: NotFoundError.
    """
    row = db.execute(select(calendars).where(calendars.c.id == calendar_id)).first()
    if row is None:
        raise NotFoundError("There is no such calendar.", code="calendar_not_found")
    return _calendar(row)


def connections_of(db: Db, practitioner_id: UUID | None = None) -> Sequence[Connection]:
    """Return the connections of a practitioner, or everybody's."""
    query = select(*_CONNECTION).order_by(connections.c.created_at)
    if practitioner_id is not None:
        query = query.where(connections.c.practitioner_id == practitioner_id)
    return [_connection(row) for row in db.execute(query)]


def page_of_connections(
    db: Db,
    *,
    practitioner_id: UUID | None,
    external_id: str | None,
    after: tuple[datetime, UUID] | None,
    limit: int,
) -> Sequence[Connection]:
    """Return the connections of a practitioner, or everybody's, the oldest first, behind a creation and an id."""
    query = select(*_CONNECTION).order_by(connections.c.created_at, connections.c.id).limit(limit)
    if practitioner_id is not None:
        query = query.where(connections.c.practitioner_id == practitioner_id)
    if external_id is not None:
        query = query.where(connections.c.external_id == external_id)
    if after is not None:
        at, last_id = after
        same = (connections.c.created_at == at) & (connections.c.id > last_id)
        query = query.where((connections.c.created_at > at) | same)
    return [_connection(row) for row in db.execute(query)]


def of_connections(db: Db, ids: Sequence[UUID]) -> Mapping[UUID, Sequence[Calendar]]:
    """Return the calendars of each of these connections that has any, those our entries go to first."""
    query = select(calendars).where(calendars.c.connection_id.in_(ids)).order_by(calendars.c.name, calendars.c.id)
    found: dict[UUID, list[Calendar]] = {}
    for row in db.execute(query):
        found.setdefault(row.connection_id, []).append(_calendar(row))
    return {
        one: sorted(own, key=lambda calendar: calendar.role is not CalendarRole.TARGET) for one, own in found.items()
    }


def calendars_of(db: Db, practitioner_id: UUID | None = None) -> Sequence[Calendar]:
    """Return the calendars of a practitioner that our entries go to, or everybody's; not those being disconnected."""
    is_connected = connections.c.state != ConnectionState.DISCONNECTING.value
    query = (
        select(calendars)
        .join(connections, connections.c.id == calendars.c.connection_id)
        .where(calendars.c.role == CalendarRole.TARGET.value, is_connected)
        .order_by(calendars.c.created_at)
    )
    if practitioner_id is not None:
        query = query.where(calendars.c.practitioner_id == practitioner_id)
    return [_calendar(row) for row in db.execute(query)]


def all_of(db: Db, practitioner_id: UUID) -> Sequence[Calendar]:
    """Return every calendar of a practitioner whose busy times count, whatever its role; not those disconnected."""
    is_connected = connections.c.state != ConnectionState.DISCONNECTING.value
    query = (
        select(calendars)
        .join(connections, connections.c.id == calendars.c.connection_id)
        .where(calendars.c.practitioner_id == practitioner_id, is_connected)
        .order_by(calendars.c.created_at)
    )
    return [_calendar(row) for row in db.execute(query)]


def being_cleared_for(db: Db, calendar_id: UUID) -> Sequence[Calendar]:
    """Return the calendars whose entries go once they stand in this one."""
    own = (calendars.c.successor_id == calendar_id) & (calendars.c.role == CalendarRole.CLEARING.value)
    return [_calendar(row) for row in db.execute(select(calendars).where(own))]


def in_connection(db: Db, connection_id: UUID) -> Sequence[Calendar]:
    """Return every calendar of a connection, the one our entries go to first."""
    query = select(calendars).where(calendars.c.connection_id == connection_id)
    by_name = [_calendar(row) for row in db.execute(query.order_by(calendars.c.name, calendars.c.id))]
    return sorted(by_name, key=lambda calendar: calendar.role is not CalendarRole.TARGET)


def target(db: Db, connection_id: UUID) -> Calendar:
    """Return the calendar of a connection that our entries go to.

    Raises: NotFoundError.
    """
    for calendar in in_connection(db, connection_id):
        if calendar.role is CalendarRole.TARGET:
            return calendar
    raise NotFoundError("There is no such calendar.", code="calendar_not_found")


def set_role(db: Db, calendar_id: UUID, role: CalendarRole, *, successor_id: UUID | None = None) -> None:
    """Change what a calendar is to us, which is a break: nobody reads its feed meanwhile."""
    values = {"role": role.value, "successor_id": successor_id, "written_at": None, **_NO_TROUBLE, **_BREAK}
    with _written_once(calendar(db, calendar_id).name):
        db.execute(raising(calendars, values).where(calendars.c.id == calendar_id))


def succeed(db: Db, connection_id: UUID, successor_id: UUID) -> None:
    """Have every calendar of a connection that is being cleared wait for this one."""
    clearing = (calendars.c.connection_id == connection_id) & (calendars.c.role == CalendarRole.CLEARING.value)
    db.execute(raising(calendars, {"successor_id": successor_id}).where(clearing))


def pause(db: Db, calendar_id: UUID, reason: str, *, count: int, now: datetime) -> bool:
    """Pause a calendar: nothing is done about it until somebody says so; False if it was paused already. A break."""
    own = (calendars.c.id == calendar_id) & calendars.c.paused.is_(None)
    values = {"paused": reason, "paused_at": now, "paused_count": count, "written_at": None, **_BREAK}
    return db.execute(raising(calendars, values).where(own).returning(calendars.c.id)).first() is not None


def resume(db: Db, calendar_id: UUID) -> bool:
    """Go on with a calendar that was paused; False if it was not. A break."""
    own = (calendars.c.id == calendar_id) & calendars.c.paused.is_not(None)
    values = {"paused": None, "paused_at": None, "paused_count": None, **_NO_TROUBLE, **_BREAK}
    values["written_at"] = None  # what stood there may not any more
    return db.execute(raising(calendars, values).where(own).returning(calendars.c.id)).first() is not None


def note_probe(db: Db, calendar_id: UUID, name: str | None, *, at: datetime | None = None, tries: int = 0) -> None:
    """Note the name of a probe hold and when it begins, before it is placed, or that none stands there (None)."""
    values = {"probe": name, "probe_at": at, "probe_tries": tries}
    db.execute(raising(calendars, values).where(calendars.c.id == calendar_id))


def note_hold_strength(db: Db, calendar_id: UUID, *, firm: bool, now: datetime) -> None:
    """Note how holds must be shown in a calendar, as it was just proved: what nobody knew before is a change, too."""
    values = {"firm_holds": firm, "probed_at": now, "probe": None, "probe_at": None, "probe_tries": 0}
    known = calendars.c.id == calendar_id
    db.execute(raising(calendars, values).where(known, calendars.c.probed_at.is_not(None)))
    db.execute(raising(calendars, values, always=True).where(known, calendars.c.probed_at.is_(None)))


def set_levels(db: Db, calendar_id: UUID, *, session_level: Level, hold_level: Level) -> None:
    """Change how much a calendar shows."""
    values = {"session_level": int(session_level), "hold_level": int(hold_level)}
    db.execute(raising(calendars, values).where(calendars.c.id == calendar_id))


def set_absences_unrelated(db: Db, calendar_id: UUID, *, unrelated: bool) -> None:
    """Store whether absences in a calendar do not concern its practitioner's sessions."""
    db.execute(raising(calendars, {"absences_unrelated": unrelated}).where(calendars.c.id == calendar_id))


def remove_connection(db: Db, connection_id: UUID) -> bool:
    """Delete a connection with its credentials, its calendars and their rows; False if it was deleted before."""
    db.execute(delete(calendars).where(calendars.c.connection_id == connection_id))
    return db.execute(delete(connections).where(connections.c.id == connection_id)).rowcount == 1


def set_state(db: Db, connection_id: UUID, state: ConnectionState) -> bool:
    """Change how a connection stands; False if it stood so already, or is being disconnected, which is for good.

    A break for every calendar of it.
    """
    final = connections.c.state.in_({state.value, ConnectionState.DISCONNECTING.value})
    if state is ConnectionState.DISCONNECTING:  # whoever connects its calendars next need not wait
        db.execute(raising(calendars, {"identity": None}).where(calendars.c.connection_id == connection_id))
    query = raising(connections, {"state": state.value}).where(connections.c.id == connection_id, ~final)
    is_changed = db.execute(query.returning(connections.c.id)).first() is not None
    if is_changed:
        _break(db, calendars.c.connection_id == connection_id)
    return is_changed


def set_credentials(db: Db, connection_id: UUID, sealed: bytes, *, signed_in: bool = False) -> None:
    """Replace the sealed credentials of a connection; `signed_in` if its person has just signed in anew: a break."""
    values = {"credentials": sealed, "sign_ins": connections.c.sign_ins + (1 if signed_in else 0)}
    db.execute(raising(connections, values).where(connections.c.id == connection_id))
    if signed_in:
        _break(db, calendars.c.connection_id == connection_id)


def end_outage(db: Db, calendar_id: UUID, *, longer_than: timedelta, now: datetime) -> None:
    """Have everything read if nothing could be for so long, which is a break; call it before the look."""
    is_long = calendars.c.read_trouble_since <= now - longer_than
    _break(db, (calendars.c.id == calendar_id) & is_long)


def forget_token(db: Db, calendar_id: UUID) -> None:
    """Drop a sync token, so that everything is read again."""
    _break(db, calendars.c.id == calendar_id)


def _break(db: Db, which: ColumnElement[bool]) -> None:
    db.execute(raising(calendars, _BREAK).where(which))


def note_written(db: Db, calendar_id: UUID, *, now: datetime) -> None:
    """Note that everything wanted stands in the calendar."""
    well = {"trouble": None, "trouble_kind": None, "trouble_since": None, "refused_at": None}
    values = {"written_at": now, "outage_told_at": _told_while(calendars.c.read_trouble), **well}
    db.execute(raising(calendars, values).where(calendars.c.id == calendar_id))


def note_read(db: Db, calendar_id: UUID, token: str, *, now: datetime) -> None:
    """Keep a new sync token; call it in the transaction that stores what the token covers."""
    well = {"unreadable_at": None, "read_trouble": None, "read_trouble_kind": None, "read_trouble_since": None}
    values = {"sync_token": token, "read_at": now, "outage_told_at": _told_while(calendars.c.trouble), **well}
    db.execute(raising(calendars, values).where(calendars.c.id == calendar_id))


def note_compared(db: Db, calendar_id: UUID, *, now: datetime, again_at: datetime) -> None:
    """Note that the whole calendar was compared; call it in the transaction that stores what was found."""
    values = {"compared_at": now, "compare_at": again_at, "repair_asked": False, **_COMPARED_WELL}
    db.execute(raising(calendars, values).where(calendars.c.id == calendar_id))


def ask_for_comparison(db: Db, calendar_id: UUID, *, repair: bool) -> None:
    """Have the whole calendar compared at the next look; `repair` has everything put right that is found."""
    values = {"compare_at": None, "repair_asked": repair}
    db.execute(raising(calendars, values).where(calendars.c.id == calendar_id))


def _told_while(trouble: ColumnElement[str | None]) -> ColumnElement[datetime | None]:
    """Keep that an outage was told as long as this other trouble lasts."""
    return case((trouble.is_(None), None), else_=calendars.c.outage_told_at)


def _connection(row: Row[Any]) -> Connection:
    return Connection(
        id=row.id,
        practitioner_id=row.practitioner_id,
        provider=row.provider,
        label=row.label,
        credentials=row.credentials,
        state=ConnectionState(row.state),
        created_at=row.created_at,
        sign_ins=row.sign_ins,
        external_id=row.external_id,
        version=row.shown_version,
    )


def _calendar(row: Row[Any]) -> Calendar:
    return Calendar(
        id=row.id,
        connection_id=row.connection_id,
        practitioner_id=row.practitioner_id,
        remote_id=row.remote_id,
        name=row.name,
        disclosure=Disclosure(
            session_level=Level(row.session_level), hold_level=Level(row.hold_level), firm_holds=row.firm_holds
        ),
        lane=row.lane,
        role=CalendarRole(row.role),
        sync_token=row.sync_token,
        trouble=row.trouble,
        trouble_kind=row.trouble_kind,
        trouble_since=row.trouble_since,
        read_trouble=row.read_trouble,
        read_trouble_kind=row.read_trouble_kind,
        read_trouble_since=row.read_trouble_since,
        refused_at=row.refused_at,
        outage_told_at=row.outage_told_at,
        written_at=row.written_at,
        read_at=row.read_at,
        created_at=row.created_at,
        successor_id=row.successor_id,
        paused=row.paused,
        paused_at=row.paused_at,
        paused_count=row.paused_count,
        busy_at=row.busy_at,
        busy_until=row.busy_until,
        busy_outdated_at=row.busy_outdated_at,
        busy_trouble=row.busy_trouble,
        absences_unrelated=row.absences_unrelated,
        probe=row.probe,
        probe_at=row.probe_at,
        probe_tries=row.probe_tries,
        probed_at=row.probed_at,
        compared_at=row.compared_at,
        compare_at=row.compare_at,
        compare_trouble=row.compare_trouble,
        compare_trouble_kind=row.compare_trouble_kind,
        compare_trouble_since=row.compare_trouble_since,
        repair_asked=row.repair_asked,
        identity=row.identity,
    )
