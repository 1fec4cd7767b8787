"""What became of outcomes: deliveries as they are shown, and the feed of events."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection

from connector.domain.outcomes import OutcomeType
from connector.errors import NotFoundError
from connector.sentence import Sentence
from connector.services.outcomes.bodies import bodies, message_id
from connector.storage import endpoints, outcomes
from connector.storage.endpoints import Endpoint
from connector.storage.outcomes import Delivery, DeliveryState, StoredOutcome

__all__ = [
    "DeliveriesPage",
    "DeliveryState",
    "EndpointsShown",
    "Feed",
    "ShownDelivery",
    "feed",
    "one",
    "overview",
    "page",
    "shown",
]
_ON_PAGE = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownDelivery:
    """A delivery with what it is of."""

    id: UUID
    seq: int
    endpoint_id: UUID
    event_id: str
    type: OutcomeType
    at: datetime
    session_id: UUID | None
    state: DeliveryState
    attempts: int
    status: int | None
    error: Sentence | None
    tried_at: datetime | None
    next_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Feed:
    """A stretch of the feed of events; `place` and `last_id` are those of the last."""

    bodies: Sequence[Mapping[str, Any]]
    place: str = ""
    last_id: UUID | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveriesPage:
    """Endpoints with how many deliveries each has of each state, and some of these deliveries.

    Attributes:
        next: The place of the last one, if there are older ones.
    """

    endpoints: Sequence[Endpoint]
    counts: Mapping[UUID, Mapping[str, int]]
    deliveries: Sequence[ShownDelivery]
    next: tuple[int, UUID] | None

    def endpoint(self, endpoint_id: UUID) -> Endpoint:
        """Return the one of an id."""
        return next(one for one in self.endpoints if one.id == endpoint_id)

    def number(self, state: DeliveryState, endpoint_id: UUID | None = None) -> int:
        """Return how many deliveries are in a state, to one endpoint or to all."""
        return sum(found.get(state.value, 0) for key, found in self.counts.items() if endpoint_id in {None, key})


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointsShown:
    """All endpoints, how many deliveries each has of each state, and the newest deliveries."""

    endpoints: Sequence[Endpoint]
    counts: Mapping[UUID, Mapping[str, int]]
    deliveries: Sequence[ShownDelivery]


def shown(
    db: Connection,
    *,
    endpoint_id: UUID | None = None,
    state: DeliveryState | None = None,
    practitioner_id: UUID | None = None,
    before: tuple[int, UUID] | None = None,
    limit: int = _ON_PAGE,
) -> Sequence[ShownDelivery]:
    """Return deliveries, the newest outcomes first; of a practitioner, those to their own endpoints alone."""
    rows = outcomes.page(
        db,
        endpoint_id=endpoint_id,
        state=state,
        practitioner_id=practitioner_id,
        before=before,
        limit=limit,
    )
    about = outcomes.by_seq(db, [row.seq for row in rows])
    return [_shown(row, about[row.seq]) for row in rows]


def one(db: Connection, delivery_id: UUID, *, practitioner_id: UUID | None = None) -> ShownDelivery:
    """Return a delivery; of a practitioner, one to an endpoint of theirs alone.

    Raises: NotFoundError.
    """
    delivery = outcomes.delivery(db, delivery_id)
    if practitioner_id is not None and endpoints.get(db, delivery.endpoint_id).practitioner_id != practitioner_id:
        raise NotFoundError("There is no delivery of that id.", code="delivery_not_found", field="delivery")
    return _shown(delivery, outcomes.get(db, delivery.seq))


def feed(db: Connection, *, after: tuple[int, int], limit: int, practitioner_id: UUID | None = None) -> Feed:
    """Return the events behind a place."""
    stored = outcomes.feed(db, after=after, limit=limit, practitioner_id=practitioner_id)
    if not stored:
        return Feed(bodies=())
    last = stored[-1]
    return Feed(bodies=bodies(db, stored), place=f"{last.tx}.{last.seq}", last_id=last.id)


def read_place(text: str) -> tuple[int, int]:
    """Return the place in the feed that was written so.

    Raises: ValueError.
    """
    tx, seq = text.split(".")
    return int(tx), int(seq)


def overview(db: Connection) -> EndpointsShown:
    """Return all endpoints and what became of what was sent to them; in a constant number of statements."""
    return EndpointsShown(endpoints=endpoints.every(db), counts=outcomes.counts(db), deliveries=shown(db))


def page(
    db: Connection,
    *,
    only: UUID | None,
    endpoint_id: UUID | None,
    state: DeliveryState | None,
    before: tuple[int, UUID] | None,
) -> DeliveriesPage:
    """Return what the page shows: all endpoints or `only` one, and the newest deliveries that were chosen.

    Raises: NotFoundError for an endpoint that is not there.
    """
    shown_endpoints = [endpoints.get(db, only)] if only is not None else endpoints.every(db)
    if endpoint_id is not None and endpoint_id not in {one.id for one in shown_endpoints}:
        raise endpoints.not_found()
    found = shown(db, endpoint_id=endpoint_id, state=state, before=before, limit=_ON_PAGE + 1)
    last = found[_ON_PAGE - 1] if len(found) > _ON_PAGE else None
    every = outcomes.counts(db)
    return DeliveriesPage(
        endpoints=shown_endpoints,
        counts={one.id: every.get(one.id, {}) for one in shown_endpoints},
        deliveries=found[:_ON_PAGE],
        next=(last.seq, last.id) if last is not None else None,
    )


def _shown(delivery: Delivery, stored: StoredOutcome) -> ShownDelivery:
    return ShownDelivery(
        id=delivery.id,
        seq=delivery.seq,
        endpoint_id=delivery.endpoint_id,
        event_id=message_id(stored),
        type=stored.outcome.type,
        at=stored.outcome.at,
        session_id=stored.outcome.session_id,
        state=delivery.state,
        attempts=delivery.attempts,
        status=delivery.status,
        error=delivery.error,
        tried_at=delivery.tried_at,
        next_at=delivery.next_at,
    )
