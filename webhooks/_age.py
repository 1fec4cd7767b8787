"""What is signed with its time counts for some minutes: a copy of it is worth nothing after that."""

from __future__ import annotations

from datetime import datetime, timedelta

from connector.errors import NotificationRejectedError

TOLERANCE = timedelta(minutes=5)  # between a sender's clock and ours, the way included
_DIGITS = 11


def check_time(at: str, now: datetime) -> None:
    """Raise NotificationRejectedError unless a push was made in these minutes; `at` is in seconds of Unix."""
    if not (at.isascii() and at.isdigit() and len(at) <= _DIGITS):
        raise NotificationRejectedError("a push does not say when it was made")
    if abs(int(at) - now.timestamp()) > TOLERANCE.total_seconds():
        raise NotificationRejectedError("a push was made long ago, or the clocks differ")
