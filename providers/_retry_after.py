"""How long a service wants to be left alone, as its answer says (RFC 9110 section 10.2.3).

Apart from `_wire`, because it is also read where no HTTP library has been imported yet.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime


def retry_after(headers: Mapping[str, str], *, since: datetime | None, longest: timedelta) -> timedelta | None:
    """Read Retry-After: seconds, or a date; None if there is none, or it makes no sense.

    Args:
        headers: Of the answer, their names in lower case.
        since: What a date is measured from, aware UTC: the service's own clock, as `sent_at` reads it, or ours. Without
            it a date says nothing.
        longest: What a longer wait is cut to. A date in the past is no wait.
    """
    text = headers.get("retry-after", "").strip()
    if text.isdecimal():
        return min(_seconds(text), longest)
    until = _http_date(text)
    return None if until is None or since is None else min(max(until - since, timedelta()), longest)


def sent_at(headers: Mapping[str, str]) -> datetime | None:
    """Return when the service says it gave this answer, aware UTC."""
    return _http_date(headers.get("date", ""))


def _seconds(digits: str) -> timedelta:
    try:
        return timedelta(seconds=int(digits))
    except (OverflowError, ValueError):  # more than a timedelta, or int() itself, takes
        return timedelta.max


def _http_date(text: str) -> datetime | None:
    """Read a date in any of the forms of RFC 9110 section 5.6.7; one without a zone is in UTC."""
    try:
        date = parsedate_to_datetime(text)
        return date.astimezone(UTC) if date.tzinfo else date.replace(tzinfo=UTC)
    except (ValueError, TypeError, OverflowError):
        return None
