"""What a practitioner and commands see of sessions: the list, and everything about one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING
from uuid import UUID

from sqlalchemy import Connection, select

from connector.domain import conversation as rules
from connector.domain.client_mail import ClientMail
from connector.domain.connection import Calendar, ConnectionState
from connector.domain.entry import EntryKey, EntryKind, EntryWords, entries_for
from connector.domain.next_letter import by_day
from connector.domain.notice import NoticeKind
from connector.domain.notice_table import Audience
from connector.domain.offer import Alternative, Offer, OfferState
from connector.domain.people import Client, Medium, Practitioner
from connector.domain.question import Question
from connector.domain.reconcile import MirrorState
from connector.domain.session import Session
from connector.errors import NotFoundError
from connector.language.offered import ENGLISH_ONLY, Languages
from connector.services import beliefs
from connector.services.policy import Policy
from connector.services.scheduling import mails
from connector.services.sync import free_busy
from connector.services.titles import words_for
from connector.services.views.offers import OfferView, is_open, offer_view
from connector.services.views.phrases import LETTERS
from connector.services.views.timeline import Line, line_of, teller_for
from connector.services.views.troubles import TroubleView, of_calendar, with_troubles
from connector.storage import (
    calendars,
    client_mails,
    conversations,
    messages,
    mirrors,
    offers,
    people,
    questions,
    sessions,
    timeline,
)
from connector.storage.busy import BlindSpot
from connector.storage.messages import Message, MessageState
from connector.storage.tables import offers as offer_rows

if TYPE_CHECKING:
    from connector.language.telling import Teller

LOOKS_BACK = timedelta(days=90)
_MOST_MAILS = 20  # of a client about one session that its page shows


@dataclass(frozen=True, slots=True, kw_only=True)
class CalendarView:
    """A connected calendar.

    Attributes:
        troubles: What does not go through in it.
        lost: Whether its account must be reconnected.
        paused: Why nothing is done in it, the value of a PauseReason; empty while it is worked on.
        paused_at: Since when.
    """

    id: UUID
    name: str
    account: str
    troubles: tuple[TroubleView, ...]
    lost: bool
    paused: str
    paused_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionRow:
    """One session in a list.

    Attributes:
        deadline: Of its open offer, if there is one.
        offered: How many times that offer holds.
        drafted: Whether an offer is noted down and not sent.
        unheard: Whether the session is still to come, and its client did not get the last message by some medium.
        unreached: Whether that is because there is no way to tell them anything.
        doubtful: The same, and it is not known of the last text whether it arrived; by no medium do they surely know.
        told_by: The media by which they know all the same what stands; looked for only where they did not get one.
        question: The one that waits for the practitioner's answer.
        mail: The client's, about which the practitioner has to decide.
        version: What stands; what was told is told of that.
    """

    session: Session
    client_name: str
    deadline: datetime | None
    offered: int
    drafted: bool
    unheard: bool
    unreached: bool
    doubtful: bool
    told_by: tuple[Medium, ...]
    question: Question | None
    mail: ClientMail | None
    version: str

    @property
    def needs_practitioner(self) -> bool:
        """Whether it is flagged, waits for an answer of its practitioner, or its client does not know of something."""
        is_asked = self.question is not None or self.mail is not None
        return self.session.flag is not None or is_asked or self.unheard or self.doubtful


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionList:
    """A practitioner's sessions: those that need them first, then what comes, then what was, latest first.

    `refuses_mail`: the last letter to the practitioner themselves was refused.
    """

    practitioner: Practitioner
    flagged: tuple[SessionRow, ...]
    upcoming: tuple[SessionRow, ...]
    past: tuple[SessionRow, ...]
    calendars: tuple[CalendarView, ...]
    refuses_mail: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageView:
    """One message about a session and how far it got; one that waits has not been begun, and is made when it can go.

    Attributes:
        receipt: What the gateway of a text has told of it since: delivered, failed or nothing.
        leaves_at: When a text leaves that waits for the morning, aware UTC.
    """

    kind: NoticeKind
    about: str
    to_client: bool
    to: str
    medium: Medium
    state: MessageState
    begun_at: datetime | None
    sent_at: datetime | None
    error: str
    receipt: str = ""
    leaves_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionPage:
    """Everything its practitioner sees of one session.

    Attributes:
        timeline: What happened to it, and what does not go through in the calendars it stands in, or should.
        media: Those by which the client is told, as far as this installation has them.
        untexted: Whether they could be texted, had they agreed to it.
        unreached: Whether the session is to come, and there is no way to tell them anything.
        is_told: Whether they know all that stands, or their practitioner has said that they told them.
        version: What stands; another page shows something else.
        is_night: Whether it is, on their clock: texts that can wait do.
        told_by: The media by which they surely know what stands.
        missing_in: The names of the connected calendars that do not show the session as it is wanted.
        conflicts: By the alternatives noted down or offered, the names of the calendars in which something else stands.
        blind: The calendars of which it is not known whether they are free at those times.
        address_fails: Whether the last mail to the client, at the address they have, was refused or came back.
        mails: What the client has written about it, the latest first.
        undecided: Those of them that wait for a decision.
    """

    practitioner: Practitioner
    client: Client
    session: Session
    open: OfferView | None
    draft: Offer | None
    past: tuple[Offer, ...]
    timeline: tuple[Line, ...]
    messages: tuple[MessageView, ...]
    media: tuple[Medium, ...]
    untexted: bool
    unreached: bool
    is_told: bool
    version: str
    is_night: bool
    told_by: tuple[Medium, ...]
    calendars: tuple[CalendarView, ...]
    missing_in: tuple[str, ...]
    question: Question | None
    conflicts: Mapping[UUID, tuple[str, ...]]
    blind: tuple[BlindSpot, ...]
    address_fails: bool
    mails: tuple[ClientMail, ...]
    undecided: tuple[ClientMail, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Offers:
    """The offers of one session. `past` are those that were sent and have ended."""

    open: Offer | None
    draft: Offer | None
    past: tuple[Offer, ...]

    @property
    def times(self) -> Sequence[Alternative]:
        """The alternatives offered or noted down."""
        return [time for offer in (self.open, self.draft) if offer is not None for time in offer.standing]


def session_list(db: Connection, practitioner_id: UUID, *, now: datetime) -> SessionList:
    """Return a practitioner's sessions of the last 90 days and of all time to come.

    Raises: NotFoundError if there is no such practitioner.
    """
    practitioner = people.practitioner(db, practitioner_id)
    rows = session_rows(
        db, practitioner, sessions.of_practitioner(db, practitioner_id, since=now - LOOKS_BACK), now=now
    )
    others = [row for row in rows if not row.needs_practitioner]
    connected = calendars.calendars_of(db, practitioner_id)
    return SessionList(
        practitioner=practitioner,
        flagged=tuple(row for row in rows if row.needs_practitioner),
        upcoming=tuple(row for row in others if row.session.when.span.end > now),
        past=tuple(row for row in reversed(others) if row.session.when.span.end <= now),
        calendars=calendar_views(db, practitioner_id, connected),
        refuses_mail=conversations.refuses_mail(db, practitioner_id),
    )


def session_page(
    db: Connection,
    policy: Policy,
    practitioner_id: UUID,
    session_id: UUID,
    *,
    now: datetime,
    languages: Languages = ENGLISH_ONLY,
) -> SessionPage:
    """Return one session of this practitioner, with what happened in their language if it is among these.

    Raises: NotFoundError if there is none, or if it is somebody else's.
    """
    session = own_session(db, practitioner_id, session_id)
    client = people.client(db, session.client_id)
    offered = _offers(db, session_id, now)
    question = questions.open_of(db, session_id)
    connected = calendars.calendars_of(db, practitioner_id)
    practitioner = people.practitioner(db, practitioner_id)
    words = words_for(policy, practitioner)
    missing = _missing(db, session, offered.open, question, client, connected, words)
    views = calendar_views(db, practitioner_id, connected)
    is_over = session.when.span.end <= now and offered.open is None
    troubles = () if is_over else [trouble for view in views for trouble in view.troubles]
    times = offered.times
    conflicts = {time.id: free_busy.conflicts(db, practitioner_id, time.when.span) for time in times}
    blind = free_busy.blind_spots(db, policy, practitioner_id, times, now=now) if times else ()
    teller = teller_for(practitioner, languages)
    lines = (line_of(fact, teller) for fact in timeline.of_session(db, session_id))
    written = client_mails.of_session(db, session_id, most=_MOST_MAILS)
    return SessionPage(
        practitioner=practitioner,
        client=client,
        session=session,
        open=offer_view(offered.open, session, missing=missing, conflicts=conflicts) if offered.open else None,
        draft=offered.draft,
        past=offered.past,
        timeline=with_troubles(lines, troubles, teller),
        messages=tuple(_message_views(db, session_id, teller, now=now)),
        media=tuple(sorted(client.reachable & policy.media)),
        untexted=Medium.SMS in policy.media and bool(client.phone) and not client.texts_agreed,
        unreached=session.when.span.start > now and not client.reachable & policy.media and not client.erased,
        is_told=session_id not in conversations.unreached(db, practitioner_id),
        version=rules.version(session, offers.in_state(db, session_id, OfferState.OPEN)),
        is_night=by_day(now, client.zone) != now,
        told_by=tuple(beliefs.told_by(db, session, now=now)),
        calendars=views,
        missing_in=missing.get(EntryKey(kind=EntryKind.SESSION, id=session.id), ()),
        question=question,
        conflicts=conflicts,
        blind=tuple(blind),
        address_fails=conversations.address_fails(db, practitioner_id, client),
        mails=tuple(written),
        undecided=tuple(mail for mail in written if mails.can_be_decided(mail, session, now=now)),
    )


def own_session(db: Connection, practitioner_id: UUID, session_id: UUID) -> Session:
    """Return a session of this practitioner.

    Raises: NotFoundError if there is none, or if it is somebody else's.
    """
    session = sessions.get(db, session_id)
    if session.practitioner_id != practitioner_id:
        raise NotFoundError("There is no such session.", code="session_not_found")
    return session


def session_called(db: Connection, practitioner_id: UUID, name: str) -> Session:
    """Return the session of this practitioner that a host calls so, or that has this id of ours.

    Raises: NotFoundError if there is none, or if it is somebody else's.
    """
    is_name = name.isprintable()  # else nothing is called so, and not every database can be asked
    for found in (sessions.by_external_id(db, name), sessions.known_as(db, name)) if is_name else ():
        if found is not None and found.practitioner_id == practitioner_id:
            return found
    raise NotFoundError("There is no such session.", code="session_not_found")


def session_rows(
    db: Connection, practitioner: Practitioner, listed: Sequence[Session], *, now: datetime
) -> list[SessionRow]:
    """Return what is to be said of each of these sessions in a list, in as many statements whatever their number."""
    names = people.client_names(db, [session.client_id for session in listed])
    open_offers = {offer.session_id: offer for offer in offers.open_of_practitioner(db, practitioner.id)}
    open_questions = questions.open_of_practitioner(db, practitioner.id)
    open_mails = client_mails.open_of_practitioner(db, practitioner.id)
    with_draft, unheard = with_drafts(db, practitioner.id), conversations.unheard(db, practitioner.id)
    doubted = messages.in_doubt(db, practitioner.id)
    unreached = conversations.unreached(db, practitioner.id) if unheard else set()
    in_question = [one for one in listed if one.when.span.start > now and one.id in unheard | doubted]
    told = beliefs.told_by_each(db, practitioner, in_question, now=now)
    rows = []
    for session in listed:
        stored, told_by = open_offers.get(session.id), told.get(session.id, ())
        offer = stored if stored is not None and is_open(stored, now) else None
        is_coming = session.when.span.start > now
        is_unheard, is_doubted = is_coming and session.id in unheard, is_coming and session.id in doubted
        row = SessionRow(
            session=session,
            client_name=names[session.client_id],
            deadline=offer.expires_at if offer else None,
            offered=len(offer.held) if offer else 0,
            drafted=session.id in with_draft,
            unheard=is_unheard,
            unreached=is_unheard and session.id in unreached,
            doubtful=is_doubted and not is_unheard and not told_by,
            told_by=told_by,
            question=open_questions.get(session.id),
            mail=_undecided(open_mails.get(session.id), session, now),
            version=rules.version(session, stored),
        )
        rows.append(row)
    return rows


def _undecided(mail: ClientMail | None, session: Session, now: datetime) -> ClientMail | None:
    return mail if mail is not None and mails.can_be_decided(mail, session, now=now) else None


def _offers(db: Connection, session_id: UUID, now: datetime) -> _Offers:
    all_offers = offers.of_session(db, session_id)
    open_offer = next((offer for offer in all_offers if is_open(offer, now)), None)
    return _Offers(
        open=open_offer,
        draft=next((offer for offer in all_offers if offer.state is OfferState.DRAFT), None),
        past=tuple(offer for offer in all_offers if offer.sent_at is not None and offer is not open_offer),
    )


def _missing(
    db: Connection,
    session: Session,
    open_offer: Offer | None,
    question: Question | None,
    client: Client,
    connected: Sequence[Calendar],
    words: EntryWords,
) -> dict[EntryKey, tuple[str, ...]]:
    """Return, by entry, the names of the calendars that do not show it as it is wanted.

    The session's own entry is left out while its practitioner is asked what they meant by changing it.
    """
    written = mirrors.of_session(db, session.id) if connected else ()
    seen = {(calendar_id, m.key): m.seen for calendar_id, m in written if m.state is MirrorState.PRESENT}
    missing: dict[EntryKey, tuple[str, ...]] = {}
    for calendar in connected:
        offered = [open_offer] if open_offer else []
        for entry in entries_for(session, offered, client.name, calendar.disclosure, words=words):
            if question is not None and entry.key.kind is EntryKind.SESSION:
                continue
            if seen.get((calendar.id, entry.key)) != entry.content.fingerprint:
                missing[entry.key] = (*missing.get(entry.key, ()), calendar.name)
    return missing


def _message_views(db: Connection, session_id: UUID, teller: Teller, *, now: datetime) -> Iterator[MessageView]:
    """Yield what was handed over, or begun, oldest first; then what each reader is to be told next."""
    for message in messages.of_session(db, session_id):
        yield _message_view(message, teller)
    for conversation in conversations.of_session(db, session_id):
        notice = None if conversation.letter_id else beliefs.waiting(db, conversation, now=now)
        if notice is not None:
            yield MessageView(
                kind=notice.kind,
                about=teller.say(LETTERS[notice.kind]),
                to_client=conversation.reader is Audience.CLIENT,
                to=notice.to.address,
                medium=conversation.medium,
                state=MessageState.QUEUED,
                begun_at=None,
                sent_at=None,
                error="",
                leaves_at=_later(beliefs.leaves_at(db, conversation, notice, now=now), now),
            )


def _later(at: datetime, now: datetime) -> datetime | None:
    return at if at > now else None


def _message_view(message: Message, teller: Teller) -> MessageView:
    return MessageView(
        kind=message.kind,
        about=teller.say(LETTERS[message.kind]),
        to_client=message.to_client,
        to=message.notice.to.address,
        medium=message.medium,
        state=message.state,
        begun_at=message.queued_at,
        sent_at=message.sent_at,
        error=teller.language.sentence(message.error) if message.error else "",
        receipt=message.receipt or "",
    )


def calendar_views(db: Connection, practitioner_id: UUID, connected: Iterable[Calendar]) -> tuple[CalendarView, ...]:
    """Return connected calendars of a practitioner with what does not go through in them."""
    accounts = {connection.id: connection for connection in calendars.connections_of(db, practitioner_id)}
    return tuple(
        CalendarView(
            id=calendar.id,
            name=calendar.name,
            account=accounts[calendar.connection_id].label,
            troubles=of_calendar(db, calendar),
            lost=accounts[calendar.connection_id].state is ConnectionState.ACCESS_LOST,
            paused=calendar.paused or "",
            paused_at=calendar.paused_at,
        )
        for calendar in connected
    )


def with_drafts(db: Connection, practitioner_id: UUID) -> set[UUID]:
    """Return the sessions for which an offer is noted down and not sent."""
    own = (offer_rows.c.practitioner_id == practitioner_id) & (offer_rows.c.state == OfferState.DRAFT.value)
    return set(db.execute(select(offer_rows.c.session_id).where(own)).scalars())
