"""Back-ups of a SQLite database, and what a restore does to it."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from connector.storage.database import Database, read_url


class Backup:
    """A copy of a database as it is now, made while it is in use."""

    def __init__(self, url: str, name: str = "backup") -> None:
        self._path = Path(read_url(url).database or "")
        self._copy = self._path.with_suffix(f".{name}")
        _copy(self._path, self._copy)

    def restore(self, database: Database) -> None:
        """Put the copy in the place of the database, as an operator does while nothing runs."""
        database.dispose()
        for suffix in ("-wal", "-shm"):
            Path(f"{self._path}{suffix}").unlink(missing_ok=True)
        self._path.unlink()
        _copy(self._copy, self._path)


def _copy(source: Path, target: Path) -> None:
    with sqlite3.connect(source) as old, sqlite3.connect(target) as new:
        old.backup(new)
    old.close()
    new.close()
