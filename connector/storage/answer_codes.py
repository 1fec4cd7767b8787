"""Codes that were sent to clients who answer: the database knows what each is compared with, and not the code."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Row, delete, insert, select, update

from connector.domain.answering import AnswerCode
from connector.domain.people import Medium
from connector.storage import installation
from connector.storage.tables import answer_codes, conversations, offers


def add(db: Connection, code: AnswerCode, *, swept_at: datetime) -> None:
    """Store a code, and have it swept after that."""
    values = {
        "id": code.id,
        "offer_id": code.offer_id,
        "number": code.number,
        "medium": code.medium.value,
        "conversation_id": code.conversation_id,
        "proof": code.proof,
        "made_at": code.made_at,
        "expires_at": code.expires_at,
        "tries": code.tries,
    }
    db.execute(insert(answer_codes).values(values))
    installation.have_swept(db, at=swept_at)


def of_offer(db: Connection, offer_id: UUID, *, lock: bool = False) -> Sequence[AnswerCode]:
    """Return the codes that were sent for an offer, the newest first; `lock`: nobody else tries them meanwhile."""
    query = select(answer_codes).where(answer_codes.c.offer_id == offer_id)
    query = query.order_by(answer_codes.c.number.desc())
    return [_code(row) for row in db.execute(query.with_for_update() if lock else query)]


def get(db: Connection, code_id: UUID) -> AnswerCode | None:
    """Return a code, or None if there is none, or none any more."""
    row = db.execute(select(answer_codes).where(answer_codes.c.id == code_id)).first()
    return _code(row) if row else None


def newest(db: Connection, offer_id: UUID, medium: Medium, *, lock: bool = False) -> AnswerCode | None:
    """Return the one of an offer's codes by a medium that can be used; None if none was sent."""
    return next((code for code in of_offer(db, offer_id, lock=lock) if code.medium is medium), None)


def count_try(db: Connection, code_id: UUID) -> None:
    """Note that something else was typed than this code."""
    own = answer_codes.c.id == code_id
    db.execute(update(answer_codes).where(own).values(tries=answer_codes.c.tries + 1))


def void(db: Connection, session_ids: Iterable[UUID], media: Iterable[Medium], *, now: datetime) -> None:
    """Have no code be good any more that was sent by one of these media for an offer about one of these sessions."""
    about = select(offers.c.id).where(offers.c.session_id.in_(list(session_ids)))
    own = answer_codes.c.offer_id.in_(about) & answer_codes.c.medium.in_([medium.value for medium in media])
    db.execute(update(answer_codes).where(own, answer_codes.c.expires_at > now).values(expires_at=now))


def sweep(db: Connection, *, made_before: datetime) -> None:
    """Forget the codes that were sent before then, and what their reader's address was."""
    old = select(answer_codes.c.conversation_id).where(answer_codes.c.made_at < made_before)
    db.execute(delete(conversations).where(conversations.c.id.in_(old)))
    db.execute(delete(answer_codes).where(answer_codes.c.made_at < made_before))


def _code(row: Row[Any]) -> AnswerCode:
    return AnswerCode(
        id=row.id,
        offer_id=row.offer_id,
        number=row.number,
        medium=Medium(row.medium),
        conversation_id=row.conversation_id,
        proof=row.proof,
        made_at=row.made_at,
        expires_at=row.expires_at,
        tries=row.tries,
    )
