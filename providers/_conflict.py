"""Whether a write would go over what somebody else has changed; asked wherever an adapter has read before it writes."""

from __future__ import annotations

from dataclasses import replace

from connector.domain.entry import Content
from connector.domain.reconcile import Put
from connector.errors import EditConflictError


def heed(put: Put, standing: Content | None) -> None:
    """Let a put go on unless what stands there is news to whoever planned it: see `Put.over`.

    Services tidy blanks, so a title or place that differs from the wanted one in blanks alone counts as the wanted
    one. That cannot be told where the put changes the very words: then it is a conflict, and the next put, planned
    after a reading, says what really stands there.

    Args:
        put: What was planned.
        standing: What was read; None is what we never write.
    Raises: EditConflictError.
    """
    if put.over is None:
        return
    wanted = put.entry.content
    if {_fingerprint(standing), _fingerprint(_untidied(standing, wanted))} & {put.over, wanted.fingerprint}:
        return
    raise EditConflictError(f"somebody else has changed {put.at.href or put.at.name} since it was last seen")


def tidy(text: str) -> str:
    """Return a text with its blanks evened out."""
    return " ".join(text.split())


def _fingerprint(content: Content | None) -> str:
    return content.fingerprint if content else ""


def _untidied(standing: Content | None, wanted: Content) -> Content | None:
    """Return what stands there, in the wanted words where only blanks tell them apart."""
    if standing is None:
        return None
    return replace(
        standing,
        title=wanted.title if tidy(standing.title) == tidy(wanted.title) else standing.title,
        location=wanted.location if tidy(standing.location) == tidy(wanted.location) else standing.location,
    )
