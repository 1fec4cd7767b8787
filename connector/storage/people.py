"""Practitioners and clients in the database."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, Row, Select, Table, and_, bindparam, func, insert, or_, select
from sqlalchemy.exc import IntegrityError

from connector.domain.people import Client, Consent, Level, Medium, Practitioner, check_address
from connector.domain.stored import as_stored
from connector.errors import ExistsError, NotFoundError, RuleError
from connector.storage.columns import by_name
from connector.storage.pages import behind
from connector.storage.tables import clients, practitioners, sessions
from connector.storage.versions import named_once, raising

_DIGITS = 4  # of a number that is searched for: fewer stand in everybody's
_ADDRESS_LOCK = 0x6D61696C  # the first half of the advisory lock of an address; the second is its hash
# Written once: to write a statement takes longer than to ask it.
_CLIENT = select(clients).where(clients.c.id == bindparam("client_id"))
_ADD_CLIENT = insert(clients)
_CLIENT_LOCKED = _CLIENT.with_for_update(key_share=True)
_PRACTITIONER = select(practitioners).where(practitioners.c.id == bindparam("practitioner_id"))
_PRACTITIONER_LOCKED = _PRACTITIONER.with_for_update(key_share=True)
_stored_client, _stored_practitioner, _stored_consent = as_stored(Client), as_stored(Practitioner), as_stored(Consent)
_client_named, _practitioner_named = by_name(clients), by_name(practitioners)


def add_practitioner(db: Connection, person: Practitioner, *, now: datetime) -> None:
    """Store a new practitioner.

    Raises: ExistsError if the mail address is taken, which is what they sign in with, or the external id.
    """
    values = {
        "id": person.id,
        "name": person.name,
        "email": person.email.lower(),
        "zone": person.zone,
        "locale": person.locale,
        "buffer_seconds": int(person.buffer.total_seconds()),
        "session_level": int(person.session_level),
        "hold_level": int(person.hold_level),
        "takes_replies": person.takes_replies,
        "created_at": now,
        "external_id": person.external_id,
    }
    try:
        with named_once(practitioners, person.external_id):
            db.execute(insert(practitioners), values)
    except IntegrityError as error:
        raise _address_taken(person) from error


def _address_taken(person: Practitioner) -> ExistsError:
    return ExistsError(
        "There is a practitioner with the address %(address)s already. Give another one.",
        code="practitioner_address_taken",
        field="email",
        address=person.email,
    )


def add_client(db: Connection, person: Client, *, now: datetime, made_for: UUID | None = None) -> None:
    """Store a new client; `made_for` is the practitioner whose host's key has made them, if it was one's.

    Raises: ExistsError if the external id is taken.
    """
    values = {
        "id": person.id,
        "name": person.name,
        "email": person.email,
        "phone": person.phone,
        "zone": person.zone,
        "locale": person.locale,
        "media": ",".join(sorted(person.media)),
        "texts_agreed_at": (person.consent.at if person.consent else now) if person.texts_agreed else None,
        "texts_agreed_by": (person.consent.by or None) if person.consent and person.texts_agreed else None,
        "created_at": now,
        "external_id": person.external_id,
        "made_for": made_for,
    }
    with named_once(clients, person.external_id):
        db.execute(_ADD_CLIENT, values)


def claim_address(db: Connection, email: str) -> None:
    """Have whoever claims the same address wait until this transaction ends (PostgreSQL; of SQLite only one writes)."""
    if db.dialect.name == "postgresql":
        own = func.hashtext(_comparable(email))
        db.execute(select(func.pg_advisory_xact_lock(_ADDRESS_LOCK, own)))


def readdress_client(db: Connection, client_id: UUID, email: str) -> None:
    """Store a client's new mail address."""
    db.execute(raising(clients, {"email": email}).where(clients.c.id == client_id))


def agree_to_texts(db: Connection, client_id: UUID, consent: Consent | None, *, now: datetime) -> None:
    """Note since when a client wants texts on their phone, and who says so; None for one who wants none."""
    values = (
        {"texts_agreed_at": None, "texts_agreed_by": None, "texts_stopped_at": now}
        if consent is None
        else {"texts_agreed_at": consent.at, "texts_agreed_by": consent.by or None}
    )
    db.execute(raising(clients, values).where(clients.c.id == client_id))


