"""Deliveries: what became of each outcome for each endpoint; and events, the outcomes in the order of their commits."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy import Connection

from connector.api.call import Answer, Call
from connector.api.routes import Resource
from connector.api.values import PageQuery
from connector.domain.api_key import Scope
from connector.domain.outcomes import OutcomeType
from connector.services.outcomes import endpoints
from connector.services.views import deliveries
from connector.services.views.deliveries import DeliveryState, ShownDelivery

resource = Resource("deliveries", writes=(Scope.ADMIN,))
events = Resource("events", writes=())


class DeliveryQuery(PageQuery, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which deliveries.

    Attributes:
        endpoint_id: Those to one endpoint.
        state: Those of one state: pending, delivered or failed.
    """

    endpoint_id: UUID | None = None
    state: DeliveryState | None = None


class DeliveryBody(msgspec.Struct, frozen=True, kw_only=True):
    """An outcome for an endpoint.

    Attributes:
        event_id: What the header `webhook-id` says.
        status: Of the last answer; null if there was none.
        error: Why the last attempt did not go through.
        next_at: When it is tried next.
    """

    id: UUID
    endpoint_id: UUID
    event_id: str
    type: OutcomeType
    occurred_at: datetime
    session_id: UUID | None
    state: DeliveryState
    attempts: int
    status: int | None
    error: str | None
    tried_at: datetime | None
    next_at: datetime | None


class DeliveryList(msgspec.Struct, frozen=True, kw_only=True):
    """A page of deliveries."""

    items: list[DeliveryBody]
    next: str | None


class FedEventBody(msgspec.Struct, frozen=True, kw_only=True):
    """An outcome, as it is posted to endpoints."""

    id: str
    type: OutcomeType
    timestamp: datetime
    data: dict[str, Any]


class EventList(msgspec.Struct, frozen=True, kw_only=True):
    """Outcomes in the order in which they were committed.

    Attributes:
        next: Goes on behind the last of them, also when nothing follows yet; null while there never was one.
    """

    items: list[FedEventBody]
    next: str | None


@resource.get(
    "/deliveries",
    scope=Scope.ADMIN,
    query=DeliveryQuery,
    answers={200: DeliveryList},
    lists=True,
    summary="List deliveries",
)
def listed(call: Call[None, DeliveryQuery], db: Connection) -> DeliveryList:
    """The newest outcomes first, of the last thirty days."""
    before = call.cursor.after(int)
    rows = deliveries.shown(
        db,
        endpoint_id=call.query.endpoint_id,
        state=call.query.state,
        practitioner_id=call.within,
        before=before,
        limit=call.cursor.wanted,
    )
    page, following = call.cursor.page(rows, lambda one: (str(one.seq), one.id))
    return DeliveryList(items=[_body(call, one) for one in page], next=following)


@resource.get(
    "/deliveries/<uuid:delivery_id>",
    scope=Scope.ADMIN,
    answers={200: DeliveryBody},
    summary="Read a delivery",
    refuses=("delivery_not_found",),
)
def show(call: Call[None, None], db: Connection, delivery_id: UUID) -> DeliveryBody:
    """What became of it by now."""
    return _body(call, deliveries.one(db, delivery_id, practitioner_id=call.within))


@resource.post(
    "/deliveries/<uuid:delivery_id>/replay",
    scope=Scope.ADMIN,
    answers={202: DeliveryBody},
    summary="Deliver an outcome once more",
    refuses=("delivery_not_found", "endpoint_disabled"),
)
def replay(call: Call[None, None], db: Connection, delivery_id: UUID) -> Answer:
    """Whatever became of it; under the id that it had."""
    deliveries.one(db, delivery_id, practitioner_id=call.within)
    endpoints.replay(db, delivery_id, now=call.now)
    again = deliveries.one(db, delivery_id, practitioner_id=call.within)
    return Answer(body=_body(call, again), status=202)


@events.get(
    "/events",
    scope=Scope.READ,
    query=PageQuery,
    answers={200: EventList},
    lists=True,
    summary="List events",
)
def feed(call: Call[None, PageQuery], db: Connection) -> EventList:
    """Outcomes of the last thirty days, oldest first: none is ever left out behind a cursor.

    They are made since the first endpoint was added.
    """
    place = call.cursor.after(deliveries.read_place)
    found = deliveries.feed(
        db, after=place[0] if place else (0, 0), limit=call.cursor.limit, practitioner_id=call.within
    )
    items = [FedEventBody(**body) for body in found.bodies]
    following = call.cursor.behind(found.place, found.last_id) if found.last_id else call.query.cursor or None
    return EventList(items=items, next=following)


def _body(call: Call[Any, Any], one: ShownDelivery) -> DeliveryBody:
    return DeliveryBody(
        id=one.id,
        endpoint_id=one.endpoint_id,
        event_id=one.event_id,
        type=one.type,
        occurred_at=one.at,
        session_id=one.session_id,
        state=one.state,
        attempts=one.attempts,
        status=one.status,
        error=call.language.sentence(one.error) if one.error else None,
        tried_at=one.tried_at,
        next_at=one.next_at,
    )
