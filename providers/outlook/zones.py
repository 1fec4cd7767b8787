"""Windows names of time zones, which Exchange uses where the world uses IANA's."""

from __future__ import annotations

from datetime import UTC, tzinfo
from zoneinfo import ZoneInfo


def zone(name: str) -> tzinfo | None:
    """Return the zone of a Windows or IANA name; None for one nobody knows, such as `tzone://Microsoft/Custom`.

    Source: the CLDR table windowsZones, its default territory `001`, as icalendar carries it.
    """
    if name.upper() in {"UTC", "TZONE://MICROSOFT/UTC", "ETC/UTC", "ETC/GMT"}:
        return UTC
    from icalendar.timezone.windows_to_olson import WINDOWS_TO_OLSON  # noqa: PLC0415 - rarely needed

    try:
        return ZoneInfo(WINDOWS_TO_OLSON.get(name, name))
    except (ValueError, OSError, LookupError):
        return None
