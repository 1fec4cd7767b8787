"""Nothing that is stored about a client can be forgotten: every column and every text has a class."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from enum import Enum
from typing import Any, get_args, get_type_hints

import pytest

from connector.domain.conversation import Conversation
from connector.domain.facts import AnyFact, Fact, UnknownFact
from connector.domain.notice import Notice
from connector.domain.people import Actor
from connector.domain.personal import ERASED_TEXTS, KEPT_TEXTS
from connector.storage.columns import metadata
from connector.storage.personal import HOLDINGS, TELL_NOTHING


@pytest.mark.parametrize("name", sorted(metadata.tables))
def test_every_column_of_every_table_is_classified_as_a_clients_or_nobodys(name: str) -> None:
    table = metadata.tables[name]
    classified = [
        *(word for holding in HOLDINGS if holding.table is table for word in [*holding.erased, *holding.kept.split()]),
        *TELL_NOTHING.get(table, "").split(),
    ]
    if any(holding.table is table and holding.goes for holding in HOLDINGS):
        return
    assert sorted(classified) == sorted(table.c.keys()), (
        f"say in connector/storage/personal.py what each column of {name} tells of a client"
    )


def test_every_text_of_a_stored_document_is_classified() -> None:
    found = {text for document in (Notice, Conversation, *get_args(AnyFact), UnknownFact) for text in _texts(document)}
    assert found == ERASED_TEXTS.keys() | KEPT_TEXTS, "say in connector/domain/personal.py whose each new text is"
    assert not ERASED_TEXTS.keys() & KEPT_TEXTS


def _texts(document: type) -> Iterator[tuple[type, str]]:
    """Yield every field that holds text, in a document and in all that it is made of."""
    common = {field.name for field in fields(Fact)} if issubclass(document, Fact) else set()
    hints = get_type_hints(document)
    for field in fields(document):
        if field.name in common:
            continue
        for part in _parts(hints[field.name]):
            if part is str:
                yield document, field.name
            elif is_dataclass(part) and part is not Actor:
                yield from _texts(part)


def _parts(hint: Any) -> Iterator[type]:
    if get_args(hint):
        for part in get_args(hint):
            yield from _parts(part)
    elif isinstance(hint, type) and not issubclass(hint, Enum):
        yield hint
