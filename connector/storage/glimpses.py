"""How what a page shows stands, in one statement: for whoever looks again every few seconds."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, Integer, Select, Subquery, cast, func, select, true

from connector.domain.client_mail import MailState
from connector.domain.facts import MailKind
from connector.domain.offer import OfferState
from connector.domain.reconcile import MirrorState
from connector.storage.messages import MessageState
from connector.storage.tables import (
    alternatives,
    client_mails,
    clients,
    facts,
    messages,
    mirrors,
    offers,
    practitioners,
    sessions,
)

Glimpse = tuple[Any, ...]
"""Numbers and instants, of which one is another as soon as something else is to be shown."""


def for_practitioner(db: Connection, practitioner_id: UUID, session_id: UUID, *, now: datetime) -> Glimpse | None:
    """Return how a session stands, with its entries and its letters; None if it is none of this practitioner's."""
    parts = (
        select(func.max(facts.c.id)).where(facts.c.session_id == session_id).subquery(),
        select(func.count(), *(_times(mirrors.c.state == state.value) for state in MirrorState))
        .where(mirrors.c.session_id == session_id)
        .subquery(),
        select(*(_times(messages.c.state == state.value) for state in MessageState), func.max(messages.c.receipt_at))
        .where(messages.c.session_id == session_id)
        .subquery(),
        _passed(session_id, now),
    )
    standing = (
        select(sessions.c.version, clients.c.version, practitioners.c.version, *_columns(parts))
        .join(clients, clients.c.id == sessions.c.client_id)
        .join(practitioners, practitioners.c.id == sessions.c.practitioner_id)
        .where(sessions.c.id == session_id, sessions.c.practitioner_id == practitioner_id)
    )
    return _row(db, standing, parts)


def for_client(db: Connection, session_id: UUID, *, now: datetime) -> Glimpse | None:
    """Return how a session stands, with what was offered for it and wished; None if there is none."""
    sent = (offers.c.session_id == session_id) & (offers.c.state != OfferState.DRAFT.value)
    wish = (client_mails.c.session_id == session_id) & (client_mails.c.kind == MailKind.WISH.value)
    parts = (
        select(func.count(), func.sum(offers.c.version)).where(sent).subquery(),
        select(func.count(), _times(client_mails.c.state == MailState.OPEN.value)).where(wish).subquery(),
        _passed(session_id, now),
    )
    standing = (
        select(sessions.c.version, clients.c.version, *_columns(parts))
        .join(clients, clients.c.id == sessions.c.client_id)
        .where(sessions.c.id == session_id)
    )
    return _row(db, standing, parts)


def _passed(session_id: UUID, now: datetime) -> Subquery:
    """Count what time itself has changed: offers whose deadline has come, and offered times that have begun."""
    is_open = (offers.c.session_id == session_id) & (offers.c.state == OfferState.OPEN.value)
    return (
        select(_times(offers.c.expires_at <= now), _times(alternatives.c.starts_at <= now))
        .join(alternatives, alternatives.c.offer_id == offers.c.id)
        .where(is_open)
        .subquery()
    )


def _times(condition: ColumnElement[bool]) -> ColumnElement[Any]:
    return func.sum(cast(condition, Integer))


def _columns(parts: tuple[Subquery, ...]) -> list[ColumnElement[Any]]:
    return [column for part in parts for column in part.c]


def _row(db: Connection, standing: Select[Any], parts: tuple[Subquery, ...]) -> Glimpse | None:
    for part in parts:
        standing = standing.join(part, true())
    row = db.execute(standing).first()
    return None if row is None else tuple(row)
