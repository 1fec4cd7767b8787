"""Keep one push channel open for each calendar that has them: open it, renew it in time, close what it replaces."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from random import SystemRandom
from uuid import UUID

import structlog
from sqlalchemy import Connection

from connector import failures, paths, ports
from connector.domain.connection import ConnectionState
from connector.errors import (
    LeaseLostError,
    MissingError,
    NotFoundError,
    ProviderError,
    RefusedError,
    SettingsError,
    TransientError,
)
from connector.ports import RemoteCalendar, Watchable
from connector.sentence import Sentence
from connector.storage import calendars, channels, ledger
from connector.storage.channels import Channel, ChannelState
from connector.storage.database import Database
from connector.storage.fence import Fence, fenced
from connector.storage.ledger import Key, Kind
from connector.storage.seal import Seal

RENEW_AFTER = (0.7, 0.8)  # of a channel's life; at random, so that those opened together are not renewed together
ASK_AGAIN = timedelta(days=7)  # a calendar without channels is asked again after so long, or on reconnecting
LOOK_AGAIN = timedelta(days=1)  # whether we have an https address by then
SHORTEST = timedelta(minutes=1)  # between two renewals, whatever life a service grants
_SECRET = "secret"  # noqa: S105 - the name it is sealed under

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Subscription:
    """One calendar with everything that its channel needs."""

    database: Database
    seal: Seal
    calendar_id: UUID
    lane: str
    provider: str
    remote: Watchable
    fence: Fence
    now: datetime


def watch(
    database: Database,
    seal: Seal,
    calendar_id: UUID,
    remote: RemoteCalendar,
    *,
    public_url: str,
    fence: Fence,
    now: datetime,
) -> datetime | None:
    """Bring a calendar to exactly one open channel with enough life left; the one it replaces is closed after that.

    Run it under the claim of the calendar's channel key. It may stop anywhere and run again.

    Args:
        database: Where channels are stored.
        seal: Seals their secrets.
        calendar_id: Which calendar.
        remote: The same calendar at its service.
        public_url: Where the internet reaches us. Unless it begins with https:// nothing is opened.
        fence: The claim.
        now: Aware UTC.
    Returns: When to look again; a calendar without channels is left alone for a week.
    Raises: NotFoundError, or a ProviderError other than RefusedError; then call again later.
    """
    if not isinstance(remote, Watchable):
        return now + ASK_AGAIN
    subscription = _load(database, seal, calendar_id, remote, fence, now)
    address = address_of(public_url, subscription.provider)
    if address is None:
        _log_without_address(public_url)
        again_at = now + LOOK_AGAIN
    else:
        again_at = _keep_open(subscription, address)
    _close_retired(subscription)
    return again_at


def end(
    database: Database,
    seal: Seal,
    calendar_id: UUID,
    remote: RemoteCalendar,
    *,
    fence: Fence,
    now: datetime,
) -> None:
    """Close every channel of a calendar that is being disconnected.

    Raises: NotFoundError, or a ProviderError other than RefusedError; then call again later.
    """
    if not isinstance(remote, Watchable):
        return
    subscription = _load(database, seal, calendar_id, remote, fence, now)
    with fenced(database, fence) as db:
        channels.retire(db, [channel.id for channel in channels.of_calendar(db, calendar_id)])
    _close_retired(subscription)


def address_of(public_url: str, provider: str) -> str | None:
    """Return where a provider's notifications come in; None if no service would send them there."""
    return f"{public_url.rstrip('/')}{paths.NOTIFICATIONS}/{provider}" if public_url.startswith("https://") else None


def service_channel(seal: Seal, channel: Channel, *, now: datetime) -> ports.Channel:
    """Return a channel as its service knows it; one that is not open yet expires at `now`.

    Raises: SettingsError if none of the keys fits its secret.
    """
    return ports.Channel(
        id=channel.id,
        remote_id=channel.remote_id,
        secret=seal.open(channel.secret)[_SECRET],
        expires_at=channel.expires_at or now,
    )


