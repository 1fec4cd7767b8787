"""Connect an account by sign-in: the person signs in at their calendar service, returns, and chooses the calendars.

They are signed in here, or come by a connect link, which the last step uses up.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from connector.domain.connect_link import Door
from connector.domain.connection import Calendar, Connection
from connector.domain.people import Actor, Level
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
    service_name,
)
from connector.services import standstill
from connector.services.accounts import connect, connect_links, registrations
from connector.services.accounts.connect import NewConnection
from connector.services.policy import Policy
from connector.services.views import connections
from connector.storage import calendars, pending_connections
from connector.storage.database import Database
from connector.storage.pending_connections import PendingConnection, Stage
from connector.storage.seal import Seal

SIGN_IN_LASTS = timedelta(minutes=10)
CHOICE_LASTS = timedelta(minutes=30)


@dataclass(frozen=True, slots=True, kw_only=True)
class Installation:
    """What every step needs: the database, the seal, which hosts may be reached, and the providers."""

    database: Database
    policy: Policy
    seal: Seal
    network: Network
    load_provider: Callable[[str], Provider]

    def asking(
        self, slug: str, practitioner_id: UUID, *, now: datetime, proves: bool = False
    ) -> AbstractContextManager[None]:
        """Have the operator told if the provider refuses this installation within; see `registrations.asking`."""
        return registrations.asking(self.database, self.policy, slug, practitioner_id, now=now, proves=proves)


@dataclass(frozen=True, slots=True, kw_only=True)
class SignInPage:
    """The calendar service's page where a person signs in; their browser keeps `state` until they return."""

    url: str
    state: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CalendarOptions:
    """What an account offers for choice; `can_create` if a calendar can be made there."""

    provider: str
    account: str
    calendars: tuple[RemoteCalendarInfo, ...]
    can_create: bool

    @property
    def writable(self) -> tuple[RemoteCalendarInfo, ...]:
        """Those our entries could go to."""
        return tuple(info for info in self.calendars if info.writable)


@dataclass(frozen=True, slots=True, kw_only=True)
class CalendarChoice:
    """What somebody chose.

    Attributes:
        target: The calendar our entries go to; None for a new one called `new_name`.
        watched: Those that are only read for conflicts.
        levels: How much entries of sessions and holds show; None for the practitioner's default.
    """

    target: str | None
    new_name: str
    watched: frozenset[str] = frozenset()
    levels: tuple[Level | None, Level | None] = (None, None)


def offered(slugs: Iterable[str], network: Network, load_provider: Callable[[str], Provider]) -> tuple[Provider, ...]:
    """Return what can be connected here of these: a service people sign in at only if we are registered with it."""
    every = map(load_provider, slugs)
    return tuple(one for one in every if not isinstance(one, SignIn) or one.slug in network.apps)


def begin(
    installation: Installation,
    door: Door,
    slug: str,
    *,
    connection_id: UUID | None = None,
    now: datetime,
) -> SignInPage:
    """Begin a sign-in; `connection_id` names the connection that is to be reauthorized, None for a new one.

    Raises: NotFoundError; RuleError if nobody signs in there, or it is not set up here; a ProviderError.
    """
    if connection_id is None:
        standstill.refuse(installation.database)
    else:
        with installation.database.read() as db:
            connections.owned(db, door.practitioner_id, connection_id)
    provider = installation.load_provider(slug)
    if not isinstance(provider, SignIn) or slug not in installation.network.apps:
        raise RuleError(
            "This calendar service is not set up here. Please ask whoever runs this installation.",
            code="calendar_service_not_set_up",
        )
    state = pending_connections.new_token()
    with installation.asking(slug, door.practitioner_id, now=now):
        begun = provider.begin(installation.network, state)
    pending = PendingConnection(
        practitioner_id=door.practitioner_id,
        link_id=door.link_id,
        provider=slug,
        stage=Stage.SIGNING_IN,
        kept=installation.seal.seal(begun.memory),
        expires_at=now + SIGN_IN_LASTS,
        connection_id=connection_id,
    )
    with installation.database.begin() as db:
        pending_connections.add(db, state, pending)
    return SignInPage(url=begun.url, state=state)


