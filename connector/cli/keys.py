"""`pencilled keys`: the keys that seal credentials."""

from __future__ import annotations

import click
import sqlalchemy as sa

from connector.cli._api_keys import api
from connector.cli._shared import (
    example,
    good,
    open_runtime,
    operator,
    progress,
    read_settings,
    refuse_missing_file,
)
from connector.domain.connection import Connection
from connector.errors import SettingsError
from connector.services.accounts import lost_keys
from connector.storage import calendars, channels, endpoints
from connector.storage import keys as key_files
from connector.storage.database import Database
from connector.storage.tables import connections


@click.group()
def keys() -> None:
    """Seal stored credentials under the newest key, or go on without one that is lost; make keys of the API."""


keys.add_command(api)


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
    runtime = open_runtime(in_standstill=True)
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
        for endpoint in endpoints.every(db):
            endpoints.reseal(db, endpoint, runtime.seal.reseal(endpoint.secrets))
    good(f"The credentials of {_count(len(stored))} are sealed under the newest key.")


@keys.command()
@click.confirmation_option("--yes", prompt="Is the key lost for good, with every copy of it?", help="Do not ask.")
@example("pencilled keys lost")
def lost() -> None:
    """Go on without a key that is lost for good.

    Try every back-up first: the key is the file beside the database that ends in .key, or what CONNECTOR_SECRET_KEYS
    was. Without it nobody can open the stored credentials: a new key is made beside a SQLite database, or the one you
    have put into CONNECTOR_SECRET_KEYS is taken, and each practitioner whose account cannot be opened any more is
    mailed to connect it again. Links in letters that are out lead nowhere from now on; sessions, offers and calendars
    stay as they are.

    Stop everything that runs on the database first.

    Exit codes: 0 done; 1 not confirmed, or the database must be migrated; 2 the key file is there.
    """
    settings = read_settings()
    if settings.embedded and not settings.secret_keys:
        refuse_missing_file(settings)
        path = key_files.file_beside(settings.database_url)
        if path.exists():
            fault = f"CONNECTOR_SECRET_KEYS: there is a key file, {path}. If it is the wrong one, move it away first"
            raise SettingsError([fault])
        key_files.make(path)
    runtime = open_runtime(settings, own_keys=False, in_standstill=True)
    with runtime.database.begin() as db:
        count = lost_keys.give_up(db, runtime.seal, runtime.policy, by=operator(), now=runtime.clock())
    good(f"A new key is in use. {_count(count)} must be connected again; their practitioners are told by mail.")


def _swap(database: Database, connection: Connection, sealed: bytes) -> None:
    """Store credentials sealed anew, unless somebody has reconnected meanwhile: theirs are under the newest key."""
    as_read = (connections.c.id == connection.id) & (connections.c.credentials == connection.credentials)
    with database.begin() as db:
        db.execute(sa.update(connections).where(as_read).values(credentials=sealed))


def _count(number: int) -> str:
    return "1 connection" if number == 1 else f"{number} connections"
