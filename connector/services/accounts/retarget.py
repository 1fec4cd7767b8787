"""Have the entries of a connection go to another of its calendars, without a moment in which one is missing.

The new calendar is filled first; the old one is cleared once everything stands there, and from then on only watched.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from uuid import UUID, uuid4

from sqlalchemy import Connection as Db

from connector.domain.connection import Calendar, CalendarRole, Connection
from connector.domain.facts import TargetChanged
from connector.domain.people import Actor
from connector.errors import RuleError
from connector.ports import RemoteCalendar, RemoteCalendarInfo
from connector.services.accounts import connect, subscriptions
from connector.services.policy import Policy
from connector.services.recording import lock, make_busy_due
from connector.services.sync import hold_probe, push
from connector.storage import calendars, ledger, questions, remote_changes, timeline
from connector.storage.database import Database
from connector.storage.fence import Fence, fenced
from connector.storage.ledger import Key, Kind
from connector.storage.seal import Seal


def retarget(
    db: Db, policy: Policy, connection_id: UUID, info: RemoteCalendarInfo, *, by: Actor, now: datetime
) -> Calendar:
    """Make another calendar of the account the one our entries go to; naming the present target changes nothing.

    Raises: NotFoundError; RuleError if it cannot be written, is being disconnected, or something is being asked about
        the old one.
    """
    connection = calendars.connection(db, connection_id)
    lock(db, policy, connection.practitioner_id, now=now)
    connect.check_not_disconnecting(connection)
    if not info.writable:
        raise RuleError(
            "Pencilled may not write to the calendar “%(calendar)s”. Choose another one.",
            code="calendar_not_writable",
            field="calendar",
            calendar=info.name,
        )
    old = calendars.target(db, connection_id)
    if connect.is_same(old, connection.provider, info):
        return old
    if questions.open_in(db, old.id):
        raise RuleError(
            "You have been asked about something that was changed in the present calendar. Answer that first.",
            code="question_open_in_calendar",
            field="calendar",
        )
    new = _calendar(db, old, connection, info, now=now)
    _swap_roles(db, old, new)
    fact = TargetChanged(at=now, by=by, connection_id=connection_id, old=old.name, new=new.name)
    timeline.append(db, connection.practitioner_id, [fact])
    connect.make_due(db, new, now)
    ledger.touch(db, Key(Kind.CALENDAR, str(old.id)), due_at=now, lane=old.lane)
    make_busy_due(db, connection.practitioner_id, now=now)  # the old one's feed is not read any more
    return new


def _calendar(db: Db, old: Calendar, connection: Connection, info: RemoteCalendarInfo, *, now: datetime) -> Calendar:
    """Return the stored calendar that `info` names, in the connection of the old target; store it if it is new.

    Raises: RuleError if another connection has its entries go there.
    """
    for calendar in calendars.in_connection(db, old.connection_id):
        if connect.is_same(calendar, connection.provider, info):
            connect.check_connected_once(db, calendar)
            return calendar
    new = replace(
        old,
        id=uuid4(),
        remote_id=info.remote_id,
        name=info.name,
        disclosure=replace(old.disclosure, firm_holds=False),
        lane=connect.lane(connection, info),
        identity=connect.identity(connection.provider, info),
    )
    connect.check_connected_once(db, new)
    calendars.add_calendar(db, new, now=now)
    return new


def _swap_roles(db: Db, old: Calendar, new: Calendar) -> None:
    """Make one calendar the target in place of another, of which nothing is in question any more."""
    calendars.set_role(db, new.id, CalendarRole.TARGET)
    calendars.set_role(db, old.id, CalendarRole.CLEARING)
    calendars.succeed(db, old.connection_id, new.id)
    calendars.set_levels(db, new.id, session_level=old.disclosure.session_level, hold_level=old.disclosure.hold_level)
    calendars.resume(db, old.id)
    remote_changes.forget_all(db, old.id)


def finish_clearing(
    database: Database,
    policy: Policy,
    seal: Seal,
    calendar_id: UUID,
    remote: RemoteCalendar,
    *,
    fence: Fence,
    now: datetime,
) -> None:
    """Turn a calendar that is being cleared into a watched one, once nothing of ours that is to come stands in it.

    Its probes and channels are removed then. Run it after `push.converge`, under the same claim. The successor
    makes this calendar due once everything stands there.
    """
    with database.read() as db:
        picture = push.picture(db, policy, calendar_id, now=now)
        wanted_keys = {entry.key for entry in picture.wanted}
        holds_ours = any(mirror.stands and mirror.key not in wanted_keys for mirror in picture.mirrors.values())
    if picture.calendar.role is not CalendarRole.CLEARING:
        return
    if holds_ours or picture.actions:
        return
    hold_probe.clear(database, calendar_id, remote, fence=fence)
    subscriptions.end(database, seal, calendar_id, remote, fence=fence, now=now)
    with fenced(database, fence) as db:
        if calendars.calendar(db, calendar_id).role is CalendarRole.CLEARING:
            calendars.set_role(db, calendar_id, CalendarRole.WATCHED)
