"""Clients: who receives sessions."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any
from uuid import UUID, uuid4

import msgspec
from msgspec import UNSET, Meta, UnsetType
from sqlalchemy import Connection

from connector.api.call import Answer, Call
from connector.api.people import REFUSED, Locale, MaybeAddress, PersonQuery, said, sought
from connector.api.routes import Resource
from connector.api.values import ExternalId, Line, MaybeLine, Zone, check_instant, told
from connector.domain.api_key import Scope
from connector.domain.people import Client, Consent, Medium
from connector.errors import ExistsError
from connector.services import erasing, people
from connector.services.numbers import check_number
from connector.services.views import people as views

resource = Resource("clients", writes=(Scope.SESSIONS,))

Phone = Annotated[str, told(pattern=r"^(\+[0-9]{6,15})?$")]
Media = Annotated[list[Medium], Meta(max_length=len(Medium), description="How they want to be told.")]
_REFUSES = ("client_exists", "phone_malformed", "phone_impossible", "consent_in_future", *REFUSED)
_STANDS = ("sessions_to_come", "offer_still_open", "client_of_others")


class TextsAgreement(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """That a client has agreed to texts on their phone.

    Attributes:
        at: When they did.
        by: Who says so, or where they did; empty where the operator has entered it, and for a key of one practitioner
            also where somebody else may have, with whom the client has sessions, too.
    """

    at: datetime
    by: MaybeLine


class ClientBody(msgspec.Struct, frozen=True, kw_only=True):
    """A client.

    Attributes:
        email: Empty if none is known; so is the phone.
        locale: In which language they are told things, such as en, de or en_GB.
        media: How they want to be told.
        texts_agreed: When they have agreed to texts, and who says so; null if they get none.
        retired: They take no new bookings.
        erased: So, for good, and nothing tells any more who they are.
    """

    id: UUID
    external_id: str | None
    version: int
    created_at: datetime
    name: str
    email: str
    phone: str
    zone: str
    locale: str
    media: list[Medium]
    texts_agreed: TextsAgreement | None
    retired: bool
    erased: bool


class ClientList(msgspec.Struct, frozen=True, kw_only=True):
    """A page of clients."""

    items: list[ClientBody]
    next: str | None


class ClientStateBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A client as they are to be; what is left out is as for a new one, but what they have agreed to.

    Attributes:
        phone: In international form, such as +4930123456; they get texts there only if they have agreed to them.
        texts_agreed: When they have, and who says so; null if they have not. Left out, it stays as it is: they can end
            it themselves, and what they have agreed to before that does not count any more.
        allow_duplicate: A new one is somebody else than the client who has this address already.
    """

    name: Line
    zone: Zone
    email: MaybeAddress = ""
    phone: Phone = ""
    locale: Locale = "en"
    media: Media = msgspec.field(default_factory=lambda: [Medium.EMAIL])
    texts_agreed: TextsAgreement | UnsetType | None = UNSET
    allow_duplicate: bool = False


