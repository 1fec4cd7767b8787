"""What an event says of the time it stands at: one table for every calendar service, whose adapters only translate."""

from __future__ import annotations

from collections.abc import Collection
from enum import Enum, StrEnum, auto


class Nature(StrEnum):
    """Whether an event that takes time may mean that its owner is away; the values are stored."""

    OUT_OF_OFFICE = "out_of_office"  # the service calls it so
    ORDINARY = "ordinary"
    NEVER = "never"  # it says what they do, or where, and that is no absence


class Standing(Enum):
    """What an event says of its time. One may say several things: the time is free if any of them leaves it free."""

    BUSY = auto()  # also what says nothing, or a word that nobody knows
    TENTATIVE = auto()
    OUT_OF_OFFICE = auto()
    FOCUS = auto()  # somebody works undisturbed
    ELSEWHERE = auto()  # where somebody works, not that they do
    FREE = auto()
    DECLINED = auto()  # by whoever's calendar it is
    CANCELLED = auto()

    @property
    def takes_time(self) -> bool:
        """Whether the time is not free."""
        return _TAKES_TIME[self]


_TAKES_TIME = {
    Standing.BUSY: True,
    Standing.TENTATIVE: True,
    Standing.OUT_OF_OFFICE: True,
    Standing.FOCUS: True,
    Standing.ELSEWHERE: False,
    Standing.FREE: False,
    Standing.DECLINED: False,
    Standing.CANCELLED: False,
}

_EXCHANGE = {
    "free": Standing.FREE,
    "tentative": Standing.TENTATIVE,
    "busy": Standing.BUSY,
    "oof": Standing.OUT_OF_OFFICE,
    "workingelsewhere": Standing.ELSEWHERE,
}


def of_exchange(word: object) -> Standing:
    """Return what a word of Exchange means, as its own services and the events that it exports write it."""
    return _EXCHANGE.get(str(word).casefold(), Standing.BUSY)


def nature_of(standings: Collection[Standing]) -> Nature:
    """Return what an event that says this may mean; what is never an absence is none, whatever else it says."""
    if Standing.FOCUS in standings or Standing.ELSEWHERE in standings:
        return Nature.NEVER
    return Nature.OUT_OF_OFFICE if Standing.OUT_OF_OFFICE in standings else Nature.ORDINARY
