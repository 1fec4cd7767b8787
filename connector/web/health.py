"""Whether the process lives, and whether it can do its work."""

from __future__ import annotations

from flask import Blueprint
from flask.typing import ResponseReturnValue

from connector import paths
from connector.services.views import readiness
from connector.web import visit

checks = Blueprint("health", __name__)


@checks.get(paths.LIVENESS)
def alive() -> ResponseReturnValue:
    """Say that the process answers."""
    return {"alive": True}


@checks.get(paths.READINESS)
def ready() -> ResponseReturnValue:
    """Say whether people can be served: 200, or 503 with every reason why not; `warnings` makes nobody unready."""
    runtime = visit.runtime()
    reasons = readiness.obstacles(runtime.database, runtime.settings.database_url, runtime.clock)
    warnings = readiness.shortcomings(runtime.check_broker)
    return {"ready": not reasons, "reasons": reasons, "warnings": warnings}, 503 if reasons else 200
