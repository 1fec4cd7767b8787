"""Times and places, as a host in the same process says them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from connector.api.offer_bodies import NewAlternativeBody
from connector.api.places import LocationBody
from connector.api.sessions import AttestationBody
from connector.api.values import Time, check_instant
from connector.domain.session import LocationKind
from connector.domain.span import SHORTEST, When
from connector.errors import RequestError, RuleError

Location, Attestation, Alternative = LocationBody, AttestationBody, NewAlternativeBody
Times = Iterable[Time | NewAlternativeBody]


def in_person(address: str) -> LocationBody:
    """Return a place that two people go to."""
    return LocationBody(kind=LocationKind.IN_PERSON, text=address)


def online(link: str) -> LocationBody:
    """Return a place behind a full https link."""
    return LocationBody(kind=LocationKind.ONLINE, text=link)


def by_phone(text: str) -> LocationBody:
    """Return a telephone number, and who calls."""
    return LocationBody(kind=LocationKind.PHONE, text=text)


def time(start: datetime, end: datetime, zone: str | None = None, *, at: str = "/time") -> Time:
    """Return a time on the clock of a zone, whatever zone its two instants are in.

    Args:
        start: Aware.
        end: Aware.
        zone: An IANA name; None for that of `start`, if it has one.
        at: Where a request would have it.

    Raises: RuleError for a naive datetime, one whose zone has no name, or a wall time that does not exist or comes
        twice. What comes twice is said with `fold=1` for the later, or with an offset.
    """
    check_instant(start, at=f"{at}/start")
    check_instant(end, at=f"{at}/end")
    if zone is None:
        zone = start.tzinfo.key if isinstance(start.tzinfo, ZoneInfo) else None
    if not zone:
        raise RequestError(
            "Say on which clock this time is read: give its zone, such as Europe/Berlin.",
            code="zone_not_given",
            http=422,
            pointer=f"{at}/zone",
        )
    return Time(start=_on(start, zone, at=f"{at}/start"), end=_on(end, zone, at=f"{at}/end"), zone=zone)


def alternatives(times: Times) -> list[Mapping[str, Any]]:
    """Return times to offer as the body of a request has them."""
    found: list[Mapping[str, Any]] = []
    for n, one in enumerate(times):
        at = f"/alternatives/{n}/time"
        own, location = (one.time, one.location) if isinstance(one, NewAlternativeBody) else (one, None)
        found.append({"time": time(own.start, own.end, own.zone, at=at), "location": location})
    return found


def _on(value: datetime, zone: str, *, at: str) -> datetime:
    """Return an instant on the clock of a zone; as it is if there is no such zone, which is refused when it is read."""
    _refuse_doubtful(value, at=at)
    try:
        return value.astimezone(ZoneInfo(zone))
    except (LookupError, ValueError, OSError):
        return value


def _refuse_doubtful(value: datetime, *, at: str) -> None:
    """Raise RuleError for a wall time that its own zone's clock never shows, or shows twice and nobody says which."""
    info = value.tzinfo
    if not isinstance(info, ZoneInfo) or not info.key:
        return
    if value.replace(fold=0).utcoffset() == value.replace(fold=1).utcoffset():
        return
    try:
        When.at(value.replace(tzinfo=None), zone=info.key, duration=SHORTEST, fold=1 if value.fold else None)
    except RuleError as error:
        raise error.at(at) from None
