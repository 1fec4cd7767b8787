"""Whether an installation can do its work."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from connector.errors import ConnectorError, RuleError
from connector.ports import Clock
from connector.storage import installation, ledger, migrations
from connector.storage.database import Database

OVERDUE = timedelta(minutes=5)  # due work that nobody has begun after so long: the workers are down or swamped
NOT_WRITABLE = "nothing can be written to the database: is its disk full, or its file or server read-only?"


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
    except RuleError as error:
        return [str(error)]
    except SQLAlchemyError:
        return ["the database cannot be reached"]
    reasons = []
    if stands_still:
        reasons.append("the database was restored from a back-up: decide with `pencilled restored`")
    if not can_be_written(database):
        reasons.append(NOT_WRITABLE)
    if overdue > OVERDUE:
        reasons.append(
            f"due work has been waiting for {int(overdue.total_seconds() // 60)} minutes; is a worker running?"
        )
    return reasons


def can_be_written(database: Database) -> bool:
    """Whether the database takes writes."""
    try:
        database.try_writing()
    except SQLAlchemyError:
        return False
    return True


def shortcomings(check_broker: Callable[[], None] | None) -> list[str]:
    """Return what does not work although people can be served, a sentence each; None for a broker within the process.

    Pages do without a broker, and become unready only when due work has waited for too long.
    """
    try:
        if check_broker is not None:
            check_broker()
    except ConnectorError as error:
        return [f"{error}. What is due waits until it is back"]
    return []
