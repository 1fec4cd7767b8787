"""Write a database's files anew, so that nothing is left in them of what was deleted or overwritten before."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from functools import partial
from typing import Any

from sqlalchemy import Engine, text

_BUSY_MS = 5000  # that others are waited for in a file
_PATIENCE = 150  # tenths of a second that old transactions are waited for
# Whoever reads by an older snapshot may still see what was overwritten, so its rows are kept for them.
_OLDER_SNAPSHOTS = text(
    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() "
    "AND (backend_xmin IS NOT NULL OR backend_xid IS NOT NULL) AND xact_start < :since"
)


def rewrite_file(engine: Engine) -> str:
    """Write a SQLite file anew, and empty its log; return why that could not be, empty if it was."""
    pooled = engine.raw_connection()
    former_ms: int = pooled.cursor().execute("PRAGMA busy_timeout").fetchone()[0]
    try:
        pooled.cursor().execute(f"PRAGMA busy_timeout={_BUSY_MS}")
        pooled.cursor().execute("VACUUM")
        is_read, *_pages = pooled.cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    except sqlite3.OperationalError as error:
        if not error.sqlite_errorname.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
            raise
        return "somebody else was at work in it"
    finally:
        pooled.cursor().execute(f"PRAGMA busy_timeout={former_ms}")
        pooled.close()
    return "somebody else was reading it" if is_read else ""


def rewrite_tables(engine: Engine, names: Iterable[str]) -> str:
    """Write these tables of PostgreSQL anew, and the planner's samples of values; return likewise."""
    forbidden: list[str] = []
    note = partial(_note_warning, forbidden)
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as db:
        since = db.execute(text("SELECT clock_timestamp()")).scalar_one()
        for _ in range(_PATIENCE):
            if not db.execute(_OLDER_SNAPSHOTS, {"since": since}).scalar_one():
                break
            db.execute(text("SELECT pg_sleep(0.1)"))
        else:
            return "a transaction that began before has been open for long"
        driver: Any = db.connection.driver_connection
        driver.add_notice_handler(note)
        try:
            for name in names:
                db.exec_driver_sql(f'VACUUM (FULL, ANALYZE) "{name}"')
            db.exec_driver_sql("VACUUM (FULL) pg_catalog.pg_statistic")
        finally:
            driver.remove_notice_handler(note)
    return f"the role must own the tables and the database ({'; '.join(forbidden)})" if forbidden else ""


def _note_warning(words: list[str], diagnostic: Any) -> None:
    """Note what PostgreSQL has passed over with a warning alone, because its owner is somebody else."""
    if diagnostic.severity_nonlocalized == "WARNING":
        words.append(diagnostic.message_primary)
