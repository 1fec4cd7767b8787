"""API keys: made and revoked by a key that may, and shown once."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from uuid import UUID

import msgspec
from sqlalchemy import Connection

from connector.api.call import Answer, Call
from connector.api.routes import Resource
from connector.api.values import ExternalId, Line, PageQuery, told
from connector.domain.api_key import ApiKey, Scope
from connector.services import api_keys

resource = Resource("keys", writes=(Scope.ADMIN,))


class KeyBody(msgspec.Struct, frozen=True, kw_only=True):
    """An API key, without its secret.

    Attributes:
        prefix: How its secret begins.
        scopes: What it may do.
        practitioner_id: For whom alone it acts; null for the whole installation.
        last_used_at: To the minute; null if nobody has used it. It does not count as a change of the key.
        revoked_at: Since when it lets nobody in.
    """

    id: UUID
    external_id: str | None
    version: int
    prefix: str
    name: str
    scopes: list[Scope]
    practitioner_id: UUID | None
    created_at: datetime
    last_used_at: datetime | None
    revoked_at: datetime | None


class NewKeyBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An API key to be made; it gets no scope that the key has not by which it is made."""

    name: Line
    scopes: Annotated[list[Scope], told(minItems=1)]
    practitioner_id: UUID | None = None
    external_id: ExternalId | None = None


class MadeKeyBody(KeyBody, frozen=True, kw_only=True):
    """An API key that was made.

    Attributes:
        secret: The key itself. Nobody can show it again: keep it where nobody else reads.
    """

    secret: str


class KeyList(msgspec.Struct, frozen=True, kw_only=True):
    """A page of API keys."""

    items: list[KeyBody]
    next: str | None


@resource.get(
    "/keys",
    scope=Scope.ADMIN,
    query=PageQuery,
    answers={200: KeyList},
    lists=True,
    summary="List API keys",
)
def listed(call: Call[None, PageQuery], db: Connection) -> KeyList:
    """The oldest first, revoked ones among them."""
    after = call.cursor.after_instant()
    rows = api_keys.listed(db, limit=call.cursor.wanted, after=after, asker=call.key)
    shown, following = call.cursor.page(rows, lambda key: (key.created_at, key.id))
    return KeyList(items=[_body(key) for key in shown], next=following)


@resource.post(
    "/keys",
    scope=Scope.ADMIN,
    body=NewKeyBody,
    answers={201: MadeKeyBody},
    summary="Make an API key",
    refuses=(
        "key_gives_too_much",
        "key_for_another",
        "practitioner_not_found",
        "external_id_taken",
        "external_id_malformed",
        "text_empty",
    ),
    example=NewKeyBody(name="Booking site", scopes=[Scope.READ]),
)
def make(call: Call[NewKeyBody, None], db: Connection) -> Answer:
    """The answer has the secret, this once."""
    made = api_keys.make(
        db,
        name=call.body.name,
        scopes=call.body.scopes,
        practitioner_id=call.body.practitioner_id,
        external_id=call.body.external_id,
        giver=call.key,
        now=call.now,
    )
    body = MadeKeyBody(**msgspec.structs.asdict(_body(made.key)), secret=made.secret)
    return Answer(body=body, status=201, location=f"/keys/{made.key.id}")


@resource.get(
    "/keys/<uuid:key_id>",
    scope=Scope.ADMIN,
    answers={200: KeyBody},
    summary="Read an API key",
    refuses=("api_key_not_found",),
)
def show(call: Call[None, None], db: Connection, key_id: UUID) -> KeyBody:
    """Without its secret, which nobody has."""
    return _body(api_keys.get(db, key_id, asker=call.key))


@resource.delete(
    "/keys/<uuid:key_id>",
    scope=Scope.ADMIN,
    edits=True,
    answers={200: KeyBody},
    summary="Revoke an API key",
    refuses=("api_key_not_found",),
)
def revoke(call: Call[None, None], db: Connection, key_id: UUID) -> KeyBody:
    """It lets nobody in from now on, and stays in the list."""
    key = api_keys.get(db, key_id, asker=call.key, lock=True)
    call.match(key.version)
    return _body(api_keys.revoke(db, key, now=call.now))


def _body(key: ApiKey) -> KeyBody:
    return KeyBody(
        id=key.id,
        external_id=key.external_id,
        version=key.version,
        prefix=key.prefix,
        name=key.name,
        scopes=sorted(key.scopes),
        practitioner_id=key.practitioner_id,
        created_at=key.created_at,
        last_used_at=key.last_used_at,
        revoked_at=key.revoked_at,
    )
