"""Addresses at which programs without a key fetch when a practitioner is not free, and nothing else."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from uuid import UUID

import msgspec
from msgspec import Meta
from sqlalchemy import Connection

from connector.api.call import Answer, Call
from connector.api.routes import Resource
from connector.api.values import Line
from connector.domain.api_key import Scope
from connector.services import publishing
from connector.services.publishing import BusyFeed

resource = Resource("busy_feeds", writes=(Scope.CONNECTIONS,))


class BusyFeedBody(msgspec.Struct, frozen=True, kw_only=True):
    """A calendar (.ics) of when a practitioner is not free; nobody is shown its address again.

    Attributes:
        name: For whom it is.
        fetched_at: When a program last asked for it, to the hour; null if none has.
    """

    id: UUID
    practitioner_id: UUID
    name: str
    created_at: datetime
    fetched_at: datetime | None


class NewBusyFeedBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A calendar of busy times to be made; a program each, so that each can be ended by itself."""

    name: Annotated[Line, Meta(description="For whom it is, such as the page that fetches it.")]


class MadeBusyFeedBody(BusyFeedBody, frozen=True, kw_only=True):
    """A calendar of busy times that was made.

    Attributes:
        url: Its address: whoever knows it learns when the practitioner is not free.
    """

    url: str


class BusyFeedList(msgspec.Struct, frozen=True, kw_only=True):
    """Every calendar of a practitioner's busy times that is open, the oldest first: there are 20 at most."""

    items: list[BusyFeedBody]


@resource.get(
    "/practitioners/<uuid:practitioner_id>/busy-feeds",
    scope=Scope.READ,
    answers={200: BusyFeedList},
    summary="List the calendars of a practitioner's busy times",
    refuses=("practitioner_not_found",),
)
def listed(call: Call[None, None], db: Connection, practitioner_id: UUID) -> BusyFeedList:
    """Without their addresses."""
    found = publishing.busy_of(db, practitioner_id, sees=call.sees)
    return BusyFeedList(items=[_body(one, practitioner_id) for one in found])


@resource.post(
    "/practitioners/<uuid:practitioner_id>/busy-feeds",
    scope=Scope.CONNECTIONS,
    body=NewBusyFeedBody,
    answers={201: MadeBusyFeedBody},
    summary="Make a calendar of a practitioner's busy times",
    refuses=("practitioner_not_found", "busy_feeds_too_many", "text_empty", "text_too_long", "text_character"),
    example=NewBusyFeedBody(name="Booking page"),
)
def make(call: Call[NewBusyFeedBody, None], db: Connection, practitioner_id: UUID) -> Answer:
    """The answer has its address, this once: sessions and holds alike, with the gap after each; no names, no places."""
    publishing.busy_of(db, practitioner_id, sees=call.sees)
    seal = call.runtime.seal
    made = publishing.open_busy(db, seal, practitioner_id, name=call.body.name, by=call.by, now=call.now)
    url = call.runtime.published_address(publishing.token_of(seal, made))
    body = MadeBusyFeedBody(**msgspec.structs.asdict(_body(made, practitioner_id)), url=url)
    return Answer(body=body, status=201)


@resource.delete(
    "/practitioners/<uuid:practitioner_id>/busy-feeds/<uuid:feed_id>",
    scope=Scope.CONNECTIONS,
    answers={204: None},
    summary="End a calendar of a practitioner's busy times",
    refuses=("practitioner_not_found", "subscription_not_found"),
)
def end(call: Call[None, None], db: Connection, practitioner_id: UUID, feed_id: UUID) -> Answer:
    """Nothing can be fetched there from now on."""
    publishing.end_busy(db, practitioner_id, feed_id, sees=call.sees, by=call.by, now=call.now)
    return Answer(status=204)


def _body(feed: BusyFeed, practitioner_id: UUID) -> BusyFeedBody:
    return BusyFeedBody(
        id=feed.id,
        practitioner_id=practitioner_id,
        name=feed.name,
        created_at=feed.made_at,
        fetched_at=feed.fetched_at,
    )
