"""What all processes have counted together: totals that only grow, whichever process ends or begins."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
from sqlalchemy import Connection, select
from sqlalchemy.dialects import postgresql, sqlite

from connector.counters import Series
from connector.storage.tables import counters


def add(db: Connection, counts: Mapping[Series, int]) -> None:
    """Add to the totals, in one statement."""
    rows = [
        {"name": series.name, "labels": msgspec.json.encode(series.labels).decode(), "value": counts[series]}
        for series in sorted(counts)  # in one order, whoever else does the same
    ]
    dialect = postgresql if db.dialect.name == "postgresql" else sqlite
    new = dialect.insert(counters).values(rows)
    total = counters.c.value + new.excluded.value
    db.execute(new.on_conflict_do_update(index_elements=[counters.c.name, counters.c.labels], set_={"value": total}))


def totals(db: Connection) -> Mapping[Series, int]:
    """Return everything that was ever counted."""
    rows = db.execute(select(counters))
    return {Series(name=row.name, labels=_labels(row.labels)): row.value for row in rows}


def _labels(text: str) -> tuple[tuple[str, str], ...]:
    return msgspec.json.decode(text, type=tuple[tuple[str, str], ...])
