"""Connect accounts at calendar services, note that access was lost, and reauthorize them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import UUID, uuid4

from sqlalchemy import Connection as Db

from connector.domain.connection import Calendar, CalendarRole, Connection, ConnectionState
from connector.domain.entry import Disclosure
from connector.domain.facts import AccessLost, AccessRegained, ConnectionAdded
from connector.domain.notice import Notice, NoticeKind, Recipient
from connector.domain.people import CLOCK, Actor, Level, Practitioner
from connector.domain.text import check_external_id
from connector.errors import RuleError, SettingsError
from connector.failures import tell
from connector.ports import KnowsForms, Network, Provider, RemoteCalendarInfo, UnsavedTokens
from connector.services import notices, standstill
from connector.services.recording import make_busy_due
from connector.services.views.connection_health import seen
from connector.storage import absences, calendars, erasures, ledger, offers, people, timeline
from connector.storage.database import Database
from connector.storage.ledger import Key, Kind, Urgency
from connector.storage.seal import Seal

PROBE_AFTER = timedelta(minutes=1)  # how holds are shown is probed once its entries stand there


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionRequest:
    """Which account to connect, and which of its calendars.

    Attributes:
        provider: The calendar service.
        form: What gives access to the account, as typed in.
        label: What to call the connection; the calendar's name where it is empty.
        calendar: Name or address of the calendar; may be empty, see `connect`.
        session_level: How much entries of sessions show; None for the practitioner's default.
        hold_level: How much holds show; None likewise.
    """

    provider: Provider
    form: Mapping[str, str]
    label: str
    calendar: str = ""
    session_level: Level | None = None
    hold_level: Level | None = None


def connect(
    database: Database,
    seal: Seal,
    network: Network,
    practitioner_id: UUID,
    request: ConnectionRequest,
    *,
    by: Actor,
    now: datetime,
) -> Calendar:
    """Sign in, choose the calendar, store the credentials sealed, and have the calendar filled.

    Without a name the calendar is the one whose own address was given, or the only one there is.

    Raises: RuleError if there is no such calendar to write to, naming those there are; AccessLostError if the
        credentials are refused; another ProviderError. Nothing is stored then.
    """
    standstill.refuse(database)
    credentials = request.provider.connect(request.form, network)
    infos = request.provider.account(UnsavedTokens(credentials), network).calendars()
    address = request.form.get("address", "").rstrip("/")
    by_address = [info.remote_id for info in infos if info.remote_id.rstrip("/") == address]
    new = NewConnection(
        provider=request.provider,
        credentials=credentials,
        label=request.label,
        target=choose(infos, request.calendar or next(iter(by_address), "")),
        levels=(request.session_level, request.hold_level),
    )
    with database.begin() as db:
        return add(db, seal, practitioner_id, new, by=by, now=now)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewConnection:
    """An account that its credentials open, and which of its calendars to use.

    Attributes:
        provider: The calendar service.
        credentials: What opens the account, not sealed.
        label: What to call the connection; the target's name where it is empty.
        target: The calendar that our entries go to.
        watched: The calendars that are only read for conflicts.
        levels: How much entries of sessions and holds show; None for the practitioner's default.
    """

    provider: Provider
    credentials: Mapping[str, str]
    label: str
    target: RemoteCalendarInfo
    watched: Sequence[RemoteCalendarInfo] = ()
    levels: tuple[Level | None, Level | None] = (None, None)


def add(db: Db, seal: Seal, practitioner_id: UUID, new: NewConnection, *, by: Actor, now: datetime) -> Calendar:
    """Store a connection with its calendars, have the target filled, and return it.

    Raises: RuleError if our entries go to that calendar already.
    """
    practitioner = standstill.lock(db, practitioner_id)
    connection = Connection(
        id=uuid4(),
        practitioner_id=practitioner_id,
        provider=new.provider.slug,
        label=new.label or new.target.name,
        credentials=seal.seal(new.credentials),
        state=ConnectionState.OK,
        created_at=now,
    )
    calendars.add_connection(db, connection)
    target = _add_calendars(db, practitioner, connection, new, now=now)
    fact = ConnectionAdded(
        at=now, by=by, connection_id=connection.id, provider=connection.provider, label=connection.label
    )
    timeline.append(db, practitioner_id, [fact])
    make_due(db, target, now)
    if offers.undecided(db, practitioner_id) or absences.furthest(db, practitioner_id, now=now) is not None:
        make_busy_due(db, practitioner_id, now=now)
    return target


def _add_calendars(
    db: Db, practitioner: Practitioner, connection: Connection, new: NewConnection, *, now: datetime
) -> Calendar:
    """Store the target of a new connection and the calendars it watches, and return the target."""
    session_level, hold_level = new.levels
    target = Calendar(
        id=uuid4(),
        connection_id=connection.id,
        practitioner_id=practitioner.id,
        remote_id=new.target.remote_id,
        name=new.target.name,
        disclosure=Disclosure(
            session_level=practitioner.session_level if session_level is None else session_level,
            hold_level=practitioner.hold_level if hold_level is None else hold_level,
        ),
        lane=lane(connection, new.target),
        identity=identity(new.provider.slug, new.target),
    )
    check_connected_once(db, target)
    calendars.add_calendar(db, target, now=now)
    for info in new.watched:
        watched = replace(
            target,
            id=uuid4(),
            remote_id=info.remote_id,
            name=info.name,
            role=CalendarRole.WATCHED,
            lane=lane(connection, info),
            identity=identity(new.provider.slug, info),
        )
        calendars.add_calendar(db, watched, now=now)
    return target


def choose(infos: Sequence[RemoteCalendarInfo], name: str) -> RemoteCalendarInfo:
    """Return the calendar of that name or address; without a name, the only one there is.

    Raises: RuleError naming the calendars to choose from.
    """
    writable = [info for info in infos if info.writable]
    names = tuple(info.name for info in writable)
    if not writable:
        raise RuleError(
            "This account has no calendar that Pencilled may write to. Create one there first.",
            code="no_writable_calendar",
            field="calendar",
        )
    matches = [info for info in writable if not name or name in (info.name, info.remote_id)]
    if not matches:
        raise RuleError(
            "This account has no calendar “%(calendar)s” to write to. Choose one of these: %(calendars)s.",
            code="calendar_name_unknown",
            field="calendar",
            calendar=name,
            calendars=names,
        )
    if len(matches) > 1:
        raise RuleError(
            "Several calendars could be meant. Choose one of these: %(calendars)s.",
            code="calendar_name_ambiguous",
            field="calendar",
            calendars=names,
        )
    return matches[0]


def new_credentials(
    database: Database, network: Network, connection_id: UUID, provider: Provider, form: Mapping[str, str]
) -> Mapping[str, str]:
    """Return the credentials that what was typed in gives for a connection; they still lead to its calendar.

    They are stored by `reauthorize`.

    Raises: RuleError if the account does not have the connected calendar; AccessLostError, another ProviderError.
    """
    return check_account(database, network, connection_id, provider, provider.connect(form, network))


def known_form(db: Db, seal: Seal, connection_id: UUID, provider: Provider) -> Mapping[str, str]:
    """Return what is known already of how to get into a connection's account, for whoever types it in again.

    Nothing where the provider cannot tell, or the key of the credentials is lost. Raises: NotFoundError.
    """
    connection = calendars.connection(db, connection_id)
    if not isinstance(provider, KnowsForms):
        return {}
    try:
        return provider.form_of(seal.open(connection.credentials))
    except SettingsError:
        return {}


def check_account(
    database: Database, network: Network, connection_id: UUID, provider: Provider, credentials: Mapping[str, str]
) -> Mapping[str, str]:
    """Check that these credentials lead to the calendar of a connection, and return them as renewed meanwhile.

    Raises: RuleError if they do not; AccessLostError, another ProviderError.
    """
    tokens = UnsavedTokens(credentials)
    infos = provider.account(tokens, network).calendars()
    with database.read() as db:
        target = calendars.target(db, connection_id)
    if not any(is_same(target, provider.slug, info) for info in infos):
        raise RuleError(
            "This account does not have the connected calendar “%(calendar)s”. Use the same account as before.",
            code="account_lacks_calendar",
            calendar=target.name,
        )
    return tokens.load()


def reauthorize(
    db: Db, seal: Seal, connection_id: UUID, credentials: Mapping[str, str], *, by: Actor, now: datetime
) -> None:
    """Store new credentials of a connection, and make due everything that waited for them.

    Raises: NotFoundError; RuleError if it is being disconnected.
    """
    connection = calendars.connection(db, connection_id)
    check_not_disconnecting(connection)
    calendars.set_credentials(db, connection_id, seal.seal(credentials), signed_in=True)
    if calendars.set_state(db, connection_id, ConnectionState.OK):
        fact = AccessRegained(at=now, by=by, connection_id=connection_id)
        timeline.append(db, connection.practitioner_id, [fact])
    make_due(db, calendars.target(db, connection_id), now)
    for calendar in calendars.in_connection(db, connection_id):
        key = Key(Kind.BUSY, str(calendar.id))
        ledger.touch(db, key, due_at=now, lane=calendar.lane, urgency=Urgency.LOOK)
        if erasures.waits(db, calendar.id):
            ledger.touch(db, Key(Kind.CALENDAR, str(calendar.id)), due_at=now, lane=calendar.lane)


def note_access_lost(
    db: Db, connection_id: UUID, *, now: datetime, why: Exception | str = "its credentials are refused"
) -> None:
    """Stop using a connection whose credentials are refused, and tell the practitioner once."""
    connection = calendars.connection(db, connection_id)
    if not calendars.set_state(db, connection_id, ConnectionState.ACCESS_LOST):
        return
    tell("access_lost", why, connection=str(connection_id), provider=connection.provider)
    timeline.append(db, connection.practitioner_id, [AccessLost(at=now, by=CLOCK, connection_id=connection_id)])
    practitioner = people.practitioner(db, connection.practitioner_id)
    notice = Notice(
        kind=NoticeKind.ACCESS_LOST,
        to=Recipient.of(practitioner),
        practitioner_name=practitioner.name,
        about=connection.label,
        connection_id=connection_id,
    )
    key = f"{notice.kind}:{connection_id}:{uuid4()}"
    notices.tell(db, notice, key=key, practitioner_id=practitioner.id, now=now)


def locked(db: Db, connection_id: UUID, *, sees: Callable[[UUID], bool]) -> Connection:
    """Return a connection that is to be changed, its practitioner locked, as far as whoever asks may see it.

    Raises: NotFoundError, the same for a hidden one as for one that is not there.
    """
    standstill.lock(db, seen(db, connection_id, sees=sees).practitioner_id)
    return seen(db, connection_id, sees=sees)


def call(db: Db, connection_id: UUID, external_id: str | None) -> None:
    """Note what the host calls a connection; None for nothing.

    Raises: RuleError if another one is called so, or nothing can be.
    """
    standstill.check(db)
    check_external_id(external_id)
    calendars.name_connection(db, connection_id, external_id)


def set_levels(db: Db, connection_id: UUID, *, session_level: Level, hold_level: Level, now: datetime) -> None:
    """Change how much a connection's calendar shows of clients, and have it rewritten.

    Raises: NotFoundError.
    """
    standstill.check(db)
    target = calendars.target(db, connection_id)
    calendars.set_levels(db, target.id, session_level=session_level, hold_level=hold_level)
    ledger.touch(db, Key(Kind.CALENDAR, str(target.id)), due_at=now, lane=target.lane)


def check_not_disconnecting(connection: Connection) -> None:
    """Raise RuleError if a connection is being disconnected."""
    if connection.state is ConnectionState.DISCONNECTING:
        raise RuleError(
            "This calendar is being disconnected. Connect it again once that is done.",
            code="calendar_being_disconnected",
        )


def identity(slug: str, info: RemoteCalendarInfo) -> str | None:
    """Return what is stored to tell a calendar from every other one, at whatever service; None if nobody knows."""
    return f"{slug}:{info.identity}" if info.identity else None


def lane(connection: Connection, info: RemoteCalendarInfo) -> str:
    """Return the lane in which a calendar's work waits: its server's, or its account's where a service has one host.

    A server that is slow keeps its own calendars waiting and no others; nobody is kept by another's account.
    """
    return f"{connection.provider}:{info.host or connection.id}"


def is_same(calendar: Calendar, slug: str, info: RemoteCalendarInfo) -> bool:
    """Whether a calendar of an account is one that we know, however its address is spelled now."""
    return calendar.remote_id == info.remote_id or (
        calendar.identity is not None and calendar.identity == identity(slug, info)
    )


def check_connected_once(db: Db, calendar: Calendar) -> None:
    """Raise RuleError if another connection writes to this calendar: every entry would stand there twice.

    One calendar holds the entries of one practitioner. Whose it is, is said to themselves alone. The database refuses
    whoever comes at the same time.
    """
    if calendar.identity is None:
        return
    others = calendars.written_elsewhere(db, calendar.identity, besides=calendar.connection_id)
    for other in others:
        if other.practitioner_id == calendar.practitioner_id:
            label = calendars.connection(db, other.connection_id).label
            raise RuleError(
                "The calendar “%(calendar)s” is connected already, as “%(connection)s”. If that one does not work, "
                "reconnect it.",
                code="calendar_connected_by_self",
                field="calendar",
                calendar=calendar.name,
                connection=label,
            )
    if others:
        raise RuleError(
            "The calendar “%(calendar)s” is connected to Pencilled already, by somebody else who uses it. One calendar "
            "can take the sessions of one person only: choose another one, or make a new one there.",
            code="calendar_connected_by_other",
            field="calendar",
            calendar=calendar.name,
        )


def make_due(db: Db, calendar: Calendar, now: datetime) -> None:
    """Have a calendar filled, read and watched, and later probed for how holds are shown."""
    for kind in (Kind.CALENDAR, Kind.PULL, Kind.CHANNEL):
        ledger.touch(db, Key(kind, str(calendar.id)), due_at=now, lane=calendar.lane, urgency=kind.urgency_asked)
    ledger.touch(db, Key(Kind.PROBE, str(calendar.id)), due_at=now + PROBE_AFTER, lane=calendar.lane)