def complete(
    installation: Installation,
    door: Door,
    slug: str,
    state: str,
    answer: Mapping[str, str],
    *,
    by: Actor,
    now: datetime,
) -> str | None:
    """Complete a sign-in with the answer that this browser brings back; no answer is accepted twice.

    Returns: The token of the choice that is to be made; None if a connection was reauthorized: nothing is to be chosen.
    Raises: RuleError in words for the person; a ProviderError. Nothing is stored then.
    """
    with installation.database.begin() as db:
        pending = pending_connections.take(db, state, door, Stage.SIGNING_IN, now=now)
    if pending is None or pending.provider != slug:
        raise _too_late()
    provider = installation.load_provider(slug)
    if not isinstance(provider, SignIn):
        raise _too_late()
    with installation.asking(slug, door.practitioner_id, now=now):
        credentials = provider.complete(installation.network, _open(installation.seal, pending), answer)
    if pending.connection_id is None:
        return keep(installation, door, slug, _merged(provider, {}, credentials), now=now)
    _reauthorize(installation, door, pending.connection_id, provider, credentials, by=by, now=now)
    return None


def keep(
    installation: Installation,
    door: Door,
    slug: str,
    credentials: Mapping[str, str],
    *,
    now: datetime,
) -> str:
    """Keep the credentials of a new account, sealed, until its calendar is chosen; return the token of that choice."""
    token = pending_connections.new_token()
    pending = PendingConnection(
        practitioner_id=door.practitioner_id,
        link_id=door.link_id,
        provider=slug,
        stage=Stage.CHOOSING,
        kept=installation.seal.seal(credentials),
        expires_at=now + CHOICE_LASTS,
    )
    with installation.database.begin() as db:
        pending_connections.add(db, token, pending)
    return token


def options(installation: Installation, door: Door, token: str, *, now: datetime) -> CalendarOptions:
    """Return which calendars there are to choose from.

    Raises: RuleError if it is too late; a ProviderError.
    """
    pending = _pending(installation, door, token, now)
    with installation.asking(pending.provider, door.practitioner_id, now=now, proves=True):
        return _read_account(installation, installation.load_provider(pending.provider), pending, token).options


def connect_chosen(
    installation: Installation,
    door: Door,
    token: str,
    choice: CalendarChoice,
    *,
    by: Actor,
    now: datetime,
) -> Calendar:
    """Connect the account with the calendars that were chosen, once.

    Raises: RuleError if there is no such calendar, if it is connected already, or if it is too late; a ProviderError.
    """
    standstill.refuse(installation.database)
    pending = _pending(installation, door, token, now)
    provider = installation.load_provider(pending.provider)
    with installation.asking(pending.provider, door.practitioner_id, now=now):
        access = _read_account(installation, provider, pending, token)
        infos = access.options.calendars
        target = _target(access, choice)
    new = NewConnection(
        provider=provider,
        credentials=access.tokens.load(),
        label=access.options.account,
        target=target,
        watched=[i for i in infos if i.remote_id in choice.watched and i.remote_id != target.remote_id],
        levels=choice.levels,
    )
    with installation.database.begin() as db:
        if pending_connections.take(db, token, door, Stage.CHOOSING, now=now) is None:
            raise _too_late()
        made = connect.add(db, installation.seal, door.practitioner_id, new, by=by, now=now)
        connect_links.use(db, door, made.connection_id, now=now)
        return made


@dataclass(frozen=True, slots=True, kw_only=True)
class _AccountAccess:
    """An account that is not connected yet, the credentials that open it, and what it offers."""

    account: Account
    tokens: UnsavedTokens
    options: CalendarOptions