class NewClientBody(ClientStateBody, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A client to be added."""

    external_id: ExternalId | None = None


class ClientChangesBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is to be changed about a client; what is left out stays as it is."""

    external_id: ExternalId | UnsetType | None = UNSET
    name: Line | UnsetType = UNSET
    email: MaybeAddress | UnsetType = UNSET
    phone: Phone | UnsetType = UNSET
    zone: Zone | UnsetType = UNSET
    locale: Locale | UnsetType = UNSET
    media: Media | UnsetType = UNSET
    texts_agreed: TextsAgreement | UnsetType | None = UNSET


class RemoveQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How to remove a client.

    Attributes:
        erase: For good: nothing tells afterwards who they are.
    """

    erase: bool = False


_ALEX = NewClientBody(name="Alex Okoro", email="alex@client.example", zone="Europe/London", external_id="user-4711")


@resource.get(
    "/clients",
    scope=Scope.READ,
    query=PersonQuery,
    answers={200: ClientList},
    lists=True,
    summary="List clients",
)
def listed(call: Call[None, PersonQuery], db: Connection) -> ClientList:
    """Whoever was added first comes first, those who are retired among them."""
    after = call.cursor.after_instant()
    rows = views.clients(db, sought(call), after=after, most=call.cursor.wanted)
    shown, following = call.cursor.page(rows, views.place)
    return ClientList(items=[_body(person) for person in views.as_seen(db, shown, of=call.within)], next=following)


@resource.post(
    "/clients",
    scope=Scope.SESSIONS,
    body=NewClientBody,
    answers={201: ClientBody},
    summary="Add a client",
    refuses=_REFUSES,
    example=_ALEX,
)
def add(call: Call[NewClientBody, None], db: Connection) -> Answer:
    """Refused with the id of the client who has this address already, unless duplicates are allowed.

    By the key of one practitioner, they are known to that practitioner alone until they have sessions with others.
    """
    return _added(call, db, call.body, call.body.external_id)


@resource.get(
    "/clients/<uuid:client_id>",
    scope=Scope.READ,
    answers={200: ClientBody},
    summary="Read a client",
    refuses=("client_not_found",),
)
def show(call: Call[None, None], db: Connection, client_id: UUID) -> ClientBody:
    """Whoever is retired, or was erased, is found, too."""
    return _shown(call, db, client_id)


@resource.patch(
    "/clients/<uuid:client_id>",
    scope=Scope.SESSIONS,
    edits=True,
    body=ClientChangesBody,
    answers={200: ClientBody},
    summary="Change a client",
    refuses=("client_not_found", "client_erased", "consent_ended", "client_contact_shared", *_REFUSES),
    example=ClientChangesBody(email="alex@new.example"),
)
def change(call: Call[ClientChangesBody, None], db: Connection, client_id: UUID) -> ClientBody:
    """At a new address they are told at once what is still true; what they were given by the former one ends.

    Whoever has sessions with several practitioners has their address and number changed by a key of the whole
    installation alone.
    """
    found = people.client(db, client_id, of=call.within)
    return _changed(call, db, found, _values(call.body))


@resource.put(
    "/clients/by-external-id/<path:external_id>",
    scope=Scope.SESSIONS,
    body=ClientStateBody,
    answers={200: ClientBody, 201: ClientBody},
    summary="Have a client be as you know them",
    refuses=("client_erased", "consent_ended", "client_contact_shared", *_REFUSES),
    example=ClientStateBody(name="Alex Okoro", email="alex@client.example", zone="Europe/London"),
)
def put(call: Call[ClientStateBody, None], db: Connection, external_id: str) -> Answer:
    """Adds them if nobody is called so. Changing one takes If-Match; where all is as it is, nothing is changed."""
    of = call.within
    found = views.client_called(db, external_id, of=of)
    if found is None:
        try:
            with db.begin_nested():  # somebody else may add them just now
                return _added(call, db, call.body, external_id)
        except ExistsError:  # of the address, or of what the host calls them
            found = views.client_called(db, external_id, of=of)
            if found is None:
                raise
    values = _values(call.body)
    if people.is_so(found, _known(call, db, found, values)):
        call.matched = True
        return Answer(body=_shown(call, db, found.id))
    return Answer(body=_changed(call, db, found, values))


@resource.delete(
    "/clients/<uuid:client_id>",
    scope=Scope.SESSIONS,
    edits=True,
    query=RemoveQuery,
    answers={200: ClientBody},
    summary="Retire a client, or erase them",
    refuses=("client_not_found", "question_open_about_client", "letter_on_its_way", *_STANDS),
)
def remove(call: Call[None, RemoveQuery], db: Connection, client_id: UUID) -> ClientBody:
    """They take no new bookings. Sessions to come end first, and offers of theirs.

    Erased, they are nobody any more: name, contacts and whatever was typed about them go from every table, letter and
    timeline at once, and from events in calendars soon after. Their sessions stay, without a name. The database's files
    hold old copies until the operator has them written anew: `docs/operating.md` tells how.
    """
    found = people.client(db, client_id, of=call.within)
    people.check_theirs_alone(db, found.id, of=call.within)
    if call.query.erase:
        erasing.erase(db, call.runtime.policy, found.id, by=call.by, now=call.now, match=call.match)
        call.afterwards(lambda: erasing.remember(call.runtime.database, call.runtime.witness, found.id))
    else:
        people.retire_client(db, found.id, by=call.by, now=call.now, match=call.match)
    return _shown(call, db, found.id)


@resource.post(
    "/clients/<uuid:client_id>/unretire",
    scope=Scope.SESSIONS,
    edits=True,
    answers={200: ClientBody},
    summary="Have a retired client take bookings again",
    refuses=("client_not_found", "client_erased", "client_of_others"),
)
def unretire(call: Call[None, None], db: Connection, client_id: UUID) -> ClientBody:
    """Whoever is not retired does already."""
    found = people.client(db, client_id, of=call.within)
    people.check_theirs_alone(db, found.id, of=call.within)
    people.unretire_client(db, found.id, by=call.by, now=call.now, match=call.match)
    return _shown(call, db, found.id)


def _added(call: Call[Any, Any], db: Connection, wanted: ClientStateBody, external_id: str | None) -> Answer:
    person = Client(id=uuid4(), external_id=external_id, **_values(wanted))
    added = people.add_client(db, person, made_for=call.within, twice=wanted.allow_duplicate, now=call.now)
    return Answer(body=_body(added), status=201, location=f"/clients/{added.id}")


def _changed(call: Call[Any, Any], db: Connection, found: Client, values: dict[str, Any]) -> ClientBody:
    values = _known(call, db, found, values)
    people.change_client(db, found.id, values, by=call.by, now=call.now, match=call.match, of=call.within)
    return _shown(call, db, found.id)


def _shown(call: Call[Any, Any], db: Connection, client_id: UUID) -> ClientBody:
    [seen] = views.as_seen(db, [people.client(db, client_id, of=call.within)], of=call.within)
    return _body(seen)


def _known(call: Call[Any, Any], db: Connection, found: Client, values: dict[str, Any]) -> dict[str, Any]:
    """Have an agreement that is given back as it was shown stay as it is, with whoever it did not name."""
    [seen] = views.as_seen(db, [found], of=call.within)
    return values | {"consent": found.consent} if values.get("consent") == seen.consent else values


def _values(body: ClientStateBody | ClientChangesBody) -> dict[str, Any]:
    """Return what a body says, by the fields of a client."""
    values = said(body)
    if isinstance(body, ClientStateBody):
        values.pop("external_id", None)  # which is given apart
        values.pop("allow_duplicate", None)
    if "phone" in values:
        values["phone"] = check_number(values["phone"])
    if "media" in values:
        values["media"] = frozenset(values["media"])
    if "texts_agreed" in values:
        agreement: TextsAgreement | None = values["texts_agreed"]
        values["texts_agreed"] = agreement is not None
        values["consent"] = None if agreement is None else _consent(agreement)
    return values


def _consent(agreement: TextsAgreement) -> Consent:
    at = check_instant(agreement.at, at="/texts_agreed/at").astimezone(UTC)
    return Consent(at=at, by=agreement.by)


def _body(person: Client) -> ClientBody:
    assert person.created_at is not None  # noqa: S101 - for the type checker: it was stored
    consent = person.consent
    return ClientBody(
        id=person.id,
        external_id=person.external_id,
        version=person.version,
        created_at=person.created_at,
        name=person.name,
        email=person.email,
        phone=person.phone,
        zone=person.zone,
        locale=person.locale,
        media=sorted(person.media),
        texts_agreed=TextsAgreement(at=consent.at, by=consent.by) if consent else None,
        retired=person.retired,
        erased=person.erased,
    )
