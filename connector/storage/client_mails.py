"""Mails and texts of clients that their practitioners read, or decide about."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy import ColumnElement, Connection, Row, insert, select, update

from connector.domain.client_mail import ClientMail, MailState
from connector.domain.facts import Attendance, Doubt, MailChoice, MailKind
from connector.domain.people import Medium
from connector.domain.span import When
from connector.errors import NotFoundError
from connector.storage.sessions import when_columns, when_of
from connector.storage.tables import client_mails


def add(db: Connection, mail: ClientMail) -> None:
    """Store a mail that has come."""
    fixed = {
        "id": mail.id,
        "session_id": mail.session_id,
        "practitioner_id": mail.practitioner_id,
        "received_at": mail.received_at,
        "author": mail.author,
        "medium": mail.medium.value,
        "doubt": mail.doubt.value if mail.doubt else None,
        "text": mail.text,
        "answer": mail.answer.value if mail.answer else None,
        "sequence": mail.sequence,
        "stamp": mail.stamp,
        "wishes": msgspec.json.encode(mail.wishes).decode() if mail.wishes else None,
    }
    proposed = when_columns(mail.proposed) if mail.proposed else {}
    db.execute(insert(client_mails).values(fixed | proposed | _changing(mail)))


def save(db: Connection, mail: ClientMail) -> None:
    """Store what was decided about a mail; its practitioner is locked."""
    db.execute(update(client_mails).where(client_mails.c.id == mail.id).values(_changing(mail)))


def get(db: Connection, mail_id: UUID) -> ClientMail:
    """Return a mail.

    Raises: NotFoundError.
    """
    row = db.execute(select(client_mails).where(client_mails.c.id == mail_id)).first()
    if row is None:
        raise NotFoundError("There is no such mail.", code="mail_not_found")
    return _mail(row)


def is_known(db: Connection, mail_id: UUID) -> bool:
    """Whether there is a mail of this id."""
    return db.execute(select(client_mails.c.id).where(client_mails.c.id == mail_id)).first() is not None


def of_session(db: Connection, session_id: UUID, *, most: int | None = None) -> Sequence[ClientMail]:
    """Return the mails about a session, the latest first."""
    latest = (client_mails.c.received_at.desc(), client_mails.c.id)
    query = select(client_mails).where(client_mails.c.session_id == session_id).order_by(*latest).limit(most)
    return [_mail(row) for row in db.execute(query)]


def open_wish(db: Connection, session_id: UUID) -> ClientMail | None:
    """Return what a client has written last that would suit them, if it waits for a decision."""
    own = _open(client_mails.c.session_id == session_id) & (client_mails.c.kind == MailKind.WISH.value)
    latest = (client_mails.c.received_at.desc(), client_mails.c.id)
    row = db.execute(select(client_mails).where(own).order_by(*latest).limit(1)).first()
    return _mail(row) if row is not None else None


def open_of_practitioner(db: Connection, practitioner_id: UUID) -> Mapping[UUID, ClientMail]:
    """Return, by session, the latest mail that waits for a practitioner's decision."""
    waiting = _open(client_mails.c.practitioner_id == practitioner_id)
    rows = db.execute(select(client_mails).where(waiting).order_by(client_mails.c.received_at))
    return {row.session_id: _mail(row) for row in rows}


def overtake(
    db: Connection, session_id: UUID, kinds: Collection[MailKind], *, now: datetime, unproved_of: str | None = None
) -> None:
    """Have nobody asked any more about the mails of these kinds that are open.

    With `unproved_of`, only about those that nothing proves and that say they are from this address.
    """
    waiting = _open(client_mails.c.session_id == session_id) & client_mails.c.kind.in_([kind.value for kind in kinds])
    if unproved_of is not None:
        waiting &= client_mails.c.trusted.is_(False) & (client_mails.c.author == unproved_of)
    ended = {"state": MailState.OVERTAKEN.value, "ended_at": now}
    db.execute(update(client_mails).where(waiting).values(ended))


def _open(of: ColumnElement[bool]) -> ColumnElement[bool]:
    return of & (client_mails.c.state == MailState.OPEN.value)


def _changing(mail: ClientMail) -> dict[str, Any]:
    return {
        "kind": mail.kind.value,
        "state": mail.state.value,
        "trusted": mail.trusted,
        "choice": mail.choice.value if mail.choice else None,
        "ended_at": mail.ended_at,
    }


def _mail(row: Row[Any]) -> ClientMail:
    return ClientMail(
        id=row.id,
        session_id=row.session_id,
        practitioner_id=row.practitioner_id,
        kind=MailKind(row.kind),
        received_at=row.received_at,
        author=row.author,
        medium=Medium(row.medium),
        trusted=row.trusted,
        doubt=Doubt(row.doubt) if row.doubt else None,
        text=row.text,
        answer=Attendance(row.answer) if row.answer else None,
        sequence=row.sequence,
        stamp=row.stamp,
        proposed=when_of(row) if row.starts_at else None,
        wishes=msgspec.json.decode(row.wishes, type=tuple[When, ...]) if row.wishes else (),
        state=MailState(row.state),
        choice=MailChoice(row.choice) if row.choice else None,
        ended_at=row.ended_at,
    )
