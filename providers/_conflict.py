"""Whether a write would overwrite what it did not expect; every adapter asks that reads before it writes."""

from __future__ import annotations

from connector.domain.entry import Content
from connector.domain.reconcile import Put
from connector.errors import EditConflictError


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
    raise EditConflictError(f"something else stands at {put.ref.href or put.ref.name} than was last seen there")


def tidy(text: str) -> str:
    """Return a text with its blanks evened out."""
    return " ".join(text.split())
