"""Let an account in: the person signs in at their calendar service, comes back, and chooses the calendars."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from connector.domain.connection import Calendar, Connection, ConnectionState
from connector.domain.people import Actor
from connector.errors import RuleError, SettingsError
from connector.ports import (
    Account,
    CreatesCalendars,
    Network,
    Provider,
    Reauthorizes,
    RemoteCalendarInfo,
    SignIn,
    UnsavedTokens,
)
from connector.services.accounts import connect
from connector.services.accounts.connect import Made
from connector.services.views import connections
from connector.storage import calendars, pending_connections
from connector.storage.database import Database
from connector.storage.pending_connections import PendingConnection, Stage
from connector.storage.seal import Seal

SIGNING_IN = timedelta(minutes=10)
CHOOSING = timedelta(minutes=30)

_TOO_LATE = "This sign-in took too long, was used already, or belongs to another browser. Please start again."


@dataclass(frozen=True, slots=True, kw_only=True)
class Installation:
    """What every step needs: where things are kept, how they are sealed, and whom we may reach."""

    database: Database
    seal: Seal
    network: Network
    load_provider: Callable[[str], Provider]


@dataclass(frozen=True, slots=True, kw_only=True)
class Departure:
    """Somebody on their way to a calendar service, at `url`; their browser keeps `state` until they return."""

    url: str
    state: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Choices:
    """What an account offers that has let us in; `can_create` if a calendar can be made there."""

    provider: str
    account: str
    calendars: tuple[RemoteCalendarInfo, ...]
    can_create: bool

    @property
    def writable(self) -> tuple[RemoteCalendarInfo, ...]:
        """Those our entries could go to."""
        return tuple(info for info in self.calendars if info.writable)


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """What somebody chose: the calendar our entries go to (None: a new one called `new_name`), and those to watch."""

    target: str | None
    new_name: str
    watched: frozenset[str] = frozenset()


def depart(
    at: Installation, practitioner_id: UUID, slug: str, *, mending: UUID | None = None, now: datetime
) -> Departure:
    """Start a sign-in; `mending` is the connection that needs a new one.

    Raises: NotFoundError; RuleError if nobody signs in there, or it is not set up here; a ProviderError.
    """
    if mending is not None:
        with at.database.read() as db:
            connections.owned(db, practitioner_id, mending)
    provider = at.load_provider(slug)
    if not isinstance(provider, SignIn) or slug not in at.network.apps:
        raise RuleError("This calendar service is not set up here. Please ask whoever runs this installation.")
    state = pending_connections.new_token()
    begun = provider.begin(at.network, state)
    pending = PendingConnection(
        practitioner_id=practitioner_id,
        provider=slug,
        stage=Stage.ASKED,
        kept=at.seal.seal(begun.memory),
        expires_at=now + SIGNING_IN,
        connection_id=mending,
    )
    with at.database.begin() as db:
        pending_connections.add(db, state, pending, now=now)
    return Departure(url=begun.url, state=state)


def come_back(
    at: Installation,
    practitioner_id: UUID,
    slug: str,
    state: str,
    answer: Mapping[str, str],
    *,
    by: Actor,
    now: datetime,
) -> str | None:
    """Take in the answer of a sign-in that this browser began; no answer is taken twice.

    Returns: The token of the choice that is to be made; None if a connection was mended, and nothing is to be chosen.
    Raises: RuleError in words for the person; a ProviderError. Nothing is kept then.
    """
    with at.database.begin() as db:
        pending = pending_connections.take(db, state, practitioner_id, Stage.ASKED, now=now)
    if pending is None or pending.provider != slug:
        raise RuleError(_TOO_LATE)
    provider = at.load_provider(slug)
    if not isinstance(provider, SignIn):
        raise RuleError(_TOO_LATE)
    fresh = provider.complete(at.network, _opened(at.seal, pending), answer)
    if pending.connection_id is None:
        return admit(at, practitioner_id, slug, _joined(provider, {}, fresh), now=now)
    _mend(at, pending.connection_id, provider, fresh, by=by, now=now)
    return None


def admit(at: Installation, practitioner_id: UUID, slug: str, credentials: Mapping[str, str], *, now: datetime) -> str:
    """Keep credentials, sealed, until a calendar is chosen, and return the token of that choice."""
    token = pending_connections.new_token()
    pending = PendingConnection(
        practitioner_id=practitioner_id,
        provider=slug,
        stage=Stage.LET_IN,
        kept=at.seal.seal(credentials),
        expires_at=now + CHOOSING,
    )
    with at.database.begin() as db:
        pending_connections.add(db, token, pending, now=now)
    return token


def choices(at: Installation, practitioner_id: UUID, token: str, *, now: datetime) -> Choices:
    """Return what there is to choose from.

    Raises: RuleError if it is too late; a ProviderError.
    """
    pending = _waiting(at, practitioner_id, token, now)
    return _look(at, at.load_provider(pending.provider), pending, token)[0]


def settle(
    at: Installation, practitioner_id: UUID, token: str, chosen: Chosen, *, by: Actor, now: datetime
) -> Calendar:
    """Connect the account with the calendars that were chosen, once.

    Raises: RuleError if there is no such calendar, if it is connected already, or if it is too late; a ProviderError.
    """
    pending = _waiting(at, practitioner_id, token, now)
    provider = at.load_provider(pending.provider)
    found, tokens, account = _look(at, provider, pending, token)
    target = _target(found, account, chosen)
    watched = [i for i in found.calendars if i.remote_id in chosen.watched and i.remote_id != target.remote_id]
    credentials = tokens.load()
    made = Made(provider=provider, credentials=credentials, label=found.account, target=target, watched=watched)
    with at.database.begin() as db:
        if pending_connections.take(db, token, practitioner_id, Stage.LET_IN, now=now) is None:
            raise RuleError(_TOO_LATE)
        calendar = connect.add(db, at.seal, practitioner_id, made, by=by, now=now)
        connect.refuse_twice(db, calendar, pending.provider)
        return calendar


def _waiting(at: Installation, practitioner_id: UUID, token: str, now: datetime) -> PendingConnection:
    with at.database.read() as db:
        found = pending_connections.find(db, token, practitioner_id, Stage.LET_IN, now=now)
    if found is None:
        raise RuleError(_TOO_LATE)
    return found


def _look(
    at: Installation, provider: Provider, pending: PendingConnection, token: str
) -> tuple[Choices, UnsavedTokens, Account]:
    """Ask the account for its calendars; credentials that it renews meanwhile are kept."""
    kept = _opened(at.seal, pending)
    tokens = UnsavedTokens(kept)
    account = provider.account(tokens, at.network)
    offered = account.calendars()
    now = tokens.load()
    if dict(now) != kept:
        with at.database.begin() as db:
            pending_connections.keep(db, token, at.seal.seal(now))
    found = Choices(
        provider=provider.label,
        account=now.get("email") or now.get("username") or "",
        calendars=tuple(offered),
        can_create=isinstance(account, CreatesCalendars),
    )
    return found, tokens, account


def _target(found: Choices, account: Account, chosen: Chosen) -> RemoteCalendarInfo:
    if chosen.target is not None:
        for info in found.writable:
            if info.remote_id == chosen.target:
                return info
        raise RuleError("Choose the calendar that your sessions shall go to.")
    for info in found.writable:
        if info.name == chosen.new_name:  # made a moment ago, by the same button
            return info
    if not isinstance(account, CreatesCalendars):
        raise RuleError("No calendar can be made in this account. Choose one of those there are.")
    return account.create_calendar(chosen.new_name)


def _mend(
    at: Installation, connection_id: UUID, provider: Provider, fresh: Mapping[str, str], *, by: Actor, now: datetime
) -> None:
    with at.database.read() as db:
        connection = calendars.connection(db, connection_id)
    if connection.state is ConnectionState.DISCONNECTING:
        raise RuleError("This calendar is being disconnected. Connect it again once that is done.")
    kept = _kept(at.seal, connection)
    known, given = provider.account_key(kept), provider.account_key(fresh)
    joined = _joined(provider, kept, fresh)
    if known and given and known != given:
        raise RuleError(f"This is another account than that of “{connection.label}”. Please sign in to the same one.")
    credentials = connect.same_account(at.database, at.network, connection_id, provider, joined)
    with at.database.begin() as db:
        connect.restored(db, at.seal, connection_id, credentials, by=by, now=now)


def _joined(provider: Provider, kept: Mapping[str, str], fresh: Mapping[str, str]) -> Mapping[str, str]:
    """Let the provider say what of the former credentials stays good after a new sign-in."""
    return provider.reauthorized(kept, fresh) if isinstance(provider, Reauthorizes) else fresh


def _kept(seal: Seal, connection: Connection) -> Mapping[str, str]:
    try:
        return seal.open(connection.credentials)
    except SettingsError:
        return {}  # its key is gone: the new ones have to do


def _opened(seal: Seal, pending: PendingConnection) -> dict[str, str]:
    try:
        return seal.open(pending.kept)
    except SettingsError as error:
        raise RuleError(_TOO_LATE) from error
