"""When a session takes place, as files write it: a wall time and its zone, an instant with its offset, or both."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone

from connector.domain.span import LONGEST, SHORTEST, Span, When, zone_named
from connector.errors import RuleError, WallTimeError
from connector.sentence import Sentence, Zone

_TIME = re.compile(
    r"(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d(?::\d\d)?)(?:\.\d+)?[ ]?(?:(Z)|([+-])(\d\d):?(\d\d))?", re.ASCII | re.IGNORECASE
)
_FIRST, _LAST = 1900, 2200  # years: what lies outside is a slip, and some clocks cannot tell it
_MINUTE = timedelta(minutes=1)


def when(start: str, *, end: str, minutes: str, zone: str) -> When:
    """Return when a row says that its session takes place; `zone` is where its wall times are meant.

    Raises: RuleError, WallTimeError.
    """
    local, begin = _resolved(start, zone)
    length = _length(begin, end, minutes, zone)
    if not SHORTEST <= length <= LONGEST:
        raise RuleError(
            "A session lasts between 1 minute and 24 hours. Choose a length in between.",
            code="session_length_out_of_range",
            field="minutes",
        )
    return When(span=Span.of(begin, length), local=local, zone=zone)


def _length(begin: datetime, end: str, minutes: str, zone: str) -> timedelta:
    if not end and not minutes:
        raise RuleError(
            "It does not say how long the session lasts. Fill in end or minutes.",
            code="import_length_missing",
            field="minutes",
        )
    if minutes and not re.fullmatch(r"\d{1,4}", minutes, re.ASCII):
        raise RuleError(
            "“%(minutes)s” is no length in minutes. Write it like 50.",
            code="import_minutes_malformed",
            field="minutes",
            minutes=minutes,
        )
    by_end = _resolved(end, zone)[1] - begin if end else None
    by_minutes = int(minutes) * _MINUTE if minutes else None
    if by_end is not None and by_minutes is not None and by_end != by_minutes:
        raise RuleError(
            "Its end and its minutes do not agree. Leave one of them out.",
            code="import_lengths_differ",
            field="minutes",
        )
    length = by_end if by_end is not None else by_minutes or timedelta()
    if length <= timedelta():
        raise RuleError(
            "The end lies before the start, or is the same. Choose a later end.", code="end_before_start", field="when"
        )
    return length


def _resolved(text: str, zone: str) -> tuple[datetime, datetime]:
    """Return a time as the wall of the zone shows it, and the instant it is, in UTC."""
    parts = _TIME.fullmatch(text)
    try:
        wall = datetime.fromisoformat(f"{parts[1]}T{parts[2]}") if parts else None
    except ValueError:
        wall = None
    if parts is None or wall is None or not _FIRST <= wall.year <= _LAST:
        raise RuleError(
            "“%(text)s” is no date and time. Write it like 2026-12-01 14:00, on the clock of its zone, or with its "
            "offset, like 2026-12-01T14:00+01:00.",
            code="import_time_malformed",
            field="start",
            text=text,
        )
    if parts[3]:
        instant = wall.replace(tzinfo=UTC)
        return instant.astimezone(zone_named(zone)).replace(tzinfo=None, fold=0), instant
    if parts[4] is None:
        try:
            return wall, When.at(wall, zone=zone, duration=_MINUTE).span.start
        except WallTimeError as error:
            if error.choices:
                error.adding("Write the time with its offset: %(readings)s.", readings=_readings(wall, zone))
            raise
    return wall, _with_offset(wall, zone, parts)


def _with_offset(wall: datetime, zone: str, parts: re.Match[str]) -> datetime:
    ahead = timedelta(hours=int(parts[5]), minutes=int(parts[6])) * (-1 if parts[4] == "-" else 1)
    readings = [wall.replace(tzinfo=zone_named(zone), fold=fold) for fold in (0, 1)]
    right = [one for one in readings if one.utcoffset() == ahead]
    if not right or right[0].astimezone(UTC).astimezone(zone_named(zone)).replace(tzinfo=None) != wall:
        raise RuleError(
            "The clocks (%(zone)s) do not go by the offset of “%(text)s” then. Write %(readings)s, or another zone.",
            code="import_offset_wrong",
            field="start",
            zone=Zone(zone),
            text=parts[0],
            readings=_readings(wall, zone),
        )
    return wall.replace(tzinfo=timezone(ahead)).astimezone(UTC)


def _readings(wall: datetime, zone: str) -> tuple[Sentence, ...]:
    """Return how a time of a wall can be written with an offset that its clock has."""
    info = zone_named(zone)
    both = [wall.replace(tzinfo=info, fold=fold).astimezone(UTC).astimezone(info) for fold in (0, 1)]
    return tuple(Sentence.quoted(text) for text in dict.fromkeys(one.isoformat(timespec="minutes") for one in both))
