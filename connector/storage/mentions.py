"""Where a client is named outside of their own rows: in unknown entries, lists after a restore, and others' timelines.

Rows of others are found by words alone. So only what means nobody else is looked for there: a full name, an address or
a number that nobody else has.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy import ColumnElement, Connection, Row, Table, or_, select, update

from connector.domain.entry import titles
from connector.domain.notice import Notice, NoticeKind, Righted
from connector.domain.people import ERASED
from connector.domain.personal import WORD, without_client
from connector.storage import personal
from connector.storage.tables import (
    clients,
    conversations,
    facts,
    messages,
    pending_notices,
    practitioners,
    unknown_entries,
)

_SHORTEST = 5
_TYPED = (facts.c.actor_name, facts.c.actor_reason, facts.c.details)


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """By what a client is known.

    Attributes:
        names: Their name, and those they had before.
        unmistakable: Names, addresses and numbers that mean nobody else.
    """

    names: frozenset[str]
    unmistakable: frozenset[str]

    def name(self, text: str) -> bool:
        """Whether a short text, such as a title, means them."""
        is_title = any(text in titles(name) for name in self.names)
        return text in self.names or is_title or any(word in text for word in self.unmistakable)


def words_of(db: Connection, client_id: UUID) -> Words:
    """Return by what a client is known, as their own rows have it; nothing once they are erased."""
    row = db.execute(select(clients).where(clients.c.id == client_id)).one()
    names, contacts = {row.name}, {row.email, row.phone}
    for letter in personal.rows(db, personal.LETTERS, client_id):
        notice = msgspec.json.decode(letter.notice, type=Notice)
        names.add(notice.client_name)
        contacts |= {notice.to.address} if letter.to_client else set()
    names, contacts = names - {"", ERASED}, contacts - {""}
    full = {name for name in names if " " in name.strip() and len(name) >= _SHORTEST}
    unmistakable = {word for word in full | contacts if not _is_anothers(db, client_id, word)}
    return Words(names=frozenset(names), unmistakable=frozenset(unmistakable))


def unknown(db: Connection, words: Words) -> Iterator[Row[Any]]:
    """Yield the unknown entries that show a client."""
    for row in db.execute(select(unknown_entries).order_by(unknown_entries.c.starts_at)).all():
        if words.name(row.title):
            yield row


def righted(db: Connection, words: Words) -> Iterator[Righted]:
    """Yield what lists after a restore tell of a client."""
    for table in (messages, pending_notices):
        for _row, notice in _lists(db, table):
            yield from (one for one in notice.righted if words.name(one.about))


def erase(db: Connection, words: Words) -> None:
    """Erase a client from everything that is not theirs."""
    for row in list(unknown(db, words)):
        key = (unknown_entries.c.calendar_id == row.calendar_id) & (unknown_entries.c.name == row.name)
        db.execute(update(unknown_entries).where(key).values(title=WORD))
    for table in (messages, pending_notices):
        for row, notice in _lists(db, table):
            new = tuple(without_client(one) if words.name(one.about) else one for one in notice.righted)
            if new != notice.righted:
                stored = msgspec.json.encode(replace(notice, righted=new)).decode()
                db.execute(update(table).where(table.c.id == row.id).values(notice=stored))
    if words.unmistakable:
        _erase_typed(db, words.unmistakable)


def _erase_typed(db: Connection, unmistakable: Collection[str]) -> None:
    written = {column.name: _as_stored(unmistakable, column.name == "details") for column in _TYPED}
    found = [column.contains(word, autoescape=True) for column in _TYPED for word in written[column.name]]
    for row in db.execute(select(facts).where(or_(*found))).all():
        values = {name: _replaced(getattr(row, name), texts) for name, texts in written.items()}
        db.execute(update(facts).where(facts.c.id == row.id).values(values))


def _as_stored(unmistakable: Iterable[str], in_json: bool) -> list[str]:  # noqa: FBT001 - said by its one caller
    longest_first = sorted(unmistakable, key=len, reverse=True)
    return [msgspec.json.encode(word).decode()[1:-1] if in_json else word for word in longest_first]


def _replaced(text: str, texts: Iterable[str]) -> str:
    for one in texts:
        text = text.replace(one, WORD)
    return text


def _lists(db: Connection, table: Table) -> Iterator[tuple[Row[Any], Notice]]:
    """Yield the notices that list what was put right after a restore."""
    of_nothing = select(conversations.c.id).where(conversations.c.session_id.is_(None))
    is_list: ColumnElement[bool] = table.c.notice.contains(f'"{NoticeKind.RESTORED.value}"')
    for row in db.execute(select(table).where(table.c.conversation_id.in_(of_nothing), is_list)).all():
        notice = msgspec.json.decode(row.notice, type=Notice)
        if notice.righted:
            yield row, notice


def _is_anothers(db: Connection, client_id: UUID, word: str) -> bool:
    """Whether another client, or a practitioner, goes by a word; one name may be part of another."""
    client = or_(
        clients.c.name.contains(word, autoescape=True), clients.c.email.icontains(word), clients.c.phone == word
    )
    practitioner = or_(practitioners.c.name.contains(word, autoescape=True), practitioners.c.email.icontains(word))
    others = select(clients.c.id).where(clients.c.id != client_id, client)
    return db.execute(others.union_all(select(practitioners.c.id).where(practitioner)).limit(1)).first() is not None
