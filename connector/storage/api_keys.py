"""Keys of hosts' programs: found by a hash, listed by when they were made."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import datetime
from functools import cache, lru_cache
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Row, Select, bindparam, insert, or_, select, update

from connector.domain.api_key import ApiKey, Scope
from connector.domain.stored import as_stored
from connector.errors import NotFoundError
from connector.storage.columns import by_name
from connector.storage.pages import behind
from connector.storage.tables import api_keys
from connector.storage.versions import named_once

# Written once: each request to the API asks them, and to write one takes longer than to ask it.
_BY_DIGEST = select(api_keys).where(api_keys.c.digest == bindparam("digest"))
_BY_ID = select(api_keys).where(api_keys.c.id == bindparam("key_id"))
_BY_ID_LOCKED = _BY_ID.with_for_update()
_ADD = insert(api_keys)
_stored, _named = as_stored(ApiKey), by_name(api_keys)


def digest_of(secret: str) -> bytes:
    """Return what is stored of a key: nobody can guess what has so many bits, so one round is enough."""
    return hashlib.sha256(secret.encode(errors="replace")).digest()


def add(db: Connection, key: ApiKey, *, secret: str) -> None:
    """Store a new key.

    Raises: ExistsError if its external id is another key's.
    """
    values = {
        "id": key.id,
        "digest": digest_of(secret),
        "prefix": key.prefix,
        "name": key.name,
        "scopes": ",".join(sorted(key.scopes)),
        "practitioner_id": key.practitioner_id,
        "external_id": key.external_id,
        "created_at": key.created_at,
    }
    with named_once(api_keys, key.external_id):
        db.execute(_ADD, values)


def by_secret(db: Connection, secret: str) -> ApiKey | None:
    """Return whose secret this is, in use or revoked; None if it is nobody's."""
    row = db.execute(_BY_DIGEST, {"digest": digest_of(secret)}).first()
    return _key(row) if row else None


def get(db: Connection, key_id: UUID, *, lock: bool = False) -> ApiKey:
    """Return a key; `lock` keeps others who change it waiting.

    Raises: NotFoundError.
    """
    row = db.execute(_BY_ID_LOCKED if lock else _BY_ID, {"key_id": key_id}).first()
    if row is None:
        raise no_such_key()
    return _key(row)


def no_such_key() -> NotFoundError:
    """Return the refusal of a key that is not there."""
    return NotFoundError("There is no such API key.", code="api_key_not_found")


def every(
    db: Connection, *, limit: int, after: tuple[datetime, UUID] | None = None, practitioner_id: UUID | None = None
) -> Sequence[ApiKey]:
    """Return keys in the order in which they were made, those of one practitioner alone if one is named."""
    query = _page(goes_on=after is not None, of_one=practitioner_id is not None)
    at, key_id = after or (None, None)
    values = {"most": limit, "after": at, "after_id": key_id, "of": practitioner_id}
    return [
        _key(row) for row in db.execute(query, {name: one for name, one in values.items() if one is not None}).all()
    ]


@cache
def _page(*, goes_on: bool, of_one: bool) -> Select[Any]:
    query = select(api_keys).order_by(api_keys.c.created_at, api_keys.c.id).limit(bindparam("most"))
    if goes_on:
        query = query.where(*behind(api_keys.c.created_at, api_keys.c.id))
    return query.where(api_keys.c.practitioner_id == bindparam("of")) if of_one else query


def by_prefix(db: Connection, prefix: str) -> Sequence[ApiKey]:
    """Return the keys that begin so."""
    return [_key(row) for row in db.execute(select(api_keys).where(api_keys.c.prefix == prefix))]


def revoke(db: Connection, key_id: UUID, *, now: datetime) -> None:
    """Let nobody act by a key any more."""
    own = (api_keys.c.id == key_id) & api_keys.c.revoked_at.is_(None)
    db.execute(update(api_keys).where(own).values(revoked_at=now, version=api_keys.c.version + 1))


def note_used(db: Connection, key_id: UUID, *, at: datetime) -> None:
    """Note when a key was used, unless a later use is noted."""
    before = or_(api_keys.c.last_used_at.is_(None), api_keys.c.last_used_at < at)
    db.execute(update(api_keys).where(api_keys.c.id == key_id, before).values(last_used_at=at))


def _key(row: Row[Any]) -> ApiKey:
    found = _named(row)
    return _stored(
        id=found["id"],
        prefix=found["prefix"],
        name=found["name"],
        scopes=_scopes(found["scopes"]),
        practitioner_id=found["practitioner_id"],
        created_at=found["created_at"],
        external_id=found["external_id"],
        last_used_at=found["last_used_at"],
        revoked_at=found["revoked_at"],
        version=found["version"],
    )


@lru_cache(maxsize=128)
def _scopes(words: str) -> frozenset[Scope]:
    return frozenset(Scope(word) for word in words.split(","))
