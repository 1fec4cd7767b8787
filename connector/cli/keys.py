"""`pencilled keys`: the keys that seal credentials."""

from __future__ import annotations

import click
import sqlalchemy as sa

from connector.cli._shared import example, good, open_runtime, progress
from connector.domain.connection import Connection
from connector.storage import calendars, channels
from connector.storage.database import Database
from connector.storage.tables import connections


@click.group()
def keys() -> None:
    """Seal stored credentials under the newest key."""


@keys.command()
@example(
    "CONNECTOR_SECRET_KEYS=$(openssl rand -hex 32),$(cat db.sqlite3.key)  # in every process's environment",
    "pencilled keys rotate",
)
def rotate() -> None:
    """Seal all credentials under the newest key.

    That is the first one of CONNECTOR_SECRET_KEYS. To change keys: put a new key in front of the old one, separated
    by a comma, for every process; restart them; run this; and take the old key away later. Links in mails are
    signed with it as well, and those that are out lead nowhere once it is gone: keep it for another 90 days if you
    can. Where no key is set, the one in use stands in the file beside the database that ends in .key.

    Can be interrupted and run again; harmless while the service runs.

    Exit codes: 0 done; 2 none of the keys opens what is stored.
    """
    runtime = open_runtime()
    with runtime.database.read() as db:
        stored = calendars.connections_of(db)
    with progress(shown=bool(stored)) as bar:
        task = bar.add_task("Sealing credentials", total=len(stored))
        for connection in stored:
            runtime.seal.open(connection.credentials)  # names the setting to correct if no key fits
            _swap(runtime.database, connection, runtime.seal.reseal(connection.credentials))
            bar.advance(task)
    with runtime.database.begin() as db:
        for channel in channels.every(db):
            channels.swap_secret(db, channel, runtime.seal.reseal(channel.secret))
    good(f"The credentials of {_count(len(stored))} are sealed under the newest key.")


def _swap(database: Database, connection: Connection, sealed: bytes) -> None:
    """Store credentials sealed anew, unless somebody has reconnected meanwhile: theirs are under the newest key."""
    as_read = (connections.c.id == connection.id) & (connections.c.credentials == connection.credentials)
    with database.begin() as db:
        db.execute(sa.update(connections).where(as_read).values(credentials=sealed))


def _count(number: int) -> str:
    return "1 connection" if number == 1 else f"{number} connections"
