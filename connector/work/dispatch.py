"""Which use case carries out which kind of due work."""

from __future__ import annotations

from datetime import datetime
from typing import assert_never
from uuid import UUID

from connector.domain.connection import Calendar, Connection, ConnectionState
from connector.domain.notice import PauseReason
from connector.errors import (
    AccessLostError,
    EditConflictError,
    MissingError,
    NotFoundError,
    RefusedError,
    TransientError,
)
from connector.ports import RemoteCalendar, asking_first
from connector.runtime import Runtime
from connector.services import conversations, standstill
from connector.services.accounts import connect, disconnect, retarget, subscriptions
from connector.services.scheduling import offers, questions
from connector.services.sync import free_busy, hold_probe, pull, push
from connector.storage import calendars, ledger
from connector.storage.fence import fenced
from connector.storage.ledger import Claim, Key, Kind
from connector.work.engine import Handler, Running


def handler(runtime: Runtime) -> Handler:
    """Return the function that carries out a claim and says when to look at its key again."""

    def handle(claim: Claim, running: Running) -> datetime | None:
        identity = UUID(claim.key.id)
        if claim.key.kind is not Kind.CONVERSATION and standstill.stands(runtime.database):
            return runtime.clock() + standstill.LOOK  # a conversation knows what may leave all the same
        match claim.key.kind:
            case Kind.CALENDAR | Kind.PULL | Kind.CHANNEL | Kind.BUSY | Kind.PROBE:
                return _calendar(runtime, claim, identity, running)
            case Kind.OFFER:
                with fenced(runtime.database, running) as db:
                    return offers.come_due(db, runtime.policy, identity, now=runtime.clock())
            case Kind.QUESTION:
                with fenced(runtime.database, running) as db:
                    return questions.come_due(db, runtime.policy, identity, now=runtime.clock())
            case Kind.CONVERSATION:
                with asking_first(running.keep):
                    return conversations.converse(
                        runtime.database,
                        runtime.policy,
                        runtime.sender,
                        runtime.link_for,
                        identity,
                        clock=runtime.clock,
                        fence=running,
                    )
            case Kind.OUTCOME | Kind.UPKEEP:
                raise RefusedError(f"nothing carries out work of kind {claim.key.kind} yet")
            case _:
                assert_never(claim.key.kind)

    return handle


def _calendar(runtime: Runtime, claim: Claim, calendar_id: UUID, running: Running) -> datetime | None:
    try:
        with runtime.database.read() as db:
            calendar = calendars.calendar(db, calendar_id)
            connection = calendars.connection(db, calendar.connection_id)
    except NotFoundError:
        return None  # disconnected meanwhile
    with asking_first(running.keep):
        match connection.state:
            case ConnectionState.ACCESS_LOST:
                return None  # reconnecting makes the calendar due again
            case ConnectionState.DISCONNECTING:
                _disconnect(runtime, claim, connection, running)
                return None
            case ConnectionState.OK if calendar.paused == PauseReason.RESTORED:
                return None  # the decision about it makes it due again
            case ConnectionState.OK:
                return _connected_calendar(runtime, claim, calendar, running)
            case _:
                assert_never(connection.state)


def _connected_calendar(runtime: Runtime, claim: Claim, calendar: Calendar, running: Running) -> datetime | None:
    """Carry out work on a calendar that can be reached, as far as we know; say what its errors mean for the work."""
    try:
        return _with_remote(runtime, claim, calendar.id, runtime.remote(calendar.id), running)
    except AccessLostError:
        with fenced(runtime.database, running) as db:
            connect.note_access_lost(db, calendar.connection_id, now=runtime.clock())
        return None
    except MissingError as error:
        raise RefusedError("the calendar is no longer there") from error
    except EditConflictError as error:
        raise TransientError(str(error)) from error
    except RefusedError:
        if claim.key.kind is Kind.CALENDAR:  # perhaps it is gone: reading it tells
            with fenced(runtime.database, running) as db:
                ledger.touch(db, Key(Kind.PULL, claim.key.id), due_at=runtime.clock(), lane=calendar.lane)
        raise


def _with_remote(
    runtime: Runtime, claim: Claim, calendar_id: UUID, remote: RemoteCalendar, running: Running
) -> datetime | None:
    database, policy, seal, now = runtime.database, runtime.policy, runtime.seal, runtime.clock()
    match claim.key.kind:
        case Kind.CALENDAR:
            push.converge(database, policy, calendar_id, remote, clock=runtime.clock, fence=running)
            retarget.finish_clearing(database, seal, calendar_id, remote, fence=running, now=now)
            return push.look_again_at(database, calendar_id)
        case Kind.CHANNEL:
            url = runtime.settings.public_url
            return subscriptions.watch(database, seal, calendar_id, remote, public_url=url, fence=running, now=now)
        case Kind.BUSY:
            return free_busy.read(database, policy, calendar_id, remote, fence=running, now=now)
        case Kind.PROBE:
            return hold_probe.probe(database, calendar_id, remote, fence=running, now=now)
        case _:
            return pull.pull(database, policy, calendar_id, remote, fence=running, now=now)


def _disconnect(runtime: Runtime, claim: Claim, connection: Connection, running: Running) -> None:
    """Disconnect an account, under its calendar's own key alone; it is neither read nor watched any more."""
    if claim.key.kind is Kind.CALENDAR:
        provider = runtime.load_provider(connection.provider)
        account = provider.account(runtime.tokens(connection.id), runtime.network)
        disconnect.finish(
            runtime.database,
            runtime.policy,
            runtime.seal,
            connection.id,
            account,
            account_key=provider.account_key,
            clock=runtime.clock,
            fence=running,
        )