def texts_stopped_at(db: Connection, client_id: UUID) -> datetime | None:
    """Return when a client last wanted no texts any more; None for never."""
    found: datetime | None = db.execute(select(clients.c.texts_stopped_at).where(clients.c.id == client_id)).scalar()
    return found


def texts_agreed_since(db: Connection, client_id: UUID) -> datetime | None:
    """Return since when a client wants texts on their phone; None for one who wants none."""
    found: datetime | None = db.execute(select(clients.c.texts_agreed_at).where(clients.c.id == client_id)).scalar()
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class SoughtPeople:
    """Which practitioners or clients are sought; None leaves a thing open.

    Attributes:
        of: The practitioner themselves; of clients, those who are known to that practitioner.
        email: In any case.
    """

    of: UUID | None = None
    external_id: str | None = None
    email: str | None = None
    retired: bool | None = None


def seek_practitioners(
    db: Connection, sought: SoughtPeople, *, after: tuple[datetime, UUID] | None = None, most: int
) -> Sequence[Practitioner]:
    """Return the practitioners who are sought, the first who were added first, behind the one named."""
    return [_practitioner(row) for row in _page(db, practitioners, sought, after, most)]


def seek_clients(
    db: Connection, sought: SoughtPeople, *, after: tuple[datetime, UUID] | None = None, most: int
) -> Sequence[Client]:
    """Return the clients who are sought, likewise."""
    return [_client(row) for row in _page(db, clients, sought, after, most)]


def is_known_to(db: Connection, client_id: UUID, practitioner_id: UUID) -> bool:
    """Whether a client has, or had, a session with a practitioner, or was made for them."""
    own = (clients.c.id == client_id) & _known_to(practitioner_id)
    return db.execute(select(clients.c.id).where(own)).first() is not None


def has_others(db: Connection, client_id: UUID, practitioner_id: UUID) -> bool:
    """Whether a client has, or had, a session with another practitioner than this one."""
    return bool(shared_with_others(db, [client_id], practitioner_id))


def shared_with_others(db: Connection, client_ids: Collection[UUID], practitioner_id: UUID) -> frozenset[UUID]:
    """Return which of these clients have, or had, a session with another practitioner than this one."""
    others = sessions.c.client_id.in_(client_ids) & (sessions.c.practitioner_id != practitioner_id)
    found = db.execute(select(sessions.c.client_id).where(others).distinct()) if client_ids else ()
    return frozenset(row.client_id for row in found)


def _known_to(practitioner_id: UUID | ColumnElement[Any]) -> ColumnElement[bool]:
    theirs = select(sessions.c.client_id).where(sessions.c.practitioner_id == practitioner_id)
    return or_(clients.c.made_for == practitioner_id, clients.c.id.in_(theirs))


def _page(
    db: Connection, table: Table, sought: SoughtPeople, after: tuple[datetime, UUID] | None, most: int
) -> Sequence[Row[Any]]:
    at, row_id = after or (None, None)
    values = {
        "of": sought.of,
        "external_id": sought.external_id,
        "email": None if sought.email is None else _comparable(sought.email),
        "after": at,
        "after_id": row_id,
    }
    given = {name: value for name, value in values.items() if value is not None}
    return db.execute(_seeking(table, frozenset(given), retired=sought.retired), {**given, "most": most}).all()


@lru_cache(maxsize=64)
def _seeking(table: Table, given: frozenset[str], *, retired: bool | None) -> Select[Any]:
    """Return the statement that seeks people by what is given."""
    return (
        select(table)
        .where(*_conditions(table, given, retired=retired))
        .order_by(table.c.created_at, table.c.id)
        .limit(bindparam("most"))
    )


def _conditions(table: Table, given: frozenset[str], *, retired: bool | None) -> Iterator[ColumnElement[bool]]:
    if "of" in given:
        yield table.c.id == bindparam("of") if table is practitioners else _known_to(bindparam("of"))
    if "external_id" in given:
        yield table.c.external_id == bindparam("external_id")
    if "email" in given:
        stored = table.c.email if table is practitioners else func.lower(table.c.email)  # as each is indexed
        yield stored == bindparam("email")
    if retired is not None:
        yield table.c.retired_at.is_not(None) if retired else table.c.retired_at.is_(None)
    if "after" in given:
        yield from behind(table.c.created_at, table.c.id)


