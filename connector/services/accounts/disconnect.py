"""Disconnect an account: remove our entries to come, close channels, revoke the permission, delete what is stored.

The ledger drives it, under the key of the calendar our entries go to, so that nothing is written there meanwhile.
Each step leaves a state from which the whole can run again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection as Db

from connector.domain import question as question_rules
from connector.domain.connection import Calendar, CalendarRole, Connection, ConnectionState
from connector.domain.facts import Disconnected, DisconnectRequested, Dropped
from connector.domain.people import CLOCK, Actor
from connector.errors import AccessLostError, NotFoundError, RefusedError, RuleError, SettingsError
from connector.failures import tell
from connector.ports import Account, Clock, Revocable
from connector.services import standstill
from connector.services.accounts import subscriptions
from connector.services.policy import Policy
from connector.services.recording import Decision, load, make_absences_due, record
from connector.services.sync import hold_probe, push
from connector.storage import calendars, ledger, mirrors, questions, timeline
from connector.storage.database import Database
from connector.storage.fence import Fence, fenced
from connector.storage.ledger import Key, Kind
from connector.storage.seal import Seal

AccountKey = Callable[[Mapping[str, str]], str | None]
"""Gives the key of the account that credentials open; None if they do not tell: `Provider.account_key`."""

_READING = (Kind.PULL, Kind.CHANNEL, Kind.BUSY, Kind.PROBE)


def begin(db: Db, policy: Policy, connection_id: UUID, *, by: Actor, now: datetime) -> None:
    """Have a connection disconnected; one whose access is lost is deleted at once, its events left where they are.

    Asking twice changes nothing. Raises: NotFoundError.
    """
    standstill.lock(db, calendars.connection(db, connection_id).practitioner_id)
    connection = calendars.connection(db, connection_id)
    if connection.state is ConnectionState.DISCONNECTING:
        return
    fact = DisconnectRequested(at=now, by=by, connection_id=connection_id)
    timeline.append(db, connection.practitioner_id, [fact])
    if connection.state is ConnectionState.ACCESS_LOST:
        give_up(db, policy, connection_id, by=by, now=now)
        return
    calendars.set_state(db, connection_id, ConnectionState.DISCONNECTING)
    for calendar in calendars.in_connection(db, connection_id):
        for kind in _READING:
            ledger.forget(db, Key(kind, str(calendar.id)))
        _drop_questions(db, policy, calendar, by=by, now=now)
    make_absences_due(db, connection.practitioner_id, now=now)
    target = calendars.target(db, connection_id)
    ledger.touch(db, Key(Kind.CALENDAR, str(target.id)), due_at=now, lane=target.lane)


def ask(db: Db, policy: Policy, connection: Connection, *, leaves_entries: bool, by: Actor, now: datetime) -> bool:
    """Have a connection disconnected, for whoever has locked it, and return whether it is gone already.

    Entries can be left where they are only where nobody reaches them: access is lost, or removing them is under way.

    Raises: RuleError.
    """
    if leaves_entries and connection.state is ConnectionState.OK:
        raise RuleError(
            "This calendar can be reached, so our entries are removed from it. Disconnect it without leaving them.",
            code="entries_left_behind",
            field="leave_entries",
        )
    if leaves_entries:
        give_up(db, policy, connection.id, by=by, now=now)
        return True
    begin(db, policy, connection.id, by=by, now=now)
    return connection.state is ConnectionState.ACCESS_LOST


def give_up(db: Db, policy: Policy, connection_id: UUID, *, by: Actor, now: datetime) -> None:
    """Disconnect without asking the calendar service for anything: what is ours stays there.

    Raises: NotFoundError.
    """
    standstill.lock(db, calendars.connection(db, connection_id).practitioner_id)
    abandon(db, policy, connection_id, by=by, now=now)


def abandon(db: Db, policy: Policy, connection_id: UUID, *, by: Actor, now: datetime) -> None:
    """Do as `give_up` does, though everything stands still: nobody can open the account any more.

    Raises: NotFoundError.
    """
    for calendar in calendars.in_connection(db, connection_id):
        _drop_questions(db, policy, calendar, by=by, now=now)
    _delete(db, calendars.connection(db, connection_id), by=by, now=now)


def finish(
    database: Database,
    policy: Policy,
    seal: Seal,
    connection_id: UUID,
    account: Account,
    *,
    account_key: AccountKey,
    clock: Clock,
    fence: Fence,
) -> None:
    """Carry a disconnection out: events to come, channels, permission; then credentials and everything stored.

    Run it under the claim of the target calendar's key. Events that are over stay in the calendar. If access turns out
    to be lost, all of them stay. A connection that is gone, or is not being disconnected, is left alone.

    Args:
        database: Where everything is stored.
        policy: How this installation does things.
        seal: Opens credentials, to tell accounts apart.
        connection_id: Which connection.
        account: The same account at its service.
        account_key: Its provider's.
        clock: Tells the time.
        fence: The claim.
    Raises: TransientError (try again later); RefusedError (an event could not be removed, and trying again is of no
        use: somebody has to `give_up`).
    """
    try:
        with database.read() as db:
            connection = calendars.connection(db, connection_id)
            its_calendars = calendars.in_connection(db, connection_id)
    except NotFoundError:
        return
    if connection.state is not ConnectionState.DISCONNECTING:
        return
    try:
        _clear(database, policy, seal, its_calendars, account, clock, fence)
        fence.renew()
        _revoke(database, seal, connection, account, account_key)
    except AccessLostError as error:
        tell("disconnected_without_access", error, connection=str(connection_id), provider=connection.provider)
    with fenced(database, fence) as db:
        _delete(db, connection, by=CLOCK, now=clock())


def _drop_questions(db: Db, policy: Policy, calendar: Calendar, *, by: Actor, now: datetime) -> None:
    """End the questions about what was done in a calendar that is being disconnected."""
    for question in questions.open_in(db, calendar.id):
        case = load(db, policy, question.session_id, now=now)
        ended, fact = question_rules.drop(question, Dropped.DISCONNECTED, by=by, now=now)
        record(db, policy, case, Decision(session=case.session, questions=(ended,), facts=(fact,)), now=now)


def _clear(
    database: Database,
    policy: Policy,
    seal: Seal,
    its_calendars: Sequence[Calendar],
    account: Account,
    clock: Clock,
    fence: Fence,
) -> None:
    """Remove what is ours from the calendars of a connection: entries to come, probes of holds, channels."""
    for calendar in its_calendars:
        remote = account.open(calendar.remote_id)
        hold_probe.clear(database, calendar.id, remote, fence=fence)
        if calendar.role is not CalendarRole.WATCHED:
            push.converge(database, policy, calendar.id, remote, clock=clock, fence=fence)
        subscriptions.end(database, seal, calendar.id, remote, fence=fence, now=clock())


def _revoke(database: Database, seal: Seal, connection: Connection, account: Account, account_key: AccountKey) -> None:
    """Give the permission back where the service can take it, unless another connection depends on it."""
    if not isinstance(account, Revocable) or _is_shared(database, seal, connection, account_key):
        return
    try:
        account.revoke()
    except RefusedError as error:
        tell("permission_not_taken_back", error, connection=str(connection.id), provider=connection.provider)


def _is_shared(database: Database, seal: Seal, connection: Connection, account_key: AccountKey) -> bool:
    """Whether another connection uses the same account; where that cannot be told, it is taken to."""
    with database.read() as db:
        others = [other for other in calendars.connections_of(db) if other.provider == connection.provider]
    own_key = _key_of(seal, connection, account_key)
    return any(
        own_key is None or (other_key := _key_of(seal, other, account_key)) is None or other_key == own_key
        for other in others
        if other.id != connection.id
    )


def _key_of(seal: Seal, connection: Connection, account_key: AccountKey) -> str | None:
    try:
        return account_key(seal.open(connection.credentials))
    except SettingsError:
        return None


def _delete(db: Db, connection: Connection, *, by: Actor, now: datetime) -> None:
    """Delete all that is stored of a connection, and record how many of our entries may still stand at its service."""
    its_calendars = calendars.in_connection(db, connection.id)
    left_behind = sum(mirror.ends_at > now for calendar in its_calendars for mirror in mirrors.every(db, calendar.id))
    for calendar in its_calendars:
        for kind in (Kind.CALENDAR, *_READING):
            ledger.forget(db, Key(kind, str(calendar.id)))
    if not calendars.remove_connection(db, connection.id):
        return
    make_absences_due(db, connection.practitioner_id, now=now)  # nobody has been here before where access was lost
    fact = Disconnected(at=now, by=by, connection_id=connection.id, label=connection.label, left_behind=left_behind)
    timeline.append(db, connection.practitioner_id, [fact])
