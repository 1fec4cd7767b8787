"""Stretches of time. The only module that turns a local time into an instant."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from functools import cache
from typing import Literal, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from connector.errors import RuleError, WallTimeError
from connector.sentence import Zone

SHORTEST, LONGEST = timedelta(minutes=1), timedelta(hours=24)

_NO_ZONES = frozenset({"localtime", "posixrules", "Factory"})  # files beside the zones that are none of them


def instant(value: datetime) -> datetime:
    """Return `value` in UTC, cut to whole seconds; naive values are a programming error."""
    if value.tzinfo is None:
        raise ValueError(f"naive datetime {value!r}: every instant inside carries its zone")
    return value.astimezone(UTC).replace(microsecond=0)


def zone_named(name: str) -> ZoneInfo:
    """Return the zone of a name that is stored, or that `check_zone` has taken.

    Raises: RuleError if there is none.
    """
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise no_such_zone(name) from error


def check_zone(name: str) -> str:
    """Return the IANA name of a zone that somebody enters.

    Raises: RuleError if there is none; one that means another clock on every machine, such as `localtime`, is none.
    """
    if name not in _zones():
        raise no_such_zone(name)
    return name


@cache
def _zones() -> frozenset[str]:
    return frozenset(available_timezones() - _NO_ZONES)


def midnight(day: date, zone: tzinfo) -> datetime:
    """Return when a day begins on the wall of a zone, aware UTC: where its first hour is left out, at the next."""
    return datetime.combine(day, time(), zone).astimezone(UTC)


def no_such_zone(name: str) -> RuleError:
    """Return the refusal of what is no time zone."""
    return RuleError(
        "“%(zone)s” is not a time zone. Use an IANA name such as Europe/Berlin.",
        code="zone_unknown",
        field="zone",
        zone=name,
    )


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Span:
    """A half-open stretch `[start, end)` of UTC, in whole seconds."""

    start: datetime
    end: datetime

    def __post_init__(self) -> None:
        for value in (self.start, self.end):
            if value.tzinfo is not UTC or value.microsecond:
                raise ValueError(f"{value!r} is not a whole second in UTC")
        if self.start >= self.end:
            raise RuleError(
                "The end lies before the start, or is the same. Choose a later end.",
                code="end_before_start",
                field="when",
            )

    @classmethod
    def of(cls, start: datetime, length: timedelta | datetime) -> Self:
        """Make a span from aware datetimes in any zone; `length` is a duration or the end."""
        begin = instant(start)
        return cls(start=begin, end=instant(length) if isinstance(length, datetime) else begin + length)

    @property
    def duration(self) -> timedelta:
        """How long it lasts."""
        return self.end - self.start

    def overlaps(self, other: Span) -> bool:
        """Whether the two share at least one second; touching ends do not."""
        return self.start < other.end and other.start < self.end

    def padded(self, buffer: timedelta) -> Span:
        """Return the time it occupies: `[start, end + buffer)`."""
        return replace(self, end=self.end + buffer)


@dataclass(frozen=True, slots=True, kw_only=True)
class When:
    """A span together with the wall time people agreed on.

    `local` is the naive start on the clock of `zone` (an IANA name). Both are kept because people agree on a wall
    time: when a country changes its rules, the wall time stays and its instant is another.
    """

    span: Span
    local: datetime
    zone: str

    @classmethod
    def at(cls, local: datetime, *, zone: str, duration: timedelta, fold: Literal[0, 1] | None = None) -> Self:
        """Resolve a wall time.

        Args:
            local: Naive local start, whole minutes or seconds.
            zone: IANA zone name.
            duration: Elapsed time from start to end.
            fold: Which of two readings is meant when the clock shows the time twice: 0 the earlier, 1 the later.
        Raises: WallTimeError if the time does not exist, or exists twice and `fold` is None; RuleError for an
            unknown zone or a duration outside 1 minute to 24 hours.
        """
        if local.tzinfo is not None:
            raise ValueError("a wall time is naive; its zone is named beside it")
        if not SHORTEST <= duration <= LONGEST:
            raise RuleError(
                "A session lasts between 1 minute and 24 hours. Choose a length in between.",
                code="session_length_out_of_range",
                field="minutes",
            )
        local = local.replace(microsecond=0, fold=0)
        info = zone_named(zone)
        early, late = (local.replace(tzinfo=info, fold=f).astimezone(UTC) for f in (0, 1))
        start = early
        if early != late:
            if early.astimezone(info).replace(tzinfo=None) != local:
                raise WallTimeError(
                    "The clocks (%(zone)s) go forward on %(day)s, and %(time)s does not exist then. Choose an earlier "
                    "or a later time.",
                    code="time_does_not_exist",
                    field="when",
                    zone=Zone(zone),
                    day=local.date(),
                    time=local.time(),
                )
            if fold is None:
                raise WallTimeError(
                    "The clocks (%(zone)s) go back on %(day)s, and %(time)s comes twice. Say which one you mean: the "
                    "earlier or the later.",
                    code="time_comes_twice",
                    field="when",
                    choices=("earlier", "later"),
                    zone=Zone(zone),
                    day=local.date(),
                    time=local.time(),
                )
            start = late if fold else early
        return cls(span=Span.of(start, duration), local=local, zone=zone)

    @classmethod
    def of(cls, span: Span, *, zone: str) -> Self:
        """Name the wall time at which a span starts in a zone."""
        local = span.start.astimezone(zone_named(zone)).replace(tzinfo=None, fold=0)
        return cls(span=span, local=local, zone=zone)
