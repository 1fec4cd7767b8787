"""What hosts are told: outcomes, made with the facts they follow from, and each one's deliveries.

They are made last of all in the transaction of the facts, once the keys of due work they wait for are locked: so the
numbers of one session's outcomes for one endpoint follow the order in which they were committed.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID, uuid4, uuid5

import msgspec
import sqlalchemy as sa
from sqlalchemy import Connection, Row, delete, insert, select, update

from connector.domain import outcomes as domain
from connector.domain.facts import Fact
from connector.domain.outcomes import Outcome, OutcomeType
from connector.domain.people import Role
from connector.errors import NotFoundError
from connector.sentence import Sentence
from connector.storage import ledger
from connector.storage.columns import UtcDateTime
from connector.storage.database import at_end, chunks, waiting_acts
from connector.storage.endpoints import Endpoint
from connector.storage.endpoints import every as every_endpoint
from connector.storage.ledger import Key, Kind
from connector.storage.tables import deliveries, endpoints, installation, outcomes, sessions

_EPOCH = 2**44  # transactions: more than any server comes to


class DeliveryState(StrEnum):
    """What became of an outcome for an endpoint."""

    PENDING = "pending"  # not gone through yet
    DELIVERED = "delivered"
    FAILED = "failed"  # given up: the endpoint takes others, and not this one


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredOutcome:
    """An outcome as it was stored; `seq` tells the order, `tx` whether all before it are there."""

    seq: int
    tx: int
    id: UUID
    practitioner_id: UUID | None
    revision: int | None
    outcome: Outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How the deliveries to one endpoint stand.

    Attributes:
        waiting: How many have not gone through yet; the oldest of them happened at `waits_since`, aware UTC.
        given_up: How many were, among what is kept.
        arrived_at: When the last one did; None if none has.
        error: Why the last attempt at one of those that wait did not go through; None where none has failed.
    """

    waiting: int = 0
    waits_since: datetime | None = None
    given_up: int = 0
    arrived_at: datetime | None = None
    error: Sentence | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """An outcome for an endpoint, and what became of it.

    Attributes:
        queue_id: Those of one session for one endpoint go one after another.
        attempts: How many were made.
        status: Of the last answer; None if there was none.
        error: Why the last attempt did not go through; None if it did.
        begun_at: The first attempt, aware UTC.
        tried_at: The last one.
        next_at: The next one; None where none is to be made.
    """

    id: UUID
    seq: int
    endpoint_id: UUID
    queue_id: UUID
    state: DeliveryState
    attempts: int = 0
    status: int | None = None
    error: Sentence | None = None
    begun_at: datetime | None = None
    tried_at: datetime | None = None
    next_at: datetime | None = None


def note(db: Connection, practitioner_id: UUID, facts: Sequence[Fact]) -> None:
    """Have hosts told of the outcomes of an act, once all else of the transaction is done."""
    noted = [(practitioner_id, outcome) for outcome in domain.outcomes(facts)]
    if not noted:
        return
    making = next((act for act in waiting_acts(db) if isinstance(act, _Making)), None)
    if making is None:
        making = _Making()
        at_end(db, making)
    making.noted += noted


@dataclass(slots=True)
class _Making:
    """Makes what was noted in one transaction, for the endpoints that want it; nothing where there is none."""

    noted: list[tuple[UUID, Outcome]] = field(default_factory=list)

    def __call__(self, db: Connection) -> None:
        targets = every_endpoint(db)
        wanted = [
            (practitioner_id, outcome, wanting)
            for practitioner_id, outcome in self.noted
            if (wanting := [target for target in targets if target.wants(outcome.type, practitioner_id)])
        ]
        self.noted = []
        if wanted:
            make(db, wanted)


