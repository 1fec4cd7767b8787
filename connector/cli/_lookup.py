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
            raise NotFoundError(
                "No practitioner has the address %(address)s. See `pencilled practitioners list --all`.",
                code="practitioner_address_unknown",
                field="practitioner",
                address=named,
            )
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
        raise NotFoundError(
            "No client has the address %(address)s. See `pencilled clients list --all`.",
            code="client_address_unknown",
            field="client",
            address=named,
        )
    if len(clients) > 1:
        raise RuleError(
            "Several clients share the address %(address)s: %(clients)s. Name one by the id in brackets.",
            code="client_address_shared",
            field="client",
            address=named,
            clients=tuple(f"{client.name} ({short(client.id)})" for client in clients),
        )
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
        raise NotFoundError(
            "The session %(session)s has no draft. Draft one: pencilled offers draft %(session)s "
            "--at “YYYY-MM-DD HH:MM”",
            code="draft_not_found",
            field="session",
            session=short(session.id),
        )
    return draft


def find_answerable(db: Db, session: Session) -> Offer:
    """Return the open offer of a session, or else the last one that was sent.

    Raises: NotFoundError.
    """
    sent = [offer for offer in offers.of_session(db, session.id) if offer.sent_at is not None]
    if not sent:
        raise NotFoundError(
            "No offer was sent for the session %(session)s. Draft one: pencilled offers draft %(session)s "
            "--at “YYYY-MM-DD HH:MM”",
            code="sent_offer_not_found",
            field="session",
            session=short(session.id),
        )
    still_open = [offer for offer in sent if offer.state is OfferState.OPEN]
    return (still_open or sent)[0]


def no_alternative(offer: Offer) -> RuleError:
    """Say that an offer has no alternative of the number that was given."""
    return RuleError(
        "The offer has one alternative, number 1. See `pencilled offers show %(session)s`.",
        plural="The offer has %(n)s alternatives, numbered from 1. See `pencilled offers show %(session)s`.",
        n=len(offer.alternatives),
        code="alternative_number_unknown",
        field="number",
        session=short(offer.session_id),
    )


def short(identity: UUID) -> str:
    """Return the beginning of an id, as tables show it and commands take it."""
    return identity.hex[:SHORT]


def _only_practitioner(db: Db) -> Practitioner:
    everybody = people.all_practitioners(db)
    if not everybody:
        raise NotFoundError(
            "There is no practitioner yet. Add one: pencilled practitioners add --help",
            code="no_practitioner_yet",
            field="practitioner",
        )
    if len(everybody) > 1:
        raise RuleError(
            "There are several practitioners. Say which one by --practitioner and an address: %(addresses)s.",
            code="practitioner_not_named",
            field="practitioner",
            addresses=tuple(person.email for person in everybody[:5]),
        )
    return everybody[0]


def _by_id(db: Db, table: Table, named: str, what: str) -> UUID:
    digits = named.replace("-", "").lower()
    if not _HEX.fullmatch(digits) or len(digits) < _SHORTEST:
        raise NotFoundError(
            "“%(named)s” is no id of a %(kind)s. Give the id, or at least the first %(shortest)s characters of it; "
            "`pencilled %(kind)ss list` shows them.",
            code="id_malformed",
            field=what,
            named=named,
            kind=what,
            shortest=_SHORTEST,
        )
    first, last = UUID(hex=digits.ljust(32, "0")), UUID(hex=digits.ljust(32, "f"))
    matches = db.execute(select(table.c.id).where(table.c.id.between(first, last)).limit(2)).scalars().all()
    if not matches:
        raise NotFoundError(
            "There is no %(kind)s whose id begins with “%(named)s”. See `pencilled %(kind)ss list`.",
            code="id_not_found",
            field=what,
            named=named,
            kind=what,
        )
    if len(matches) > 1:
        raise RuleError(
            "There is more than one %(kind)s whose id begins with “%(named)s”. Give more of the id.",
            code="id_ambiguous",
            field=what,
            named=named,
            kind=what,
        )
    identity: UUID = matches[0]
    return identity