def _load(
    database: Database, seal: Seal, calendar_id: UUID, remote: Watchable, fence: Fence, now: datetime
) -> _Subscription:
    with database.read() as db:
        calendar = calendars.calendar(db, calendar_id)
        provider = calendars.connection(db, calendar.connection_id).provider
    return _Subscription(
        database=database,
        seal=seal,
        calendar_id=calendar_id,
        lane=calendar.lane,
        provider=provider,
        remote=remote,
        fence=fence,
        now=now,
    )


@cache
def _log_without_address(public_url: str) -> None:
    what = "only an https address can be notified; changes are found by polling"
    log.info("no_channels", setting="CONNECTOR_PUBLIC_URL", scheme=public_url.partition(":")[0], what=what)


def _stored(subscription: _Subscription) -> Sequence[Channel]:
    with subscription.database.read() as db:
        return channels.of_calendar(db, subscription.calendar_id)


def _keep_open(subscription: _Subscription, address: str) -> datetime:
    """Renew the open channel if it is time, or open one; return when to look again."""
    current = None
    for channel in _stored(subscription):
        if current is None and _is_usable(channel, subscription):
            current = channel
        elif channel.state is not ChannelState.CLOSING:
            # Left by a run that did not finish: only the service could say whether it has opened it.
            _give_up(subscription, channel)
    if current is None:
        return _open(subscription, address) or subscription.now + ASK_AGAIN
    if current.renew_at and current.renew_at > subscription.now:
        return current.renew_at
    return _renew(subscription, current, address)


def _is_usable(channel: Channel, subscription: _Subscription) -> bool:
    """Whether a channel is open, has not expired, and its secret can be opened."""
    return (
        channel.state is ChannelState.OPEN
        and _is_alive(channel, subscription)
        and _service_channel(channel, subscription) is not None
    )


def _is_alive(channel: Channel, subscription: _Subscription) -> bool:
    return channel.expires_at is not None and channel.expires_at > subscription.now


def _service_channel(channel: Channel, subscription: _Subscription) -> ports.Channel | None:
    """Return a channel as its service knows it; None if its secret cannot be opened any more."""
    try:
        return service_channel(subscription.seal, channel, now=subscription.now)
    except SettingsError:
        return None


def _give_up(subscription: _Subscription, channel: Channel) -> None:
    with fenced(subscription.database, subscription.fence) as db:
        if channel.remote_id:
            channels.retire(db, [channel.id])
        else:
            channels.remove(db, [channel.id])


def _open(subscription: _Subscription, address: str, *, instead_of: Channel | None = None) -> datetime | None:
    """Open a channel, stored before the service is asked; return when to renew it, None if the calendar has none."""
    secret = secrets.token_urlsafe(32)
    channel = _new_channel(subscription, channel_id=secrets.token_urlsafe(24), secret=secret)
    with fenced(subscription.database, subscription.fence) as db:
        channels.add(db, channel)
    subscription.fence.renew()
    try:
        granted = subscription.remote.watch(channel_id=channel.id, secret=secret, address=address, now=subscription.now)
    except RefusedError as error:
        with fenced(subscription.database, subscription.fence) as db:
            channels.remove(db, [channel.id])
        _tell(subscription, "channel_refused", error, again_at=subscription.now + ASK_AGAIN)
        return None
    return _store_granted(subscription, granted, instead_of=instead_of)


def _renew(subscription: _Subscription, current: Channel, address: str) -> datetime:
    """Have a channel last longer, or another take its place; whatever fails, it stays open until it expires."""
    old = _service_channel(current, subscription)
    assert old is not None  # noqa: S101 - only a channel whose secret opens is current
    subscription.fence.renew()
    try:
        granted = subscription.remote.renew(old, address=address, now=subscription.now)
    except RefusedError:  # not this one any more, but perhaps another
        renew_at = _open(subscription, address, instead_of=current)
        return renew_at or max(old.expires_at, subscription.now + SHORTEST)
    successor = None
    if granted.id != current.id:
        successor = _new_channel(subscription, channel_id=granted.id, secret=granted.secret)
    return _store_granted(subscription, granted, instead_of=current, successor=successor)