def _pending(installation: Installation, door: Door, token: str, now: datetime) -> PendingConnection:
    with installation.database.read() as db:
        pending = pending_connections.find(db, token, door, Stage.CHOOSING, now=now)
    if pending is None:
        raise _too_late()
    return pending


def _read_account(
    installation: Installation, provider: Provider, pending: PendingConnection, token: str
) -> _AccountAccess:
    """Ask the account for its calendars; credentials that it renews meanwhile are stored."""
    stored = _open(installation.seal, pending)
    tokens = UnsavedTokens(stored)
    account = provider.account(tokens, installation.network)
    infos = account.calendars()
    credentials = tokens.load()
    if dict(credentials) != stored:
        with installation.database.begin() as db:
            pending_connections.keep(db, token, installation.seal.seal(credentials))
    options = CalendarOptions(
        provider=provider.label,
        account=service_name(credentials.get("email") or credentials.get("username") or ""),
        calendars=tuple(infos),
        can_create=isinstance(account, CreatesCalendars),
    )
    return _AccountAccess(account=account, tokens=tokens, options=options)


def _target(access: _AccountAccess, choice: CalendarChoice) -> RemoteCalendarInfo:
    """Return the calendar our entries go to, made now if a new one was chosen."""
    if choice.target is not None:
        for info in access.options.writable:
            if info.remote_id == choice.target:
                return info
        raise RuleError(
            "Choose the calendar in which your sessions are to stand.", code="calendar_not_chosen", field="calendar"
        )
    for info in access.options.writable:
        if info.name == choice.new_name:  # made a moment ago, by the same button
            return info
    if not isinstance(access.account, CreatesCalendars):
        raise RuleError(
            "No calendar can be made in this account. Choose one of those that it has.",
            code="calendar_cannot_be_made",
            field="calendar",
        )
    return access.account.create_calendar(choice.new_name)


def _reauthorize(
    installation: Installation,
    door: Door,
    connection_id: UUID,
    provider: Provider,
    credentials: Mapping[str, str],
    *,
    by: Actor,
    now: datetime,
) -> None:
    """Give a connection the credentials of a new sign-in, if they are of the same account."""
    with installation.database.read() as db:
        connection = calendars.connection(db, connection_id)
    connect.check_not_disconnecting(connection)
    former = _former_credentials(installation.seal, connection)
    former_key, key = provider.account_key(former), provider.account_key(credentials)
    merged = _merged(provider, former, credentials)
    if former_key and key and former_key != key:
        raise RuleError(
            "This is another account than that of “%(connection)s”. Please sign in to the same one as before.",
            code="account_is_another",
            connection=connection.label,
        )
    with installation.asking(connection.provider, connection.practitioner_id, now=now, proves=True):
        renewed = connect.check_account(installation.database, installation.network, connection_id, provider, merged)
    with installation.database.begin() as db:
        connect.reauthorize(db, installation.seal, connection_id, renewed, by=by, now=now)
        connect_links.use(db, door, connection_id, now=now)


def _merged(provider: Provider, former: Mapping[str, str], credentials: Mapping[str, str]) -> Mapping[str, str]:
    """Let the provider say what of the former credentials stays valid after a new sign-in."""
    return provider.reauthorized(former, credentials) if isinstance(provider, Reauthorizes) else credentials


def _former_credentials(seal: Seal, connection: Connection) -> Mapping[str, str]:
    try:
        return seal.open(connection.credentials)
    except SettingsError:
        return {}  # their key is gone: the new ones have to do


def _open(seal: Seal, pending: PendingConnection) -> dict[str, str]:
    """Return what is kept of a pending connection."""
    try:
        return seal.open(pending.kept)
    except SettingsError as error:
        raise _too_late() from error


def _too_late() -> RuleError:
    return RuleError(
        "This sign-in took too long, was used already, or belongs to another browser. Please start again.",
        code="sign_in_too_late",
    )
