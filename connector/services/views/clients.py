"""What a practitioner sees of their clients: whom they know, and one of them with their sessions."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection

from connector.domain.notice import Notice
from connector.domain.people import Client, Medium, Practitioner
from connector.domain.session import Session, SessionState
from connector.services import beliefs, people
from connector.services.policy import Policy
from connector.storage import conversations, offers, published, sessions
from connector.storage import people as stored

MOST = 50  # clients, and likewise sessions, a page
_MOST_LETTERS = 20  # that are reckoned up after a change


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientRow:
    """One client in a list: when they come next, and whether the last mail to them was refused or came back."""

    client: Client
    next_at: datetime | None
    address_fails: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientList:
    """A page of the clients whom a practitioner knows; `after` is the last of them, if there are more."""

    practitioner: Practitioner
    rows: tuple[ClientRow, ...]
    after: UUID | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientPage:
    """One client, as far as it concerns a practitioner.

    Attributes:
        coming: Their sessions that are not over, earliest first.
        past: Those that are, latest first.
        later: From when on there are more to come; None if these are all.
        earlier: Before when there are more that are over, likewise.
        media: Those by which they are told, as far as this installation has them.
        untexted: Whether they could be texted, had they agreed to it.
        address_fails: Whether the last mail to them, at the address they have, was refused or came back.
        standing: Their sessions to come that are booked: while there are any, they cannot be retired.
        offered: Whether an offer waits for their answer.
        subscribes: Whether they have their sessions in a calendar that they subscribe to.
    """

    practitioner: Practitioner
    client: Client
    coming: tuple[Session, ...]
    past: tuple[Session, ...]
    later: datetime | None
    earlier: datetime | None
    media: tuple[Medium, ...]
    untexted: bool
    address_fails: bool
    standing: tuple[Session, ...]
    offered: bool
    subscribes: bool


def client_list(
    db: Connection, practitioner_id: UUID, *, text: str = "", after: UUID | None = None, now: datetime
) -> ClientList:
    """Return a page of the clients whom a practitioner knows, by name, those who are retired among them.

    Raises: NotFoundError if there is no such practitioner.
    """
    found = stored.clients_of(db, practitioner_id, text=text, after=after, most=MOST + 1)
    shown = found[:MOST]
    ids = [client.id for client in shown]
    coming = sessions.next_starts(db, practitioner_id, ids, now=now)
    failing = conversations.addresses_failing(db, practitioner_id, ids)
    return ClientList(
        practitioner=stored.practitioner(db, practitioner_id),
        rows=tuple(
            ClientRow(client=client, next_at=coming.get(client.id), address_fails=client.id in failing)
            for client in shown
        ),
        after=shown[-1].id if len(found) > MOST else None,
    )


def client_page(
    db: Connection,
    policy: Policy,
    practitioner_id: UUID,
    client_id: UUID,
    *,
    after: datetime | None = None,
    before: datetime | None = None,
    now: datetime,
) -> ClientPage:
    """Return one client with a page of their sessions: those to come after, or those over before some time.

    Raises: NotFoundError if there is none, or if this practitioner does not know them.
    """
    client = people.client(db, client_id, of=practitioner_id)
    since = max(after, now) if after is not None else now
    coming = sessions.of_both(db, practitioner_id, client_id, after=since, most=MOST + 1) if before is None else ()
    until = min(before, now) if before is not None else now
    past = sessions.of_both(db, practitioner_id, client_id, before=until, most=MOST + 1) if after is None else ()
    over = [session for session in past if session.when.span.end <= now]
    standing = [session for session in coming if session.state is SessionState.BOOKED]
    own = {session.id for session in coming}
    return ClientPage(
        practitioner=stored.practitioner(db, practitioner_id),
        client=client,
        coming=tuple(coming[:MOST]),
        past=tuple(over[:MOST]),
        later=coming[MOST - 1].when.span.end if len(coming) > MOST else None,
        earlier=over[MOST - 1].when.span.start if len(over) > MOST else None,
        media=tuple(sorted(client.reachable & policy.media)),
        untexted=Medium.SMS in policy.media and bool(client.phone) and not client.texts_agreed,
        address_fails=conversations.address_fails(db, practitioner_id, client),
        standing=tuple(standing),
        offered=any(one.session_id in own for one in offers.open_of_practitioner(db, practitioner_id)),
        subscribes=published.of_client(db, client_id) is not None,
    )


def letters_to(db: Connection, practitioner_id: UUID, client_id: UUID, *, now: datetime) -> tuple[Notice, ...]:
    """Return what a client is told next about their sessions to come with a practitioner."""
    own = [session.id for session in sessions.of_both(db, practitioner_id, client_id, after=now, most=_MOST_LETTERS)]
    told = sorted(conversations.of_client(db, own), key=lambda one: (own.index(one.session_id or own[0]), one.medium))
    following = (beliefs.waiting(db, one, now=now) for one in told)
    return tuple(notice for notice in following if notice is not None)


def known(db: Connection, practitioner_id: UUID, client_id: UUID) -> Client:
    """Return a client whom a practitioner knows. Raises: NotFoundError."""
    return people.client(db, client_id, of=practitioner_id)
