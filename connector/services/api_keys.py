"""Keys by which a host's own programs act: made, shown once, revoked."""

from __future__ import annotations

import secrets
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID, uuid4

import structlog
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as WaitedTooLongError

from connector.domain.api_key import ApiKey, Scope
from connector.domain.text import check_external_id
from connector.failures import tell
from connector.services import standstill
from connector.storage import api_keys, connect_links, people
from connector.storage.database import Database

_PREFIX_BYTES, _SECRET_BYTES = 4, 24
_BEGINNING = "pk"

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewKey:
    """A key and its secret, which is never seen again."""

    key: ApiKey
    secret: str


def make(
    db: Connection,
    *,
    name: str,
    scopes: Collection[Scope],
    practitioner_id: UUID | None = None,
    external_id: str | None = None,
    giver: ApiKey | None = None,
    now: datetime,
) -> NewKey:
    """Make a key.

    Args:
        db: The transaction.
        name: What its acts are shown under.
        scopes: What it may do.
        practitioner_id: For whom alone it acts; None for the whole installation.
        external_id: What the host calls it.
        giver: The key by which it is made, which gives only what it has; None if the operator makes it.
        now: Aware UTC.

    Raises: RuleError; NotFoundError if there is no such practitioner; StandstillError.
    """
    check_external_id(external_id)
    standstill.check(db)
    if giver is not None:
        giver.check_gives(scopes, practitioner_id)
    if practitioner_id is not None:
        people.practitioner(db, practitioner_id)
    prefix = secrets.token_hex(_PREFIX_BYTES)
    key = ApiKey(
        id=uuid4(),
        prefix=f"{_BEGINNING}_{prefix}",
        name=name,
        scopes=frozenset(scopes),
        practitioner_id=practitioner_id,
        external_id=external_id,
        created_at=now,
    )
    secret = f"{key.prefix}_{secrets.token_hex(_SECRET_BYTES)}"
    api_keys.add(db, key, secret=secret)
    log.info("api_key_made", key=str(key.id))
    return NewKey(key=key, secret=secret)


def find(db: Connection, secret: str) -> ApiKey | None:
    """Return the key of this secret; None if it lets nobody in, or not any more."""
    key = api_keys.by_secret(db, secret)
    return key if key is not None and key.revoked_at is None else None


def is_in_use(db: Connection, key_id: UUID) -> bool:
    """Whether a key that was found lets anybody in still."""
    return api_keys.get(db, key_id).revoked_at is None


def get(db: Connection, key_id: UUID, *, asker: ApiKey | None, lock: bool = False) -> ApiKey:
    """Return a key as far as whoever asks may see it; None for who may see all.

    Raises: NotFoundError.
    """
    key = api_keys.get(db, key_id, lock=lock)
    if asker is not None and asker.practitioner_id not in (None, key.practitioner_id):
        raise api_keys.no_such_key()
    return key


def listed(
    db: Connection, *, limit: int, after: tuple[datetime, UUID] | None = None, asker: ApiKey | None = None
) -> Sequence[ApiKey]:
    """Return keys in the order in which they were made, as far as whoever asks may see them; None for the operator."""
    practitioner_id = asker.practitioner_id if asker else None
    return api_keys.every(db, limit=limit, after=after, practitioner_id=practitioner_id)


def of_prefix(db: Connection, prefix: str) -> ApiKey:
    """Return the key that begins so, to be changed.

    Raises: NotFoundError.
    """
    found = api_keys.by_prefix(db, prefix)
    if not found:
        raise api_keys.no_such_key()
    return api_keys.get(db, found[0].id, lock=True)


def revoke(db: Connection, key: ApiKey, *, now: datetime) -> ApiKey:
    """Let nobody act by a key any more, nor by links it has made, from now on; one that is revoked stays as it is."""
    if key.revoked_at is None:
        api_keys.revoke(db, key.id, now=now)
        connect_links.end_those_of(db, key.id, now=now)
        log.info("api_key_revoked", key=str(key.id))
    return api_keys.get(db, key.id)


def is_use_untold(key: ApiKey, *, now: datetime) -> bool:
    """Whether this minute's use of a key is still to be noted."""
    return key.last_used_at is None or key.last_used_at < now.replace(second=0, microsecond=0)


def note_used(database: Database, key: ApiKey, *, now: datetime) -> None:
    """Note, to the minute, that a key is in use; one that cannot be noted just now is with its next use."""
    try:
        with database.begin() as db:
            api_keys.note_used(db, key.id, at=now.replace(second=0, microsecond=0))
    except (DBAPIError, WaitedTooLongError) as error:
        tell("key_use_not_noted", error, again_in=timedelta(minutes=1))