def make(db: Connection, wanted: Sequence[tuple[UUID | None, Outcome, Sequence[Endpoint]]]) -> Sequence[UUID]:
    """Store outcomes, each with a delivery to every endpoint that is named beside it; return these deliveries' ids."""
    queues = {
        (index, target.id): queue_of(target.id, outcome, practitioner_id)
        for index, (practitioner_id, outcome, targets) in enumerate(wanted)
        for target in targets
    }
    lanes = {
        queues[index, target.id]: (target.lane, outcome.at)
        for index, (_, outcome, targets) in enumerate(wanted)
        for target in targets
        if target.is_enabled
    }
    for queue_id in sorted(lanes):  # in one order, and before the numbers are given
        lane, at = lanes[queue_id]
        ledger.touch(db, Key(Kind.OUTCOME, str(queue_id)), due_at=at, lane=lane)
    revisions = _revisions(db, [outcome.session_id for _, outcome, _ in wanted if outcome.session_id])
    rows: list[dict[str, Any]] = []
    for index, (practitioner_id, outcome, targets) in enumerate(wanted):
        seq = _store(db, practitioner_id, outcome, revisions.get(outcome.session_id))
        rows += [
            {
                "id": uuid4(),
                "seq": seq,
                "endpoint_id": target.id,
                "queue_id": queues[index, target.id],
                "state": DeliveryState.PENDING.value,
                "next_at": outcome.at,
            }
            for target in targets
        ]
    db.execute(insert(deliveries), rows)
    return [row["id"] for row in rows]


def queue_of(endpoint_id: UUID, outcome: Outcome, practitioner_id: UUID | None) -> UUID:
    """Return the queue in which an endpoint gets an outcome: that of what it is about."""
    subject = outcome.session_id or outcome.connection_id or practitioner_id
    return uuid5(endpoint_id, str(subject))


def _revisions(db: Connection, session_ids: Iterable[UUID]) -> dict[UUID | None, int]:
    query = select(sessions.c.id, sessions.c.revision).where(sessions.c.id.in_(set(session_ids)))
    return {row.id: row.revision for row in db.execute(query)}


def _store(db: Connection, practitioner_id: UUID | None, outcome: Outcome, revision: int | None) -> int:
    values = {
        "tx": _in_this_epoch(db, "pg_current_xact_id()"),
        "id": uuid4(),
        "type": outcome.type.value,
        "practitioner_id": practitioner_id,
        "session_id": outcome.session_id,
        "offer_id": outcome.offer_id,
        "connection_id": outcome.connection_id,
        "revision": revision,
        "actor": outcome.actor.value,
        "cause": outcome.cause.value if outcome.cause else None,
        "reason": outcome.reason,
        "at": outcome.at,
        "details": msgspec.json.encode(outcome.details).decode(),
    }
    return int(db.execute(insert(outcomes).values(values).returning(outcomes.c.seq)).scalar_one())


def _in_this_epoch(db: Connection, number: str) -> sa.ColumnElement[int]:
    """Return a number of a transaction, above those of every epoch before.

    A back-up that was restored goes on below what readers have seen since, and another server counts from its own
    beginning.
    """
    begun = select(sa.cast(installation.c.epoch, sa.BigInteger) * _EPOCH).scalar_subquery()
    return (
        begun + sa.literal_column(f"CAST(CAST({number} AS TEXT) AS BIGINT)", sa.BigInteger) if _is_shared(db) else begun
    )


def _is_shared(db: Connection) -> bool:
    return db.dialect.name == "postgresql"


def next_of(db: Connection, queue_id: UUID) -> tuple[Delivery, StoredOutcome] | None:
    """Return what is to be delivered next in a queue, and the outcome; None if nothing is."""
    pending = (deliveries.c.queue_id == queue_id) & (deliveries.c.state == DeliveryState.PENDING.value)
    query = select(deliveries).where(pending).order_by(deliveries.c.seq).limit(1)
    row = db.execute(query).first()
    return (_delivery(row), get(db, row.seq)) if row else None


def get(db: Connection, seq: int) -> StoredOutcome:
    """Return an outcome by its number."""
    return _outcome(db.execute(select(outcomes).where(outcomes.c.seq == seq)).one())


def by_seq(db: Connection, numbers: Iterable[int]) -> dict[int, StoredOutcome]:
    """Return outcomes by their numbers."""
    query = select(outcomes).where(outcomes.c.seq.in_(set(numbers)))
    return {row.seq: _outcome(row) for row in db.execute(query)}


def feed(
    db: Connection, *, after: tuple[int, int], limit: int, practitioner_id: UUID | None = None
) -> Sequence[StoredOutcome]:
    """Return the outcomes after a number of a transaction and of its own, in the order they were committed.

    Whatever is committed later comes later: those of transactions that may have others before them are left out yet.
    """
    query = select(outcomes).where(sa.tuple_(outcomes.c.tx, outcomes.c.seq) > sa.tuple_(*map(sa.literal, after)))
    if _is_shared(db):
        query = query.where(outcomes.c.tx < _in_this_epoch(db, "pg_snapshot_xmin(pg_current_snapshot())"))
    if practitioner_id is not None:
        query = query.where(outcomes.c.practitioner_id == practitioner_id)
    return [_outcome(row) for row in db.execute(query.order_by(outcomes.c.tx, outcomes.c.seq).limit(limit))]


