"""What an event says of the time it stands at: one table for every calendar service, whose adapters only translate."""

from __future__ import annotations

from enum import Enum, auto


class Standing(Enum):
    """What an event says of its time. One may say several things: the time is free if any of them leaves it free."""

    BUSY = auto()  # also what says nothing, or a word that nobody knows
    TENTATIVE = auto()
    OUT_OF_OFFICE = auto()
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
