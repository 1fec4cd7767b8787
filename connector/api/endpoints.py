"""Endpoints: where a host is told of outcomes, and signed by which secrets."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

import msgspec
from sqlalchemy import Connection

from connector.api.call import Answer, Call, precondition_required
from connector.api.routes import Resource
from connector.api.values import ExternalId, PageQuery, WebAddress, check_instant
from connector.domain.api_key import Scope
from connector.domain.outcomes import OutcomeType
from connector.errors import ExistsError, RuleError
from connector.services import people
from connector.services.outcomes import endpoints
from connector.services.outcomes.endpoints import Endpoint

resource = Resource("endpoints", writes=(Scope.ADMIN,))

_URL_REFUSALS = ("endpoint_url_malformed", "endpoint_url_unencrypted", "inner_address")
_ADD_REFUSALS = (*_URL_REFUSALS, "external_id_taken", "external_id_malformed", "practitioner_not_found")


class EndpointBody(msgspec.Struct, frozen=True, kw_only=True):
    """An endpoint, without its secret.

    Attributes:
        types: Which outcomes it wants; empty for all.
        practitioner_id: Whose outcomes it gets; null for everybody's.
        state: Whether anything goes there.
        disabled_why: `by_hand`, `gone` (it answered 410), `failing` (for three days), `key_lost`, or `taken_away`
            (it was a function of the host's own program, which has it no more).
        failing_since: The first attempt that failed since one went through.
    """

    id: UUID
    external_id: str | None
    version: int
    url: str
    types: list[OutcomeType]
    practitioner_id: UUID | None
    state: Literal["enabled", "disabled"]
    disabled_at: datetime | None
    disabled_why: str | None
    failing_since: datetime | None
    created_at: datetime


class MadeEndpointBody(EndpointBody, frozen=True, kw_only=True):
    """An endpoint with its secret, which is shown this once.

    Attributes:
        secret: What signs from now on, as the Standard Webhooks specification writes it. Keep it.
    """

    secret: str


class NewEndpointBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An endpoint to be added.

    Attributes:
        url: https, without user, password or fragment.
        types: Which outcomes it wants; empty for all.
        practitioner_id: Whose; null for everybody's, or for those of the key's practitioner.
    """

    url: WebAddress
    types: list[OutcomeType] = []
    practitioner_id: UUID | None = None
    external_id: ExternalId | None = None


class EndpointChangeBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """What changes about an endpoint; what is left out stays. What waits goes to the new address."""

    url: WebAddress | msgspec.UnsetType = msgspec.UNSET
    types: list[OutcomeType] | msgspec.UnsetType = msgspec.UNSET
    external_id: ExternalId | msgspec.UnsetType | None = msgspec.UNSET


class NamedEndpointBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What an endpoint of the host's own id shall be."""

    url: WebAddress
    types: list[OutcomeType] = []
    practitioner_id: UUID | None = None


class EndpointList(msgspec.Struct, frozen=True, kw_only=True):
    """A page of endpoints."""

    items: list[EndpointBody]
    next: str | None


class ReplayBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Since when all outcomes go once more."""

    since: datetime


class ReplayedBody(msgspec.Struct, frozen=True, kw_only=True):
    """How many outcomes go once more."""

    outcomes: int


class TestedBody(msgspec.Struct, frozen=True, kw_only=True):
    """The delivery by which an endpoint is tested: read it to see what became of it."""

    delivery_id: UUID


@resource.get(
    "/endpoints", scope=Scope.ADMIN, query=PageQuery, answers={200: EndpointList}, lists=True, summary="List endpoints"
)
def listed(call: Call[None, PageQuery], db: Connection) -> EndpointList:
    """The oldest first, disabled ones among them."""
    rows = endpoints.listed(db, after=call.cursor.after_instant(), limit=call.cursor.wanted, of=call.within)
    shown, following = call.cursor.page(rows, lambda one: (one.created_at, one.id))
    return EndpointList(items=[_body(one) for one in shown], next=following)


@resource.post(
    "/endpoints",
    scope=Scope.ADMIN,
    body=NewEndpointBody,
    answers={201: MadeEndpointBody},
    summary="Add an endpoint",
    refuses=_ADD_REFUSALS,
    example=NewEndpointBody(url="https://host.example/outcomes", types=[OutcomeType.SESSION_MOVED]),
)
def add(call: Call[NewEndpointBody, None], db: Connection) -> Answer:
    """It is told of what happens from now on. The answer has its secret, this once."""
    wanted = call.body
    return _added(call, db, wanted.url, wanted.types, wanted.practitioner_id, wanted.external_id)


@resource.get(
    "/endpoints/<uuid:endpoint_id>",
    scope=Scope.ADMIN,
    answers={200: EndpointBody},
    summary="Read an endpoint",
    refuses=("endpoint_not_found",),
)
def show(call: Call[None, None], db: Connection, endpoint_id: UUID) -> EndpointBody:
    """Without its secret, which nobody can show again."""
    return _body(endpoints.get(db, endpoint_id, of=call.within))


@resource.patch(
    "/endpoints/<uuid:endpoint_id>",
    scope=Scope.ADMIN,
    body=EndpointChangeBody,
    edits=True,
    answers={200: EndpointBody},
    summary="Change an endpoint",
    refuses=(
        "endpoint_not_found",
        "endpoint_in_process",
        *_URL_REFUSALS,
        "external_id_taken",
        "external_id_malformed",
    ),
    example=EndpointChangeBody(types=[OutcomeType.SESSION_MOVED, OutcomeType.SESSION_CANCELLED]),
)
def change(call: Call[EndpointChangeBody, None], db: Connection, endpoint_id: UUID) -> EndpointBody:
    """Its secret stays."""
    endpoint = _locked(call, db, endpoint_id)
    new = call.body
    changed = endpoints.change(
        db,
        endpoint,
        inner_hosts=_inner_hosts(call),
        url=None if new.url is msgspec.UNSET else new.url,
        types=None if new.types is msgspec.UNSET else new.types,
        external_id=None if new.external_id is msgspec.UNSET else new.external_id or "",
        now=call.now,
    )
    return _body(changed)


@resource.put(
    "/endpoints/by-external-id/<path:external_id>",
    scope=Scope.ADMIN,
    body=NamedEndpointBody,
    answers={200: EndpointBody, 201: MadeEndpointBody},
    summary="Add an endpoint, or change it, by the host's own id",
    refuses=(*_ADD_REFUSALS, "endpoint_of_another"),
    example=NamedEndpointBody(url="https://host.example/outcomes"),
)
def put(call: Call[NamedEndpointBody, None], db: Connection, external_id: str) -> Answer:
    """What is as it shall be stays so; to change it, say which version is changed."""
    wanted, of = call.body, call.within
    known = endpoints.by_external_id(db, external_id, of=of)
    if known is None:
        try:
            with db.begin_nested():  # somebody else may add it just now
                return _added(call, db, wanted.url, wanted.types, wanted.practitioner_id, external_id)
        except ExistsError as error:
            known = endpoints.by_external_id(db, external_id, of=of)
            if error.code != "external_id_taken" or known is None:
                raise
    if (wanted.practitioner_id or of) != known.practitioner_id:
        raise RuleError(
            "An endpoint of this external id gets the outcomes of somebody else, and that does not change. Add another "
            "endpoint under another id.",
            code="endpoint_of_another",
            field="practitioner_id",
        )
    if (known.url, known.types) == (wanted.url, frozenset(wanted.types)):
        return Answer(body=_body(known))
    if call.expected is None:
        raise precondition_required()
    endpoint = _locked(call, db, known.id)
    hosts = _inner_hosts(call)
    changed = endpoints.change(db, endpoint, inner_hosts=hosts, url=wanted.url, types=wanted.types, now=call.now)
    return Answer(body=_body(changed))


@resource.delete(
    "/endpoints/<uuid:endpoint_id>",
    scope=Scope.ADMIN,
    edits=True,
    answers={204: None},
    summary="Remove an endpoint",
    refuses=("endpoint_not_found", "endpoint_in_process"),
)
def remove(call: Call[None, None], db: Connection, endpoint_id: UUID) -> Answer:
    """What waits for it is forgotten."""
    endpoints.remove(db, _locked(call, db, endpoint_id).id)
    return Answer(status=204)


@resource.post(
    "/endpoints/<uuid:endpoint_id>/rotate-secret",
    scope=Scope.ADMIN,
    edits=True,
    answers={200: MadeEndpointBody},
    summary="Give an endpoint a new secret",
    refuses=("endpoint_not_found", "endpoint_in_process"),
)
def rotate_secret(call: Call[None, None], db: Connection, endpoint_id: UUID) -> MadeEndpointBody:
    """For a day the one before signs as well; an older one ends at once."""
    _locked(call, db, endpoint_id)
    return _made(*endpoints.rotate_secret(db, call.runtime.seal, endpoint_id, now=call.now))


@resource.post(
    "/endpoints/<uuid:endpoint_id>/enable",
    scope=Scope.ADMIN,
    edits=True,
    answers={200: EndpointBody},
    summary="Enable an endpoint",
    refuses=("endpoint_not_found", "endpoint_secret_lost"),
)
def enable(call: Call[None, None], db: Connection, endpoint_id: UUID) -> EndpointBody:
    """What has waited since it was disabled goes there in its order, of the last thirty days."""
    _locked(call, db, endpoint_id)
    return _body(endpoints.enable(db, endpoint_id, now=call.now))


@resource.post(
    "/endpoints/<uuid:endpoint_id>/disable",
    scope=Scope.ADMIN,
    edits=True,
    answers={200: EndpointBody},
    summary="Disable an endpoint",
    refuses=("endpoint_not_found",),
)
def disable(call: Call[None, None], db: Connection, endpoint_id: UUID) -> EndpointBody:
    """Nothing goes there any more; what happens waits for thirty days."""
    _locked(call, db, endpoint_id)
    return _body(endpoints.disable(db, endpoint_id, now=call.now))


@resource.post(
    "/endpoints/<uuid:endpoint_id>/test",
    scope=Scope.ADMIN,
    answers={202: TestedBody},
    summary="Test an endpoint",
    refuses=("endpoint_not_found", "endpoint_disabled"),
)
def test(call: Call[None, None], db: Connection, endpoint_id: UUID) -> Answer:
    """It is posted an `endpoint.test`, whatever types it wants."""
    endpoints.get(db, endpoint_id, of=call.within)
    delivery_id = endpoints.test(db, endpoint_id, by=call.by, now=call.now)
    return Answer(body=TestedBody(delivery_id=delivery_id), status=202, location=f"/deliveries/{delivery_id}")


@resource.post(
    "/endpoints/<uuid:endpoint_id>/replay",
    scope=Scope.ADMIN,
    body=ReplayBody,
    answers={202: ReplayedBody},
    summary="Deliver all outcomes since an instant once more",
    refuses=("endpoint_not_found", "endpoint_disabled", "time_without_offset", "time_out_of_range"),
    example=ReplayBody(since=datetime.fromisoformat("2026-12-01T00:00:00+00:00")),
)
def replay(call: Call[ReplayBody, None], db: Connection, endpoint_id: UUID) -> Answer:
    """Of the last thirty days, those among them that it never got; under the ids that they had."""
    endpoints.get(db, endpoint_id, of=call.within)
    since = check_instant(call.body.since, at="/since")
    return Answer(body=ReplayedBody(outcomes=endpoints.replay_since(db, endpoint_id, since, now=call.now)), status=202)


def _added(
    call: Call[Any, None],
    db: Connection,
    url: str,
    types: list[OutcomeType],
    practitioner_id: UUID | None,
    external_id: str | None,
) -> Answer:
    if practitioner_id is not None:
        people.practitioner(db, practitioner_id, sees=call.sees)
    endpoint, secret = endpoints.add(
        db,
        call.runtime.seal,
        url,
        inner_hosts=_inner_hosts(call),
        types=types,
        practitioner_id=practitioner_id or call.within,
        external_id=external_id,
        now=call.now,
    )
    return Answer(body=_made(endpoint, secret), status=201, location=f"/endpoints/{endpoint.id}")


def _locked(call: Call[Any, None], db: Connection, endpoint_id: UUID) -> Endpoint:
    """Return an endpoint that nobody else changes meanwhile, and which is as whoever asks has seen it."""
    endpoint = endpoints.get(db, endpoint_id, of=call.within, lock=True)
    call.match(endpoint.version)
    return endpoint


def _inner_hosts(call: Call[Any, None]) -> frozenset[str]:
    return call.runtime.network.inner_hosts


def _made(endpoint: Endpoint, secret: str) -> MadeEndpointBody:
    return MadeEndpointBody(**msgspec.structs.asdict(_body(endpoint)), secret=secret)


def _body(endpoint: Endpoint) -> EndpointBody:
    return EndpointBody(
        id=endpoint.id,
        external_id=endpoint.external_id,
        version=endpoint.version,
        url=endpoint.url,
        types=sorted(endpoint.types),
        practitioner_id=endpoint.practitioner_id,
        state="enabled" if endpoint.is_enabled else "disabled",
        disabled_at=endpoint.disabled_at,
        disabled_why=endpoint.disabled_why,
        failing_since=endpoint.failing_since,
        created_at=endpoint.created_at,
    )
