"""Connect calendar accounts, notice that access was lost, reconnect."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import UUID, uuid4

from sqlalchemy import Connection as Db

from connector.domain.connection import Calendar, CalendarRole, Connection, ConnectionState
from connector.domain.entry import Disclosure
from connector.domain.facts import AccessLost, AccessRegained, ConnectionAdded
from connector.domain.notice import Notice, NoticeKind, Recipient
from connector.domain.people import CLOCK, Actor, Level
from connector.errors import RuleError
from connector.ports import Network, Provider, RemoteCalendarInfo, UnsavedTokens
from connector.services import notices
from connector.services.policy import Policy
from connector.services.recording import make_busy_due
from connector.storage import calendars, ledger, offers, people, timeline
from connector.storage.database import Database
from connector.storage.ledger import Key, Kind
from connector.storage.seal import Seal

PROVED_AFTER = timedelta(minutes=1)  # once its entries stand there


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """Which account and which of its calendars somebody wants to connect; None means the practitioner's default."""

    provider: Provider
    form: Mapping[str, str]
    label: str
    calendar: str = ""
    session_level: Level | None = None
    hold_level: Level | None = None


def connect(
    database: Database, seal: Seal, network: Network, practitioner_id: UUID, wish: Wish, *, by: Actor, now: datetime
) -> Calendar:
    """Sign in, choose the calendar, keep the credentials sealed, and have the calendar filled.

    Without a name the calendar is the one whose own address was given, or the only one there is.

    Raises: RuleError if there is no such calendar to write to, naming those there are; AccessLostError if the
        credentials are refused; another ProviderError. Nothing is kept then.
    """
    credentials = wish.provider.connect(wish.form, network)
    offered = wish.provider.account(UnsavedTokens(credentials), network).calendars()
    address = wish.form.get("address", "").rstrip("/")
    itself = [info.remote_id for info in offered if info.remote_id.rstrip("/") == address]
    chosen = choose(offered, wish.calendar or next(iter(itself), ""))
    levels = (wish.session_level, wish.hold_level)
    made = Made(provider=wish.provider, credentials=credentials, label=wish.label, target=chosen, levels=levels)
    with database.begin() as db:
        return add(db, seal, practitioner_id, made, by=by, now=now)


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """An account that has let us in, and what was chosen of it.

    `label` is the target's name where it is empty; `levels` are those of sessions and holds, None as in Wish.
    """

    provider: Provider
    credentials: Mapping[str, str]
    label: str
    target: RemoteCalendarInfo
    watched: Sequence[RemoteCalendarInfo] = ()
    levels: tuple[Level | None, Level | None] = (None, None)


def add(db: Db, seal: Seal, practitioner_id: UUID, made: Made, *, by: Actor, now: datetime) -> Calendar:
    """Store a connection with its calendars, have the target filled, and return it."""
    practitioner = people.practitioner(db, practitioner_id, lock=True)
    connection = Connection(
        id=uuid4(),
        practitioner_id=practitioner_id,
        provider=made.provider.slug,
        label=made.label or made.target.name,
        credentials=seal.seal(made.credentials),
        state=ConnectionState.OK,
        created_at=now,
    )
    calendars.add_connection(db, connection)
    session_level, hold_level = made.levels
    target = Calendar(
        id=uuid4(),
        connection_id=connection.id,
        practitioner_id=practitioner_id,
        remote_id=made.target.remote_id,
        name=made.target.name,
        disclosure=Disclosure(
            session_level=practitioner.session_level if session_level is None else session_level,
            hold_level=practitioner.hold_level if hold_level is None else hold_level,
        ),
        lane=made.provider.lane,
    )
    calendars.add_calendar(db, target, now=now)
    for info in made.watched:
        watched = replace(target, id=uuid4(), remote_id=info.remote_id, name=info.name, role=CalendarRole.WATCHED)
        calendars.add_calendar(db, watched, now=now)
    added = ConnectionAdded(
        at=now, by=by, connection_id=connection.id, provider=connection.provider, label=connection.label
    )
    timeline.append(db, practitioner_id, [added])
    make_due(db, target, now)
    if offers.undecided(db, practitioner_id):
        make_busy_due(db, practitioner_id, now=now)
    return target


def choose(offered: Sequence[RemoteCalendarInfo], wanted: str) -> RemoteCalendarInfo:
    """Return the calendar of that name or address; without a name, the only one there is.

    Raises: RuleError naming the calendars to choose from.
    """
    writable = [info for info in offered if info.writable]
    names = ", ".join(f"“{info.name}”" for info in writable)
    if not writable:
        raise RuleError("This account has no calendar that Pencilled may write to. Create one there first.")
    found = [info for info in writable if not wanted or wanted in (info.name, info.remote_id)]
    if not found:
        raise RuleError(f"There is no calendar “{wanted}” to write to in this account. There are: {names}.")
    if len(found) > 1:
        raise RuleError(f"Which calendar shall it be? Choose one of: {names}.")
    return found[0]


