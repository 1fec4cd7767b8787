"""Clocks on the wall. They are asked one thing only: how far they are ahead of UTC when they show a time.

A time that a clock never shows, or shows twice, is read with the offset that held before (RFC 5545 section 3.3.5).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from typing import Protocol


class Zone(Protocol):
    """A clock."""

    def offset(self, wall: datetime) -> timedelta:
        """Return how far it is ahead of UTC when it shows a (naive) time."""
        ...


@dataclass(frozen=True, slots=True)
class Fixed:
    """A clock that never changes."""

    ahead: timedelta

    def offset(self, wall: datetime) -> timedelta:  # noqa: ARG002 - the same at any time
        """Return how far it is ahead of UTC."""
        return self.ahead


@dataclass(frozen=True, slots=True)
class Known:
    """A clock that Python knows."""

    zone: tzinfo

    def offset(self, wall: datetime) -> timedelta:
        """Return how far it is ahead of UTC when it shows a time."""
        return self.zone.utcoffset(wall.replace(tzinfo=self.zone)) or timedelta()


UNIVERSAL = Fixed(timedelta())


def shifted(wall: datetime, by: timedelta) -> datetime:
    """Return a time moved, at most to the first or the last that there is."""
    try:
        return wall + by
    except OverflowError:
        return datetime.min if by < timedelta() else datetime.max.replace(microsecond=0)  # noqa: DTZ901 - naive
