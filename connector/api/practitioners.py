"""Practitioners: who gives sessions."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated, Any
from uuid import UUID, uuid4

import msgspec
from msgspec import UNSET, Meta, UnsetType
from sqlalchemy import Connection

from connector.api.call import Answer, Call
from connector.api.people import REFUSED, Address, Locale, PersonQuery, said, sought
from connector.api.routes import Resource
from connector.api.values import ExternalId, Line, Zone, minutes
from connector.domain.api_key import Scope
from connector.domain.people import Level, Practitioner
from connector.errors import ExistsError, RequestError
from connector.services import people
from connector.services.views import people as views

resource = Resource("practitioners", writes=(Scope.ADMIN,))

Buffer = Annotated[int, Meta(ge=0, le=240, description="Kept free after each session, in minutes.")]
LevelNumber = Annotated[int, Meta(ge=0, le=4, description="0 nothing, 1 what it is, 2 initials, 3 first name, 4 all.")]
_REFUSES = ("practitioner_address_taken", *REFUSED)
_FIELDS = {"buffer": "/buffer_minutes"}
_STANDS = ("sessions_to_come", "offer_still_open", "practitioner_has_calendars")


class PractitionerBody(msgspec.Struct, frozen=True, kw_only=True):
    """A practitioner.

    Attributes:
        email: Where their news goes, and what they sign in with; in lower case.
        locale: In which language they are told things, such as en, de or en_GB.
        session_level: How much of clients their sessions show, in calendars that are connected from now on: 0 nothing,
            1 what it is, 2 initials, 3 first name, 4 all.
        hold_level: Likewise, the times that they have offered.
        takes_replies: Whether clients who write back to a letter reach them by mail.
        retired: They take no new bookings.
    """

    id: UUID
    external_id: str | None
    version: int
    created_at: datetime
    name: str
    email: str
    zone: str
    locale: str
    buffer_minutes: int
    session_level: int
    hold_level: int
    takes_replies: bool
    retired: bool


class PractitionerList(msgspec.Struct, frozen=True, kw_only=True):
    """A page of practitioners."""

    items: list[PractitionerBody]
    next: str | None


class PractitionerStateBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A practitioner as they are to be; what is left out is as for a new one."""

    name: Line
    email: Address
    zone: Zone
    locale: Locale = "en"
    buffer_minutes: Buffer = 0
    session_level: LevelNumber = 2
    hold_level: LevelNumber = 2
    takes_replies: bool = False


