"""The host's own ids of what outcomes are about, as they are by now: none of an erased client is kept with them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import Connection, select

from connector.storage.outcomes import StoredOutcome
from connector.storage.tables import clients, connections, offers, practitioners, sessions


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """By our id: the host's own, where there is one; and by session its client."""

    external: Mapping[UUID | None, str]
    clients: Mapping[UUID | None, UUID]


def named(db: Connection, stored: Sequence[StoredOutcome]) -> Named:
    """Look up what outcomes are about, in a constant number of statements."""
    session_ids = {one.outcome.session_id for one in stored if one.outcome.session_id}
    of_sessions = select(sessions.c.id, sessions.c.client_id).where(sessions.c.id.in_(session_ids))
    own = {row.id: row.client_id for row in db.execute(of_sessions)} if session_ids else {}
    wanted = (
        (sessions, session_ids),
        (clients, set(own.values())),
        (practitioners, {one.practitioner_id for one in stored if one.practitioner_id}),
        (offers, {one.outcome.offer_id for one in stored if one.outcome.offer_id}),
        (connections, {one.outcome.connection_id for one in stored if one.outcome.connection_id}),
    )
    external: dict[UUID | None, str] = {}
    for table, ids in wanted:
        if ids:
            query = select(table.c.id, table.c.external_id).where(table.c.id.in_(ids), table.c.external_id.is_not(None))
            external |= {row.id: row.external_id for row in db.execute(query)}
    return Named(external=external, clients=own)
