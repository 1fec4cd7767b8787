"""Everything that tells who a client is goes, from every table, letter and calendar. See docs/decisions/0029.

Sessions stay, so that what was booked can be counted; whose they were is not known any more. Asking again carries on
where it was interrupted, and does no harm.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

import structlog
from sqlalchemy import Connection

from connector.domain.connection import Calendar, ConnectionState
from connector.domain.facts import ClientErased
from connector.domain.mention import Words
from connector.domain.offer import OfferState
from connector.domain.people import Actor, Client
from connector.domain.session import Session
from connector.errors import InUseError, RuleError
from connector.ports import Witness
from connector.services import people as changing
from connector.services import receiving, standstill
from connector.services.policy import Policy
from connector.services.scheduling.offers import discard
from connector.storage import (
    calendars,
    conversations,
    erasures,
    installation,
    ledger,
    mentions,
    messages,
    mirrors,
    offers,
    people,
    personal,
    questions,
    timeline,
)
from connector.storage import sessions as stored_sessions
from connector.storage.database import Database
from connector.storage.ledger import Key, Kind
from connector.storage.messages import MessageState

EVER = datetime.min.replace(tzinfo=UTC)

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Remainder:
    """Events in one calendar that still show the client; `why` they wait for a person, empty if they are due."""

    calendar: str
    entries: int
    why: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Erased:
    """What was erased, and what is left to be done.

    Attributes:
        sessions: How many sessions were theirs.
        unsent: How many letters to them, or about them, will not leave any more.
        remainders: Where events still show them.
        shared: Somebody else goes by a name, an address or a number of theirs: where others are told of, it is left.
    """

    sessions: int
    unsent: int
    remainders: Sequence[Remainder]
    shared: bool


def check(db: Connection, client_id: UUID, *, now: datetime) -> Client:
    """Return a client who can be erased now.

    Raises: NotFoundError; RuleError that names what stands, and what to do first.
    """
    client = people.client(db, client_id)
    own = stored_sessions.of_client(db, client_id, since=EVER)
    changing.refuse_standing(db, client.name, own, now)
    for session in own:
        if questions.open_of(db, session.id) is not None:
            raise InUseError(
                "%(practitioner)s has changed a session in their calendar and is being asked about it: %(when)s "
                "(%(session)s). Have them answer first.",
                code="question_open_about_client",
                practitioner=people.practitioner(db, session.practitioner_id).name,
                when=session.when.local,
                session=session.id.hex[:8],
            )
        for message in messages.of_session(db, session.id):
            if message.state is MessageState.SENDING:
                raise InUseError(
                    "A letter about a session is on its way: %(when)s (%(session)s). Wait until the mail server has "
                    "taken or refused it, then erase again.",
                    code="letter_on_its_way",
                    when=session.when.local,
                    session=session.id.hex[:8],
                )
    return client


def erase(
    db: Connection,
    policy: Policy,
    client_id: UUID,
    *,
    by: Actor,
    now: datetime,
    match: Callable[[int], None] = changing.whatever,
) -> Erased:
    """Erase a client in one transaction, and make due what is to be rewritten in calendars; drafts are thrown away.

    `match` is called with their version once they are locked, and may raise.

    Raises: NotFoundError; RuleError that names what stands.
    """
    standstill.check(db)
    own = stored_sessions.of_client(db, client_id, since=EVER)
    for practitioner_id in sorted({session.practitioner_id for session in own}):
        standstill.lock(db, practitioner_id)
    locked = people.client(
        db, client_id, lock=True
    )  # nobody books them from now on; who just has is found by the check
    match(locked.version)
    own = stored_sessions.of_client(db, client_id, since=EVER)
    for stored in sorted((one for session in own for one in _conversations(db, session)), key=lambda one: one.id):
        conversations.locked(db, stored.id)
    client = check(db, client_id, now=now)
    _discard_drafts(db, policy, own, by, now)
    unsent = personal.waiting_letters(db, client_id)
    words = mentions.words_of(db, client_id)
    receiving.forget_waiting(db, client_id, addresses=words.addresses)
    unknown = tuple(_unknown(db, words))
    _mark(db, own, now)
    personal.erase(db, client_id, now=now)
    mentions.erase(db, words)
    if not client.erased:
        for session in own:
            timeline.append(db, session.practitioner_id, [ClientErased(at=now, by=by, session_id=session.id)])
        log.info("client_erased", client=str(client_id), by=by.role.value)
    left = (*remainders(db, client_id), *unknown)
    return Erased(sessions=len(own), unsent=unsent, remainders=left, shared=words.shared)


def remember(database: Database, witness: Witness | None, client_id: UUID) -> None:
    """Have a witness outside the database remember that a client was erased: back-ups do not know it."""
    if witness is not None:
        with database.read() as db:
            installation_id = installation.get(db).id
        witness.note_erased(installation_id, client_id)


def forgotten(db: Connection, witness: Witness | None) -> Sequence[UUID]:
    """Return the clients who were erased, as a witness knows, and are back because the database was restored."""
    known = witness.erased(installation.get(db).id) if witness is not None else ()
    return [client_id for client_id in sorted(known) if people.is_named(db, client_id)]


def repeat(
    database: Database, policy: Policy, witness: Witness | None, *, by: Actor, now: datetime
) -> Mapping[UUID, str]:
    """Erase again who is back because the database was restored.

    Returns: By client, what stands in the way; empty for those who are erased.
    """
    with database.read() as db:
        back = forgotten(db, witness)
    ends: dict[UUID, str] = {}
    for client_id in back:
        try:
            with database.begin() as db:
                erase(db, policy, client_id, by=by, now=now)
        except RuleError as error:
            ends[client_id] = str(error)
        else:
            ends[client_id] = ""
    return ends


def finish(database: Database) -> str:
    """Have the database forget what was erased, in its files too; return why that could not be, empty if it was."""
    return database.rewrite_files(personal.tables_with_clients())


def remainders(db: Connection, client_id: UUID) -> Iterator[Remainder]:
    """Yield where events may still show a client who was erased."""
    for calendar_id, count in sorted(erasures.counted(db, client_id).items(), key=str):
        calendar = calendars.calendar(db, calendar_id)
        yield Remainder(calendar=calendar.name, entries=count, why=_obstacle(db, calendar))


def _obstacle(db: Connection, calendar: Calendar) -> str:
    state = calendars.connection(db, calendar.connection_id).state
    if state is ConnectionState.ACCESS_LOST:
        return "its access is lost; they are rewritten once it is reconnected"
    if state is ConnectionState.DISCONNECTING:
        return "it is being disconnected"
    return "it is stopped; they are rewritten once it goes on" if calendar.paused is not None else ""


def _conversations(db: Connection, session: Session) -> Sequence[conversations.StoredConversation]:
    return conversations.of_session(db, session.id)


def _unknown(db: Connection, words: Words) -> Iterator[Remainder]:
    """Yield where events that our database does not know show the client."""
    counts = Counter(row.calendar_id for row in mentions.unknown(db, words))
    for calendar_id, count in sorted(counts.items(), key=str):
        name = calendars.calendar(db, calendar_id).name
        yield Remainder(calendar=name, entries=count, why="nobody knows them; decide with pencilled connections resume")


def _discard_drafts(db: Connection, policy: Policy, own: Sequence[Session], by: Actor, now: datetime) -> None:
    for session in own:
        draft = offers.in_state(db, session.id, OfferState.DRAFT)
        if draft is not None:
            discard(db, policy, draft.id, by=by, now=now)


def _mark(db: Connection, own: Sequence[Session], now: datetime) -> None:
    """Have every event of their sessions that still stands written without them; what nobody wants is removed first."""
    waiting = [
        (calendar_id, mirror.key)
        for session in own
        for calendar_id, mirror in mirrors.of_session(db, session.id)
        if mirror.stands
    ]
    erasures.add(db, waiting)
    for calendar_id in sorted({calendar_id for calendar_id, _key in waiting}):
        calendar = calendars.calendar(db, calendar_id)
        ledger.touch(db, Key(Kind.CALENDAR, str(calendar_id)), due_at=now, lane=calendar.lane)