class NewPractitionerBody(PractitionerStateBody, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A practitioner to be added."""

    external_id: ExternalId | None = None


class PractitionerChangesBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is to be changed about a practitioner; what is left out stays as it is."""

    external_id: ExternalId | UnsetType | None = UNSET
    name: Line | UnsetType = UNSET
    email: Address | UnsetType = UNSET
    zone: Zone | UnsetType = UNSET
    locale: Locale | UnsetType = UNSET
    buffer_minutes: Buffer | UnsetType = UNSET
    session_level: LevelNumber | UnsetType = UNSET
    hold_level: LevelNumber | UnsetType = UNSET
    takes_replies: bool | UnsetType = UNSET


_KIM = NewPractitionerBody(name="Kim Berg", email="kim@practice.example", zone="Europe/Berlin", buffer_minutes=10)


@resource.get(
    "/practitioners",
    scope=Scope.READ,
    query=PersonQuery,
    answers={200: PractitionerList},
    lists=True,
    summary="List practitioners",
)
def listed(call: Call[None, PersonQuery], db: Connection) -> PractitionerList:
    """Whoever was added first comes first, those who are retired among them."""
    after = call.cursor.after_instant()
    rows = views.practitioners(db, sought(call), after=after, most=call.cursor.wanted)
    shown, following = call.cursor.page(rows, views.place)
    return PractitionerList(items=[_body(person) for person in shown], next=following)


@resource.post(
    "/practitioners",
    scope=Scope.ADMIN,
    body=NewPractitionerBody,
    answers={201: PractitionerBody},
    summary="Add a practitioner",
    refuses=("key_of_one_practitioner", *_REFUSES),
    fields=_FIELDS,
    example=_KIM,
)
def add(call: Call[NewPractitionerBody, None], db: Connection) -> Answer:
    """Their address is what they sign in with: no other practitioner has it."""
    return _added(call, db, call.body, call.body.external_id)


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


@resource.patch(
    "/practitioners/<uuid:practitioner_id>",
    scope=Scope.ADMIN,
    edits=True,
    body=PractitionerChangesBody,
    answers={200: PractitionerBody},
    summary="Change a practitioner",
    refuses=("practitioner_not_found", "buffer_collides", *_REFUSES),
    fields=_FIELDS,
    example=PractitionerChangesBody(buffer_minutes=15),
)
def change(call: Call[PractitionerChangesBody, None], db: Connection, practitioner_id: UUID) -> PractitionerBody:
    """Another buffer holds for the sessions to come; at another address they hear at once what they have not heard."""
    found = people.practitioner(db, practitioner_id, sees=call.sees)
    return _changed(call, db, found.id, _values(call.body))


@resource.put(
    "/practitioners/by-external-id/<path:external_id>",
    scope=Scope.ADMIN,
    body=PractitionerStateBody,
    answers={200: PractitionerBody, 201: PractitionerBody},
    summary="Have a practitioner be as you know them",
    refuses=("key_of_one_practitioner", "buffer_collides", *_REFUSES),
    fields=_FIELDS,
    example=PractitionerStateBody(name="Kim Berg", email="kim@practice.example", zone="Europe/Berlin"),
)
def put(call: Call[PractitionerStateBody, None], db: Connection, external_id: str) -> Answer:
    """Adds them if nobody is called so. Changing one takes If-Match; where all is as it is, nothing is changed."""
    found = views.practitioner_called(db, external_id, sees=call.sees)
    if found is None:
        try:
            with db.begin_nested():  # somebody else may add them just now
                return _added(call, db, call.body, external_id)
        except ExistsError:  # of the address, or of what the host calls them
            found = views.practitioner_called(db, external_id, sees=call.sees)
            if found is None:
                raise
    values = _values(call.body)
    if people.is_so(found, values):
        call.matched = True
        return Answer(body=_body(found))
    return Answer(body=_changed(call, db, found.id, values))


@resource.delete(
    "/practitioners/<uuid:practitioner_id>",
    scope=Scope.ADMIN,
    edits=True,
    answers={200: PractitionerBody},
    summary="Retire a practitioner",
    refuses=("practitioner_not_found", *_STANDS),
)
def retire(call: Call[None, None], db: Connection, practitioner_id: UUID) -> PractitionerBody:
    """They take no new bookings; nothing is deleted. Sessions to come, offers and calendars of theirs end first."""
    found = people.practitioner(db, practitioner_id, sees=call.sees)
    people.retire_practitioner(db, found.id, by=call.by, now=call.now, match=call.match)
    return _shown(db, found.id)


@resource.post(
    "/practitioners/<uuid:practitioner_id>/unretire",
    scope=Scope.ADMIN,
    edits=True,
    answers={200: PractitionerBody},
    summary="Have a retired practitioner take bookings again",
    refuses=("practitioner_not_found",),
)
def unretire(call: Call[None, None], db: Connection, practitioner_id: UUID) -> PractitionerBody:
    """Whoever is not retired does already."""
    found = people.practitioner(db, practitioner_id, sees=call.sees)
    people.unretire_practitioner(db, found.id, by=call.by, now=call.now, match=call.match)
    return _shown(db, found.id)


def _added(call: Call[Any, Any], db: Connection, wanted: PractitionerStateBody, external_id: str | None) -> Answer:
    if call.within is not None:
        raise RequestError(
            "The key of one practitioner adds no others. Use one of the whole installation.",
            code="key_of_one_practitioner",
            http=403,
        )
    person = Practitioner(id=uuid4(), external_id=external_id, **_values(wanted))
    added = people.add_practitioner(db, person, now=call.now)
    return Answer(body=_body(added), status=201, location=f"/practitioners/{added.id}")


def _changed(call: Call[Any, Any], db: Connection, practitioner_id: UUID, values: dict[str, Any]) -> PractitionerBody:
    people.change_practitioner(db, practitioner_id, values, by=call.by, now=call.now, match=call.match)
    return _shown(db, practitioner_id)


def _shown(db: Connection, practitioner_id: UUID) -> PractitionerBody:
    return _body(people.practitioner(db, practitioner_id, sees=lambda _id: True))


def _values(body: PractitionerStateBody | PractitionerChangesBody) -> dict[str, Any]:
    """Return what a body says, by the fields of a practitioner."""
    values = said(body)
    if isinstance(body, PractitionerStateBody):
        values.pop("external_id", None)  # which is given apart
    if "buffer_minutes" in values:
        values["buffer"] = timedelta(minutes=values.pop("buffer_minutes"))
    for name in {"session_level", "hold_level"} & values.keys():
        values[name] = Level(values[name])
    if "email" in values:
        values["email"] = values["email"].lower()
    return values


def _body(person: Practitioner) -> PractitionerBody:
    assert person.created_at is not None  # noqa: S101 - for the type checker: it was stored
    return PractitionerBody(
        id=person.id,
        external_id=person.external_id,
        version=person.version,
        created_at=person.created_at,
        name=person.name,
        email=person.email,
        zone=person.zone,
        locale=person.locale,
        buffer_minutes=minutes(person.buffer),
        session_level=person.session_level.value,
        hold_level=person.hold_level.value,
        takes_replies=person.takes_replies,
        retired=person.retired,
    )
