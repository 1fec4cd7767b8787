"""Whether an installation can do its work."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from connector.ports import Clock
from connector.storage import installation, ledger, migrations
from connector.storage.database import Database

OVERDUE = timedelta(minutes=5)  # due work that nobody has begun after so long: the workers are down or swamped


def obstacles(database: Database, database_url: str, clock: Clock) -> list[str]:
    """Return why people cannot be served, a sentence each; empty if they can."""
    try:
        with database.read() as db:
            db.execute(text("SELECT 1"))
        if migrations.pending(database_url):
            return ["the database needs `pencilled migrate`"]
        with database.read() as db:
            stands_still = installation.stands_still(db)
        overdue = ledger.oldest_overdue(database, clock())
    except SQLAlchemyError:
        return ["the database cannot be reached"]
    if stands_still:
        return ["the database was restored from a back-up: decide with `pencilled restored`"]
    if overdue > OVERDUE:
        return [f"due work has been waiting for {int(overdue.total_seconds() // 60)} minutes; is a worker running?"]
    return []
