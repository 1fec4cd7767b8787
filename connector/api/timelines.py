"""What happened: to a session, to all that is a practitioner's, to a connection."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import msgspec
from sqlalchemy import Connection

from connector.api.call import Call
from connector.api.routes import Resource
from connector.api.values import PageQuery
from connector.domain.api_key import Scope
from connector.domain.facts import Subject
from connector.domain.people import Role
from connector.language.telling import Teller
from connector.services.views import happened

resource = Resource("timelines", writes=())


class ActorBody(msgspec.Struct, frozen=True, kw_only=True):
    """Who did something.

    Attributes:
        role: In which capacity.
        name: Empty where nobody is named.
        reason: Why, if they said so.
        who: The same in words for people.
    """

    role: Role
    name: str
    reason: str
    who: str


class EventBody(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that happened.

    Attributes:
        kind: What, for programs. Newer versions have more kinds than are known today.
        what: What, in a sentence, on the practitioner's clock and in the language that was asked for.
        why: Why, likewise; empty where nobody gave a reason.
    """

    at: datetime
    kind: str
    actor: ActorBody
    what: str
    why: str
    session_id: UUID | None
    offer_id: UUID | None
    connection_id: UUID | None


class TimelineBody(msgspec.Struct, frozen=True, kw_only=True):
    """A page of what happened, oldest first; `next` is the cursor of the next page, null on the last."""

    items: list[EventBody]
    next: str | None


@resource.get(
    "/sessions/<uuid:session_id>/timeline",
    scope=Scope.READ,
    query=PageQuery,
    answers={200: TimelineBody},
    summary="Read what happened to a session",
    refuses=("session_not_found",),
    lists=True,
)
def of_session(call: Call[None, PageQuery], db: Connection, session_id: UUID) -> TimelineBody:
    """Who did what, when and why, oldest first."""
    return _timeline(call, db, Subject.SESSION, session_id)


@resource.get(
    "/practitioners/<uuid:practitioner_id>/timeline",
    scope=Scope.READ,
    query=PageQuery,
    answers={200: TimelineBody},
    summary="Read what happened to all that is a practitioner's",
    refuses=("practitioner_not_found",),
    lists=True,
)
def of_practitioner(call: Call[None, PageQuery], db: Connection, practitioner_id: UUID) -> TimelineBody:
    """Their sessions, offers, connections and calendars, oldest first."""
    return _timeline(call, db, Subject.PRACTITIONER, practitioner_id)


@resource.get(
    "/connections/<uuid:connection_id>/timeline",
    scope=Scope.READ,
    query=PageQuery,
    answers={200: TimelineBody},
    summary="Read what happened to a connection",
    refuses=("connection_not_found",),
    lists=True,
)
def of_connection(call: Call[None, PageQuery], db: Connection, connection_id: UUID) -> TimelineBody:
    """What it lets in, and what does not go through, oldest first."""
    return _timeline(call, db, Subject.CONNECTION, connection_id)


def _timeline(call: Call[None, PageQuery], db: Connection, subject: Subject, identity: UUID) -> TimelineBody:
    zone = happened.zone_of(db, subject, identity, sees=call.sees)
    place = call.cursor.after(int)
    events = happened.happened(
        db,
        subject,
        identity,
        Teller(language=call.language, zone=zone),
        after=place[0] if place else 0,
        most=call.cursor.wanted,
    )
    shown, following = call.cursor.page(events, lambda event: (str(event.number), identity))
    return TimelineBody(items=[_body(event) for event in shown], next=following)


def _body(event: happened.Event) -> EventBody:
    return EventBody(
        at=event.at,
        kind=event.kind,
        actor=ActorBody(role=event.role, name=event.name, reason=event.reason, who=event.who),
        what=event.what,
        why=event.why,
        session_id=event.session_id,
        offer_id=event.offer_id,
        connection_id=event.connection_id,
    )
