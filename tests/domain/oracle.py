"""Free times reckoned the slow way: every minute is looked at by itself, on the clock that it is about."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from connector.domain.free_times import Search
from connector.domain.span import Span
from connector.domain.working_hours import WorkingHours

MINUTE = timedelta(minutes=1)

# A day around which the clocks of a zone are changed: by an hour or half of one, by night or at midnight, a day left
# out; and one zone that once changed them.
CHANGES = {
    "Europe/Berlin": ("2027-03-28", "2027-10-31"),
    "America/New_York": ("2027-03-14", "2027-11-07"),
    "Australia/Lord_Howe": ("2027-04-04", "2027-10-03"),
    "Pacific/Apia": ("2011-12-30", "2021-04-04"),
    "Africa/Casablanca": ("2027-02-07", "2027-03-14"),
    "Africa/Cairo": ("2027-04-30", "2027-10-28"),
    "America/Santiago": ("2027-04-03", "2027-09-04"),
    "Asia/Tehran": ("2022-03-21", "2022-09-21"),
    "Pacific/Chatham": ("2027-04-04", "2027-09-26"),
}


def minutes(span: Span) -> Iterator[datetime]:
    at = span.start
    while at < span.end:
        yield at
        at += MINUTE


def is_at_work(hours: WorkingHours, zone: ZoneInfo, minute: datetime) -> bool:
    """Whether what the clock shows in that minute is inside."""
    local = minute.astimezone(zone)
    of_day = local.hour * 60 + local.minute
    return any(one.start <= of_day < one.end for one in hours.on(local.date()))


def is_free(search: Search, span: Span, start: datetime) -> bool:
    """Whether a session may begin in that minute."""
    session = Span.of(start, search.length)
    if session.start < span.start or session.end > span.end:
        return False
    if any(session.padded(search.buffer).overlaps(one) for one in search.taken):
        return False
    return all(is_at_work(search.hours, search.zone, minute) for minute in minutes(session))


def free_minutes(search: Search, span: Span) -> set[datetime]:
    """Every minute in which a session may begin."""
    inside = {minute for minute in minutes(span) if is_at_work(search.hours, search.zone, minute)}
    taken = {minute for one in search.taken for minute in minutes(one)}
    session = [n * MINUTE for n in range(search.length // MINUTE)]
    buffer = [search.length + n * MINUTE for n in range(search.buffer // MINUTE)]
    return {
        start
        for start in inside
        if all(start + n in inside and start + n not in taken for n in session)
        and all(start + n not in taken for n in buffer)
    }


def around(day: str, zone: str, *, days: int = 2) -> Span:
    """The days around one, from UTC midnight to UTC midnight."""
    middle = datetime.fromisoformat(day).replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)
    first = middle.replace(hour=0, minute=0) - timedelta(days=days)
    return Span.of(first, timedelta(days=2 * days + 1))
