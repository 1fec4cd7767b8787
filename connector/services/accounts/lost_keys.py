"""Go on after the keys were lost: what they sealed is given up, and whoever must connect again is told."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy import Connection as Db

from connector.domain.connection import ConnectionState
from connector.domain.people import Actor
from connector.errors import SettingsError
from connector.services.accounts import connect, disconnect
from connector.services.outcomes.endpoints import KEY_LOST
from connector.services.policy import Policy
from connector.storage import calendars, channels, endpoints
from connector.storage.seal import Seal
from connector.storage.tables import channels as channel_rows
from connector.storage.tables import pending_connections


def give_up(db: Db, seal: Seal, policy: Policy, *, by: Actor, now: datetime) -> int:
    """Note that access is lost wherever the credentials cannot be opened, and return how many connections those are.

    Push channels whose secret cannot be opened are forgotten: their notifications are refused until they end at the
    service. Endpoints of hosts get nothing before they have new secrets. Who was about to connect an account begins
    anew.
    """
    for channel in channels.every(db):
        if not _opens(seal, channel.secret):
            db.execute(sa.delete(channel_rows).where(channel_rows.c.id == channel.id))
    for endpoint in endpoints.every(db):
        if not _opens(seal, endpoint.secrets):
            since = endpoint.disabled_at or now
            endpoints.save(db, replace(endpoint, disabled_at=since, disabled_why=KEY_LOST))
    db.execute(sa.delete(pending_connections))
    closed = [connection for connection in calendars.connections_of(db) if not _opens(seal, connection.credentials)]
    for connection in closed:
        if connection.state is ConnectionState.DISCONNECTING:
            disconnect.abandon(db, policy, connection.id, by=by, now=now)
        else:
            connect.note_access_lost(db, connection.id, now=now, why="the key of its credentials is lost")
    return len(closed)


def _opens(seal: Seal, sealed: bytes) -> bool:
    try:
        seal.open(sealed)
    except SettingsError:
        return False
    return True
