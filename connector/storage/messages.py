"""The log of letters: each was handed over, or is about to be, at least once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID, uuid4

import msgspec
from sqlalchemy import Connection, Row, exists, insert, select, update

from connector.domain.notice import Notice, NoticeKind
from connector.domain.notice_table import NOTICES, Audience
from connector.domain.people import Medium
from connector.sentence import Sentence
from connector.storage.conversations import StoredConversation
from connector.storage.tables import conversations, messages

_NO_KEY = "letter:"
_MOST_REFERRED_TO = 20  # beside the first one: what a thread hangs on is its two ends


class MessageState(StrEnum):
    """Where a message is."""

    QUEUED = "queued"  # it was begun, and has certainly not left
    SENDING = "sending"  # it may have left already, and is tried again as it is
    SENT = "sent"
    UNKNOWN = "unknown"  # it may have left; it was overtaken, so nobody tries again
    REFUSED = "refused"
    HELD_BACK = "held_back"  # overtaken before it left: it never will


_STAYED = frozenset({MessageState.QUEUED, MessageState.HELD_BACK})  # what has certainly not left


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One notice for one person over one medium; `message_id` is its fixed Message-ID, brackets included."""

    id: UUID
    conversation_id: UUID | None
    practitioner_id: UUID
    session_id: UUID | None
    kind: NoticeKind
    medium: Medium
    to_client: bool
    notice: Notice
    key: str
    message_id: str
    state: MessageState
    queued_at: datetime
    sent_at: datetime | None
    error: Sentence | None
    receipt: str | None = None


DELIVERED, FAILED = "delivered", "failed"  # what a gateway tells of a text
STOPPED = "stopped"  # it was refused since its reader wants no texts, and what follows from that is still to be done


def begin(
    db: Connection,
    notice: Notice,
    *,
    conversation: StoredConversation,
    key: str | None,
    mail_domain: str,
    now: datetime,
) -> Message:
    """Log a letter that is about to be handed over for the first time, as one that has not left.

    The same `key` twice is a programming error and fails; None for letters that are made from what stands.
    """
    identity = uuid4()
    values = {
        "id": identity,
        "idempotency_key": key or f"{_NO_KEY}{identity}",
        "conversation_id": conversation.id,
        "practitioner_id": conversation.practitioner_id,
        "session_id": notice.session.id if notice.session else None,
        "kind": notice.kind.value,
        "medium": conversation.medium.value,
        "to_client": NOTICES[notice.kind].to is Audience.CLIENT,
        "notice": msgspec.json.encode(notice).decode(),
        "message_id": f"<{identity}@{mail_domain}>",
        "state": MessageState.QUEUED.value,
        "queued_at": now,
    }
    return _message(db.execute(insert(messages).values(values).returning(*messages.c)).one())


def get(db: Connection, message_id: UUID) -> Message | None:
    """Return a message, or None."""
    row = db.execute(select(messages).where(messages.c.id == message_id)).first()
    return _message(row) if row else None


def set_state(
    db: Connection,
    message_id: UUID,
    state: MessageState,
    *,
    sent_at: datetime | None = None,
    error: Sentence | None = None,
) -> None:
    """Note how far a message is, and why it is no further; `error` must not name or quote anybody."""
    values = {"state": state.value, "sent_at": sent_at, "error": error}
    db.execute(update(messages).where(messages.c.id == message_id).values(values))


def set_remote_id(db: Connection, message_id: UUID, remote_id: str) -> None:
    """Note what the gateway of a text calls it, by which it tells later what has become of it."""
    db.execute(update(messages).where(messages.c.id == message_id).values(remote_id=remote_id))


def by_remote_id(db: Connection, remote_id: str) -> Message | None:
    """Return the text that its gateway calls so; None if there is none."""
    own = (messages.c.remote_id == remote_id) & (messages.c.medium == Medium.SMS.value)
    row = db.execute(select(messages).where(own).limit(1)).first()
    return _message(row) if row else None


def named_since(db: Connection, since: datetime) -> Sequence[str]:
    """Return what gateways call the texts that have left since, and of which they have told nothing."""
    own = messages.c.remote_id.is_not(None) & messages.c.receipt.is_(None) & (messages.c.sent_at > since)
    query = select(messages.c.remote_id).where(own, messages.c.medium == Medium.SMS.value)
    return list(db.execute(query).scalars())


def by_key(db: Connection, key: str) -> Message | None:
    """Return what was begun under a key; None if nothing was."""
    row = db.execute(select(messages).where(messages.c.idempotency_key == key)).first()
    return _message(row) if row else None


def stopped_in(db: Connection, conversation_id: UUID) -> Sequence[Message]:
    """Return the texts of a conversation from whose refusal something is still to follow."""
    session = select(conversations.c.session_id).where(conversations.c.id == conversation_id).scalar_subquery()
    own = (messages.c.session_id == session) & (messages.c.conversation_id == conversation_id)
    return [_message(row) for row in db.execute(select(messages).where(own, messages.c.receipt == STOPPED))]


def set_receipt(db: Connection, message_id: UUID, receipt: str | None, *, now: datetime) -> None:
    """Note what a gateway has told of a text; None for nothing that lasts."""
    db.execute(update(messages).where(messages.c.id == message_id).values(receipt=receipt, receipt_at=now))


