"""The keys of an installation, and whether they are those its database was sealed with.

What is sealed cannot be opened under another key, and links in letters lead nowhere: so a new key is made only for a
database that holds nothing which needs the former one.
"""

from __future__ import annotations

import os
import secrets
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy import Connection

from connector.domain.connection import ConnectionState
from connector.errors import RuleError, SettingsError
from connector.sentence import Sentence
from connector.storage import schema
from connector.storage.database import Database, read_url
from connector.storage.seal import Seal
from connector.storage.tables import channels, connections, endpoints, messages, pending_connections

SHORTEST = 32  # characters of a key
_NEEDS_KEY = (
    connections,
    channels,
    pending_connections,
    messages,
    endpoints,
)  # sealed, or sent out with a link that is signed


def file_beside(url: str) -> Path:
    """Return the file that holds the key of a SQLite database where no key is set."""
    return Path(f"{read_url(url).database}.key").resolve()


def of_file(database: Database, url: str) -> tuple[str, ...]:
    """Return the key beside a SQLite database, made now if nothing stored needs a former one.

    Raises: RuleError if it is missed, or cannot be read or made.
    """
    path = file_beside(url)
    try:
        key = path.read_text(encoding="ascii").strip()
    except FileNotFoundError:
        with database.read() as db:
            if needs_key(db):
                raise RuleError(
                    "The key of the database %(database)s is missing: there is no file %(path)s, and "
                    "CONNECTOR_SECRET_KEYS is not set. Bring the file back from your back-up; if it is lost for good, "
                    "see `pencilled keys lost --help`.",
                    code="key_file_missing",
                    database=schema.place(url),
                    path=str(path),
                ) from None
        key = make(path)
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else None
        raise RuleError(
            "The key file %(path)s cannot be read (%(reason)s). Let the user that Pencilled runs as read it, or bring "
            "it back from your back-up.",
            code="key_file_unreadable",
            path=str(path),
            reason=why or Sentence("it is no text"),
        ) from error
    if len(key) < SHORTEST:
        raise RuleError(
            "The file %(path)s holds no key for the database %(database)s. Bring the file back from your back-up; if "
            "it is lost for good, see `pencilled keys lost --help`.",
            code="key_file_without_key",
            path=str(path),
            database=schema.place(url),
        )
    return (key,)


def make(path: Path) -> str:
    """Make a key file that only its owner may read; whoever makes it first wins, and nobody sees it without its key.

    Raises: RuleError if it cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _write_once(path, secrets.token_hex(SHORTEST))
    except OSError as error:
        raise RuleError(
            "The key file %(path)s cannot be made (%(reason)s). Let the user that Pencilled runs as write to that "
            "folder.",
            code="key_file_unwritable",
            path=str(path),
            reason=error.strerror or type(error).__name__,
        ) from error
    return path.read_text(encoding="ascii").strip()


def _write_once(path: Path, text: str) -> None:
    """Write a file, whole before it has its name; one that is there by then stays as it is."""
    handle, name = tempfile.mkstemp(prefix=f"{path.name}.", dir=path.parent)  # for its owner alone
    try:
        with os.fdopen(handle, "w", encoding="ascii") as file:
            file.write(text)
        with suppress(FileExistsError):
            os.link(name, path)
    finally:
        Path(name).unlink()


def needs_key(db: Connection) -> bool:
    """Whether something stored needs the key it was made with."""
    inspector = sa.inspect(db)
    tables = [table for table in _NEEDS_KEY if inspector.has_table(table.name)]
    return any(db.execute(sa.select(sa.literal(1)).select_from(table).limit(1)).first() for table in tables)


def refuse_strange(database: Database, seal: Seal, url: str, *, in_file: bool) -> None:
    """Raise RuleError if the keys do not open what is stored: they are another installation's, or former ones lack.

    The oldest and the newest connection are tried, of those whose access we have.
    """
    with database.read() as db:
        samples = _samples(db)
    try:
        for sealed in samples:
            seal.open(sealed)
    except SettingsError as error:
        if in_file:
            raise RuleError(
                "The key in %(path)s does not open what is stored in %(database)s: it is not this database's. Bring "
                "its own key back from your back-up; if it is lost for good, see `pencilled keys lost --help`.",
                code="key_file_of_other_database",
                path=str(file_beside(url)),
                database=schema.place(url),
            ) from error
        raise RuleError(
            "None of the keys in CONNECTOR_SECRET_KEYS opens what is stored in %(database)s. Add the former key at the "
            "end; if it is lost for good, see `pencilled keys lost --help`.",
            code="secret_keys_do_not_open",
            database=schema.place(url),
        ) from error


def _samples(db: Connection) -> Sequence[bytes]:
    query = sa.select(connections.c.credentials).where(connections.c.state == ConnectionState.OK.value).limit(1)
    orders = (connections.c.created_at, connections.c.created_at.desc())
    return [row.credentials for order in orders for row in db.execute(query.order_by(order))]
