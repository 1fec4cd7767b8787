"""What a practitioner's pages and commands show: frozen pictures of what is stored, from a handful of queries."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import Connection, select

from connector.domain.connection import Calendar, ConnectionState
from connector.domain.entry import EntryKey, EntryKind, entries_for
from connector.domain.notice import NoticeKind
from connector.domain.offer import Alternative, Offer, OfferState
from connector.domain.people import Client, Medium, Practitioner
from connector.domain.question import Question
from connector.domain.reconcile import Mirror, MirrorState
from connector.domain.session import Location, Session
from connector.errors import NotFoundError
from connector.services.policy import Policy
from connector.services.sync import free_busy
from connector.services.views.answer_page import state_now
from connector.services.views.timeline import LETTERS, Line, line_of
from connector.storage import calendars, messages, mirrors, offers, people, questions, sessions, timeline
from connector.storage.busy import BlindSpot
from connector.storage.messages import Message, MessageState
from connector.storage.tables import messages as message_rows
from connector.storage.tables import offers as offer_rows

LOOKS_BACK = timedelta(days=90)


@dataclass(frozen=True, slots=True, kw_only=True)
class CalendarView:
    """A connected calendar.

    `trouble` is empty while all is well; `lost` says that it must be reconnected, `stopped` (a Stop) why nothing is
    done about it.
    """

    id: UUID
    name: str
    account: str
    trouble: str
    since: datetime | None
    lost: bool
    paused: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionRow:
    """One session in a list.

    `deadline` is its open offer's; `unheard` says that a message did not reach the client; `question` waits for the
    practitioner's answer.
    """

    session: Session
    client_name: str
    deadline: datetime | None
    offered: int
    drafted: bool
    unheard: bool
    question: Question | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionList:
    """A practitioner's sessions: those that need them first, then what comes, then what was, latest first."""

    practitioner: Practitioner
    flagged: tuple[SessionRow, ...]
    upcoming: tuple[SessionRow, ...]
    past: tuple[SessionRow, ...]
    calendars: tuple[CalendarView, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class AlternativeView:
    """One offered time.

    `missing_in` names the connected calendars in which its hold does not stand yet, `clashes` those in which something
    else stands at that time.
    """

    alternative: Alternative
    location: Location
    missing_in: tuple[str, ...]
    conflicts: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class OfferView:
    """An open offer with its alternatives, those that were taken back included."""

    offer: Offer
    alternatives: tuple[AlternativeView, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageView:
    """One message about a session and how far it got."""

    kind: NoticeKind
    about: str
    to_client: bool
    to: str
    medium: Medium
    state: MessageState
    queued_at: datetime
    sent_at: datetime | None
    error: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionPage:
    """Everything its practitioner sees of one session.

    `missing_in` is as in AlternativeView, for the session's entry, and so is `clashes`, by the ids of alternatives
    noted or offered; `blind` are calendars of which it is not known whether they are free at those times.
    """

    practitioner: Practitioner
    client: Client
    session: Session
    open: OfferView | None
    draft: Offer | None
    past: tuple[Offer, ...]
    timeline: tuple[Line, ...]
    messages: tuple[MessageView, ...]
    calendars: tuple[CalendarView, ...]
    missing_in: tuple[str, ...]
    question: Question | None
    conflicts: Mapping[UUID, tuple[str, ...]]
    blind: tuple[BlindSpot, ...]


def session_list(db: Connection, practitioner_id: UUID, *, now: datetime) -> SessionList:
    """Return a practitioner's sessions of the last 90 days and of all time to come.

    Raises: NotFoundError if there is no such practitioner.
    """
    practitioner = people.practitioner(db, practitioner_id)
    found = sessions.of_practitioner(db, practitioner_id, since=now - LOOKS_BACK)
    names = people.client_names(db, [session.client_id for session in found])
    open_offers = {offer.session_id: offer for offer in offers.open_of_practitioner(db, practitioner_id)}
    drafted, unheard = _drafted(db, practitioner_id), _unheard(db, practitioner_id)
    asked = questions.open_of_practitioner(db, practitioner_id)
    rows = []
    for session in found:
        offer = open_offers.get(session.id)
        asking = offer if offer is not None and state_now(offer, now) is OfferState.OPEN else None
        rows.append(
            SessionRow(
                session=session,
                client_name=names[session.client_id],
                deadline=asking.expires_at if asking else None,
                offered=len(asking.held) if asking else 0,
                drafted=session.id in drafted,
                unheard=session.id in unheard,
                question=asked.get(session.id),
            )
        )
    loud = [row for row in rows if row.session.flag is not None or row.question is not None]
    calm = [row for row in rows if row not in loud]
    return SessionList(
        practitioner=practitioner,
        flagged=tuple(loud),
        upcoming=tuple(row for row in calm if row.session.when.span.end > now),
        past=tuple(reversed([row for row in calm if row.session.when.span.end <= now])),
        calendars=_calendars(db, practitioner_id)[1],
    )


def session_page(
    db: Connection, policy: Policy, practitioner_id: UUID, session_id: UUID, *, now: datetime
) -> SessionPage:
    """Return one session of this practitioner.

    Raises: NotFoundError if there is none, or if it is somebody else's.
    """
    session = own_session(db, practitioner_id, session_id)
    client = people.client(db, session.client_id)
    made = offers.of_session(db, session_id)
    asking = next((offer for offer in made if state_now(offer, now) is OfferState.OPEN), None)
    connected, calendar_views = _calendars(db, practitioner_id)
    standing = mirrors.of_session(db, session_id) if connected else ()
    question = questions.open_of(db, session_id)
    missing = _missing(session, asking, question, client, connected, standing)
    draft = next((offer for offer in made if offer.state is OfferState.DRAFT), None)
    standing_times = [a for offer in (asking, draft) if offer is not None for a in offer.standing]
    conflicts = {a.id: free_busy.conflicts(db, practitioner_id, a.when.span) for a in standing_times}
    blind = free_busy.blind_spots(db, policy, practitioner_id, standing_times, now=now) if standing_times else ()
    return SessionPage(
        practitioner=people.practitioner(db, practitioner_id),
        client=client,
        session=session,
        open=_offer_view(asking, session, missing, conflicts) if asking else None,
        draft=draft,
        past=tuple(offer for offer in made if offer.sent_at is not None and offer is not asking),
        timeline=tuple(line_of(fact) for fact in timeline.of_session(db, session_id)),
        messages=tuple(_message_view(message) for message in messages.of_session(db, session_id)),
        calendars=calendar_views,
        missing_in=missing.get(EntryKey(kind=EntryKind.SESSION, id=session.id), ()),
        question=question,
        conflicts=conflicts,
        blind=tuple(blind),
    )


def own_session(db: Connection, practitioner_id: UUID, session_id: UUID) -> Session:
    """Return a session of this practitioner.

    Raises: NotFoundError if there is none, or if it is somebody else's.
    """
    session = sessions.get(db, session_id)
    if session.practitioner_id != practitioner_id:
        raise NotFoundError("There is no such session.")
    return session


def _offer_view(
    offer: Offer,
    session: Session,
    missing: Mapping[EntryKey, tuple[str, ...]],
    conflicts: Mapping[UUID, tuple[str, ...]],
) -> OfferView:
    parts = (
        AlternativeView(
            alternative=alternative,
            location=alternative.location or session.location,
            missing_in=missing.get(EntryKey(kind=EntryKind.HOLD, id=alternative.id), ()),
            conflicts=conflicts.get(alternative.id, ()),
        )
        for alternative in offer.alternatives
    )
    return OfferView(offer=offer, alternatives=tuple(parts))


def _missing(
    session: Session,
    asking: Offer | None,
    question: Question | None,
    client: Client,
    connected: Iterable[Calendar],
    standing: Sequence[tuple[UUID, Mirror]],
) -> dict[EntryKey, tuple[str, ...]]:
    """Return, by entry, the names of the calendars that do not show it as it is wanted.

    The session's own entry is left out while its practitioner is asked what they meant by changing it.
    """
    seen = {(calendar_id, m.key): m.seen for calendar_id, m in standing if m.state is MirrorState.PRESENT}
    missing: dict[EntryKey, tuple[str, ...]] = {}
    for calendar in connected:
        for entry in entries_for(session, [asking] if asking else [], client.name, calendar.disclosure):
            if question is not None and entry.key.kind is EntryKind.SESSION:
                continue
            if seen.get((calendar.id, entry.key)) != entry.content.fingerprint:
                missing[entry.key] = (*missing.get(entry.key, ()), calendar.name)
    return missing


def _message_view(message: Message) -> MessageView:
    return MessageView(
        kind=message.kind,
        about=LETTERS[message.kind],
        to_client=message.to_client,
        to=message.notice.to.address,
        medium=message.medium,
        state=message.state,
        queued_at=message.queued_at,
        sent_at=message.sent_at,
        error=message.error or "",
    )


def _calendars(db: Connection, practitioner_id: UUID) -> tuple[Sequence[Calendar], tuple[CalendarView, ...]]:
    accounts = {connection.id: connection for connection in calendars.connections_of(db, practitioner_id)}
    connected = calendars.calendars_of(db, practitioner_id)
    views = (
        CalendarView(
            id=calendar.id,
            name=calendar.name,
            account=accounts[calendar.connection_id].label,
            trouble=calendar.trouble or "",
            since=calendar.trouble_since,
            lost=accounts[calendar.connection_id].state is ConnectionState.ACCESS_LOST,
            paused=calendar.paused or "",
        )
        for calendar in connected
    )
    return connected, tuple(views)


def _drafted(db: Connection, practitioner_id: UUID) -> set[UUID]:
    own = (offer_rows.c.practitioner_id == practitioner_id) & (offer_rows.c.state == OfferState.DRAFT.value)
    return set(db.execute(select(offer_rows.c.session_id).where(own)).scalars())


def _unheard(db: Connection, practitioner_id: UUID) -> set[UUID]:
    own = message_rows.c.practitioner_id == practitioner_id
    refused = message_rows.c.to_client & (message_rows.c.state == MessageState.REFUSED.value)
    return set(db.execute(select(message_rows.c.session_id).where(own, refused)).scalars()) - {None}
