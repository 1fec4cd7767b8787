"""Where a client is named outside of their own rows: in unknown entries, lists after a restore, and others' timelines.

Rows of others are found by words alone, and only by those that mean nobody else: see `domain/mention.py`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy import ColumnElement, Connection, Row, Table, or_, select, update

from connector.domain import mention
from connector.domain.facts import UnknownFact
from connector.domain.mention import Words
from connector.domain.notice import Concerned, Notice, NoticeKind, Righted
from connector.domain.people import Role
from connector.domain.personal import WORD, reworded, without_client
from connector.storage import personal, timeline
from connector.storage.tables import (
    clients,
    conversations,
    facts,
    messages,
    pending_notices,
    practitioners,
    unknown_entries,
)

_TYPED = (facts.c.actor_name, facts.c.actor_reason, facts.c.details)


def words_of(db: Connection, client_id: UUID) -> Words:
    """Return by what a client is known that means nobody else, as their own rows have it; nothing once erased."""
    row = db.execute(select(clients).where(clients.c.id == client_id)).one()
    names, contacts = {row.name}, {row.email, row.phone}
    for letter in personal.rows(db, personal.LETTERS, client_id):
        notice = msgspec.json.decode(letter.notice, type=Notice)
        names.add(notice.client_name)
        contacts |= {notice.to.address} if letter.to_client else set()
    is_another = (clients.c.id != client_id) & clients.c.erased_at.is_(None)
    others = db.execute(select(clients.c.name, clients.c.email, clients.c.phone).where(is_another)).all()
    practice = db.execute(select(practitioners.c.name, practitioners.c.email)).all()
    return mention.words(
        names,
        contacts,
        other_clients={other.name for other in others},
        everybody_else=[text for other in (*others, *practice) for text in other if text],
    )


def unknown(db: Connection, words: Words) -> Iterator[Row[Any]]:
    """Yield the unknown entries that show a client."""
    for row in db.execute(select(unknown_entries).order_by(unknown_entries.c.starts_at)).all():
        if words.mean(row.title):
            yield row


def righted(db: Connection, words: Words) -> Iterator[Righted]:
    """Yield what lists after a restore tell of a client."""
    for table in (messages, pending_notices):
        for _row, notice in _lists(db, table):
            yield from (one for one in notice.righted if words.mean(one.about))


def concerned(db: Connection, words: Words) -> Iterator[Concerned]:
    """Yield what questions about absences tell of a client."""
    for table in (messages, pending_notices):
        for _row, notice in _lists(db, table):
            yield from (one for one in notice.concerned if words.mean(one.about))


def erase(db: Connection, words: Words) -> None:
    """Erase a client from everything that is not theirs."""
    for row in list(unknown(db, words)):
        key = (unknown_entries.c.calendar_id == row.calendar_id) & (unknown_entries.c.name == row.name)
        db.execute(update(unknown_entries).where(key).values(title=WORD))
    for table in (messages, pending_notices):
        for row, notice in _lists(db, table):
            new = replace(
                notice,
                righted=tuple(without_client(one) if words.mean(one.about) else one for one in notice.righted),
                concerned=tuple(without_client(one) if words.mean(one.about) else one for one in notice.concerned),
            )
            if new != notice:
                stored = msgspec.json.encode(new).decode()
                db.execute(update(table).where(table.c.id == row.id).values(notice=stored))
    if words.spelled:
        _erase_typed(db, words)


def _erase_typed(db: Connection, words: Words) -> None:
    """Erase a client from what was typed about others; whoever acted for the practice is still named."""
    may_tell = [column.icontains(part, autoescape=True) for column in _TYPED for part in words.parts]
    for row in db.execute(select(facts).where(or_(*may_tell))).all():
        is_client = row.actor_role == Role.CLIENT.value
        new = {
            "actor_name": words.replaced(row.actor_name, WORD) if is_client else row.actor_name,
            "actor_reason": words.replaced(row.actor_reason, WORD),
            "details": _details(row, words),
        }
        values = {name: value for name, value in new.items() if value != getattr(row, name)}
        if values:
            db.execute(update(facts).where(facts.c.id == row.id).values(values))


def _details(row: Row[Any], words: Words) -> str:
    """Return what a fact adds without them; of one that a newer version has stored, any text may tell of them."""
    fact = timeline.fact_of(row)
    if isinstance(fact, UnknownFact):
        return msgspec.json.encode(_without(msgspec.json.decode(row.details), words)).decode()
    new = reworded(fact, lambda text: words.replaced(text, WORD))
    return row.details if new == fact else timeline.details_of(new)


def _without(value: Any, words: Words) -> Any:
    match value:
        case str():
            return words.replaced(value, WORD)
        case list():
            return [_without(one, words) for one in value]
        case dict():
            return {name: _without(one, words) for name, one in value.items()}
        case _:
            return value


def _lists(db: Connection, table: Table) -> Iterator[tuple[Row[Any], Notice]]:
    """Yield the notices that list sessions of several clients: after a restore, and in an absence."""
    of_nothing = select(conversations.c.id).where(conversations.c.session_id.is_(None))
    kinds = (NoticeKind.RESTORED, NoticeKind.ABSENCE_ASKED)
    is_list: ColumnElement[bool] = or_(*(table.c.notice.contains(f'"{kind.value}"') for kind in kinds))
    for row in db.execute(select(table).where(table.c.conversation_id.in_(of_nothing), is_list)).all():
        notice = msgspec.json.decode(row.notice, type=Notice)
        if notice.righted or notice.concerned:
            yield row, notice
