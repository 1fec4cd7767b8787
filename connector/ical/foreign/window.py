"""The stretch of time that is asked about."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Self

from connector.domain.span import Span
from connector.ical.foreign.clock import shifted

SLACK = timedelta(hours=26)  # between any clock on a wall and UTC, and more than that


@dataclass(frozen=True, slots=True)
class Window:
    """A half-open stretch of naive UTC."""

    start: datetime
    end: datetime

    @classmethod
    def of(cls, span: Span) -> Self:
        """Return the window of a span."""
        return cls(span.start.replace(tzinfo=None), span.end.replace(tzinfo=None))

    def touches(self, start: datetime, end: datetime) -> bool:
        """Whether something that takes time from start to end takes some of this."""
        return start < end and start < self.end and self.start < end

    def clipped(self, start: datetime, end: datetime) -> tuple[datetime, datetime]:
        """Return what of a stretch lies inside."""
        return max(start, self.start), min(end, self.end)

    def walls(self, reach: timedelta, shift: timedelta = timedelta()) -> tuple[datetime, datetime]:
        """Return between which times on any wall something starts that reaches in, before it is moved by `shift`."""
        return shifted(shifted(self.start, -SLACK - reach), -shift), shifted(shifted(self.end, SLACK), -shift)
