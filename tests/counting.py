"""How many statements something costs, however many rows there are: where there is a natural bound, a test holds it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import sqlalchemy as sa

_BEGINS = ("BEGIN", "PRAGMA", "SAVEPOINT", "RELEASE")


@contextmanager
def statements() -> Iterator[list[str]]:
    """Note every statement that any database is sent meanwhile; what begins a transaction is none."""
    sent: list[str] = []

    def note(*about: object) -> None:
        statement = str(about[2])
        if not statement.startswith(_BEGINS):
            sent.append(statement)

    sa.event.listen(sa.engine.Engine, "before_cursor_execute", note)
    try:
        yield sent
    finally:
        sa.event.remove(sa.engine.Engine, "before_cursor_execute", note)
