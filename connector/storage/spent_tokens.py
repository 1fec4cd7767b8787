"""Tokens that a gateway has signed beside a mail and not over it: each goes with one mail, while its time lasts."""

from __future__ import annotations

import hashlib
from datetime import datetime

from sqlalchemy import Connection, delete, select
from sqlalchemy.dialects import postgresql, sqlite

from connector.storage import installation
from connector.storage.tables import spent_tokens


def spend(db: Connection, token: str, *, identity: str, ends_at: datetime) -> bool:
    """Return whether a token may come with a mail: it has come with none, or with this very one.

    Args:
        db: Where.
        token: As the gateway has it; its hash alone is stored.
        identity: What is the same in every copy of the mail.
        ends_at: When it would be refused for its age anyway.
    """
    key = hashlib.sha256(token.encode(errors="replace")).digest()
    dialect = postgresql if db.dialect.name == "postgresql" else sqlite
    values = {"id": key, "identity": identity, "ends_at": ends_at}
    db.execute(dialect.insert(spent_tokens).values(values).on_conflict_do_nothing())
    installation.have_swept(db, at=ends_at)
    first: str = db.execute(select(spent_tokens.c.identity).where(spent_tokens.c.id == key)).scalar_one()
    return first == identity


def sweep(db: Connection, *, now: datetime) -> None:
    """Delete those that have ended."""
    db.execute(delete(spent_tokens).where(spent_tokens.c.ends_at <= now))
