"""Push channels: which calendar each stands for, what proves its notifications, and how far along it is."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy import Connection, Row, and_, bindparam, select

from connector.storage.columns import UtcDateTime
from connector.storage.due import Key, Kind, ahead, dashed, due
from connector.storage.tables import calendars, channels


class ChannelState(StrEnum):
    """How far along a channel is. A notification counts in every one of them."""

    OPENING = "opening"  # stored before the service is asked: its first notification may precede the answer
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
    last_notified_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelStatus:
    """What a notification is checked against: its channel, and how the next pull of the channel's calendar stands.

    Attributes:
        lane: Of the calendar's work.
        read_at: When the last pull began.
        due_at: When the next pull is due; None if it is not.
        not_before: The service asked us to wait until then.
        running: Whether a pull is under way.
    """

    id: str
    calendar_id: UUID
    provider: str
    proof: bytes = field(repr=False)
    lane: str
    read_at: datetime | None
    due_at: datetime | None
    not_before: datetime | None
    running: bool


# A notification must cost little: these are built once.
_STATUS = (
    select(
        channels.c.id,
        channels.c.calendar_id,
        channels.c.provider,
        channels.c.proof,
        calendars.c.lane,
        calendars.c.read_at,
        due.c.due_at,
        due.c.not_before,
        sa.func.coalesce(due.c.lease_until > ahead(0.0), sa.false()).label("running"),
    )
    .join(calendars, calendars.c.id == channels.c.calendar_id)
    .outerjoin(due, and_(due.c.kind == Kind.PULL.value, due.c.id == dashed(channels.c.calendar_id)))
    .where(channels.c.id == bindparam("channel_id"))
)
_NOTIFIED = (
    sa.update(channels).where(channels.c.id == bindparam("channel_id")).values(last_notified_at=bindparam("now"))
)
_DELAY = (
    sa.update(due)
    .where(due.c.kind == bindparam("b_kind"), due.c.id == bindparam("b_id"))
    .where(due.c.lease_until > ahead(0.0), due.c.due_at <= bindparam("now", type_=UtcDateTime()))
    .values(due_at=bindparam("until", type_=UtcDateTime()))
)


def proof_of(secret: str) -> bytes:
    """Return what is kept of a secret to compare notifications with."""
    return hashlib.sha256(secret.encode()).digest()


def add(db: Connection, channel: Channel) -> None:
    """Store a channel that is about to be opened, or was opened in another's place."""
    columns = {name: getattr(channel, name) for name in Channel.__slots__}
    db.execute(sa.insert(channels).values(columns | {"state": channel.state.value}))


def status(db: Connection, channel_id: str) -> ChannelStatus | None:
    """Return what a notification of that channel is checked against; None if the channel is none of ours."""
    row = db.execute(_STATUS, {"channel_id": channel_id}).first()
    return ChannelStatus(**row._asdict()) if row is not None else None


def get(db: Connection, channel_id: str) -> Channel | None:
    """Return a channel; None if it is none of ours."""
    row = db.execute(select(channels).where(channels.c.id == channel_id)).first()
    return _channel(row) if row is not None else None


def of_calendar(db: Connection, calendar_id: UUID) -> Sequence[Channel]:
    """Return the channels of a calendar, the newest first."""
    query = select(channels).where(channels.c.calendar_id == calendar_id)
    return [_channel(row) for row in db.execute(query.order_by(channels.c.opened_at.desc(), channels.c.id))]


def every(db: Connection) -> Sequence[Channel]:
    """Return every channel there is."""
    return [_channel(row) for row in db.execute(select(channels).order_by(channels.c.id))]


def opened(db: Connection, channel_id: str, *, remote_id: str, renew_at: datetime, expires_at: datetime) -> bool:
    """Note what the service has granted; False if the channel was given up meanwhile."""
    values = {"remote_id": remote_id, "renew_at": renew_at, "expires_at": expires_at}
    query = sa.update(channels).where(channels.c.id == channel_id)
    return db.execute(query.values(values | {"state": ChannelState.OPEN.value})).rowcount == 1


def retire(db: Connection, ids: Collection[str]) -> None:
    """Have channels closed."""
    _change(db, ids, state=ChannelState.CLOSING.value)


def remove(db: Connection, ids: Collection[str]) -> None:
    """Forget channels: their notifications are refused from here on."""
    db.execute(sa.delete(channels).where(channels.c.id.in_(ids)))


def renew_at(db: Connection, ids: Collection[str], at: datetime) -> None:
    """Have channels renewed at another time than planned."""
    _change(db, ids, renew_at=at)


def note_notified(db: Connection, ids: Sequence[str], *, now: datetime) -> None:
    """Note that channels have sent a notification."""
    if ids:
        db.execute(_NOTIFIED, [{"channel_id": channel_id, "now": now} for channel_id in ids])


def swap_secret(db: Connection, channel: Channel, sealed: bytes) -> None:
    """Store the same secret, sealed under another key."""
    _change(db, [channel.id], secret=sealed)


def delay_next(db: Connection, key: Key, *, until: datetime, now: datetime) -> None:
    """Let work that was touched while it runs begin again no sooner than `until`, instead of at once.

    Only after a touch in the same transaction: `desired` has then moved, so the run under way does not count for it.
    """
    db.execute(_DELAY, {"b_kind": key.kind.value, "b_id": key.id, "until": until, "now": now})


def _change(db: Connection, ids: Collection[str], **values: Any) -> None:
    if ids:
        db.execute(sa.update(channels).where(channels.c.id.in_(ids)).values(**values))


def _channel(row: Row[Any]) -> Channel:
    columns = {name: getattr(row, name) for name in Channel.__slots__}
    return Channel(**columns | {"state": ChannelState(row.state)})
