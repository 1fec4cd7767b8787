"""Links short enough for a text: made again whenever they are needed, and good for one thing until one instant."""

from __future__ import annotations

import re
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection

from connector.domain.client_link import link_expired
from connector.storage import short_links
from connector.storage.seal import Seal

_TOKEN = re.compile(r"[a-z2-7]{16}")  # 80 bits


def lend(db: Connection, seal: Seal, purpose: str, subject_id: UUID, *, reader: str = "", ends_at: datetime) -> str:
    """Return the token of a link to something, which is good until `ends_at`, aware UTC; `reader` is sent it."""
    token = seal.short_token(purpose, subject_id, reader=reader)
    short_links.add(db, token, purpose, subject_id, ends_at=ends_at)
    return token


def was_lent_to(seal: Seal, purpose: str, token: str, subject_id: UUID, *, reader: str) -> bool:
    """Whether a link was made for whoever reads at this number."""
    return token in seal.short_tokens(purpose, subject_id, reader=reader)


def find(db: Connection, purpose: str, token: str, *, now: datetime) -> UUID:
    """Return what a link leads to.

    Raises: NotFoundError if it is none of ours, is for something else, or has ended.
    """
    subject_id = short_links.subject(db, token, purpose, now=now) if _TOKEN.fullmatch(token) else None
    if subject_id is None:
        raise link_expired()
    return subject_id
