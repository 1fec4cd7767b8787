"""Keep one channel open for each calendar that can ring: open it, renew it in time, close what it replaces."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from random import SystemRandom
from uuid import UUID

import structlog
from sqlalchemy import Connection

from connector import ports
from connector.domain.connection import ConnectionState
from connector.errors import MissingError, NotFoundError, RefusedError, SettingsError, TransientError
from connector.ports import RemoteCalendar, Watchable
from connector.storage import calendars, channels, ledger
from connector.storage.channels import Channel, ChannelState
from connector.storage.database import Database
from connector.storage.ledger import Key, Kind
from connector.storage.seal import Seal

RENEW_AFTER = (0.7, 0.8)  # of a channel's life; anywhere between, so that those opened together part
ASK_AGAIN = timedelta(days=7)  # a calendar that cannot ring is asked again after so long, or on reconnecting
LOOK_AGAIN = timedelta(days=1)  # whether we have an address meanwhile
SHORTEST = timedelta(minutes=1)  # between two renewals, whatever life a service grants
_SECRET = "secret"  # noqa: S105 - the name it is sealed under

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Watch:
    """One calendar with all that its channels need."""

    database: Database
    seal: Seal
    calendar_id: UUID
    lane: str
    provider: str
    bell: Watchable
    renew: Callable[[], None]
    now: datetime


def watch(
    database: Database,
    seal: Seal,
    calendar_id: UUID,
    remote: RemoteCalendar,
    *,
    public_url: str,
    renew: Callable[[], None],
    now: datetime,
) -> datetime | None:
    """Bring a calendar to exactly one open channel with enough life left; what it replaces is closed after it.

    Run it under the claim of the calendar's channel key. It may end anywhere and begin again.

    Args:
        database: Where channels are kept.
        seal: Seals their secrets.
        calendar_id: Which calendar.
        remote: The same calendar at its service.
        public_url: Where the internet reaches us. Unless it begins with https:// nothing is opened.
        renew: Called before each request; raises if this work is no longer ours to do.
        now: Aware UTC.
    Returns: When to look again; a calendar that cannot ring is left alone for a week.
    Raises: NotFoundError, or a ProviderError other than RefusedError; then call again later.
    """
    if not isinstance(remote, Watchable):
        return now + ASK_AGAIN
    at = _load(database, seal, calendar_id, remote, renew, now)
    address = address_of(public_url, at.provider)
    if address is None:
        _say_that_nobody_can_ring(public_url)
        again_at = now + LOOK_AGAIN
    else:
        again_at = _keep_open(at, address)
    _close_retired(at)
    return again_at


def end(
    database: Database,
    seal: Seal,
    calendar_id: UUID,
    remote: RemoteCalendar,
    *,
    renew: Callable[[], None],
    now: datetime,
) -> None:
    """Close every channel of a calendar that is being disconnected.

    Raises: NotFoundError, or a ProviderError other than RefusedError; then call again later.
    """
    if not isinstance(remote, Watchable):
        return
    at = _load(database, seal, calendar_id, remote, renew, now)
    with database.begin() as db:
        channels.retire(db, [one.id for one in channels.of_calendar(db, calendar_id)])
    _close_retired(at)


def address_of(public_url: str, provider: str) -> str | None:
    """Return where a provider's pushes come in; None if no service would push there."""
    return f"{public_url.rstrip('/')}/hooks/{provider}" if public_url.startswith("https://") else None


def secret_of(seal: Seal, channel: Channel) -> str:
    """Return a channel's secret.

    Raises: SettingsError if none of the keys fits.
    """
    return seal.open(channel.secret)[_SECRET]


def _load(
    database: Database, seal: Seal, calendar_id: UUID, bell: Watchable, renew: Callable[[], None], now: datetime
) -> _Watch:
    with database.read() as db:
        calendar = calendars.calendar(db, calendar_id)
        provider = calendars.connection(db, calendar.connection_id).provider
    return _Watch(
        database=database,
        seal=seal,
        calendar_id=calendar_id,
        lane=calendar.lane,
        provider=provider,
        bell=bell,
        renew=renew,
        now=now,
    )


@cache
def _say_that_nobody_can_ring(public_url: str) -> None:
    reason = "only an https address can be rung at; changes are found by polling"
    log.info("no_channels", setting="CONNECTOR_PUBLIC_URL", scheme=public_url.partition(":")[0], reason=reason)


def _stored(at: _Watch) -> Sequence[Channel]:
    with at.database.read() as db:
        return channels.of_calendar(db, at.calendar_id)


def _keep_open(at: _Watch, address: str) -> datetime:
    """Renew the open channel if it is time, or open one; return when to look again."""
    current = None
    for channel in _stored(at):
        if channel.state is ChannelState.OPEN and current is None and _lives(channel, at) and _port(channel, at):
            current = channel
        elif channel.state is not ChannelState.CLOSING:
            # Left by a run that did not end: nobody knows whether the service opened it, and only it could name it.
            _give_up(at, channel)
    if current is None:
        return _open(at, address) or at.now + ASK_AGAIN
    if current.renew_at and current.renew_at > at.now:
        return current.renew_at
    return _prolong(at, current, address)