def practitioner_by_external_id(db: Connection, external_id: str) -> Practitioner | None:
    """Return whom the host calls so."""
    row = db.execute(select(practitioners).where(practitioners.c.external_id == external_id)).first()
    return _practitioner(row) if row else None


def client_by_external_id(db: Connection, external_id: str) -> Client | None:
    """Return whom the host calls so."""
    row = db.execute(select(clients).where(clients.c.external_id == external_id)).first()
    return _client(row) if row else None


def clients_named(db: Connection, part: str, *, most: int) -> Sequence[Client]:
    """Return clients in whose name this stands, by name; SQLite knows small and capital letters of ASCII alone."""
    written = {part, part.lower(), part.capitalize(), part.title(), part.upper()}
    holds = or_(*(clients.c.name.contains(one, autoescape=True) for one in sorted(written)))
    insensitive = func.lower(clients.c.name).contains(part.lower(), autoescape=True)
    query = select(clients).where(or_(holds, insensitive), clients.c.erased_at.is_(None))
    return [_client(row) for row in db.execute(query.order_by(clients.c.name, clients.c.id).limit(most))]


def clients_of(
    db: Connection, practitioner_id: UUID, *, text: str = "", after: UUID | None = None, most: int
) -> Sequence[Client]:
    """Return whom a practitioner knows, by name, those after one of them; erased clients are nobody any more.

    Args:
        db: The transaction.
        practitioner_id: Who knows them.
        text: What stands in their name, address, number or external id; empty for whatever does.
        after: Who stands before them in that order.
        most: How many at most.
    """
    by_name = func.lower(clients.c.name)
    query = select(clients).where(_known_to(practitioner_id), clients.c.erased_at.is_(None))
    if text:
        query = query.where(_says(text))
    if after is not None:
        former = clients.alias()
        place = select(func.lower(former.c.name)).where(former.c.id == after).scalar_subquery()
        query = query.where(or_(by_name > place, and_(by_name == place, clients.c.id > after)))
    return [_client(row) for row in db.execute(query.order_by(by_name, clients.c.id).limit(most))]


def _says(text: str) -> ColumnElement[bool]:
    """Say that a text stands in what is known of a client; SQLite knows small and capital letters of ASCII alone."""
    written = {text, text.lower(), text.capitalize(), text.title(), text.upper()}
    number = "".join(character for character in text if character in "+0123456789")
    return or_(
        *(clients.c.name.contains(one, autoescape=True) for one in sorted(written)),
        func.lower(clients.c.name).contains(text.lower(), autoescape=True),
        func.lower(clients.c.email).contains(text.lower(), autoescape=True),
        *([clients.c.phone.contains(number, autoescape=True)] if len(number) >= _DIGITS else []),
        clients.c.external_id == text,
    )


def clients_alike(
    db: Connection, *, name: str = "", email: str = "", phone: str = "", of: UUID | None, but: UUID | None, most: int
) -> Sequence[Client]:
    """Return clients with the same name, address or number, as far as these are given; case does not matter.

    `of` is the practitioner who asks and sees whom they know, None for whoever may see everybody; `but` is left out.
    """
    same = [
        *([func.lower(clients.c.name).in_({name.lower(), _ascii_lower(name)})] if name else []),
        *([func.lower(clients.c.email) == _comparable(email)] if email else []),
        *([clients.c.phone == phone] if phone else []),
    ]
    if not same:
        return []
    query = select(clients).where(or_(*same), clients.c.erased_at.is_(None))
    if of is not None:
        query = query.where(_known_to(of))
    if but is not None:
        query = query.where(clients.c.id != but)
    return [_client(row) for row in db.execute(query.order_by(clients.c.created_at, clients.c.id).limit(most))]


def _ascii_lower(text: str) -> str:
    """Return a text as SQLite writes it small."""
    return "".join(letter.lower() if letter.isascii() else letter for letter in text)


