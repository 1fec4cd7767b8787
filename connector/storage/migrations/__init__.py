"""The schema, step by step. Alembic is configured here, so that it needs no file of settings beside the program."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, select, text

from connector.storage import needs, schema
from connector.storage.database import open_engine, read_url
from connector.storage.due import ahead

_ONE_AT_A_TIME = 0x6D696772  # the advisory lock of whoever migrates
_WAIT_SECONDS = 60


def migrate(url: str) -> None:
    """Bring the schema up to date in one transaction, and make due what the new version does with what is stored.

    Several processes may try at once, and all but one wait.

    Raises: RuleError if the schema is newer than this version knows.
    """
    with _alone(url) as connection:
        config = _config()
        config.attributes["connection"] = connection
        before = MigrationContext.configure(connection).get_current_revision()
        schema.refuse_newer(before, url)
        command.upgrade(config, "head")
        if before not in (None, ScriptDirectory.from_config(config).get_current_head()):
            now = connection.execute(select(ahead(0.0))).scalar_one()
            needs.make_missing_due(connection, now=now)
            needs.make_calendars_due(connection, now=now)
            needs.make_readings_due(connection, now=now)
        if connection.dialect.name == "sqlite":
            broken = connection.exec_driver_sql("PRAGMA foreign_key_check").all()
            if broken:
                raise RuntimeError(f"this would leave {len(broken)} rows pointing nowhere; nothing was changed")


def current(url: str) -> str | None:
    """Return the revision the database is at; None if it is empty."""
    parsed = read_url(url)
    if parsed.get_backend_name() == "sqlite" and not Path(parsed.database or "").exists():
        return None
    engine = open_engine(parsed, begin="BEGIN")
    try:
        with engine.connect() as connection:
            return MigrationContext.configure(connection).get_current_revision()
    finally:
        engine.dispose()


def pending(url: str) -> bool:
    """Whether `migrate` has something to do.

    Raises: RuleError if the schema is newer than this version knows.
    """
    found = current(url)
    schema.refuse_newer(found, url)
    return found != ScriptDirectory.from_config(_config()).get_current_head()


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config


@contextmanager
def _alone(url: str) -> Iterator[Connection]:
    """Open a transaction nobody else can migrate beside.

    On SQLite without foreign keys: a batch rebuilds a table, and dropping the old one would delete what refers to it.
    """
    engine = open_engine(
        read_url(url), begin="BEGIN IMMEDIATE", pragmas=("foreign_keys=OFF",), busy_ms=_WAIT_SECONDS * 1000
    )
    try:
        with engine.begin() as connection:
            if connection.dialect.name == "postgresql":
                connection.execute(text(f"SET LOCAL lock_timeout = '{_WAIT_SECONDS}s'"))
                connection.execute(text(f"SELECT pg_advisory_xact_lock({_ONE_AT_A_TIME})"))
            yield connection
    finally:
        engine.dispose()
