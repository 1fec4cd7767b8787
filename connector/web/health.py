"""Whether the process lives, and whether it can do its work."""

from __future__ import annotations

from datetime import timedelta

from flask import Blueprint
from flask.typing import ResponseReturnValue
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from connector.storage import ledger, migrations
from connector.web import visit

OVERDUE = timedelta(minutes=5)  # due work that nobody has begun after so long: the workers are down or swamped

checks = Blueprint("health", __name__)


@checks.get("/healthz")
def alive() -> ResponseReturnValue:
    """Say that the process answers."""
    return {"alive": True}


@checks.get("/readyz")
def ready() -> ResponseReturnValue:
    """Say whether people can be served: 200, or 503 with every reason why not."""
    reasons = _reasons()
    return {"ready": not reasons, "reasons": reasons}, 503 if reasons else 200


def _reasons() -> list[str]:
    runtime = visit.runtime()
    try:
        with runtime.database.read() as db:
            db.execute(text("SELECT 1"))
        if migrations.pending(runtime.settings.database_url):
            return ["the database needs `pencilled migrate`"]
        waiting = ledger.oldest_overdue(runtime.database, runtime.clock())
    except SQLAlchemyError:
        return ["the database cannot be reached"]
    if waiting > OVERDUE:
        return [f"due work has been waiting for {int(waiting.total_seconds() // 60)} minutes; is a worker running?"]
    return []
