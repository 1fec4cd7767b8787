"""The platform's own database: one SQLite file, opened once a request."""

from __future__ import annotations

import sqlite3
from importlib.resources import files

from flask import Flask, current_app, g


def attach(app: Flask) -> None:
    """Close the database at the end of whatever has opened it."""
    app.teardown_appcontext(_close)


def begin() -> None:
    """Make the tables that are not there yet."""
    database().executescript((files("lindenhof") / "schema.sql").read_text(encoding="utf-8"))


def database() -> sqlite3.Connection:
    """Return what this request reads and writes: `with` it, a transaction."""
    if "database" not in g:
        g.database = sqlite3.connect(current_app.config["DATABASE"], timeout=10)
        g.database.row_factory = sqlite3.Row
        g.database.execute("PRAGMA foreign_keys = ON")
    connection: sqlite3.Connection = g.database
    return connection


def _close(_error: BaseException | None) -> None:
    connection = g.pop("database", None)
    if connection is not None:
        connection.close()
