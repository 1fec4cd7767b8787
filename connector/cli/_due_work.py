"""Carry out a calendar's due work in the process of a command, under the same claims as any worker."""

from __future__ import annotations

from dataclasses import dataclass
from threading import Event
from uuid import UUID

import sqlalchemy as sa

from connector.cli._calendars import why_paused
from connector.domain.connection import ConnectionState
from connector.errors import InstallationError, RefusedError, TransientError
from connector.runtime import Runtime
from connector.services.sync import push
from connector.storage import calendars, ledger
from connector.storage.ledger import Key, Kind
from connector.work import dispatch, engine

_PATIENCE_SECONDS = 0.5  # between two looks at work that another process has claimed


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How far a calendar is: whether work is due or under way, how many actions are left, and what went wrong."""

    busy: bool
    left: int
    error: str = ""


def carry_out(runtime: Runtime, calendar_id: UUID, stop: Event) -> None:
    """Read one calendar and bring it to what it should show, or wait until whoever has claimed it has done so.

    Raises: what is neither a refusal nor a passing fault; those are recorded in the ledger.
    """
    handle = dispatch.handler(runtime)
    while not stop.is_set() and standing(runtime, calendar_id).busy:
        claims = (ledger.claim(runtime.database, key, now=runtime.clock()) for key in _keys(calendar_id))
        claim = next(filter(None, claims), None)
        if claim is None:
            stop.wait(_PATIENCE_SECONDS)
            continue
        running = engine.Running(runtime.database, claim, lease=ledger.LEASE, stop=stop)
        ending = engine.carry_out(runtime.database, claim, handle, running, clock=runtime.clock)
        if ending.error is not None and not isinstance(ending.error, RefusedError | InstallationError | TransientError):
            raise ending.error


def standing(runtime: Runtime, calendar_id: UUID) -> Standing:
    """Look how far a calendar is."""
    kinds = [key.kind.value for key in _keys(calendar_id)]
    are_its_rows = ledger.due.c.kind.in_(kinds) & (ledger.due.c.id == str(calendar_id))
    with runtime.database.read() as db:
        rows = db.execute(sa.select(ledger.due).where(are_its_rows)).all()
        picture = push.picture(db, runtime.policy, calendar_id, now=runtime.clock())
        connection = calendars.connection(db, picture.calendar.connection_id)
    left = len(picture.actions)
    if connection.state is ConnectionState.ACCESS_LOST:
        return Standing(busy=False, left=left, error="its password is no longer accepted; reconnect it")
    if picture.calendar.paused is not None:
        return Standing(busy=False, left=left, error=f"stopped: {why_paused(picture.calendar)}")
    busy = any(row.lease_until or (row.due_at and row.due_at <= runtime.clock()) for row in rows)
    # What was put off without having failed is only to be looked at again.
    failed = [row for row in rows if row.due_at is not None and row.attempts > 0]
    if busy or not failed:
        return Standing(busy=busy, left=left)
    words = picture.calendar.trouble or failed[0].last_error or "the service asked to be left alone for a while"
    return Standing(busy=False, left=left, error=str(words))


def _keys(calendar_id: UUID) -> tuple[Key, Key]:
    """Return the keys of the work on a calendar, in the order in which it is done."""
    return Key(Kind.PULL, str(calendar_id)), Key(Kind.CALENDAR, str(calendar_id))
