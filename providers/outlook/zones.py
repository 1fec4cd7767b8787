"""Windows names of time zones, which Exchange uses where the world uses IANA's."""

from __future__ import annotations

from datetime import UTC, tzinfo

from providers import _zones


def zone(name: str) -> tzinfo | None:
    """Return the zone of a Windows or IANA name; None for one nobody knows, such as `tzone://Microsoft/Custom`.

    Source: the CLDR table windowsZones, its default territory `001`, as icalendar carries it.
    """
    if name.upper() in {"UTC", "TZONE://MICROSOFT/UTC", "ETC/UTC", "ETC/GMT"}:
        return UTC
    from icalendar.timezone.windows_to_olson import WINDOWS_TO_OLSON  # noqa: PLC0415 - rarely needed

    return _zones.zone(WINDOWS_TO_OLSON.get(name, name))
