"""Practitioners sign in here by a link that is mailed to them, and that works once."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from connector.storage import signins
from connector.storage.database import Database
from connector.storage.seal import Seal

PURPOSE = "sign-in"


def is_usable(database: Database, seal: Seal, token: str, *, now: datetime) -> bool:
    """Whether a mailed link can still be used. Raises: NotFoundError if it is none of ours."""
    signin_id = seal.identity(PURPOSE, token)
    with database.read() as db:
        return signins.usable(db, signin_id, now=now)


def use(database: Database, seal: Seal, token: str, *, now: datetime) -> UUID | None:
    """Use up a mailed link, and return its practitioner; None if it was used already, or is too old.

    Raises: NotFoundError if it is none of ours.
    """
    signin_id = seal.identity(PURPOSE, token)
    with database.begin() as db:
        return signins.use(db, signin_id, now=now)
