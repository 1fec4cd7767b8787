"""What bodies have in common: a host's own ids, pages of lists, and times with their offset and their zone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from connector.domain import span
from connector.domain.span import SHORTEST, Span, When, zone_named
from connector.domain.text import LONGEST_EXTERNAL_ID
from connector.errors import RequestError, RuleError


def told(**schema: object) -> Meta:
    """Say in the description what a use case checks, and refuses in its own words."""
    return Meta(extra_json_schema=schema)


ExternalId = Annotated[
    str,
    Meta(min_length=1, max_length=LONGEST_EXTERNAL_ID, description="What the host calls it; unique."),
    told(pattern=r"^\S(.*\S)?$"),
]
SoughtId = Annotated[str, Meta(min_length=1, max_length=LONGEST_EXTERNAL_ID, description="What the host calls it.")]
Zone = Annotated[
    str,
    Meta(max_length=64, description="An IANA name, such as Europe/Berlin."),
    told(pattern="^[A-Za-z][A-Za-z0-9_+/-]*$"),
]
Line = Annotated[str, told(minLength=1, maxLength=200, pattern=r"\S")]
MaybeLine = Annotated[str, told(maxLength=200)]
WebAddress = Annotated[str, told(format="uri", maxLength=2000, pattern="^https?://")]
_EARLIEST, _LATEST = 1971, 9998  # years: no calendar holds others


class PageQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which page of a list.

    Attributes:
        cursor: What the page before gave as `next`; left out for the first.
        limit: How many items at most.
    """

    cursor: str = ""
    limit: Annotated[int, Meta(ge=1, le=100)] = 50


class Time(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """From when to when, on the clock of a zone: the offset of each end is the one that the zone has then.

    Attributes:
        start: RFC 3339, with the offset.
        end: Likewise.
        zone: An IANA name, such as Europe/Berlin.
    """

    start: datetime
    end: datetime
    zone: Zone


def read_time(time: Time, *, at: str) -> When:
    """Return a time as it was meant.

    Args:
        time: As it was sent.
        at: A JSON pointer to it.

    Raises: RuleError that leads to what is wrong, and names what it could have meant.
    """
    check_zone(time.zone, at=f"{at}/zone")
    start = read_instant(time.start, time.zone, at=f"{at}/start")
    end = read_instant(time.end, time.zone, at=f"{at}/end")
    local = start.replace(tzinfo=None, fold=0)
    try:
        return When.at(local, zone=time.zone, duration=Span.of(start, end).duration, fold=_fold(start, time.zone))
    except RuleError as error:
        raise error.at(f"{at}/end") from None


def written_time(when: When) -> Time:
    """Return a time as it is sent: both ends on the clock of its zone."""
    zone = zone_named(when.zone)
    return Time(start=when.span.start.astimezone(zone), end=when.span.end.astimezone(zone), zone=when.zone)


def check_zone(name: str, *, at: str) -> None:
    """Raise RuleError unless it is the IANA name of a time zone."""
    try:
        span.check_zone(name)
    except RuleError as error:
        raise error.at(at) from None


def read_instant(value: datetime, zone: str, *, at: str) -> datetime:
    """Return an instant, whole seconds, whose offset is the one that a zone has then.

    Raises: RuleError for one without an offset, or with another, which names the ones that it could have.
    """
    value = check_instant(value, at=at)
    info = zone_named(zone)
    if value.astimezone(info).utcoffset() == value.utcoffset():
        return value
    local = value.replace(tzinfo=None, fold=0)
    readings = [local.replace(tzinfo=info), local.replace(tzinfo=info, fold=1)]
    if readings[0].astimezone(UTC).astimezone(info).replace(tzinfo=None) != local:
        try:
            When.at(local, zone=zone, duration=SHORTEST)  # which says so
        except RuleError as error:
            raise error.at(at) from None
    raise RequestError(
        "The clocks of %(zone)s do not show %(time)s with this offset. It can be: %(readings)s.",
        code="offset_of_another_zone",
        http=422,
        pointer=at,
        zone=zone,
        time=local.isoformat(),
        readings=" / ".join(sorted({one.isoformat() for one in readings})),
    )


def check_instant(value: datetime, *, at: str) -> datetime:
    """Return an instant, whole seconds.

    Raises: RequestError for one without an offset, or so far away that nothing can be said of it.
    """
    if value.tzinfo is None:
        raise RequestError(
            "Say the offset of this time, too, as in 2026-12-01T10:00:00+01:00.",
            code="time_without_offset",
            http=422,
            pointer=at,
        )
    if not _EARLIEST <= value.year <= _LATEST:
        raise RequestError(
            "This time is too far away. Choose one between the years %(earliest)s and %(latest)s.",
            code="time_out_of_range",
            http=422,
            pointer=at,
            earliest=_EARLIEST,
            latest=_LATEST,
        )
    return value.replace(microsecond=0)


def minutes(length: timedelta) -> int:
    """Return a length in whole minutes."""
    return int(length.total_seconds()) // 60


def _fold(start: datetime, zone: str) -> Literal[0, 1]:
    return 1 if start.astimezone(zone_named(zone)).fold else 0
