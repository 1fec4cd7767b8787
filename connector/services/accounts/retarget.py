"""Have the entries of a connection go to another of its calendars, without a moment in which one is missing.

The new calendar is filled first; only once everything stands there is the old one cleared. Then it is only watched.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from uuid import UUID, uuid4

from sqlalchemy import Connection as Db

from connector.domain.connection import Calendar, CalendarRole, ConnectionState
from connector.domain.facts import TargetChanged
from connector.domain.people import Actor
from connector.errors import RuleError
from connector.ports import RemoteCalendar, RemoteCalendarInfo
from connector.services.accounts import connect, subscriptions
from connector.services.policy import Policy
from connector.services.recording import lock, make_busy_due
from connector.services.sync import hold_probe
from connector.services.sync.push import picture
from connector.storage import calendars, ledger, questions, remote_changes, timeline
from connector.storage.database import Database
from connector.storage.ledger import Key, Kind
from connector.storage.seal import Seal


def retarget(
    db: Db, policy: Policy, connection_id: UUID, chosen: RemoteCalendarInfo, *, by: Actor, now: datetime
) -> Calendar:
    """Make another calendar of the account the one our entries go to; choosing the present one changes nothing.

    Raises: NotFoundError; RuleError if it cannot be written, is being disconnected, or something is being asked about
        the old one.
    """
    connection = calendars.connection(db, connection_id)
    lock(db, policy, connection.practitioner_id, now=now)
    if connection.state is ConnectionState.DISCONNECTING:
        raise RuleError("This calendar is being disconnected. Connect it again once that is done.")
    if not chosen.writable:
        raise RuleError(f"Pencilled may not write to “{chosen.name}”. Choose another calendar.")
    old = calendars.target(db, connection_id)
    if old.remote_id == chosen.remote_id:
        return old
    if questions.open_in(db, old.id):
        raise RuleError("You have been asked about something you changed in the present calendar. Answer that first.")
    known = {calendar.remote_id: calendar for calendar in calendars.in_connection(db, connection_id)}
    new = known.get(chosen.remote_id)
    if new is None:
        new = replace(
            old,
            id=uuid4(),
            remote_id=chosen.remote_id,
            name=chosen.name,
            disclosure=replace(old.disclosure, firm_holds=False),
        )
        calendars.add_calendar(db, new, now=now)
    connect.refuse_twice(db, replace(new, role=CalendarRole.TARGET), connection.provider)
    calendars.set_role(db, new.id, CalendarRole.TARGET)
    calendars.set_role(db, old.id, CalendarRole.CLEARING)
    calendars.succeed(db, connection_id, new.id)
    calendars.set_levels(db, new.id, session_level=old.disclosure.session_level, hold_level=old.disclosure.hold_level)
    calendars.resume(db, old.id)
    remote_changes.forget_all(db, old.id)
    fact = TargetChanged(at=now, by=by, connection_id=connection_id, old=old.name, new=new.name)
    timeline.append(db, connection.practitioner_id, [fact])
    connect.make_due(db, new, now)
    ledger.touch(db, Key(Kind.CALENDAR, str(old.id)), due_at=now, lane=old.lane)
    make_busy_due(db, connection.practitioner_id, now=now)  # the old one's feed is not read any more
    return new


def cleared(
    database: Database,
    seal: Seal,
    calendar_id: UUID,
    remote: RemoteCalendar,
    *,
    renew: Callable[[], None],
    now: datetime,
) -> datetime | None:
    """End what is left of a calendar once nothing of ours that is to come stands in it; from then on it is watched.

    Run it after `mirroring.converge`, under the same claim. Returns: When to look again if that still waits.
    """
    with database.read() as db:
        shown = picture(db, calendar_id, now=now)
        over = {entry.key for entry in shown.wanted}
        waits = any(mirror.stands and mirror.key not in over for mirror in shown.mirrors.values())
    if shown.calendar.role is not CalendarRole.CLEARING:
        return None
    if waits or shown.actions:
        return None  # its successor makes it due once everything stands there
    hold_probe.clear(database, calendar_id, remote)
    subscriptions.end(database, seal, calendar_id, remote, renew=renew, now=now)
    with database.begin() as db:
        if calendars.calendar(db, calendar_id).role is CalendarRole.CLEARING:
            calendars.set_role(db, calendar_id, CalendarRole.WATCHED)
    return None
