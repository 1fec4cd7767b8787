"""Practitioners and clients for programs, a page at a time and as far as whoever asks may see them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection

from connector.domain.people import Client, Practitioner
from connector.storage import people
from connector.storage.people import SoughtPeople

__all__ = [
    "SoughtPeople",
    "as_seen",
    "client_called",
    "clients",
    "place",
    "practitioner_called",
    "practitioners",
    "seek",
]
Place = tuple[datetime, UUID]


def seek(
    *, of: UUID | None, external_id: str | None = None, email: str | None = None, retired: bool | None = None
) -> SoughtPeople:
    """Say who is sought; None leaves a thing open. `of` is the practitioner who asks, and sees nobody else's."""
    return SoughtPeople(of=of, external_id=external_id, email=email, retired=retired)


def practitioners(db: Connection, sought: SoughtPeople, *, after: Place | None, most: int) -> Sequence[Practitioner]:
    """Return a page of practitioners, whoever was added first before the others."""
    return people.seek_practitioners(db, sought, after=after, most=most)


def clients(db: Connection, sought: SoughtPeople, *, after: Place | None, most: int) -> Sequence[Client]:
    """Return a page of clients, likewise."""
    return people.seek_clients(db, sought, after=after, most=most)


def as_seen(db: Connection, found: Sequence[Client], *, of: UUID | None) -> Sequence[Client]:
    """Return clients as a practitioner sees them; of None, as they are.

    Of a client with sessions elsewhere, too, they are not told who else says that texts were agreed to.
    """
    if of is None:
        return found
    shared = people.shared_with_others(db, [one.id for one in found if one.consent is not None and one.consent.by], of)
    own = people.practitioner(db, of).name if shared else ""
    return [_unnamed(one) if one.id in shared and one.consent and one.consent.by != own else one for one in found]


def _unnamed(client: Client) -> Client:
    return replace(client, consent=replace(client.consent, by="") if client.consent else None)


def place(person: Practitioner | Client) -> Place:
    """Return where somebody stands in their list."""
    assert person.created_at is not None  # noqa: S101 - for the type checker: they are stored
    return person.created_at, person.id


def practitioner_called(
    db: Connection, external_id: str, *, sees: Callable[[UUID], bool] = lambda _id: True
) -> Practitioner | None:
    """Return whom the host calls so; None if nobody is, or nobody whom whoever asks may see."""
    found = people.practitioner_by_external_id(db, external_id)
    return found if found is not None and sees(found.id) else None


def client_called(db: Connection, external_id: str, *, of: UUID | None) -> Client | None:
    """Return whom the host calls so, likewise."""
    found = people.client_by_external_id(db, external_id)
    return found if found is not None and (of is None or people.is_known_to(db, found.id, of)) else None
