"""Find what a person names on the command line: by e-mail address, by id, or by the first characters of an id."""

from __future__ import annotations

import re
from uuid import UUID

from sqlalchemy import Connection as Db
from sqlalchemy import Table, select

from connector.domain.connection import Connection
from connector.domain.offer import Offer, OfferState
from connector.domain.people import Client, Practitioner
from connector.domain.session import Session
from connector.errors import NotFoundError, RuleError
from connector.storage import calendars, offers, people, sessions, tables

SHORT = 8  # characters of an id that tables show
_SHORTEST = 4
_HEX = re.compile(r"[0-9a-f]{1,32}")


def find_practitioner(db: Db, named: str | None) -> Practitioner:
    """Return a practitioner by e-mail or id; without a name, the only one there is.

    Raises: NotFoundError; RuleError if several could be meant.
    """
    if named is None:
        return _only_practitioner(db)
    if "@" in named:
        person = people.practitioner_by_email(db, named)
        if person is None:
            raise NotFoundError(f"No practitioner has the address {named}. See `pencilled practitioners list`.")
        return person
    return people.practitioner(db, _by_id(db, tables.practitioners, named, "practitioner"))


def find_client(db: Db, named: str) -> Client:
    """Return a client by e-mail or id.

    Raises: NotFoundError; RuleError if several share the address.
    """
    if "@" not in named:
        return people.client(db, _by_id(db, tables.clients, named, "client"))
    clients = people.clients_by_email(db, named)
    if not clients:
        raise NotFoundError(f"No client has the address {named}. See `pencilled clients list`.")
    if len(clients) > 1:
        named_ids = ", ".join(f"{client.name} ({short(client.id)})" for client in clients)
        raise RuleError(f"Several clients share the address {named}: {named_ids}. Name one by its id.")
    return clients[0]


def find_session(db: Db, named: str) -> Session:
    """Return a session by its id or the beginning of it.

    Raises: NotFoundError; RuleError if several begin so.
    """
    return sessions.get(db, _by_id(db, tables.sessions, named, "session"))


def find_connection(db: Db, named: str) -> Connection:
    """Return a connection by its id or the beginning of it.

    Raises: NotFoundError; RuleError if several begin so.
    """
    return calendars.connection(db, _by_id(db, tables.connections, named, "connection"))


def find_draft(db: Db, session: Session) -> Offer:
    """Return the draft of a session.

    Raises: NotFoundError.
    """
    draft = offers.in_state(db, session.id, OfferState.DRAFT)
    if draft is None:
        raise NotFoundError(f"Session {short(session.id)} has no draft. {_draft_one(session)}")
    return draft


def find_answerable(db: Db, session: Session) -> Offer:
    """Return the open offer of a session, or else the last one that was sent.

    Raises: NotFoundError.
    """
    sent = [offer for offer in offers.of_session(db, session.id) if offer.sent_at is not None]
    if not sent:
        raise NotFoundError(f"Session {short(session.id)} has no offer that was sent. {_draft_one(session)}")
    still_open = [offer for offer in sent if offer.state is OfferState.OPEN]
    return (still_open or sent)[0]


def short(identity: UUID) -> str:
    """Return the beginning of an id, as tables show it and commands take it."""
    return identity.hex[:SHORT]


def _draft_one(session: Session) -> str:
    return f"Draft one: pencilled offers draft {short(session.id)} --at “YYYY-MM-DD HH:MM”"


def _only_practitioner(db: Db) -> Practitioner:
    everybody = people.all_practitioners(db)
    if not everybody:
        raise NotFoundError("There is no practitioner yet. Add one: pencilled practitioners add --help")
    if len(everybody) > 1:
        addresses = ", ".join(person.email for person in everybody[:5])
        raise RuleError(f"Which practitioner? Say --practitioner and an address: {addresses}.")
    return everybody[0]


def _by_id(db: Db, table: Table, named: str, what: str) -> UUID:
    digits = named.replace("-", "").lower()
    if not _HEX.fullmatch(digits) or len(digits) < _SHORTEST:
        raise NotFoundError(
            f"“{named}” names no {what}. Give its id, or at least the first {_SHORTEST} characters of it; "
            f"`pencilled {what}s list` shows them."
        )
    first, last = UUID(hex=digits.ljust(32, "0")), UUID(hex=digits.ljust(32, "f"))
    matches = db.execute(select(table.c.id).where(table.c.id.between(first, last)).limit(2)).scalars().all()
    if not matches:
        raise NotFoundError(f"There is no {what} whose id begins with “{named}”. See `pencilled {what}s list`.")
    if len(matches) > 1:
        raise RuleError(f"More than one {what} has an id that begins with “{named}”. Give more of it.")
    identity: UUID = matches[0]
    return identity
