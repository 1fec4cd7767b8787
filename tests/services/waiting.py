"""Tells that one transaction waits for another."""

from __future__ import annotations

import time
from concurrent.futures import Future
from typing import Any

import sqlalchemy as sa


def until_it_waits(db: sa.Connection, other: Future[Any]) -> None:
    """Return once what is done elsewhere waits for a lock of this PostgreSQL transaction, or is done without."""
    waits = sa.text("SELECT count(*) FROM pg_locks WHERE NOT granted")
    while not other.done() and not db.execute(waits).scalar_one():
        time.sleep(0.01)  # nothing else tells of it
