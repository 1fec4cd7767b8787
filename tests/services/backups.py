"""Back-ups of a database, and what a restore does to it."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import psycopg
from sqlalchemy.engine import make_url

from connector.storage.database import Database, read_url


class Backup:
    """A copy of a SQLite database as it is now, made while it is in use."""

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


class ServerBackup:
    """A copy of a database on a PostgreSQL server, which nobody may be using just then."""

    def __init__(self, server: str, url: str, database: Database) -> None:
        self._server, self._name = server, make_url(url).database
        database.dispose()
        self._do(f'CREATE DATABASE "{self._name}_backup" TEMPLATE "{self._name}"')

    def restore(self, database: Database) -> None:
        """Put the copy in the place of the database; there is none any more then."""
        database.dispose()
        self._do(f'DROP DATABASE "{self._name}" WITH (FORCE)')
        self._do(f'ALTER DATABASE "{self._name}_backup" RENAME TO "{self._name}"')

    def _do(self, statement: str) -> None:
        with psycopg.connect(self._server, autocommit=True) as connection:
            connection.execute(statement.encode())


def _copy(source: Path, target: Path) -> None:
    with sqlite3.connect(source) as old, sqlite3.connect(target) as new:
        old.backup(new)
    old.close()
    new.close()
