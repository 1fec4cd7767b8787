"""Practitioners: who gives sessions."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated
from uuid import UUID, uuid4

import msgspec
from msgspec import Meta
from sqlalchemy import Connection

from connector.api.call import Answer, Call
from connector.api.routes import Resource
from connector.api.values import minutes
from connector.domain.api_key import Scope
from connector.domain.people import Practitioner
from connector.services import people

resource = Resource("practitioners", writes=(Scope.ADMIN,))


class PractitionerBody(msgspec.Struct, frozen=True, kw_only=True):
    """A practitioner.

    Attributes:
        zone: An IANA name.
        locale: In which language they are told things, such as en, de or en_GB.
        buffer_minutes: Kept free after each session.
    """

    id: UUID
    name: str
    email: str
    zone: str
    locale: str
    buffer_minutes: int
    retired: bool


class NewPractitionerBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A practitioner to be added."""

    name: str
    email: str
    zone: Annotated[str, Meta(max_length=64)]
    locale: str = "en"
    buffer_minutes: Annotated[int, Meta(ge=0, le=240)] = 0


@resource.post(
    "/practitioners",
    scope=Scope.ADMIN,
    body=NewPractitionerBody,
    answers={201: PractitionerBody},
    summary="Add a practitioner",
    refuses=("practitioner_address_taken", "address_malformed", "zone_unknown"),
    example=NewPractitionerBody(name="Kim Berg", email="kim@practice.example", zone="Europe/Berlin", buffer_minutes=10),
)
def add(call: Call[NewPractitionerBody, None], db: Connection) -> Answer:
    """Their address is what they sign in with: no other practitioner has it."""
    wanted = call.body
    person = Practitioner(
        id=uuid4(),
        name=wanted.name,
        email=wanted.email,
        zone=wanted.zone,
        locale=wanted.locale,
        buffer=timedelta(minutes=wanted.buffer_minutes),
    )
    people.add_practitioner(db, person, now=call.now)
    return Answer(body=_body(person), status=201, location=f"/practitioners/{person.id}")


@resource.get(
    "/practitioners/<uuid:practitioner_id>",
    scope=Scope.READ,
    answers={200: PractitionerBody},
    summary="Read a practitioner",
    refuses=("practitioner_not_found",),
)
def show(call: Call[None, None], db: Connection, practitioner_id: UUID) -> PractitionerBody:
    """Whoever is retired is found, too."""
    return _body(people.practitioner(db, practitioner_id, sees=call.sees))


def _body(person: Practitioner) -> PractitionerBody:
    return PractitionerBody(
        id=person.id,
        name=person.name,
        email=person.email,
        zone=person.zone,
        locale=person.locale,
        buffer_minutes=minutes(person.buffer),
        retired=person.retired,
    )