def has_left_since(db: Connection, message: Message) -> bool:
    """Whether another message of the same conversation has left after this one, as far as that is known."""
    if message.sent_at is None:
        return False
    own = (messages.c.session_id == message.session_id) & (messages.c.conversation_id == message.conversation_id)
    later = own & (messages.c.sent_at > message.sent_at)
    query = select(messages.c.id).where(later, messages.c.state == MessageState.SENT.value)
    return db.execute(query.limit(1)).first() is not None


def last_text_to(db: Connection, number: str) -> Message | None:
    """Return the text that went to a number last; None if none did, or the number is nobody's any more."""
    to_it = (conversations.c.medium == Medium.SMS.value) & (conversations.c.address == number)
    about = messages.c.session_id.in_(select(conversations.c.session_id).where(to_it))  # which has an index
    own = about & messages.c.conversation_id.in_(select(conversations.c.id).where(to_it))
    has_left = messages.c.state.in_([state.value for state in MessageState if state not in _STAYED])
    query = select(messages).where(own, has_left).order_by(messages.c.queued_at.desc(), messages.c.id)
    row = db.execute(query.limit(1)).first()
    return _message(row) if row else None


def in_doubt(db: Connection, practitioner_id: UUID) -> set[UUID]:
    """Return the sessions of which nobody knows whether the last text about them has reached their client."""
    own = (messages.c.practitioner_id == practitioner_id) & (messages.c.medium == Medium.SMS.value)
    unknown = own & messages.c.to_client & (messages.c.state == MessageState.UNKNOWN.value)
    later = messages.alias("later")
    same = (later.c.session_id == messages.c.session_id) & (later.c.conversation_id == messages.c.conversation_id)
    after = same & (later.c.queued_at > messages.c.queued_at)
    has_left = later.c.state == MessageState.SENT.value
    query = select(messages.c.session_id).where(unknown, ~exists().where(after, has_left))
    return {session_id for session_id in db.execute(query).scalars() if session_id is not None}


def free_key(db: Connection, message_id: UUID) -> None:
    """Have the log take the same notice again, for another address, in the place of a message that was given up."""
    key = f"{_NO_KEY}{message_id}"
    db.execute(update(messages).where(messages.c.id == message_id).values(idempotency_key=key))


def redate(db: Connection, message_id: UUID, *, now: datetime) -> None:
    """Have a message that has certainly not left written as of now: what it says is to come must be so then."""
    db.execute(update(messages).where(messages.c.id == message_id).values(queued_at=now))


def hold_back(db: Connection, session_id: UUID) -> None:
    """Keep what is queued to a client, by a version that had no conversations, from ever leaving."""
    queued = messages.c.to_client & (messages.c.state == MessageState.QUEUED.value)
    own = (messages.c.session_id == session_id) & messages.c.conversation_id.is_(None)
    db.execute(update(messages).where(own, queued).values(state=MessageState.HELD_BACK.value))


def thread(db: Connection, message: Message) -> tuple[str, ...]:
    """Return the Message-IDs of the letters that a mail goes on from, oldest first; none if it begins a thread.

    Those about the same session that its reader may have in the same mailbox: a text is in none, what has certainly not
    left neither, and whoever reads at another address learns of no letter to the one before. The same at each attempt.
    """
    if message.session_id is None or message.medium is not Medium.EMAIL:
        return ()
    own = (messages.c.session_id == message.session_id) & (messages.c.to_client == message.to_client)
    left = messages.c.state.not_in([MessageState.HELD_BACK.value, MessageState.QUEUED.value])
    mails = (messages.c.medium == Medium.EMAIL.value) & (messages.c.id != message.id)
    query = select(messages).where(own, left, mails).order_by(messages.c.queued_at, messages.c.id)
    every = map(_message, db.execute(query))
    earlier = [one.message_id for one in every if one.notice.to.address == message.notice.to.address]
    return (*earlier[:1], *earlier[1:][-_MOST_REFERRED_TO:])


def of_session(db: Connection, session_id: UUID) -> Sequence[Message]:
    """Return every message about a session, oldest first."""
    query = select(messages).where(messages.c.session_id == session_id)
    return sorted(map(_message, db.execute(query)), key=lambda message: (message.queued_at, _revision(message)))


def refused_to(db: Connection, practitioner_id: UUID) -> Sequence[Message]:
    """Return what a practitioner was to be told and what was refused for good, oldest first."""
    own = (messages.c.practitioner_id == practitioner_id) & ~messages.c.to_client
    query = select(messages).where(own, messages.c.state == MessageState.REFUSED.value)
    return [_message(row) for row in db.execute(query.order_by(messages.c.queued_at, messages.c.id))]


def _revision(message: Message) -> tuple[int, datetime]:
    return (message.notice.session.revision if message.notice.session else 0, message.queued_at)


def _message(row: Row[Any]) -> Message:
    return Message(
        id=row.id,
        conversation_id=row.conversation_id,
        practitioner_id=row.practitioner_id,
        session_id=row.session_id,
        kind=NoticeKind(row.kind),
        medium=Medium(row.medium),
        to_client=row.to_client,
        notice=msgspec.json.decode(row.notice, type=Notice),
        key=row.idempotency_key,
        message_id=row.message_id,
        state=MessageState(row.state),
        queued_at=row.queued_at,
        sent_at=row.sent_at,
        error=row.error,
        receipt=row.receipt,
    )
