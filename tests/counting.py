"""How many statements and steps something costs, whatever the machine does: where there is a bound, a test holds it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
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


def steps(do: Callable[[], object]) -> int:
    """Return how many functions written in Python are called in this thread while something is done."""
    called = 0

    def note(_frame: object, event: str, _argument: object) -> None:
        nonlocal called
        called += event == "call"

    sys.setprofile(note)
    try:
        do()
    finally:
        sys.setprofile(None)
    return called
