"""Whether a write would overwrite what it did not expect; every adapter asks that reads before it writes."""

from __future__ import annotations

from connector.domain.entry import Content
from connector.domain.reconcile import Put
from connector.errors import EditConflictError
from connector.sentence import Sentence


def check_overwrite(put: Put, current: Content | None) -> None:
    """Let a put go on unless something stands there that was not when it was planned: see `Put.over`.

    Args:
        put: What was planned.
        current: What was read; None is what we never write.
    Raises: EditConflictError.
    """
    fingerprint = current.fingerprint if current else ""
    if fingerprint in (put.over, put.entry.content.fingerprint):
        return
    raise EditConflictError(
        Sentence("something else stands at %(address)s than was last seen there", address=put.ref.href or put.ref.name)
    )


def tidy(text: str) -> str:
    """Return a text with its blanks evened out."""
    return " ".join(text.split())
