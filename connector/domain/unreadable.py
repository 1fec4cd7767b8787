"""Why something that stands in a calendar could not be read."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Unreadable(StrEnum):
    """What is wrong with an object of somebody else's; the value is a stored word.

    Whatever of it could be read keeps its time; what could not may take any time at all.
    """

    WITHHELD = "withheld"  # its server names it and does not hand it out
    NO_CALENDAR = "no_calendar"  # it is something else
    TOO_LONG = "too_long"  # only its beginning was looked at
    NOT_WHOLE = "not_whole"  # something began in it and did not end
    START = "start"  # when an event starts, or which of a series it stands for
    END = "end"
    ZONE = "zone"  # the clock that it goes by: it was read by what of that makes sense, or by the calendar's own
    RULE = "rule"  # how it repeats
    TOO_DENSE = "too_dense"  # it repeats more often than can be counted: its time is taken from first to last


@dataclass(frozen=True, slots=True, kw_only=True)
class Unread:
    """So many events of a calendar could not be read at its last reading, all for one reason.

    Attributes:
        since: The first of the readings in a row that found any such, aware UTC.
        starts: When a few of them begin, the earliest first, aware UTC; of others that is not known, or not kept.
    """

    reason: Unreadable
    events: int
    since: datetime
    starts: tuple[datetime, ...] = ()
