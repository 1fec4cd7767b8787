"""Messages that stand apart from where they are said."""

from __future__ import annotations


def marked(message: str) -> str:
    """Mark a message that is said elsewhere, so that it is collected for translators."""
    return message
