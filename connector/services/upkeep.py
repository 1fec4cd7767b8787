"""What nobody needs any more is deleted: sign-ins and links that have ended, accounts never connected, mails read."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import Connection

from connector.services import receiving
from connector.services.capabilities import REMEMBERED
from connector.services.scheduling import codes
from connector.services.signing_in import browsers, links
from connector.storage import (
    answer_codes,
    connect_links,
    early_receipts,
    incoming,
    kept_answers,
    needs,
    outcomes,
    pending_connections,
    published,
    short_links,
    signins,
    spent_tokens,
)

EVERY = timedelta(hours=1)  # whoever stores something that ends has it swept after that (`installation.have_swept`)

OUTCOMES_KEPT = timedelta(days=30)  # and what became of them: so long they can be delivered again


def sweep(db: Connection, *, now: datetime) -> datetime | None:
    """Delete it, and return when to look again; None if nothing is left that will end."""
    browsers.sweep(db, now=now)
    signins.sweep(db, ended_before=now - links.WITHIN)  # until then they count as letters to their address
    pending_connections.sweep(db, now=now)
    connect_links.sweep(db, now=now)
    short_links.sweep(db, now=now)
    spent_tokens.sweep(db, now=now)
    early_receipts.sweep(db, now=now)
    kept_answers.sweep(db, now=now)
    published.sweep(db, revoked_before=now - REMEMBERED)
    answer_codes.sweep(db, made_before=now - codes.KEPT)
    outcomes.sweep(db, before=now - OUTCOMES_KEPT)
    incoming.sweep(db, received_before=now - receiving.KEPT)
    return now + EVERY if needs.is_to_be_swept(db) else None