def practitioners_named(db: Connection, name: str, *, most: int) -> Sequence[Practitioner]:
    """Return practitioners who are called just so, but for small and capital letters."""
    same = func.lower(practitioners.c.name).in_({name.lower(), _ascii_lower(name)})
    query = select(practitioners).where(same).order_by(practitioners.c.created_at, practitioners.c.id).limit(most)
    return [_practitioner(row) for row in db.execute(query)]


def latest_clients(db: Connection, practitioner_id: UUID, *, most: int) -> Sequence[Client]:
    """Return the clients who take bookings, and for whom something was booked with a practitioner last, the last first.

    Whoever was added for them and has no session yet comes before these.
    """
    booked = select(sessions.c.client_id, func.max(sessions.c.created_at).label("at"))
    last = booked.where(sessions.c.practitioner_id == practitioner_id).group_by(sessions.c.client_id).subquery()
    stands = clients.c.retired_at.is_(None) & clients.c.erased_at.is_(None)
    query = (
        select(clients)
        .outerjoin(last, last.c.client_id == clients.c.id)
        .where(stands, or_(last.c.client_id.is_not(None), clients.c.made_for == practitioner_id))
        .order_by(last.c.at.is_not(None), last.c.at.desc(), clients.c.created_at.desc(), clients.c.id)
        .limit(most)
    )
    return [_client(row) for row in db.execute(query)]


def clients_by_phone(db: Connection, number: str) -> Sequence[Client]:
    """Return the clients with this number; several may share one."""
    return [_client(row) for row in db.execute(select(clients).where(clients.c.phone == number))]


def with_sessions(db: Connection, *, since: datetime) -> Sequence[Client]:
    """Return the clients who have a session that is booked and begins after that."""
    coming = (sessions.c.state == "booked") & (sessions.c.starts_at > since)
    query = select(clients).where(clients.c.id.in_(select(sessions.c.client_id).where(coming)))
    return [_client(row) for row in db.execute(query)]


def save_client(db: Connection, person: Client) -> None:
    """Store what may have changed about a client; whether they want texts is stored apart.

    Raises: ExistsError if the external id is somebody else's.
    """
    values = {
        "name": person.name,
        "email": person.email,
        "phone": person.phone,
        "zone": person.zone,
        "locale": person.locale,
        "media": ",".join(sorted(person.media)),
        "external_id": person.external_id,
    }
    with named_once(clients, person.external_id):
        db.execute(raising(clients, values).where(clients.c.id == person.id))


def save_practitioner(db: Connection, person: Practitioner) -> None:
    """Store what may have changed about a practitioner.

    Raises: ExistsError if the mail address, or the external id, is somebody else's.
    """
    other = practitioner_by_email(db, person.email)
    if other is not None and other.id != person.id:
        raise _address_taken(person)
    values = {
        "name": person.name,
        "email": person.email.lower(),
        "zone": person.zone,
        "locale": person.locale,
        "buffer_seconds": int(person.buffer.total_seconds()),
        "session_level": int(person.session_level),
        "hold_level": int(person.hold_level),
        "takes_replies": person.takes_replies,
        "external_id": person.external_id,
    }
    with named_once(practitioners, person.external_id):
        db.execute(raising(practitioners, values).where(practitioners.c.id == person.id))


def retire_client(db: Connection, client_id: UUID, *, now: datetime | None) -> None:
    """Note since when a client takes no new bookings; None for one who takes them again."""
    db.execute(raising(clients, {"retired_at": now}).where(clients.c.id == client_id))


def retire_practitioner(db: Connection, practitioner_id: UUID, *, now: datetime | None) -> None:
    """Note since when a practitioner takes no new bookings; None for one who takes them again."""
    db.execute(raising(practitioners, {"retired_at": now}).where(practitioners.c.id == practitioner_id))


def practitioner(db: Connection, practitioner_id: UUID, *, lock: bool = False) -> Practitioner:
    """Return a practitioner; `lock` keeps everybody else's transactions about them waiting (PostgreSQL)."""
    query = _PRACTITIONER_LOCKED if lock else _PRACTITIONER
    row = db.execute(query, {"practitioner_id": practitioner_id}).first()
    if row is None:
        raise NotFoundError("There is no such practitioner.", code="practitioner_not_found")
    return _practitioner(row)


