"""Calendars that programs subscribe to are opened, get another address, and end; whatever follows is made due.

A client has one entry a session and not two: what a letter may have put into their calendar stays there and goes on
being told by letter, and only what none has can be published. Whoever goes back to invitations is invited to all of it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID, uuid4

from sqlalchemy import Connection

from connector.domain.client_link import link_expired
from connector.domain.facts import PersonChanged
from connector.domain.notice import Notice, NoticeKind, Recipient
from connector.domain.notice_table import Audience
from connector.domain.people import LONGEST_NAME, NAME, Actor, Client, Level, Medium
from connector.domain.session import Session, SessionState
from connector.domain.text import one_line
from connector.errors import NotFoundError, RuleError
from connector.services import beliefs, conversations, notices, standstill
from connector.services.capabilities import REMEMBERED
from connector.services.people import check_not_erased
from connector.storage import conversations as stored_conversations
from connector.storage import ledger, people, published, sessions, timeline
from connector.storage.database import Database
from connector.storage.ledger import Key, Kind
from connector.storage.published import PublishedCalendar
from connector.storage.seal import Seal

_PURPOSE = "subscription"  # of the page on which a client begins or ends it
LINKS_SHOW = timedelta(days=90)  # after a session
TOLD_EVERY = timedelta(hours=1)  # that there is another address, however often that is asked for
NOTED_EVERY = timedelta(hours=1)
MOST_BUSY = 20  # calendars of one practitioner that tell only when they are not free

BusyFeed = PublishedCalendar  # such a one, for those who ask for no other
_NOBODYS = UUID(int=0)
_TOKEN_PURPOSE = "published"  # noqa: S105 - a word


def open_for_practitioner(
    db: Connection,
    seal: Seal,
    practitioner_id: UUID,
    *,
    session_level: Level,
    hold_level: Level,
    by: Actor,
    now: datetime,
    replaces: UUID | None = None,
) -> PublishedCalendar:
    """Publish a practitioner's sessions and holds at a new address.

    `replaces` is the one that ends with it; where another is open by now, nothing changes and that is returned.

    Raises: NotFoundError, StandstillError.
    """
    standstill.lock(db, practitioner_id)
    former = published.of_practitioner(db, practitioner_id)
    if former is not None and former.id != replaces:
        return former
    _revoke(db, former, now)
    new = _new(seal, now, practitioner_id=practitioner_id, session_level=session_level, hold_level=hold_level)
    published.add(db, new)
    _note_practitioner(db, practitioner_id, "published", by=by, now=now)
    return new


def open_busy(db: Connection, seal: Seal, practitioner_id: UUID, *, name: str, by: Actor, now: datetime) -> BusyFeed:
    """Publish when a practitioner is not free, and no more, at an address of its own; `name` says for whom.

    They can have several, so that each can be ended by itself.

    Raises: NotFoundError, StandstillError; RuleError for one too many, or a name that cannot be seen.
    """
    standstill.lock(db, practitioner_id)
    name = one_line(name, label=NAME, field="name", longest=LONGEST_NAME)
    if len(published.busy_of(db, practitioner_id)) >= MOST_BUSY:
        raise RuleError(
            "There are %(most)s such calendars already. End one first that nobody fetches any more.",
            code="busy_feeds_too_many",
            field="name",
            most=MOST_BUSY,
        )
    new = _new(seal, now, practitioner_id=practitioner_id, name=name)
    published.add(db, new)
    _note_practitioner(db, practitioner_id, "busy_published", by=by, now=now)
    return new


def busy_of(db: Connection, practitioner_id: UUID, *, sees: Callable[[UUID], bool]) -> Sequence[BusyFeed]:
    """Return those open ones that tell only when a practitioner is not free, the oldest first.

    Raises: NotFoundError for one whom whoever asks does not see, too.
    """
    people.practitioner(db, practitioner_id if sees(practitioner_id) else _NOBODYS)
    return published.busy_of(db, practitioner_id)


def end_busy(
    db: Connection,
    practitioner_id: UUID,
    calendar_id: UUID,
    *,
    sees: Callable[[UUID], bool],
    by: Actor,
    now: datetime,
) -> None:
    """End one of those that tell only when a practitioner is not free.

    Raises: NotFoundError if none such of theirs is open; StandstillError.
    """
    if calendar_id not in {one.id for one in busy_of(db, practitioner_id, sees=sees)}:
        raise _not_open()
    end(db, calendar_id, by=by, now=now)


def end_for_practitioner(db: Connection, practitioner_id: UUID, *, by: Actor, now: datetime) -> None:
    """Publish nothing of a practitioner any more; where nothing is, nothing changes.

    Raises: NotFoundError, StandstillError.
    """
    standstill.lock(db, practitioner_id)
    former = published.of_practitioner(db, practitioner_id)
    if former is not None:
        _revoke(db, former, now)
        _note_practitioner(db, practitioner_id, "unpublished", by=by, now=now)


def open_for_client(
    db: Connection, seal: Seal, client_id: UUID, *, by: Actor, now: datetime, replaces: UUID | None = None
) -> PublishedCalendar:
    """Publish a client's sessions: those that no letter has invited them to, and whatever is booked from now on.

    `replaces` as for a practitioner's: the same sessions go on to be published at the new address.

    Raises: NotFoundError, StandstillError; RuleError for a client who was erased.
    """
    client, own = _locked(db, client_id, now)
    former = published.of_client(db, client_id)
    if former is not None and former.id != replaces:
        return former
    _revoke(db, former, now)
    new = _new(seal, now, client_id=client_id)
    is_told = former is not None and now < former.made_at + TOLD_EVERY
    published.add(db, new, conversation_id=None if is_told else _tell(db, client, own, new, now=now))
    for session in own:
        if not session.published and not beliefs.may_be_invited(db, client, session):
            _publish(db, client, replace(session, published=True), by=by, now=now)
    return new


def _tell(
    db: Connection, client: Client, to_come: Sequence[Session], calendar: PublishedCalendar, *, now: datetime
) -> UUID | None:
    """Have a client told by mail that somebody subscribes for them, and return the conversation by which they are.

    Whoever has a letter of theirs can: who has passed one on learns of it, and how it ends. Nobody who gets no mail is
    told: no invitation of theirs ends.
    """
    recent = to_come or sessions.of_client(db, client.id, since=now - LINKS_SHOW)
    if Medium.EMAIL not in client.reachable or not recent:
        return None
    session = max(recent, key=lambda one: one.when.span.end)  # the link of that one is good for longest
    practitioner = people.practitioner(db, session.practitioner_id)
    told = stored_conversations.about(
        db, practitioner.id, None, Audience.CLIENT, Medium.EMAIL, address=client.address(Medium.EMAIL)
    )
    notice = Notice(
        kind=NoticeKind.SUBSCRIBED,
        to=Recipient.of(client, Medium.EMAIL),
        practitioner_name=practitioner.name,
        client_name=client.name,
        session=session,
    )
    stored_conversations.add_notice(db, told.id, notice, key=f"{notice.kind}:{calendar.id}", now=now)
    ledger.touch(db, Key(Kind.CONVERSATION, str(told.id)), due_at=now, lane=notices.LANE)
    return told.id


def end_for_client(db: Connection, client_id: UUID, *, by: Actor, now: datetime) -> None:
    """Invite a client to their sessions again, and to those at once that they had in the calendar that ends.

    Raises: NotFoundError, StandstillError; RuleError for a client who was erased.
    """
    client, own = _locked(db, client_id, now)
    former = published.of_client(db, client_id)
    if former is None:
        return
    _revoke(db, former, now)
    for session in own:
        if session.published:
            _publish(db, client, replace(session, published=False), by=by, now=now)


def end(db: Connection, calendar_id: UUID, *, by: Actor, now: datetime) -> PublishedCalendar:
    """End one, whoever's it is, as its owner would.

    Raises: NotFoundError if none such is open; StandstillError.
    """
    standstill.check(db)
    calendar = published.get(db, calendar_id)
    if calendar is None or calendar.revoked_at is not None:
        raise _not_open()
    if calendar.client_id is not None:
        end_for_client(db, calendar.client_id, by=by, now=now)
    elif calendar.name and calendar.practitioner_id is not None:
        standstill.lock(db, calendar.practitioner_id)
        _revoke(db, calendar, now)
        _note_practitioner(db, calendar.practitioner_id, "busy_unpublished", by=by, now=now)
    elif calendar.practitioner_id is not None:
        end_for_practitioner(db, calendar.practitioner_id, by=by, now=now)
    return calendar


def note_fetched(database: Database, calendar: PublishedCalendar, etag: str, *, now: datetime) -> datetime:
    """Note that a program has asked for a calendar that holds this now, and return since when it does.

    Stored when that is new, or nobody has asked for an hour; HTTP tells seconds, so two changes are one apart at least.
    """
    since, now = calendar.changed_at, now.replace(microsecond=0)
    if since is None or etag != calendar.etag:
        since = now if since is None else max(now, since + timedelta(seconds=1))
    elif calendar.fetched_at is not None and now - calendar.fetched_at < NOTED_EVERY:
        return since
    with database.begin() as db:
        published.note_fetched(db, calendar.id, etag=etag, changed_at=since, fetched_at=now)
    return since


def token_of(seal: Seal, calendar: PublishedCalendar) -> str:
    """Return the token in the address of a calendar; empty if the key is gone under which it was made."""
    tokens = seal.derived_tokens(_TOKEN_PURPOSE, calendar.id)
    return next((token for token in tokens if published.digest_of(token) == calendar.digest), "")


def link_token(seal: Seal, session_id: UUID, address: str) -> str:
    """Return the token of the link to the page on which the client of a session subscribes, for who reads there."""
    return seal.token(f"{_PURPOSE}.{address.lower()}", session_id)


def of_link(db: Connection, seal: Seal, token: str, *, now: datetime) -> tuple[Session, Client]:
    """Return the session that a link to the page of subscriptions was about, and its client.

    It leads to whatever will ever be booked for them, so whoever had it by mail at an address that was corrected since
    is shown nothing.

    Raises: NotFoundError if it is none of ours, was mailed to another address, or that session is long over.
    """
    session = sessions.get(db, seal.claimed_identity(token))
    client = people.client(db, session.client_id)
    seal.identity(f"{_PURPOSE}.{client.email.lower()}", token)
    if session.when.span.end + LINKS_SHOW <= now or client.erased:
        raise link_expired()
    return session, client


def _not_open() -> NotFoundError:
    return NotFoundError(
        "There is no calendar subscription of that id.",
        code="subscription_not_found",
    )


def _revoke(db: Connection, calendar: PublishedCalendar | None, now: datetime) -> None:
    if calendar is not None:
        published.revoke(db, calendar.id, now=now, sweep_at=now + REMEMBERED)


def _new(
    seal: Seal,
    now: datetime,
    *,
    practitioner_id: UUID | None = None,
    client_id: UUID | None = None,
    session_level: Level | None = None,
    hold_level: Level | None = None,
    name: str = "",
) -> PublishedCalendar:
    identity = uuid4()
    [token, *_] = seal.derived_tokens(_TOKEN_PURPOSE, identity)
    return PublishedCalendar(
        id=identity,
        digest=published.digest_of(token),
        practitioner_id=practitioner_id,
        client_id=client_id,
        session_level=session_level,
        hold_level=hold_level,
        made_at=now,
        name=name,
    )


def _locked(db: Connection, client_id: UUID, now: datetime) -> tuple[Client, list[Session]]:
    """Lock a client and whoever decides about their sessions to come, and return these as they stand.

    What is booked until the client is locked is not among them, and so is told by invitation.
    """
    standstill.check(db)
    own = [one for one in sessions.of_client(db, client_id, since=now) if one.state is SessionState.BOOKED]
    for practitioner_id in sorted({session.practitioner_id for session in own}):
        standstill.lock(db, practitioner_id)
    client = people.client(db, client_id, lock=True)
    check_not_erased(client)
    standing = (sessions.get(db, session.id) for session in own)
    return client, [session for session in standing if session.state is SessionState.BOOKED]


def _publish(db: Connection, client: Client, session: Session, *, by: Actor, now: datetime) -> None:
    """Store by which way a client has a session, and have them told whatever that makes needed."""
    sessions.save(db, session)
    practitioner = people.practitioner(db, session.practitioner_id)
    if session.published:
        conversations.published(db, client, session)
    conversations.witness(db, practitioner, client, session, now=now)
    changed = ("published" if session.published else "unpublished",)
    fact = PersonChanged(at=now, by=by, session_id=session.id, who="client", changed=changed)
    timeline.append(db, practitioner.id, [fact])


def _note_practitioner(db: Connection, practitioner_id: UUID, changed: str, *, by: Actor, now: datetime) -> None:
    fact = PersonChanged(at=now, by=by, who="practitioner", changed=(changed,))
    timeline.append(db, practitioner_id, [fact])