def reconnect(
    database: Database, network: Network, connection_id: UUID, provider: Provider, form: Mapping[str, str]
) -> Mapping[str, str]:
    """Try new credentials for a connection whose calendar stays the same, and return them for `restored`.

    Raises: RuleError if the account does not have the connected calendar; AccessLostError, another ProviderError.
    """
    return same_account(database, network, connection_id, provider, provider.connect(form, network))


def same_account(
    database: Database, network: Network, connection_id: UUID, provider: Provider, credentials: Mapping[str, str]
) -> Mapping[str, str]:
    """Look whether these credentials lead to the calendar of a connection, and return them as they are then.

    Raises: RuleError if they do not; AccessLostError, another ProviderError.
    """
    tokens = UnsavedTokens(credentials)
    offered = {info.remote_id for info in provider.account(tokens, network).calendars()}
    with database.read() as db:
        chosen = calendars.target(db, connection_id)
    if chosen.remote_id not in offered:
        raise RuleError(f"This account does not have the connected calendar “{chosen.name}”. Use the same account.")
    return tokens.load()


def restored(
    db: Db, seal: Seal, connection_id: UUID, credentials: Mapping[str, str], *, by: Actor, now: datetime
) -> None:
    """Keep new credentials, and go on with everything that waited for them.

    Raises: NotFoundError; RuleError if it is being disconnected.
    """
    connection = calendars.connection(db, connection_id)
    if connection.state is ConnectionState.DISCONNECTING:
        raise RuleError("This calendar is being disconnected. Connect it again once that is done.")
    calendars.set_credentials(db, connection_id, seal.seal(credentials), signed_in=True)
    if calendars.set_state(db, connection_id, ConnectionState.OK):
        fact = AccessRegained(at=now, by=by, connection_id=connection_id)
        timeline.append(db, connection.practitioner_id, [fact])
    make_due(db, calendars.target(db, connection_id), now)
    for calendar in calendars.in_connection(db, connection_id):
        ledger.touch(db, Key(Kind.BUSY, str(calendar.id)), due_at=now, lane=calendar.lane)


def access_lost(db: Db, policy: Policy, connection_id: UUID, *, now: datetime) -> None:
    """Stop a connection whose credentials are refused, and tell the practitioner once."""
    connection = calendars.connection(db, connection_id)
    if not calendars.set_state(db, connection_id, ConnectionState.ACCESS_LOST):
        return
    timeline.append(db, connection.practitioner_id, [AccessLost(at=now, by=CLOCK, connection_id=connection_id)])
    practitioner = people.practitioner(db, connection.practitioner_id)
    notice = Notice(
        kind=NoticeKind.ACCESS_LOST,
        to=Recipient.of(practitioner),
        practitioner_name=practitioner.name,
        about=connection.label,
    )
    queued = notices.QueuedNotice(notice=notice, key=f"{notice.kind}:{connection_id}:{uuid4()}")
    notices.queue(db, queued, policy=policy, practitioner_id=practitioner.id, now=now)


def set_levels(db: Db, connection_id: UUID, *, session_level: Level, hold_level: Level, now: datetime) -> None:
    """Change how much a connection's calendar shows of clients, and have it rewritten.

    Raises: NotFoundError.
    """
    target = calendars.target(db, connection_id)
    calendars.set_levels(db, target.id, session_level=session_level, hold_level=hold_level)
    ledger.touch(db, Key(Kind.CALENDAR, str(target.id)), due_at=now, lane=target.lane)


def refuse_twice(db: Db, calendar: Calendar, provider: str) -> None:
    """Raise RuleError if another connection writes to this calendar: every entry would stand there twice."""
    for other in calendars.connections_of(db, calendar.practitioner_id):
        going = other.state is ConnectionState.DISCONNECTING
        if other.provider == provider and other.id != calendar.connection_id and not going:
            known: Sequence[Calendar] = calendars.in_connection(db, other.id)
            if any(one.remote_id == calendar.remote_id and one.role is calendar.role for one in known):
                raise RuleError(f"The calendar “{calendar.name}” is connected already. If need be, reconnect it.")


def make_due(db: Db, calendar: Calendar, now: datetime) -> None:
    """Have a calendar filled, read and watched, and then proved."""
    for kind in (Kind.CALENDAR, Kind.PULL, Kind.CHANNEL):
        ledger.touch(db, Key(kind, str(calendar.id)), due_at=now, lane=calendar.lane)
    ledger.touch(db, Key(Kind.PROBE, str(calendar.id)), due_at=now + PROVED_AFTER, lane=calendar.lane)
