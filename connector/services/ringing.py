"""Receive rings: believe those that prove themselves, and make due what they ask for. Calls no calendar service."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from hmac import compare_digest
from uuid import UUID

from sqlalchemy import Connection

from connector.errors import NotificationRejectedError
from connector.ports import Ring
from connector.storage import channels, ledger
from connector.storage.channels import Channel, Errand
from connector.storage.database import Database
from connector.storage.ledger import Key, Kind

CALM = timedelta(seconds=2)  # between two pulls that were rung for: what rings meanwhile shares the second
REAUTHORIZE, REMOVED = "reauthorizationRequired", "subscriptionRemoved"


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """What became of some rings: the calendars that are due for it now, and how many rings were not believed."""

    calendars: frozenset[UUID]
    refused: int


def receive(database: Database, rings: Iterable[Ring], *, provider: str, now: datetime) -> Received:
    """Make the pulls due that genuine rings ask for, in one transaction; none if they are due already.

    A ring about the channel itself makes the channel due: to be renewed, or opened again. Any other makes its calendar
    due, one row a calendar, so that a storm is one pull or two.

    Args:
        database: Where channels and due work stand.
        rings: Of one push; several, and of several accounts, where the service bundles them.
        provider: Whose door they came in by.
        now: Aware UTC.
    Raises: NotificationRejectedError if there are rings and none is genuine.
    """
    claimed = list(rings)
    with database.read() as db:
        known = channels.find(db, {ring.channel_id for ring in claimed})
        genuine = [
            (channel, ring.lifecycle)
            for ring in claimed
            if (channel := known.get(ring.channel_id)) and _proves(ring, channel) and channel.provider == provider
        ]
        if claimed and not genuine:
            raise NotificationRejectedError("no ring of a channel of ours")
        errands = channels.pulls(db, {channel.calendar_id for channel, _ in genuine})
    _make_due(database, genuine, errands, now)
    return Received(
        calendars=frozenset(channel.calendar_id for channel, _ in genuine), refused=len(claimed) - len(genuine)
    )


def _proves(ring: Ring, channel: Channel) -> bool:
    return compare_digest(channels.proof_of(ring.secret), channel.proof)


def _make_due(
    database: Database, genuine: Sequence[tuple[Channel, str]], errands: Mapping[UUID, Errand], now: datetime
) -> None:
    """Write only what is not due already: a claim made after our look reads what rang before it."""
    rung = {
        channel.id: channel.calendar_id for channel, lifecycle in genuine if lifecycle not in {REAUTHORIZE, REMOVED}
    }
    pulls = {one: errand for one, errand in errands.items() if one in rung.values() and not _is_due(errand, now)}
    expiring = {channel.id for channel, lifecycle in genuine if lifecycle == REAUTHORIZE}
    removed = {channel.id for channel, lifecycle in genuine if lifecycle == REMOVED}
    troubled = {channel.calendar_id for channel, _ in genuine if channel.id in expiring | removed}
    if not pulls and not troubled:
        return
    with database.begin() as db:
        # Everybody in the same order, and what is due before the channels: else two of us could wait for each other.
        for calendar_id in sorted(pulls):
            _touch_pull(db, calendar_id, errands[calendar_id], now)
        for calendar_id in sorted(troubled & errands.keys()):
            ledger.touch(db, Key(Kind.CHANNEL, str(calendar_id)), due_at=now, lane=errands[calendar_id].lane)
        channels.renew_at(db, sorted(expiring), now)
        channels.retire(db, sorted(removed))
        channels.note_rung(db, sorted(one for one, calendar_id in rung.items() if calendar_id in pulls), now=now)


def _touch_pull(db: Connection, calendar_id: UUID, errand: Errand, now: datetime) -> None:
    key = Key(Kind.PULL, str(calendar_id))
    ledger.touch(db, key, due_at=_when(errand, now), lane=errand.lane)
    if errand.running:
        channels.pause_before_next(db, key, until=now + CALM, now=now)


def _when(errand: Errand, now: datetime) -> datetime:
    if errand.running:
        return now + CALM
    return max(now, errand.read_at + CALM) if errand.read_at else now


def _is_due(errand: Errand, now: datetime) -> bool:
    """Whether a pull will come as soon as it may. One that runs does not count: it may have read already."""
    if errand.due_at is None or errand.running:
        return False
    soonest = _when(errand, now)
    return errand.due_at <= (max(soonest, errand.not_before) if errand.not_before else soonest)
