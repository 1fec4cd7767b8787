"""Conversations in the database: what each reader may believe, and what practitioners are still to be told."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

import msgspec
from sqlalchemy import ColumnElement, Connection, Row, case, delete, func, insert, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite

from connector.domain.conversation import Conversation
from connector.domain.notice import Notice
from connector.domain.notice_table import Audience
from connector.domain.people import Client, Medium
from connector.storage.tables import clients, conversations, messages, pending_notices, sessions

NO_CHANNEL = "no channel"  # why something could not be told: there is no way to reach its reader


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredConversation:
    """A conversation's row.

    Attributes:
        session_id: What it is about; None for what concerns no one session.
        address: Whose beliefs these are; another address has been told nothing.
        beliefs: None for what the log of messages tells.
        letter_id: The message that was begun and neither sent nor refused.
        tried_at: When something was last handed over, or could not be, aware UTC.
        refused: Why the last letter was refused for good, or NO_CHANNEL; empty when one has left since.
    """

    id: UUID
    practitioner_id: UUID
    session_id: UUID | None
    reader: Audience
    medium: Medium
    address: str
    beliefs: Conversation | None
    letter_id: UUID | None
    tried_at: datetime | None
    refused: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PendingNotice:
    """Something that a practitioner or an operator is still to be told; `key` makes sure that it is told once."""

    id: int
    key: str
    notice: Notice
    made_at: datetime


def locked(db: Connection, conversation_id: UUID) -> StoredConversation | None:
    """Return a conversation that nobody else changes until the transaction ends; None if there is none."""
    row = db.execute(select(conversations).where(conversations.c.id == conversation_id).with_for_update()).first()
    return _conversation(row) if row else None


def about(
    db: Connection,
    practitioner_id: UUID,
    session_id: UUID | None,
    reader: Audience,
    medium: Medium,
    *,
    address: str,
    beliefs: Conversation | None = None,
) -> StoredConversation:
    """Return the conversation about a session, or a new one about nothing in particular; locked as above.

    With `beliefs` it begins now, so nobody looks for it first.
    """
    if session_id is not None and beliefs is None:
        known = (
            (conversations.c.session_id == session_id)
            & (conversations.c.reader == reader.value)
            & (conversations.c.medium == medium.value)
        )
        row = db.execute(select(conversations).where(known).with_for_update()).first()
        if row is not None:
            return _conversation(row)
    values = {
        "id": uuid4(),
        "practitioner_id": practitioner_id,
        "session_id": session_id,
        "reader": reader.value,
        "medium": medium.value,
        "address": address,
        "beliefs": None if beliefs is None else msgspec.json.encode(beliefs).decode(),
    }
    dialect = postgresql if db.dialect.name == "postgresql" else sqlite
    new = dialect.insert(conversations).values(values).on_conflict_do_nothing().returning(*conversations.c)
    row = db.execute(new).first()
    if row is None:  # somebody has begun the same one meanwhile
        return about(db, practitioner_id, session_id, reader, medium, address=address)
    return _conversation(row)


def of_session(db: Connection, session_id: UUID) -> Sequence[StoredConversation]:
    """Return every conversation about a session."""
    rows = db.execute(select(conversations).where(conversations.c.session_id == session_id))
    return [_conversation(row) for row in rows]


def of_client(db: Connection, session_ids: Iterable[UUID]) -> Sequence[StoredConversation]:
    """Return the conversations with clients about these sessions."""
    query = select(conversations).where(
        conversations.c.session_id.in_(list(session_ids)), conversations.c.reader == Audience.CLIENT.value
    )
    return [_conversation(row) for row in db.execute(query)]


def unfinished(db: Connection, practitioner_id: UUID) -> Sequence[StoredConversation]:
    """Return the conversations with a practitioner in which something waits, or the last letter was refused."""
    waits = conversations.c.id.in_(select(pending_notices.c.conversation_id))
    query = (
        select(conversations)
        .where(
            conversations.c.practitioner_id == practitioner_id,
            conversations.c.reader == Audience.PRACTITIONER.value,
            or_(waits, conversations.c.refused.is_not(None)),
        )
        .order_by(conversations.c.id)
        .with_for_update()
    )
    return [_conversation(row) for row in db.execute(query)]


def save(db: Connection, conversation: StoredConversation) -> None:
    """Store what a reader may believe now, and how far the letter is that was begun."""
    values = {
        "address": conversation.address,
        "beliefs": None if conversation.beliefs is None else msgspec.json.encode(conversation.beliefs).decode(),
        "letter_id": conversation.letter_id,
        "tried_at": conversation.tried_at,
        "refused": conversation.refused or None,
    }
    db.execute(update(conversations).where(conversations.c.id == conversation.id).values(values))


def unheard(db: Connection, practitioner_id: UUID) -> set[UUID]:
    """Return the sessions about which a letter to the client was refused, or had no way, and none has left since."""
    return _about_which(db, practitioner_id, conversations.c.refused.is_not(None))


def unreached(db: Connection, practitioner_id: UUID) -> set[UUID]:
    """Return those of them whose client can be told nothing."""
    return _about_which(db, practitioner_id, conversations.c.refused == NO_CHANNEL)


def _about_which(db: Connection, practitioner_id: UUID, condition: ColumnElement[bool]) -> set[UUID]:
    query = select(conversations.c.session_id).where(
        conversations.c.practitioner_id == practitioner_id,
        condition,
        conversations.c.reader == Audience.CLIENT.value,
    )
    return {session_id for session_id in db.execute(query).scalars() if session_id is not None}


def refuses_mail(db: Connection, practitioner_id: UUID) -> bool:
    """Whether the last letter to a practitioner was refused for good."""
    own = conversations.c.practitioner_id == practitioner_id
    return _is_last_refused(db, own & (conversations.c.reader == Audience.PRACTITIONER.value))


def address_fails(db: Connection, practitioner_id: UUID, client: Client) -> bool:
    """Whether the last letter of a practitioner to a client, at the address they have now, was refused or came back."""
    return client.id in addresses_failing(db, practitioner_id, [client.id])


def addresses_failing(db: Connection, practitioner_id: UUID, client_ids: Collection[UUID]) -> set[UUID]:
    """Return those of these clients to whom, at the address they have now, the last letter was refused or came back."""
    is_refused = conversations.c.refused.is_not(None)
    query = (
        select(
            sessions.c.client_id,
            func.max(case((is_refused, conversations.c.tried_at))).label("refused_at"),
            func.max(case((~is_refused, conversations.c.tried_at))).label("arrived_at"),
        )
        .select_from(
            conversations.join(sessions, sessions.c.id == conversations.c.session_id).join(
                clients, clients.c.id == sessions.c.client_id
            )
        )
        .where(
            conversations.c.practitioner_id == practitioner_id,
            conversations.c.reader == Audience.CLIENT.value,
            conversations.c.medium == Medium.EMAIL.value,
            conversations.c.address == clients.c.email,
            clients.c.email != "",
            sessions.c.client_id.in_(set(client_ids)),
        )
        .group_by(sessions.c.client_id)
    )
    return {
        row.client_id
        for row in db.execute(query)
        if row.refused_at is not None and (row.arrived_at is None or row.arrived_at <= row.refused_at)
    }


def _is_last_refused(db: Connection, to_them: ColumnElement[bool]) -> bool:
    query = select(conversations.c.tried_at).where(to_them, conversations.c.refused.is_not(None))
    refused_at = max((at for at in db.execute(query).scalars() if at is not None), default=None)
    if refused_at is None:
        return False
    later = to_them & conversations.c.refused.is_(None) & (conversations.c.tried_at > refused_at)
    return db.execute(select(conversations.c.id).where(later).limit(1)).first() is None


def tried_before(db: Connection, ids: Iterable[UUID], before: datetime, *, like: UUID) -> Sequence[UUID]:
    """Return those of these conversations of which nothing was tried since, by the medium of the one `like`."""
    medium = select(conversations.c.medium).where(conversations.c.id == like).scalar_subquery()
    own = conversations.c.id.in_(list(ids)) & (conversations.c.medium == medium)
    query = select(conversations.c.id).where(own, conversations.c.tried_at <= before)
    return list(db.execute(query).scalars())


def add_notice(db: Connection, conversation_id: UUID, notice: Notice, *, key: str, now: datetime) -> None:
    """Have a notice told after those that wait already; the same key twice is a programming error and fails."""
    values = {
        "conversation_id": conversation_id,
        "key": key,
        "notice": msgspec.json.encode(notice).decode(),
        "made_at": now,
    }
    db.execute(insert(pending_notices).values(values))


def pending(db: Connection, conversation_id: UUID) -> Sequence[PendingNotice]:
    """Return what waits to be told, oldest first."""
    own = pending_notices.c.conversation_id == conversation_id
    rows = db.execute(select(pending_notices).where(own).order_by(pending_notices.c.id))
    return [
        PendingNotice(id=row.id, key=row.key, notice=msgspec.json.decode(row.notice, type=Notice), made_at=row.made_at)
        for row in rows
    ]


def drop(db: Connection, notice_ids: Iterable[int]) -> None:
    """Forget notices: they were told, or have been overtaken."""
    db.execute(delete(pending_notices).where(pending_notices.c.id.in_(list(notice_ids))))


def drop_key(db: Connection, key: str) -> None:
    """Forget the notice of this key, if it waits: it is not so any more."""
    db.execute(delete(pending_notices).where(pending_notices.c.key == key))


def was_told(db: Connection, key: str) -> bool:
    """Whether a notice of this key waits, or was told."""
    waiting = select(pending_notices.c.id).where(pending_notices.c.key == key)
    logged = select(messages.c.id).where(messages.c.idempotency_key == key)
    return db.execute(waiting).first() is not None or db.execute(logged).first() is not None


def told_keys(db: Connection, beginning: str) -> Sequence[str]:
    """Return the keys that begin so of notices that wait, or were told."""
    keys: list[str] = []
    for column in (pending_notices.c.key, messages.c.idempotency_key):
        keys += db.execute(select(column).where(column.startswith(beginning, autoescape=True))).scalars()
    return keys


def _conversation(row: Row[Any]) -> StoredConversation:
    return StoredConversation(
        id=row.id,
        practitioner_id=row.practitioner_id,
        session_id=row.session_id,
        reader=Audience(row.reader),
        medium=Medium(row.medium),
        address=row.address,
        beliefs=None if row.beliefs is None else msgspec.json.decode(row.beliefs, type=Conversation),
        letter_id=row.letter_id,
        tried_at=row.tried_at,
        refused=row.refused or "",
    )
