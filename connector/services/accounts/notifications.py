"""Receive rings: believe those that prove themselves, and make due what they ask for. Calls no calendar service."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
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
from connector.storage.ledger import Key, Kind

CALM = timedelta(seconds=2)  # between two pulls that were rung for: what rings meanwhile shares the second


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """What became of a push: the calendars its genuine rings are about, and how many of its rings were not believed."""

    calendars: frozenset[UUID]
    refused: int


def receive(database: Database, notifications: Sequence[Notification], *, provider: str, now: datetime) -> Received:
    """Make the pulls due that genuine rings ask for, in one transaction; none if they are due already.

    A ring about the channel itself makes the channel due: to be renewed, or opened again. Any other makes its calendar
    due, one row a calendar, so that a storm is one pull or two.

    Args:
        database: Where channels and due work stand.
        notifications: Of one push; several, and of several accounts, where the service bundles them.
        provider: Whose door they came in by.
        now: Aware UTC.
    Raises: NotificationRejectedError if there are rings and none is genuine.
    """
    with database.read() as db:
        known = {one: channels.status(db, one) for one in {notification.channel_id for notification in notifications}}
    genuine = [
        (heard, notification.lifecycle)
        for notification in notifications
        if (heard := known[notification.channel_id]) and heard.provider == provider and _proves(notification, heard)
    ]
    if notifications and not genuine:
        raise NotificationRejectedError("no ring of a channel of ours")
    _make_due(database, genuine, now)
    calendars = frozenset(heard.calendar_id for heard, _ in genuine)
    return Received(calendars=calendars, refused=len(notifications) - len(genuine))


def _proves(notification: Notification, heard: ChannelStatus) -> bool:
    return compare_digest(channels.proof_of(notification.secret), heard.proof)


def _make_due(database: Database, genuine: Iterable[tuple[ChannelStatus, Lifecycle | None]], now: datetime) -> None:
    """Write only what is not due already: a claim made after our look reads what rang before it."""
    pulls: dict[UUID, ChannelStatus] = {}
    troubled: dict[UUID, ChannelStatus] = {}
    expiring: set[str] = set()
    removed: set[str] = set()
    for heard, lifecycle in genuine:
        match lifecycle:
            case Lifecycle.EXPIRING:
                troubled[heard.calendar_id] = heard
                expiring.add(heard.id)
            case Lifecycle.REMOVED:
                troubled[heard.calendar_id] = heard
                removed.add(heard.id)
            case Lifecycle.MISSED | None:
                if not _is_due(heard, now):
                    pulls[heard.calendar_id] = heard
            case _:
                assert_never(lifecycle)
    if not pulls and not troubled:
        return
    with database.begin() as db:
        # Everybody in the same order, and what is due before the channels: else two of us could wait for each other.
        for calendar_id in sorted(pulls):
            _touch_pull(db, pulls[calendar_id], now)
        for calendar_id in sorted(troubled):
            ledger.touch(db, Key(Kind.CHANNEL, str(calendar_id)), due_at=now, lane=troubled[calendar_id].lane)
        channels.renew_at(db, expiring, now)
        channels.retire(db, removed)
        channels.note_notified(db, sorted(heard.id for heard in pulls.values()), now=now)


def _touch_pull(db: Connection, heard: ChannelStatus, now: datetime) -> None:
    key = Key(Kind.PULL, str(heard.calendar_id))
    ledger.touch(db, key, due_at=_when(heard, now), lane=heard.lane)
    if heard.running:
        channels.pause_before_next(db, key, until=now + CALM, now=now)


def _when(heard: ChannelStatus, now: datetime) -> datetime:
    if heard.running:
        return now + CALM
    return max(now, heard.read_at + CALM) if heard.read_at else now


def _is_due(heard: ChannelStatus, now: datetime) -> bool:
    """Whether a pull will come as soon as it may. One that runs does not count: it may have read already."""
    if heard.due_at is None or heard.running:
        return False
    soonest = _when(heard, now)
    return heard.due_at <= (max(soonest, heard.not_before) if heard.not_before else soonest)