def _tell(subscription: _Subscription, event: str, error: ProviderError, *, again_at: datetime | None = None) -> None:
    calendar = str(subscription.calendar_id)
    failures.tell(event, error, calendar=calendar, provider=subscription.provider, again_at=again_at)


def _new_channel(subscription: _Subscription, *, channel_id: str, secret: str) -> Channel:
    return Channel(
        id=channel_id,
        calendar_id=subscription.calendar_id,
        provider=subscription.provider,
        secret=subscription.seal.seal({_SECRET: secret}),
        proof=channels.proof_of(secret),
        state=ChannelState.OPENING,
        opened_at=subscription.now,
    )


def _store_granted(
    subscription: _Subscription, granted: ports.Channel, *, instead_of: Channel | None, successor: Channel | None = None
) -> datetime:
    """Store what the service granted, in place of another channel; what happened between the two is read by a pull.

    `successor` is the row of a channel whose id the provider has chosen, so that it is not stored yet.
    """
    share = SystemRandom().uniform(*RENEW_AFTER)
    life = timedelta(seconds=int((granted.expires_at - subscription.now).total_seconds() * share))
    renew_at = subscription.now + max(SHORTEST, life)
    is_same = instead_of is not None and (instead_of.id, instead_of.remote_id) == (granted.id, granted.remote_id)
    try:
        with fenced(subscription.database, subscription.fence) as db:
            is_valid = not _is_disconnecting(db, subscription)
            if is_valid and not is_same:
                pull = Key(Kind.PULL, str(subscription.calendar_id))
                ledger.touch(db, pull, due_at=subscription.now, lane=subscription.lane)
            if is_valid and successor is not None:
                channels.add(db, successor)
            is_valid = is_valid and channels.opened(
                db, granted.id, remote_id=granted.remote_id, renew_at=renew_at, expires_at=granted.expires_at
            )
            if is_valid and instead_of is not None and instead_of.id != granted.id:
                channels.retire(db, [instead_of.id])
    except LeaseLostError:
        if not is_same:  # else it is its successor's
            _close_unrecorded(subscription, granted)
        raise
    if not is_valid:
        subscription.remote.unwatch(granted)
        raise TransientError(Sentence("another worker is watching this calendar, or it is being disconnected"))
    return renew_at


def _close_unrecorded(subscription: _Subscription, granted: ports.Channel) -> None:
    """Close a channel that was opened under a claim that is lost; if that fails, it expires, and nobody believes it."""
    try:
        with ports.asking_first(lambda: None):
            subscription.remote.unwatch(granted)
    except ProviderError as error:
        _tell(subscription, "channel_left_to_expire", error)


def _is_disconnecting(db: Connection, subscription: _Subscription) -> bool:
    """Whether the calendar is gone or being disconnected, so that nobody would close a new channel of it."""
    try:
        connection_id = calendars.calendar(db, subscription.calendar_id).connection_id
        return calendars.connection(db, connection_id).state is ConnectionState.DISCONNECTING
    except NotFoundError:
        return True


def _close_retired(subscription: _Subscription) -> None:
    """Close retired channels at the service, and delete each once that is done or cannot be done."""
    for channel in _stored(subscription):
        if channel.state is not ChannelState.CLOSING:
            continue
        if channel.remote_id and _is_alive(channel, subscription):
            _close(subscription, channel)
        with fenced(subscription.database, subscription.fence) as db:
            channels.remove(db, [channel.id])


def _close(subscription: _Subscription, channel: Channel) -> None:
    """Close a channel at its service, unless its secret cannot be opened any more."""
    there = _service_channel(channel, subscription)
    if there is None:
        return
    subscription.fence.renew()
    try:
        subscription.remote.unwatch(there)
    except MissingError:
        pass
    except RefusedError as error:
        _tell(subscription, "channel_left_to_expire", error)
