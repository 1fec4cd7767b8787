"""What SQLAlchemy has compiled, kept for a whole test process.

Every test opens engines of its own, and each would compile the same sixty statements again: a quarter of all the work
of a test that takes little else.
"""

from __future__ import annotations

from collections.abc import Iterator, MutableMapping
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine.interfaces import Compiled


class CompiledStatements(MutableMapping[Any, Compiled]):
    """A cache that all engines of one kind of database share.

    SQLAlchemy's keys begin with the engine's own dialect object; its class says as much, since every engine here is
    made by `connector.storage.database`, with the same options.
    """

    def __init__(self) -> None:
        self._compiled: dict[Any, Compiled] = {}

    def __getitem__(self, key: Any) -> Compiled:
        dialect, *rest = key
        return self._compiled[type(dialect), *rest]

    def __setitem__(self, key: Any, compiled: Compiled) -> None:
        dialect, *rest = key
        self._compiled[type(dialect), *rest] = compiled

    def __delitem__(self, key: Any) -> None:
        dialect, *rest = key
        del self._compiled[type(dialect), *rest]

    def __iter__(self) -> Iterator[Any]:
        return iter(self._compiled)

    def __len__(self) -> int:
        return len(self._compiled)


def share_compiled_statements() -> None:
    """Have every engine of this process, there or still to come, use one cache."""
    statements = CompiledStatements()

    @sa.event.listens_for(sa.Engine, "engine_connect")
    def _use(db: sa.Connection) -> None:
        db.execution_options(compiled_cache=statements)
