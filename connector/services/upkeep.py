"""What nobody needs any more is deleted: sign-ins and links that have ended, accounts that were never connected."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import Connection

from connector.services.signing_in import browsers, links
from connector.storage import pending_connections, signins

EVERY = timedelta(hours=1)


def sweep(db: Connection, *, now: datetime) -> datetime:
    """Delete it, and return when to look again."""
    browsers.sweep(db, now=now)
    signins.sweep(db, ended_before=now - links.WITHIN)  # until then they count as letters to their address
    pending_connections.sweep(db, now=now)
    return now + EVERY
