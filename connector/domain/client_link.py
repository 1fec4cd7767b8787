"""The links that clients are mailed, as far as all of them are alike."""

from __future__ import annotations

from connector.errors import NotFoundError


def link_expired() -> NotFoundError:
    """Say that a client's mailed link leads nowhere any more; whom to ask instead they know, and we do not."""
    return NotFoundError(
        "This link has expired. To reach your practitioner, use the way that you know from them.",
        code="answer_link_expired",
    )
