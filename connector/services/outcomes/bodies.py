"""What an outcome says as it is posted, and as the feed of events has it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any

import msgspec
from sqlalchemy import Connection

from connector.storage.outcome_names import Named, named
from connector.storage.outcomes import StoredOutcome

PREFIX = "msg_"


def message_id(stored: StoredOutcome) -> str:
    """Return the id by which a host tells a repeated outcome from a new one."""
    return f"{PREFIX}{stored.id.hex}"


def bodies(db: Connection, stored: Sequence[StoredOutcome]) -> Sequence[Mapping[str, Any]]:
    """Return what outcomes say, with the host's own ids as they are by now; in a constant number of statements."""
    names = named(db, stored)
    return [_body(one, names) for one in stored]


def encoded(db: Connection, stored: StoredOutcome) -> bytes:
    """Return what one outcome says, as it is posted."""
    [body] = bodies(db, [stored])
    return msgspec.json.encode(body)


def _body(stored: StoredOutcome, names: Named) -> Mapping[str, Any]:
    outcome = stored.outcome
    client_id = names.clients.get(outcome.session_id)
    external = names.external
    return {
        "id": message_id(stored),
        "type": outcome.type.value,
        "timestamp": outcome.at,
        "data": {
            "occurred_at": outcome.at,
            "actor": outcome.actor.value,
            "cause": outcome.cause.value if outcome.cause else None,
            "reason": outcome.reason or None,
            "practitioner_id": stored.practitioner_id,
            "practitioner_external_id": external.get(stored.practitioner_id),
            "client_id": client_id,
            "client_external_id": external.get(client_id),
            "session_id": outcome.session_id,
            "session_external_id": external.get(outcome.session_id),
            "revision": stored.revision,
            "offer_id": outcome.offer_id,
            "offer_external_id": external.get(outcome.offer_id),
            "connection_id": outcome.connection_id,
            "connection_external_id": external.get(outcome.connection_id),
            **{field.name: getattr(outcome.details, field.name) for field in fields(outcome.details)},
        },
    }
