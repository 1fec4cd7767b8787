"""What was answered to acts that name an Idempotency-Key: kept in the act's own transaction, for a day."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, delete, select, update
from sqlalchemy.dialects import postgresql, sqlite

from connector.storage import installation
from connector.storage.tables import kept_answers


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptAnswer:
    """An answer that was given; `answer` is sealed, and None once it had to be forgotten."""

    fingerprint: bytes
    answer: bytes | None


def begin(db: Connection, answer_id: bytes, *, fingerprint: bytes, ends_at: datetime) -> bool:
    """Whether nobody has done this act before; whoever is doing it just now is waited for.

    The first statement of the act's transaction. What ends with it undone was never begun.
    """
    dialect = postgresql if db.dialect.name == "postgresql" else sqlite
    values = {"id": answer_id, "fingerprint": fingerprint, "ends_at": ends_at}
    statement = dialect.insert(kept_answers).values(values).on_conflict_do_nothing()
    return db.execute(statement.returning(kept_answers.c.id)).first() is not None


def keep(db: Connection, answer_id: bytes, answer: bytes, *, ends_at: datetime) -> None:
    """Keep the answer: the last statement of the act's transaction."""
    db.execute(update(kept_answers).where(kept_answers.c.id == answer_id).values(answer=answer))
    installation.have_swept(db, at=ends_at)


def get(db: Connection, answer_id: bytes) -> KeptAnswer | None:
    """Return what was answered; None if nobody has asked."""
    row = db.execute(select(kept_answers).where(kept_answers.c.id == answer_id)).first()
    return KeptAnswer(fingerprint=row.fingerprint, answer=row.answer) if row else None


def sweep(db: Connection, *, now: datetime) -> None:
    """Delete those that have ended."""
    db.execute(delete(kept_answers).where(kept_answers.c.ends_at <= now))
