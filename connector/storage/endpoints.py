"""Where hosts are told of outcomes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Row, delete, insert, literal, select, tuple_
from sqlalchemy.dialects import postgresql, sqlite

from connector.domain.outcomes import OutcomeType
from connector.errors import NotFoundError
from connector.ports import IN_PROCESS
from connector.storage.tables import endpoints
from connector.storage.versions import named_once, raising


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """A host's address for outcomes.

    Attributes:
        external_id: The host's own; None for none.
        version: Raised by whatever changes what is shown of it.
        lane: What shares its host.
        secrets: Sealed.
        types: Which outcomes it wants; empty for all.
        practitioner_id: Whose outcomes it gets; None for everybody's.
        disabled_at: Since when nothing goes there, aware UTC; None while it does.
        disabled_why: A word: `by_hand`, `gone`, `failing`, `key_lost` or `taken_away`.
        failing_since: The first attempt that failed since one went through.
        not_before: It has asked us to wait until then.
    """

    id: UUID
    url: str
    lane: str
    secrets: bytes
    created_at: datetime
    types: frozenset[OutcomeType] = frozenset()
    practitioner_id: UUID | None = None
    external_id: str | None = None
    version: int = 1
    disabled_at: datetime | None = None
    disabled_why: str | None = None
    failing_since: datetime | None = None
    not_before: datetime | None = None

    @property
    def is_enabled(self) -> bool:
        """Whether anything goes there."""
        return self.disabled_at is None

    @property
    def is_in_process(self) -> bool:
        """Whether it is a function of the host's own program."""
        return self.url.startswith(IN_PROCESS)

    @property
    def host(self) -> str:
        """Its host's name; the rest of its address may hold what nobody else is to know."""
        return self.lane.rpartition(" ")[2]

    def wants(self, type_: OutcomeType, practitioner_id: UUID | None) -> bool:
        """Whether it is told of an outcome of this type and this practitioner."""
        if type_ is OutcomeType.ENDPOINT_TEST:
            return False  # only who is tested
        return (not self.types or type_ in self.types) and self.practitioner_id in {None, practitioner_id}


def add(db: Connection, endpoint: Endpoint) -> None:
    """Store a new one.

    Raises: ExistsError if its external id is taken.
    """
    with named_once(endpoints, endpoint.external_id):
        db.execute(insert(endpoints).values(_new(endpoint)))


def add_once(db: Connection, endpoint: Endpoint) -> bool:
    """Store a new one unless there is one of its id; whether it was stored."""
    dialect = postgresql if db.dialect.name == "postgresql" else sqlite
    statement = dialect.insert(endpoints).values(_new(endpoint)).on_conflict_do_nothing(index_elements=["id"])
    return db.execute(statement.returning(endpoints.c.id)).first() is not None


def save(db: Connection, endpoint: Endpoint, *, has_new_secret: bool = False) -> None:
    """Store what has changed about one; its version rises if that is shown, or is a new secret.

    Raises: ExistsError if its external id is taken.
    """
    with named_once(endpoints, endpoint.external_id):
        db.execute(
            raising(endpoints, _changeable(endpoint), always=has_new_secret).where(endpoints.c.id == endpoint.id)
        )


def reseal(db: Connection, endpoint: Endpoint, sealed: bytes) -> None:
    """Store the same secrets sealed anew, unless they were changed since they were read."""
    as_read = (endpoints.c.id == endpoint.id) & (endpoints.c.secrets == endpoint.secrets)
    db.execute(raising(endpoints, {"secrets": sealed}).where(as_read))


def get(db: Connection, endpoint_id: UUID, *, lock: bool = False) -> Endpoint:
    """Return one; with `lock` nobody else changes it until the transaction ends.

    Raises: NotFoundError.
    """
    endpoint = find(db, endpoint_id, lock=lock)
    if endpoint is None:
        raise not_found()
    return endpoint


def find(db: Connection, endpoint_id: UUID, *, lock: bool = False) -> Endpoint | None:
    """Return one likewise; None if it is there no more."""
    query = select(endpoints).where(endpoints.c.id == endpoint_id)
    row = db.execute(query.with_for_update(key_share=True) if lock else query).first()
    return _endpoint(row) if row else None


def not_found() -> NotFoundError:
    """Return the refusal of an id that no endpoint has."""
    return NotFoundError("There is no endpoint of that id.", code="endpoint_not_found", field="endpoint")


def every(db: Connection) -> Sequence[Endpoint]:
    """Return all, the oldest first."""
    return [_endpoint(row) for row in db.execute(select(endpoints).order_by(endpoints.c.created_at, endpoints.c.id))]


def listed(
    db: Connection, *, after: tuple[datetime, UUID] | None, limit: int, practitioner_id: UUID | None = None
) -> Sequence[Endpoint]:
    """Return the oldest behind one that was made then; of a practitioner, theirs alone."""
    query = select(endpoints).order_by(endpoints.c.created_at, endpoints.c.id).limit(limit)
    if after is not None:
        query = query.where(tuple_(endpoints.c.created_at, endpoints.c.id) > tuple_(*_place(after)))
    if practitioner_id is not None:
        query = query.where(endpoints.c.practitioner_id == practitioner_id)
    return [_endpoint(row) for row in db.execute(query)]


def _place(after: tuple[datetime, UUID]) -> tuple[Any, Any]:
    return literal(after[0], endpoints.c.created_at.type), literal(after[1], endpoints.c.id.type)


def by_external_id(db: Connection, external_id: str) -> Endpoint | None:
    """Return the one that the host calls so; None if there is none."""
    row = db.execute(select(endpoints).where(endpoints.c.external_id == external_id)).first()
    return _endpoint(row) if row else None


def remove(db: Connection, endpoint_id: UUID) -> None:
    """Delete one, and what became of the outcomes for it."""
    db.execute(delete(endpoints).where(endpoints.c.id == endpoint_id))


def _new(endpoint: Endpoint) -> dict[str, Any]:
    return _changeable(endpoint) | {
        "id": endpoint.id,
        "practitioner_id": endpoint.practitioner_id,
        "created_at": endpoint.created_at,
        "version": endpoint.version,
    }


def _changeable(endpoint: Endpoint) -> dict[str, Any]:
    return {
        "external_id": endpoint.external_id,
        "url": endpoint.url,
        "lane": endpoint.lane,
        "secrets": endpoint.secrets,
        "types": ",".join(sorted(endpoint.types)),
        "disabled_at": endpoint.disabled_at,
        "disabled_why": endpoint.disabled_why,
        "failing_since": endpoint.failing_since,
        "not_before": endpoint.not_before,
    }


def _endpoint(row: Row[Any]) -> Endpoint:
    return Endpoint(
        id=row.id,
        external_id=row.external_id,
        version=row.version,
        url=row.url,
        lane=row.lane,
        secrets=row.secrets,
        types=frozenset(OutcomeType(word) for word in row.types.split(",") if word),
        practitioner_id=row.practitioner_id,
        created_at=row.created_at,
        disabled_at=row.disabled_at,
        disabled_why=row.disabled_why,
        failing_since=row.failing_since,
        not_before=row.not_before,
    )
