"""Who takes part in a session, as a host names them: by our id or by its own, and only whom it may see."""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

from sqlalchemy import Connection

from connector.domain.people import Client, Practitioner
from connector.storage import people

_NOBODYS = UUID(int=0)  # what asks for it is refused as for any id that nothing has


def practitioner(
    db: Connection, *, identity: UUID | None, external_id: str | None, sees: Callable[[UUID], bool]
) -> Practitioner:
    """Return the practitioner of this id, or whom the host calls so if there is none.

    Raises: NotFoundError, also for one whom whoever asks may not see.
    """
    if identity is None and external_id is not None:
        named = people.practitioner_by_external_id(db, external_id)
        identity = named.id if named else None
    return people.practitioner(db, identity if identity is not None and sees(identity) else _NOBODYS)


def client(db: Connection, *, identity: UUID | None, external_id: str | None, within: UUID | None) -> Client:
    """Return the client of this id, or whom the host calls so if there is none.

    `within`: the practitioner whose clients alone whoever asks may see: who has a session with them, or was made for
    them.

    Raises: NotFoundError, also for one whom whoever asks may not see.
    """
    if identity is None and external_id is not None:
        named = people.client_by_external_id(db, external_id)
        identity = named.id if named else None
    is_seen = identity is not None and (within is None or people.is_known_to(db, identity, within))
    return people.client(db, identity if identity is not None and is_seen else _NOBODYS)
