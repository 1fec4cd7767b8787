"""Receive notifications: check that they are genuine, and make due what they ask for. Calls no calendar service."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from hmac import compare_digest
from typing import assert_never
from uuid import UUID

from sqlalchemy import Connection

from connector.errors import NotificationRejectedError
from connector.ports import Lifecycle, Notification
from connector.storage import channels, ledger
from connector.storage.channels import ChannelStatus
from connector.storage.database import Database
from connector.storage.ledger import Key, Kind, Urgency

PULL_GAP = timedelta(seconds=2)  # between two pulls of a calendar: notifications that come meanwhile share the second


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """What became of a push: which calendars its genuine notifications are about, and how many were refused."""

    calendars: frozenset[UUID]
    refused: int


@dataclass(frozen=True, slots=True)
class _DueWork:
    """What the notifications of one push make due.

    Attributes:
        pulls: By calendar to be read, one of its channels.
        renewals: By calendar whose channel is to be renewed or opened again, one of its channels.
        expiring_ids: The channels that end soon.
        removed_ids: The channels that have ended.
    """

    pulls: dict[UUID, ChannelStatus] = field(default_factory=dict)
    renewals: dict[UUID, ChannelStatus] = field(default_factory=dict)
    expiring_ids: set[str] = field(default_factory=set)
    removed_ids: set[str] = field(default_factory=set)


def receive(database: Database, notifications: Sequence[Notification], *, provider: str, now: datetime) -> Receipt:
    """Make the pulls due that genuine notifications ask for, in one transaction; none if they are due already.

    A notification about the channel itself makes the channel due: to be renewed, or opened again. Any other makes its
    calendar due, one row a calendar, so that many at once lead to one pull or two.

    Args:
        database: Where channels and due work are stored.
        notifications: Of one push; several, and of several accounts, where the service bundles them.
        provider: Whose door they came in by.
        now: Aware UTC.
    Raises: NotificationRejectedError if there are notifications and none is genuine.
    """
    channel_ids = {notification.channel_id for notification in notifications}
    with database.read() as db:
        by_id = {channel_id: channels.status(db, channel_id) for channel_id in channel_ids}
    genuine = [
        (channel, notification.lifecycle)
        for notification in notifications
        if (channel := by_id[notification.channel_id])
        and channel.provider == provider
        and _is_genuine(notification, channel)
    ]
    if notifications and not genuine:
        raise NotificationRejectedError("no notification from a channel of ours")
    due = _due_work(genuine, now)
    if due.pulls or due.renewals:
        with database.begin() as db:
            _make_due(db, due, now)
    calendars = frozenset(channel.calendar_id for channel, _ in genuine)
    return Receipt(calendars=calendars, refused=len(notifications) - len(genuine))


def _is_genuine(notification: Notification, channel: ChannelStatus) -> bool:
    return compare_digest(channels.proof_of(notification.secret), channel.proof)


def _due_work(genuine: Iterable[tuple[ChannelStatus, Lifecycle | None]], now: datetime) -> _DueWork:
    """Leave out what is due already: a claim made after we read that sees what the notifications are about."""
    due = _DueWork()
    for channel, lifecycle in genuine:
        match lifecycle:
            case Lifecycle.EXPIRING:
                due.renewals[channel.calendar_id] = channel
                due.expiring_ids.add(channel.id)
            case Lifecycle.REMOVED:
                due.renewals[channel.calendar_id] = channel
                due.removed_ids.add(channel.id)
            case Lifecycle.MISSED | None:
                if not _is_due(channel, now):
                    due.pulls[channel.calendar_id] = channel
            case _:
                assert_never(lifecycle)
    return due


def _make_due(db: Connection, due: _DueWork, now: datetime) -> None:
    """Write in the same order in every transaction, due work before channels: else two could wait for each other."""
    for calendar_id in sorted(due.pulls):
        _touch_pull(db, due.pulls[calendar_id], now)
    for calendar_id in sorted(due.renewals):
        ledger.touch(db, Key(Kind.CHANNEL, str(calendar_id)), due_at=now, lane=due.renewals[calendar_id].lane)
    channels.renew_at(db, due.expiring_ids, now)
    channels.retire(db, due.removed_ids)
    channels.note_notified(db, sorted(channel.id for channel in due.pulls.values()), now=now)


def _touch_pull(db: Connection, channel: ChannelStatus, now: datetime) -> None:
    key = Key(Kind.PULL, str(channel.calendar_id))
    ledger.touch(db, key, due_at=_soonest(channel, now), lane=channel.lane, urgency=Urgency.LOOK)
    if channel.running:
        channels.delay_next(db, key, until=now + PULL_GAP, now=now)


def _soonest(channel: ChannelStatus, now: datetime) -> datetime:
    """When the next pull of a channel's calendar may begin, `PULL_GAP` after the last one."""
    if channel.running:
        return now + PULL_GAP
    return max(now, channel.read_at + PULL_GAP) if channel.read_at else now


def _is_due(channel: ChannelStatus, now: datetime) -> bool:
    """Whether a pull will come as soon as it may. One that runs does not count: it may have read already."""
    if channel.due_at is None or channel.running:
        return False
    soonest = _soonest(channel, now)
    return channel.due_at <= (max(soonest, channel.not_before) if channel.not_before else soonest)
