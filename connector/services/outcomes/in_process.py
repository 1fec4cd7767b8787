"""The endpoint that is a function of the host's own program: it comes with the program, and nobody adds or changes it.

See docs/decisions/0072.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection

from connector.ports import IN_PROCESS
from connector.services import upkeep
from connector.services.outcomes.endpoints import BY_HAND, make_due
from connector.storage import endpoints, installation, outcomes
from connector.storage.endpoints import Endpoint
from connector.storage.seal import Seal

ID = UUID("7b0c2d5e-8f5a-5e0b-9a39-6f6e5f6f7574")
LANE = "outcomes on_outcome"  # its last word is what people are told in place of a host's name
TAKEN_AWAY = "taken_away"
_URL = f"{IN_PROCESS}on_outcome"
_NO_SECRET = {"current": ""}  # nothing is signed for a function


def register(db: Connection, seal: Seal, *, now: datetime) -> None:
    """Have the function told of outcomes from now on; of those first that have waited, were it away or failing.

    One that an operator has disabled stays so. Also while a restored database waits: it decides nothing.
    """
    new = Endpoint(id=ID, url=_URL, lane=LANE, secrets=seal.seal(_NO_SECRET), created_at=now)
    if endpoints.add_once(db, new):
        installation.have_swept(db, at=now + upkeep.EVERY)
        return
    endpoint = endpoints.get(db, ID, lock=True)
    if endpoint.is_enabled:
        make_due(db, endpoint, now=now)  # processes without the function have put it off
        return
    if endpoint.disabled_why == BY_HAND:
        return
    enabled = replace(
        endpoint, secrets=new.secrets, disabled_at=None, disabled_why=None, failing_since=None, not_before=None
    )
    endpoints.save(db, enabled)
    outcomes.begin_anew(db, ID, now=now)
    make_due(db, enabled, now=now)


def take_away(db: Connection, *, now: datetime) -> None:
    """Tell nobody, since the host has no such function any more; what happens waits for thirty days."""
    endpoint = endpoints.find(db, ID, lock=True)
    if endpoint is not None and endpoint.is_enabled:
        endpoints.save(db, replace(endpoint, disabled_at=now, disabled_why=TAKEN_AWAY))