def _lives(channel: Channel, at: _Watch) -> bool:
    return channel.expires_at is not None and channel.expires_at > at.now


def _port(channel: Channel, at: _Watch) -> ports.Channel | None:
    """Return a channel as its service knows it; None if its secret cannot be opened any more."""
    try:
        secret = secret_of(at.seal, channel)
    except SettingsError:
        return None
    expires_at = channel.expires_at or at.now
    return ports.Channel(id=channel.id, remote_id=channel.remote_id, secret=secret, expires_at=expires_at)


def _give_up(at: _Watch, channel: Channel) -> None:
    with at.database.begin() as db:
        if channel.remote_id:
            channels.retire(db, [channel.id])
        else:
            channels.remove(db, [channel.id])


def _open(at: _Watch, address: str, *, instead_of: Channel | None = None) -> datetime | None:
    """Open a channel, stored before the service is asked; return when to renew it, None if the calendar cannot ring."""
    secret = secrets.token_urlsafe(32)
    fresh = _fresh(at, channel_id=secrets.token_urlsafe(24), secret=secret)
    with at.database.begin() as db:
        channels.add(db, fresh)
    at.renew()
    try:
        granted = at.bell.watch(channel_id=fresh.id, secret=secret, address=address, now=at.now)
    except RefusedError as error:
        with at.database.begin() as db:
            channels.remove(db, [fresh.id])
        log.info("channel_refused", calendar=str(at.calendar_id), provider=at.provider, reason=_words(error))
        return None
    return _keep(at, granted, instead_of=instead_of)


def _prolong(at: _Watch, current: Channel, address: str) -> datetime:
    """Have a channel last longer, or another take its place; whatever fails, it rings until it expires."""
    old = _port(current, at)
    assert old is not None  # noqa: S101 - only a channel whose secret opens is current
    at.renew()
    try:
        granted = at.bell.renew(old, address=address, now=at.now)
    except RefusedError:  # not this one any more, but perhaps another
        renew_at = _open(at, address, instead_of=current)
        return renew_at or max(old.expires_at, at.now + SHORTEST)
    successor = _fresh(at, channel_id=granted.id, secret=granted.secret) if granted.id != current.id else None
    return _keep(at, granted, instead_of=current, unheard_of=successor)


def _words(error: RefusedError) -> str:
    """Say why, without anybody's address: the operator may have to mend something."""
    return " ".join("…" if "@" in word or "/" in word else word for word in str(error).split())


def _fresh(at: _Watch, *, channel_id: str, secret: str) -> Channel:
    return Channel(
        id=channel_id,
        calendar_id=at.calendar_id,
        provider=at.provider,
        secret=at.seal.seal({_SECRET: secret}),
        proof=channels.proof_of(secret),
        state=ChannelState.OPENING,
        opened_at=at.now,
    )


def _keep(
    at: _Watch, granted: ports.Channel, *, instead_of: Channel | None, unheard_of: Channel | None = None
) -> datetime:
    """Store what was granted, in place of another; what happened while nobody listened is read by a pull.

    `unheard_of` is the row of a successor whose name the provider has chosen: not stored before it was opened.
    """
    share = SystemRandom().uniform(*RENEW_AFTER)
    life = timedelta(seconds=int((granted.expires_at - at.now).total_seconds() * share))
    renew_at = at.now + max(SHORTEST, life)
    same = instead_of is not None and (instead_of.id, instead_of.remote_id) == (granted.id, granted.remote_id)
    with at.database.begin() as db:
        kept = _is_wanted(db, at)
        if kept and not same:
            ledger.touch(db, Key(Kind.PULL, str(at.calendar_id)), due_at=at.now, lane=at.lane)
        if kept and unheard_of is not None:
            channels.add(db, unheard_of)
        kept = kept and channels.opened(
            db, granted.id, remote_id=granted.remote_id, renew_at=renew_at, expires_at=granted.expires_at
        )
        if kept and instead_of is not None and instead_of.id != granted.id:
            channels.retire(db, [instead_of.id])
    if not kept:
        at.bell.unwatch(granted)
        raise TransientError("another worker is watching this calendar, or it is being disconnected")
    return renew_at


def _is_wanted(db: Connection, at: _Watch) -> bool:
    """Whether the calendar still wants a channel: once it is being disconnected, nobody would close a new one."""
    try:
        connection_id = calendars.calendar(db, at.calendar_id).connection_id
        return calendars.connection(db, connection_id).state is not ConnectionState.DISCONNECTING
    except NotFoundError:
        return False


def _close_retired(at: _Watch) -> None:
    """Close what is closing at the service, and forget it once that is done or cannot be."""
    for channel in _stored(at):
        if channel.state is not ChannelState.CLOSING:
            continue
        known = _port(channel, at) if channel.remote_id and _lives(channel, at) else None
        if known is not None:
            at.renew()
            try:
                at.bell.unwatch(known)
            except MissingError:
                pass
            except RefusedError as error:
                log.info("channel_left_to_expire", provider=at.provider, reason=_words(error))
        with at.database.begin() as db:
            channels.remove(db, [channel.id])
