"""What libraries compile from what never changes, kept for a whole test process.

Every test opens engines of its own, and each would compile the same sixty statements again: a quarter of all the work
of a test that takes little else. The same holds for the addresses of the pages and of the API, which werkzeug turns
into functions whenever an application is made: nine tenths of making one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, MutableMapping
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine.interfaces import Compiled
from werkzeug.routing import Rule


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


def share_compiled_rules() -> None:
    """Have werkzeug compile what builds an address once, however many applications have a rule for it."""
    compiled: dict[object, Callable[..., tuple[str, str]]] = {}
    compile_builder = Rule._compile_builder

    def _compile_builder(self: Rule, append_unknown: bool = True) -> Callable[..., tuple[str, str]]:  # noqa: FBT001, FBT002 - as werkzeug has it
        key = (self.rule, repr(self.defaults), tuple(self._trace), append_unknown)
        if key not in compiled:
            compiled[key] = compile_builder(self, append_unknown)
        return compiled[key]

    Rule._compile_builder = _compile_builder  # type: ignore[method-assign]
