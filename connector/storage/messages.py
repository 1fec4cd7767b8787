"""Messages on their way to people: written in the transaction of the change, sent later, at least once."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID, uuid4

import msgspec
from sqlalchemy import Connection, Row, insert, select, update

from connector.domain.notice import Notice, NoticeKind
from connector.domain.people import Medium
from connector.storage.tables import messages


class MessageState(StrEnum):
    """Where a message is."""

    QUEUED = "queued"
    SENDING = "sending"  # it may have left already
    SENT = "sent"
    REFUSED = "refused"
    HELD_BACK = "held_back"  # a correction made it wrong before it left


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One notice for one person over one medium; `message_id` is its fixed Message-ID, brackets included."""

    id: UUID
    practitioner_id: UUID
    session_id: UUID | None
    kind: NoticeKind
    medium: Medium
    to_client: bool
    notice: Notice
    message_id: str
    state: MessageState
    queued_at: datetime
    sent_at: datetime | None
    error: str | None


def queue(
    db: Connection,
    notice: Notice,
    *,
    practitioner_id: UUID,
    to_client: bool,
    idempotency_key: str,
    mail_domain: str,
    now: datetime,
) -> UUID:
    """Store one mail to be sent and return its id; the same key twice is a programming error and fails."""
    identity = uuid4()
    values = {
        "id": identity,
        "idempotency_key": idempotency_key,
        "practitioner_id": practitioner_id,
        "session_id": notice.session.id if notice.session else None,
        "kind": notice.kind.value,
        "medium": Medium.EMAIL.value,
        "to_client": to_client,
        "notice": msgspec.json.encode(notice).decode(),
        "message_id": f"<{identity}@{mail_domain}>",
        "state": MessageState.QUEUED.value,
        "queued_at": now,
    }
    db.execute(insert(messages).values(values))
    return identity


def get(db: Connection, message_id: UUID) -> Message | None:
    """Return a message, or None."""
    row = db.execute(select(messages).where(messages.c.id == message_id)).first()
    return _message(row) if row else None


def is_queued(db: Connection, idempotency_key: str) -> bool:
    """Whether a message of this key was ever stored."""
    return db.execute(select(messages.c.id).where(messages.c.idempotency_key == idempotency_key)).first() is not None


def begin_sending(db: Connection, message_id: UUID) -> Message | None:
    """Note that a message is about to leave; None if it has left, was refused or was held back."""
    can_leave = messages.c.state.in_([MessageState.QUEUED.value, MessageState.SENDING.value])
    query = update(messages).where(messages.c.id == message_id, can_leave).values(state=MessageState.SENDING.value)
    row = db.execute(query.returning(*messages.c)).first()
    return _message(row) if row else None


def requeue(db: Connection, message_id: UUID, *, error: str) -> None:
    """Note that a message has certainly not left yet, and why."""
    db.execute(update(messages).where(messages.c.id == message_id).values(state=MessageState.QUEUED.value, error=error))


def sent(db: Connection, message_id: UUID, *, now: datetime) -> None:
    """Note that a message has left."""
    values = {"state": MessageState.SENT.value, "sent_at": now, "error": None}
    db.execute(update(messages).where(messages.c.id == message_id).values(values))


def refused(db: Connection, message_id: UUID, *, error: str) -> None:
    """Note that a message was refused for good."""
    values = {"state": MessageState.REFUSED.value, "error": error}
    db.execute(update(messages).where(messages.c.id == message_id).values(values))


def hold_back(db: Connection, session_id: UUID, kinds: Collection[NoticeKind]) -> Sequence[Message]:
    """Keep what has certainly not left to the client from ever leaving; returns it, oldest first."""
    query = (
        update(messages)
        .where(
            messages.c.session_id == session_id,
            messages.c.to_client,
            messages.c.state == MessageState.QUEUED.value,
            messages.c.kind.in_([kind.value for kind in kinds]),
        )
        .values(state=MessageState.HELD_BACK.value)
        .returning(*messages.c)
    )
    return sorted((_message(row) for row in db.execute(query)), key=_revision)


def thread_start(db: Connection, message: Message) -> str | None:
    """Return the Message-ID of the first letter about the same session to the same person; None if this is it."""
    if message.session_id is None:
        return None
    query = (
        select(messages.c.message_id)
        .where(
            messages.c.session_id == message.session_id,
            messages.c.to_client == message.to_client,
            messages.c.state != MessageState.HELD_BACK.value,
        )
        .order_by(messages.c.queued_at, messages.c.id)
        .limit(1)
    )
    first = db.execute(query).scalar_one_or_none()
    return None if first == message.message_id else first


def of_session(db: Connection, session_id: UUID) -> Sequence[Message]:
    """Return every message about a session, oldest first."""
    query = select(messages).where(messages.c.session_id == session_id)
    return sorted(map(_message, db.execute(query)), key=lambda message: (message.queued_at, _revision(message)))


def _revision(message: Message) -> tuple[int, datetime]:
    return (message.notice.session.revision if message.notice.session else 0, message.queued_at)


def _message(row: Row[Any]) -> Message:
    return Message(
        id=row.id,
        practitioner_id=row.practitioner_id,
        session_id=row.session_id,
        kind=NoticeKind(row.kind),
        medium=Medium(row.medium),
        to_client=row.to_client,
        notice=msgspec.json.decode(row.notice, type=Notice),
        message_id=row.message_id,
        state=MessageState(row.state),
        queued_at=row.queued_at,
        sent_at=row.sent_at,
        error=row.error,
    )
