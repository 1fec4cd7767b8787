"""Facts in the order they happened. Only ever added to.

A fact's own fields stand as JSON beside its tag. What a newer version has stored and this one cannot read, be it the
tag or a word in a field, comes back as an UnknownFact: it is told as such, and never left out.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import fields
from datetime import datetime
from typing import Any, TypeVar
from uuid import UUID

import msgspec
from sqlalchemy import Connection, Row, insert, select

from connector.domain.facts import BY_TAG, AnyFact, Fact, Subject, UnknownFact
from connector.domain.people import Actor, Role
from connector.errors import RuleError
from connector.storage import outcomes
from connector.storage.tables import facts

_COMMON = {field.name for field in fields(Fact)}
_OneFact = TypeVar("_OneFact", bound=Fact)


def append(db: Connection, practitioner_id: UUID, new_facts: Iterable[Fact]) -> None:
    """Store the facts of one act in their order, and have hosts told of its outcomes."""
    new_facts = tuple(new_facts)
    rows = [
        {
            "at": fact.at,
            "kind": fact.tag,
            "practitioner_id": practitioner_id,
            "session_id": fact.session_id,
            "offer_id": fact.offer_id,
            "connection_id": fact.connection_id,
            "actor_role": fact.by.role.value,
            "actor_name": fact.by.name,
            "actor_reason": fact.by.reason,
            "details": details_of(fact),
        }
        for fact in new_facts
    ]
    if rows:
        db.execute(insert(facts), rows)
        outcomes.note(db, practitioner_id, new_facts)


def of_session(db: Connection, session_id: UUID, kind: type[Fact] | None = None) -> Sequence[AnyFact | UnknownFact]:
    """Return what happened to a session, oldest first; of one kind alone, if that is named."""
    query = select(facts).where(facts.c.session_id == session_id).order_by(facts.c.id)
    return [fact_of(row) for row in db.execute(query if kind is None else query.where(facts.c.kind == kind.tag))]


def of_connection(db: Connection, connection_id: UUID) -> Sequence[AnyFact | UnknownFact]:
    """Return what happened to a connection, oldest first."""
    query = select(facts).where(facts.c.connection_id == connection_id).order_by(facts.c.id)
    return [fact_of(row) for row in db.execute(query)]


def page(
    db: Connection, subject: Subject, identity: UUID, *, after: int = 0, most: int
) -> Sequence[tuple[int, AnyFact | UnknownFact]]:
    """Return what happened to a session, a practitioner or a connection, oldest first, each with its number.

    To read on, ask for what comes `after` the last one's number. What others are just about to store may have a lower
    one, so this is a list, and no feed.
    """
    own = facts.c[f"{subject}_id"] == identity
    query = select(facts).where(own, facts.c.id > after).order_by(facts.c.id).limit(most)
    return [(row.id, fact_of(row)) for row in db.execute(query)]


def of_kind(db: Connection, practitioner_id: UUID, kind: type[_OneFact], *, since: datetime) -> Sequence[_OneFact]:
    """Return the facts of one kind that concern a practitioner, oldest first.

    Raises: msgspec.ValidationError for one that cannot be read; it is not left out.
    """
    own = (facts.c.practitioner_id == practitioner_id) & (facts.c.kind == kind.tag) & (facts.c.at >= since)
    return [_read(row, kind) for row in db.execute(select(facts).where(own).order_by(facts.c.id))]


def of_role(db: Connection, role: Role, *, since: datetime, most: int) -> Sequence[AnyFact | UnknownFact]:
    """Return what was done in a capacity since then, the last first, and no more than so much of it."""
    own = (facts.c.actor_role == role.value) & (facts.c.at >= since)
    return [fact_of(row) for row in db.execute(select(facts).where(own).order_by(facts.c.id.desc()).limit(most))]


def sessions_since(db: Connection, practitioner_id: UUID, since: datetime) -> frozenset[UUID]:
    """Return the sessions of a practitioner of which anything has happened after that."""
    later = (facts.c.practitioner_id == practitioner_id) & (facts.c.at > since) & facts.c.session_id.is_not(None)
    return frozenset(db.execute(select(facts.c.session_id).where(later).distinct()).scalars())


def details_of(fact: Fact) -> str:
    """Return what a kind of fact adds, as it is stored."""
    return msgspec.json.encode(
        {field.name: getattr(fact, field.name) for field in fields(fact) if field.name not in _COMMON}
    ).decode()


def fact_of(row: Row[Any]) -> AnyFact | UnknownFact:
    """Read a fact from a row of its table."""
    kind = BY_TAG.get(row.kind)
    if kind is not None:
        try:
            return _read(row, kind)
        except (msgspec.DecodeError, RuleError, ValueError, TypeError):
            pass  # a word in it is newer than we are
    by = Actor(role=Role.OPERATOR, name=row.actor_name or row.actor_role)  # whoever it was: the role may be new as well
    return UnknownFact(**{**_ids(row), "by": by}, stored_tag=row.kind)


def _read(row: Row[Any], kind: type[_OneFact]) -> _OneFact:
    return msgspec.convert({**msgspec.json.decode(row.details), **_common(row)}, type=kind)


def _common(row: Row[Any]) -> dict[str, Any]:
    by = Actor(role=Role(row.actor_role), name=row.actor_name, reason=row.actor_reason)
    return {**_ids(row), "by": by}


def _ids(row: Row[Any]) -> dict[str, Any]:
    return {
        "at": row.at,
        "session_id": row.session_id,
        "offer_id": row.offer_id,
        "connection_id": row.connection_id,
    }
