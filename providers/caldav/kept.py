"""What is kept of calendars between two looks."""

from __future__ import annotations

from dataclasses import dataclass, field

from connector.lately import Lately

_LINES = 64 * 1024 * 1024  # bytes
_READINGS = 32 * 1024 * 1024  # bytes


@dataclass(frozen=True, slots=True)
class Kept:
    """What is kept of all the calendars of a provider.

    Attributes:
        lines: The lines that matter of an event, by who reads it, address and ETag.
        readings: What the lines of an event say of a stretch, by both: they alone decide it.
    """

    lines: Lately[bytes] = field(default_factory=lambda: Lately(_LINES))
    readings: Lately[object] = field(default_factory=lambda: Lately(_READINGS))
