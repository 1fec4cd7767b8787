"""Channels: which calendar each stands for, what proves its rings, and how far along it is."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy import Connection, Row, and_, select

from connector.storage.columns import UtcDateTime
from connector.storage.due import Key, Kind, ahead, due
from connector.storage.tables import calendars, channels


class ChannelState(StrEnum):
    """How far along a channel is. A ring counts in every one of them."""

    OPENING = "opening"  # stored before the service is asked: its first ring may precede the answer
    OPEN = "open"
    CLOSING = "closing"  # replaced or no longer wanted, not yet confirmed to be closed


@dataclass(frozen=True, slots=True, kw_only=True)
class Channel:
    """A channel as it is stored.

    Attributes:
        secret: Sealed.
        proof: SHA-256 of the secret.
        renew_at: When to make it last longer; None until it is open.
        expires_at: None until it is open.
    """

    id: str
    calendar_id: UUID
    provider: str
    secret: bytes = field(repr=False)
    proof: bytes = field(repr=False)
    state: ChannelState
    opened_at: datetime
    remote_id: str = ""
    renew_at: datetime | None = None
    expires_at: datetime | None = None
    last_rang_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Errand:
    """How a calendar's next pull stands, for whoever may have to make it due.

    Attributes:
        due_at: None if it is not due at all.
        running: Whether one is under way.
        not_before: The service asked for peace until then.
        read_at: When the last pull began.
    """

    lane: str
    due_at: datetime | None = None
    running: bool = False
    not_before: datetime | None = None
    read_at: datetime | None = None


def proof_of(secret: str) -> bytes:
    """Return what is kept of a secret to compare rings with."""
    return hashlib.sha256(secret.encode()).digest()


def add(db: Connection, channel: Channel) -> None:
    """Store a channel that is about to be opened, or was opened in another's place."""
    columns = {name: getattr(channel, name) for name in Channel.__slots__}
    db.execute(sa.insert(channels).values(columns | {"state": channel.state.value}))


def find(db: Connection, ids: Collection[str]) -> Mapping[str, Channel]:
    """Return the channels of these ids that are ours, by id."""
    rows = db.execute(select(channels).where(channels.c.id.in_(ids)))
    return {row.id: _channel(row) for row in rows}


def of_calendar(db: Connection, calendar_id: UUID) -> Sequence[Channel]:
    """Return the channels of a calendar, the newest first."""
    query = select(channels).where(channels.c.calendar_id == calendar_id)
    return [_channel(row) for row in db.execute(query.order_by(channels.c.opened_at.desc(), channels.c.id))]


def every(db: Connection) -> Sequence[Channel]:
    """Return every channel there is."""
    return [_channel(row) for row in db.execute(select(channels).order_by(channels.c.id))]


def opened(db: Connection, channel_id: str, *, remote_id: str, renew_at: datetime, expires_at: datetime) -> bool:
    """Note what the service granted; False if the channel was given up meanwhile."""
    granted = {"remote_id": remote_id, "renew_at": renew_at, "expires_at": expires_at}
    query = sa.update(channels).where(channels.c.id == channel_id)
    return db.execute(query.values(granted | {"state": ChannelState.OPEN.value})).rowcount == 1


def retire(db: Connection, ids: Collection[str]) -> None:
    """Have channels closed."""
    _change(db, ids, state=ChannelState.CLOSING.value)


def remove(db: Connection, ids: Collection[str]) -> None:
    """Forget channels: their rings are refused from here on."""
    db.execute(sa.delete(channels).where(channels.c.id.in_(ids)))


def renew_at(db: Connection, ids: Collection[str], at: datetime) -> None:
    """Have channels renewed at another time than planned."""
    _change(db, ids, renew_at=at)


def note_rung(db: Connection, ids: Collection[str], *, now: datetime) -> None:
    """Note that channels have rung."""
    _change(db, ids, last_rang_at=now)


def swap_secret(db: Connection, channel: Channel, sealed: bytes) -> None:
    """Store the same secret, sealed under another key."""
    _change(db, [channel.id], secret=sealed)


def pulls(db: Connection, calendar_ids: Collection[UUID]) -> Mapping[UUID, Errand]:
    """Return how the next pull of each of these calendars stands."""
    query = select(calendars.c.id, calendars.c.lane, calendars.c.read_at).where(calendars.c.id.in_(calendar_ids))
    known = {row.id: row for row in db.execute(query)}
    running = sa.func.coalesce(due.c.lease_until > ahead(0.0), sa.false())
    wanted = and_(due.c.kind == Kind.PULL.value, due.c.id.in_([str(one) for one in known]))
    asked = select(due.c.id, due.c.due_at, due.c.not_before, running.label("running")).where(wanted)
    errands = {UUID(row.id): row for row in db.execute(asked)}
    return {
        one: Errand(
            lane=row.lane,
            read_at=row.read_at,
            due_at=errands[one].due_at if one in errands else None,
            not_before=errands[one].not_before if one in errands else None,
            running=bool(one in errands and errands[one].running),
        )
        for one, row in known.items()
    }


def pause_before_next(db: Connection, key: Key, *, until: datetime, now: datetime) -> None:
    """Let work that was touched while it runs begin again no sooner than `until`, instead of at once.

    Only after a touch in the same transaction: `desired` has then moved, so the run under way does not count for it.
    """
    running = and_(due.c.kind == key.kind.value, due.c.id == key.id, due.c.lease_until > ahead(0.0))
    query = sa.update(due).where(running, due.c.due_at <= now)
    db.execute(query.values(due_at=sa.literal(until, UtcDateTime())))


def _change(db: Connection, ids: Collection[str], **values: Any) -> None:
    if ids:
        db.execute(sa.update(channels).where(channels.c.id.in_(ids)).values(**values))


def _channel(row: Row[Any]) -> Channel:
    columns = {name: getattr(row, name) for name in Channel.__slots__}
    return Channel(**columns | {"state": ChannelState(row.state)})