def practitioner_by_email(db: Connection, email: str) -> Practitioner | None:
    """Return who signs in with this address, however it is written; upper and lower case do not matter."""
    row = db.execute(select(practitioners).where(practitioners.c.email == _comparable(email))).first()
    return _practitioner(row) if row else None


def all_practitioners(db: Connection) -> Sequence[Practitioner]:
    """Return every practitioner by name."""
    return [_practitioner(row) for row in db.execute(select(practitioners).order_by(practitioners.c.name))]


def client(db: Connection, client_id: UUID, *, lock: bool = False) -> Client:
    """Return a client; `lock` keeps whoever else locks them waiting (PostgreSQL): practitioners are locked before.

    Raises: NotFoundError.
    """
    row = db.execute(_CLIENT_LOCKED if lock else _CLIENT, {"client_id": client_id}).first()
    if row is None:
        raise NotFoundError("There is no such client.", code="client_not_found")
    return _client(row)


def is_named(db: Connection, client_id: UUID) -> bool:
    """Whether there is a client of that id who was not erased."""
    own = (clients.c.id == client_id) & clients.c.erased_at.is_(None)
    return db.execute(select(clients.c.id).where(own)).first() is not None


def clients_by_email(db: Connection, email: str) -> Sequence[Client]:
    """Return the clients with this address; several may share one."""
    rows = db.execute(select(clients).where(func.lower(clients.c.email) == _comparable(email)))
    return [_client(row) for row in rows]


def clients_called(
    db: Connection,
    *,
    ids: Sequence[UUID] = (),
    external_ids: Sequence[str] = (),
    emails: Sequence[str] = (),
    phones: Sequence[str] = (),
) -> Sequence[Client]:
    """Return the clients of any of these ids, external ids, addresses or numbers; in one statement."""
    found = or_(
        clients.c.id.in_(set(ids)),
        clients.c.external_id.in_(set(external_ids)),
        func.lower(clients.c.email).in_({_comparable(email) for email in emails}),
        clients.c.phone.in_(set(phones)),
    )
    return [_client(row) for row in db.execute(select(clients).where(found).order_by(clients.c.created_at))]


def client_names(db: Connection, ids: Sequence[UUID]) -> dict[UUID, str]:
    """Return the names of these clients in one query."""
    rows = db.execute(select(clients.c.id, clients.c.name).where(clients.c.id.in_(set(ids))))
    return {row.id: row.name for row in rows}


def practitioner_names(db: Connection, ids: Sequence[UUID]) -> dict[UUID, str]:
    """Return the names of these practitioners in one query."""
    rows = db.execute(select(practitioners.c.id, practitioners.c.name).where(practitioners.c.id.in_(set(ids))))
    return {row.id: row.name for row in rows}


def _comparable(email: str) -> str:
    """Return an address as it is stored; what is none stays as it is, and is nobody's."""
    with suppress(RuleError):
        email = check_address(email.strip())
    return email.strip().lower()


def _practitioner(row: Row[Any]) -> Practitioner:
    found = _practitioner_named(row)
    return _stored_practitioner(
        id=found["id"],
        name=found["name"],
        email=found["email"],
        zone=found["zone"],
        locale=found["locale"],
        buffer=timedelta(seconds=found["buffer_seconds"]),
        session_level=Level(found["session_level"]),
        hold_level=Level(found["hold_level"]),
        takes_replies=found["takes_replies"],
        retired=found["retired_at"] is not None,
        external_id=found["external_id"],
        version=found["version"],
        created_at=found["created_at"],
    )


def _client(row: Row[Any]) -> Client:
    found = _client_named(row)
    return _stored_client(
        id=found["id"],
        name=found["name"],
        email=found["email"],
        phone=found["phone"],
        zone=found["zone"],
        locale=found["locale"],
        media=_media(found["media"]),
        texts_agreed=found["texts_agreed_at"] is not None,
        retired=found["retired_at"] is not None,
        erased=found["erased_at"] is not None,
        external_id=found["external_id"],
        version=found["version"],
        created_at=found["created_at"],
        consent=_stored_consent(at=found["texts_agreed_at"], by=found["texts_agreed_by"] or "")
        if found["texts_agreed_at"]
        else None,
    )


@lru_cache(maxsize=16)
def _media(names: str) -> frozenset[Medium]:
    return frozenset(Medium(name) for name in names.split(",") if name)
