"""The keys of an installation, and whether they are those its database was sealed with.

What is sealed cannot be opened under another key, and links in letters lead nowhere: so a new key is made only for a
database that holds nothing which needs the former one.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Sequence
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy import Connection

from connector.domain.connection import ConnectionState
from connector.errors import RuleError, SettingsError
from connector.storage import schema
from connector.storage.database import Database, read_url
from connector.storage.seal import Seal
from connector.storage.tables import channels, connections, messages, pending_connections

SHORTEST = 32  # characters of a key
_NEEDS_KEY = (connections, channels, pending_connections, messages)  # sealed, or sent out with a link that is signed
_BRING_BACK = "Bring it back from your back-up; if it is lost for good, see `pencilled keys lost --help`."


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
                    f"The key of the database {schema.place(url)} is missing: there is no file {path}, and "
                    f"CONNECTOR_SECRET_KEYS is not set. {_BRING_BACK}"
                ) from None
        return (make(path),)
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is no text"
        raise RuleError(f"The key file {path} cannot be read ({why}).") from error
    if len(key) < SHORTEST:
        raise RuleError(f"The file {path} holds no key for the database {schema.place(url)}. {_BRING_BACK}")
    return (key,)


def make(path: Path) -> str:
    """Make a key file that only its owner may read; whoever makes it first wins.

    Raises: RuleError if it cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return path.read_text(encoding="ascii").strip()
    except OSError as error:
        raise RuleError(f"The key file {path} cannot be made ({error.strerror}).") from error
    with os.fdopen(handle, "w", encoding="ascii") as file:
        file.write(secrets.token_hex(SHORTEST))
    return path.read_text(encoding="ascii").strip()


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
            fault = f"The key in {file_beside(url)} does not open what is stored in {schema.place(url)}"
            raise RuleError(f"{fault}: it is not this database's. {_BRING_BACK}") from error
        fault = f"CONNECTOR_SECRET_KEYS: none of the keys opens what is stored in {schema.place(url)}"
        raise RuleError(f"{fault}; add the former key at the end. Lost? `pencilled keys lost --help`") from error


def _samples(db: Connection) -> Sequence[bytes]:
    query = sa.select(connections.c.credentials).where(connections.c.state == ConnectionState.OK.value).limit(1)
    orders = (connections.c.created_at, connections.c.created_at.desc())
    return [row.credentials for order in orders for row in db.execute(query.order_by(order))]
