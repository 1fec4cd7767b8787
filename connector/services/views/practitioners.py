"""What pages need to know of the practitioner who is signed in."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import Connection

from connector.domain.people import Actor, Practitioner, Role
from connector.storage import people


def actor(db: Connection, practitioner_id: UUID) -> Actor:
    """Return a practitioner as the one who acts. Raises: NotFoundError."""
    return Actor(role=Role.PRACTITIONER, name=people.practitioner(db, practitioner_id).name)


def called(db: Connection, external_id: str) -> Practitioner | None:
    """Return whom a host calls so; None if nobody is, or nobody who gives sessions any more."""
    if not external_id.isprintable():  # nobody is called so, and not every database can be asked
        return None
    found = people.practitioner_by_external_id(db, external_id)
    return found if found is not None and not found.retired else None


def get(db: Connection, practitioner_id: UUID) -> Practitioner:
    """Return a practitioner. Raises: NotFoundError."""
    return people.practitioner(db, practitioner_id)
