"""Channels of a practice whose calendars are at the memory service, and the due work that notifications leave."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from connector.domain.connection import Calendar
from connector.ports import Notification
from connector.services.accounts import notifications, subscriptions
from connector.services.sync import pull as sync_pull
from connector.storage import channels, ledger
from connector.storage.channels import Channel, ChannelState
from connector.storage.database import Database
from connector.storage.due import due
from connector.storage.ledger import Claim, Key, Kind
from providers.memory.provider import MemoryCalendar
from tests.services.connected import connect, look
from tests.services.connected import remote as remote_of
from tests.services.fences import OURS
from tests.services.practice import SEAL, Practice

URL = "https://pencilled.example"


def opened(
    practice: Practice, calendar: Calendar, name: str = "one", *, state: ChannelState = ChannelState.OPEN
) -> Notification:
    """Store a channel and return the notification it would send."""
    secret = f"secret of {name}"
    channel = Channel(
        id=name,
        calendar_id=calendar.id,
        provider="memory",
        secret=SEAL.seal({"secret": secret}),
        proof=channels.proof_of(secret),
        state=state,
        opened_at=practice.now,
    )
    if state is not ChannelState.OPENING:
        week = practice.now + timedelta(days=7)
        channel = replace(channel, remote_id=f"remote-{name}", renew_at=week - timedelta(days=2), expires_at=week)
    with practice.database.begin() as db:
        channels.add(db, channel)
    return Notification(channel_id=name, secret=secret)


def watch(
    practice: Practice, calendar: Calendar, remote: MemoryCalendar | None = None, *, url: str = URL
) -> datetime | None:
    """Do what a worker does for the calendar's channel key."""
    there = remote or remote_of(practice, calendar.remote_id)
    return subscriptions.watch(
        practice.database, SEAL, calendar.id, there, public_url=url, fence=OURS, now=practice.now
    )


def stored_channels(practice: Practice, calendar: Calendar) -> list[Channel]:
    """Return the stored channels, the newest first."""
    with practice.database.read() as db:
        return list(channels.of_calendar(db, calendar.id))


def states(practice: Practice, calendar: Calendar) -> list[str]:
    return [channel.state.value for channel in stored_channels(practice, calendar)]


def row(database: Database, calendar_id: UUID, kind: Kind = Kind.PULL) -> Any:
    """Return what the ledger says of a calendar's work."""
    with database.read() as db:
        return db.execute(sa.select(due).where(due.c.kind == kind.value, due.c.id == str(calendar_id))).first()


def claimed(practice: Practice, calendar: Calendar, kind: Kind = Kind.PULL) -> Claim:
    """Claim a calendar's work as a worker would."""
    claim = ledger.claim(practice.database, Key(kind, str(calendar.id)), now=practice.now)
    assert claim
    return claim


def pull(practice: Practice, calendar: Calendar) -> None:
    """Carry out the pull, which is due."""
    assert look(practice, calendar) == ["done"]


def finish_pull(practice: Practice, calendar: Calendar, claim: Claim) -> None:
    there = remote_of(practice, calendar.remote_id)
    again_at = sync_pull.pull(practice.database, practice.policy, calendar.id, there, fence=OURS, now=practice.now)
    assert ledger.finish(practice.database, claim, again_at=again_at)


def connected(practice: Practice) -> Calendar:
    """Connect a calendar whose last pull is a minute ago; the next is nine minutes away."""
    calendar = connect(practice)
    pull(practice, calendar)
    practice.wait(minutes=1)
    return calendar


def one_channel(practice: Practice, calendar: Calendar, remote: MemoryCalendar) -> None:
    """Assert that one channel is open, that we and the service mean the same, and that its notification is believed."""
    [channel] = stored_channels(practice, calendar)
    [there] = remote.channels.values()
    assert (channel.id, channel.remote_id, channel.expires_at) == (there.id, there.remote_id, there.expires_at)
    assert subscriptions.service_channel(SEAL, channel, now=practice.now) == there
    practice.wait(minutes=5)
    notification = Notification(channel_id=there.id, secret=there.secret)
    assert notifications.receive(practice.database, [notification], provider="memory", now=practice.now).calendars
