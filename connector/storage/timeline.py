"""Facts in the order they happened. Only ever added to."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy import Connection, Row, insert, select

from connector.domain.facts import Fact
from connector.domain.people import Actor, Role
from connector.storage.tables import facts

_COMMON = {field.name for field in fields(Fact)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line of a timeline; `kind` is the fact's class name, `details` what that kind adds, as JSON values."""

    at: datetime
    kind: str
    by: Actor
    session_id: UUID | None
    offer_id: UUID | None
    connection_id: UUID | None
    details: dict[str, Any]


def append(db: Connection, practitioner_id: UUID, happened: Iterable[Fact]) -> None:
    """Store facts in their order."""
    rows = [
        {
            "at": fact.at,
            "kind": type(fact).__name__,
            "practitioner_id": practitioner_id,
            "session_id": fact.session_id,
            "offer_id": fact.offer_id,
            "connection_id": fact.connection_id,
            "actor_role": fact.by.role.value,
            "actor_name": fact.by.name,
            "actor_reason": fact.by.reason,
            "details": msgspec.json.encode(
                {field.name: getattr(fact, field.name) for field in fields(fact) if field.name not in _COMMON}
            ).decode(),
        }
        for fact in happened
    ]
    if rows:
        db.execute(insert(facts), rows)


def of_session(db: Connection, session_id: UUID) -> Sequence[Line]:
    """Return what happened to a session, oldest first."""
    return [
        _line(row) for row in db.execute(select(facts).where(facts.c.session_id == session_id).order_by(facts.c.id))
    ]


def of_connection(db: Connection, connection_id: UUID) -> Sequence[Line]:
    """Return what happened to a connection, oldest first."""
    query = select(facts).where(facts.c.connection_id == connection_id).order_by(facts.c.id)
    return [_line(row) for row in db.execute(query)]


def of_kind(db: Connection, practitioner_id: UUID, kind: type[Fact], *, since: datetime) -> Sequence[Line]:
    """Return the facts of one kind that concern a practitioner, oldest first."""
    own = (facts.c.practitioner_id == practitioner_id) & (facts.c.kind == kind.__name__) & (facts.c.at >= since)
    return [_line(row) for row in db.execute(select(facts).where(own).order_by(facts.c.id))]


def _line(row: Row[Any]) -> Line:
    return Line(
        at=row.at,
        kind=row.kind,
        by=Actor(role=Role(row.actor_role), name=row.actor_name, reason=row.actor_reason),
        session_id=row.session_id,
        offer_id=row.offer_id,
        connection_id=row.connection_id,
        details=msgspec.json.decode(row.details),
    )
