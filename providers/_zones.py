"""Time zones as services name them."""

from __future__ import annotations

from datetime import tzinfo
from zoneinfo import ZoneInfo

_NOWHERE = frozenset({"localtime", "factory", "posixrules"})  # files beside the zones: the first is this machine's own


def zone(name: str) -> tzinfo | None:
    """Return the IANA zone of a name; None for one nobody knows."""
    if name.casefold() in _NOWHERE:
        return None
    try:
        return ZoneInfo(name)
    except (ValueError, OSError, LookupError):
        return None