def note_tried(db: Connection, before: Delivery, after: Delivery) -> bool:
    """Store what became of an attempt, and return whether it counts: not if it is to be delivered anew meanwhile."""
    same = (
        (deliveries.c.id == before.id)
        & (deliveries.c.attempts == before.attempts)
        & deliveries.c.next_at.is_not_distinct_from(before.next_at)
    )
    return bool(db.execute(update(deliveries).where(same).values(_changeable(after))).rowcount)


def _changeable(delivery: Delivery) -> dict[str, Any]:
    return {
        "state": delivery.state.value,
        "attempts": delivery.attempts,
        "status": delivery.status,
        "error": delivery.error,
        "begun_at": delivery.begun_at,
        "tried_at": delivery.tried_at,
        "next_at": delivery.next_at,
    }


def delivery(db: Connection, delivery_id: UUID) -> Delivery:
    """Return a delivery.

    Raises: NotFoundError.
    """
    row = db.execute(select(deliveries).where(deliveries.c.id == delivery_id)).first()
    if row is None:
        raise NotFoundError("There is no delivery of that id.", code="delivery_not_found", field="delivery")
    return _delivery(row)


def page(
    db: Connection,
    *,
    endpoint_id: UUID | None = None,
    practitioner_id: UUID | None = None,
    state: DeliveryState | None = None,
    before: tuple[int, UUID] | None = None,
    limit: int = 50,
) -> Sequence[Delivery]:
    """Return deliveries, the newest outcomes first; of a practitioner, those to their own endpoints."""
    query = select(deliveries)
    if endpoint_id is not None:
        query = query.where(deliveries.c.endpoint_id == endpoint_id)
    if practitioner_id is not None:
        own = select(endpoints.c.id).where(endpoints.c.practitioner_id == practitioner_id)
        query = query.where(deliveries.c.endpoint_id.in_(own))
    if state is not None:
        query = query.where(deliveries.c.state == state.value)
    if before is not None:
        earlier = deliveries.c.seq < before[0]
        same = (deliveries.c.seq == before[0]) & (deliveries.c.id < before[1])
        query = query.where(earlier | same)
    query = query.order_by(deliveries.c.seq.desc(), deliveries.c.id.desc()).limit(limit)
    return [_delivery(row) for row in db.execute(query)]


def waiting(db: Connection, endpoint_id: UUID) -> Sequence[UUID]:
    """Return the queues of an endpoint in which something waits."""
    pending = (deliveries.c.endpoint_id == endpoint_id) & (deliveries.c.state == DeliveryState.PENDING.value)
    return sorted(db.execute(select(deliveries.c.queue_id).where(pending).distinct()).scalars())


def counts(db: Connection) -> dict[UUID, dict[str, int]]:
    """Return how many deliveries of each state an endpoint has."""
    query = select(deliveries.c.endpoint_id, deliveries.c.state, sa.func.count().label("many"))
    found: dict[UUID, dict[str, int]] = {}
    for row in db.execute(query.group_by(deliveries.c.endpoint_id, deliveries.c.state)):
        found.setdefault(row.endpoint_id, {})[row.state] = row.many
    return found


def standings(db: Connection) -> dict[UUID, Standing]:
    """Return how the deliveries to each endpoint stand that has any; in two statements."""
    query = (
        select(
            deliveries.c.endpoint_id,
            deliveries.c.state,
            sa.func.count().label("many"),
            sa.func.min(outcomes.c.at, type_=UtcDateTime()).label("oldest"),
            sa.func.max(deliveries.c.tried_at, type_=UtcDateTime()).label("tried_at"),
        )
        .join(outcomes, outcomes.c.seq == deliveries.c.seq)
        .group_by(deliveries.c.endpoint_id, deliveries.c.state)
    )
    found: dict[UUID, Standing] = {}
    for row in db.execute(query):
        standing = found.get(row.endpoint_id, Standing())
        match DeliveryState(row.state):
            case DeliveryState.PENDING:
                standing = replace(standing, waiting=row.many, waits_since=row.oldest)
            case DeliveryState.DELIVERED:
                standing = replace(standing, arrived_at=row.tried_at)
            case DeliveryState.FAILED:
                standing = replace(standing, given_up=row.many)
        found[row.endpoint_id] = standing
    for endpoint_id, error in _last_errors(db):
        found[endpoint_id] = replace(found[endpoint_id], error=error)
    return found


