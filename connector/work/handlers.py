"""Which use case carries out which kind of due work."""

from __future__ import annotations

from datetime import datetime
from typing import assert_never
from uuid import UUID

from connector.errors import (
    AccessLostError,
    EditConflictError,
    MissingError,
    NotFoundError,
    RefusedError,
    TransientError,
)
from connector.runtime import Runtime
from connector.services import linking, mirroring, notifying, offering, parting, pulling, watching
from connector.storage import calendars
from connector.storage.calendars import Connection, ConnectionState
from connector.storage.ledger import Claim, Kind
from connector.work.engine import Handler, Running


def handler(runtime: Runtime) -> Handler:
    """Return the function that carries out a claim and says when to look at its key again."""

    def handle(claim: Claim, running: Running) -> datetime | None:
        identity = UUID(claim.key.id)
        match claim.key.kind:
            case Kind.CALENDAR | Kind.PULL | Kind.CHANNEL:
                return _calendar(runtime, claim, identity, running)
            case Kind.OFFER:
                with runtime.database.begin() as db:
                    return offering.come_due(db, runtime.terms, identity, now=runtime.clock())
            case Kind.MESSAGE:
                notifying.deliver(
                    runtime.database, runtime.terms, runtime.sender, runtime.link_for, identity, now=runtime.clock()
                )
                return None
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
    if connection.state is ConnectionState.ACCESS_LOST:
        return None  # reconnecting makes the calendar due again
    if connection.state is ConnectionState.LEAVING:
        _leave(runtime, claim, connection, running)
        return None
    try:
        remote = runtime.remote(calendar_id)
        if claim.key.kind is Kind.CALENDAR:
            mirroring.converge(runtime.database, calendar_id, remote, clock=runtime.clock, renew=running.renew)
            return None
        if claim.key.kind is Kind.CHANNEL:
            return watching.watch(
                runtime.database,
                runtime.seal,
                calendar_id,
                remote,
                public_url=runtime.settings.public_url,
                renew=running.renew,
                now=runtime.clock(),
            )
        return pulling.pull(runtime.database, runtime.terms, calendar_id, remote, now=runtime.clock())
    except AccessLostError:
        with runtime.database.begin() as db:
            linking.access_lost(db, runtime.terms, connection.id, now=runtime.clock())
        return None
    except MissingError as error:
        _note(runtime, calendar_id, "the calendar is no longer there")
        raise RefusedError("the calendar is no longer there") from error
    except EditConflictError as error:
        raise TransientError(str(error)) from error


def _leave(runtime: Runtime, claim: Claim, connection: Connection, running: Running) -> None:
    """Take leave of an account, once and under one key; it is neither read nor watched any more."""
    if claim.key.kind is Kind.CALENDAR:
        provider = runtime.load_provider(connection.provider)
        account = provider.account(runtime.tokens(connection.id), runtime.network)
        parting.part(runtime.database, runtime.seal, connection.id, account, clock=runtime.clock, renew=running.renew)


def _note(runtime: Runtime, calendar_id: UUID, trouble: str) -> None:
    with runtime.database.begin() as db:
        calendars.note_trouble(db, calendar_id, trouble, now=runtime.clock())