def _last_errors(db: Connection) -> Iterable[tuple[UUID, Sentence]]:
    """Yield of each endpoint why the last attempt at what waits for it failed."""
    rank = sa.func.row_number().over(partition_by=deliveries.c.endpoint_id, order_by=deliveries.c.tried_at.desc())
    failed = (deliveries.c.state == DeliveryState.PENDING.value) & deliveries.c.error.is_not(None)
    last = select(deliveries.c.endpoint_id, deliveries.c.error, rank.label("place")).where(failed).subquery()
    return [(row.endpoint_id, row.error) for row in db.execute(select(last).where(last.c.place == 1))]


def begin_anew(db: Connection, endpoint_id: UUID, *, now: datetime) -> None:
    """Count the attempts of what waits for an endpoint from the beginning."""
    pending = (deliveries.c.endpoint_id == endpoint_id) & (deliveries.c.state == DeliveryState.PENDING.value)
    db.execute(update(deliveries).where(pending).values(attempts=0, begun_at=None, next_at=now))


def again(db: Connection, delivery: Delivery, *, now: datetime) -> None:
    """Have an outcome delivered once more, whatever became of it."""
    db.execute(update(deliveries).where(deliveries.c.id == delivery.id).values(_anew(now)))


def _anew(now: datetime) -> dict[str, Any]:
    untried = {"attempts": 0, "status": None, "error": None, "begun_at": None, "tried_at": None}
    return {"state": DeliveryState.PENDING.value, "next_at": now} | untried


def again_since(db: Connection, endpoint: Endpoint, since: datetime, *, now: datetime) -> int:
    """Have an endpoint told once more of all outcomes since then that it wants, in their order; return how many."""
    query = select(outcomes).where(outcomes.c.at >= since).order_by(outcomes.c.tx, outcomes.c.seq)
    stored = [_outcome(row) for row in db.execute(query)]
    own = [one for one in stored if endpoint.wants(one.outcome.type, one.practitioner_id)]
    sent = select(deliveries.c.seq).where(deliveries.c.endpoint_id == endpoint.id)
    known = set(db.execute(sent).scalars())
    for some in chunks(one.seq for one in own if one.seq in known):
        to_it = (deliveries.c.endpoint_id == endpoint.id) & deliveries.c.seq.in_(some)
        db.execute(update(deliveries).where(to_it).values(_anew(now)))
    fresh: list[dict[str, Any]] = []
    for one in own:
        if one.seq in known:
            continue
        queue_id = queue_of(endpoint.id, one.outcome, one.practitioner_id)
        row = {"id": uuid4(), "seq": one.seq, "endpoint_id": endpoint.id, "queue_id": queue_id, "next_at": now}
        fresh.append(row | {"state": DeliveryState.PENDING.value})
    if fresh:
        db.execute(insert(deliveries), fresh)
    return len(own)


def sweep(db: Connection, *, before: datetime) -> None:
    """Delete what happened before then, and whatever became of it; the newest stays, so that no number comes twice."""
    newest = select(sa.func.max(outcomes.c.seq)).scalar_subquery()
    db.execute(delete(outcomes).where(outcomes.c.at < before, outcomes.c.seq < newest))


def _outcome(row: Row[Any]) -> StoredOutcome:
    type_ = OutcomeType(row.type)
    outcome = Outcome(
        type=type_,
        at=row.at,
        actor=Role(row.actor),
        details=msgspec.json.decode(row.details, type=domain.details_of(type_)),
        cause=OutcomeType(row.cause) if row.cause else None,
        reason=row.reason,
        session_id=row.session_id,
        offer_id=row.offer_id,
        connection_id=row.connection_id,
    )
    return StoredOutcome(
        seq=row.seq,
        tx=row.tx,
        id=row.id,
        practitioner_id=row.practitioner_id,
        revision=row.revision,
        outcome=outcome,
    )


def _delivery(row: Row[Any]) -> Delivery:
    return Delivery(
        id=row.id,
        seq=row.seq,
        endpoint_id=row.endpoint_id,
        queue_id=row.queue_id,
        state=DeliveryState(row.state),
        attempts=row.attempts,
        status=row.status,
        error=row.error,
        begun_at=row.begun_at,
        tried_at=row.tried_at,
        next_at=row.next_at,
    )
