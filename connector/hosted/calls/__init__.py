"""The Python face: what the API does, for the host in whose process we are. See docs/decisions/0072.

Things go by the host's own ids; a `UUID` is one of ours. Times are aware datetimes. What is returned is what the API
answers, and what is refused is a `RuleError` with the API's `code`. Each call is a transaction of its own, which has
been committed when it returns, and has nothing to do with one that the host may have open.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Self

from connector.api.values import Time
from connector.errors import RuleError
from connector.hosted.calls.availability import Availabilities
from connector.hosted.calls.connections import BusyFeeds, Connections
from connector.hosted.calls.door import Door, Id
from connector.hosted.calls.history import Events, Timelines
from connector.hosted.calls.offers import Offers
from connector.hosted.calls.people import Clients, Practitioners, WorkingHours
from connector.hosted.calls.sessions import Sessions
from connector.hosted.calls.values import Alternative, Attestation, Location, by_phone, in_person, online
from connector.runtime import Runtime

__all__ = [
    "Alternative",
    "Attestation",
    "Calls",
    "Id",
    "Location",
    "Time",
    "by_phone",
    "in_person",
    "online",
]


class Calls:
    """Everything that the host can have done.

    Args:
        runtime: Returns the installation, opened when it is first asked for; raises if there is none yet.
    """

    def __init__(self, runtime: Callable[[], Runtime]) -> None:
        self._through(Door(runtime))

    def _through(self, door: Door) -> Self:
        self._door = door
        self.practitioners = Practitioners(door)
        self.hours = WorkingHours(door)
        self.clients = Clients(door)
        self.availability = Availabilities(door)
        self.sessions = Sessions(door)
        self.offers = Offers(door)
        self.timelines = Timelines(door)
        self.events = Events(door)
        self.connections = Connections(door)
        self.busy_feeds = BusyFeeds(door)
        return self

    def speaking(self, locale: str) -> Calls:
        """Return the same, where reasons, warnings and what happened are said in the nearest language on offer."""
        calls = Calls.__new__(Calls)
        return calls._through(self._door.speaking(locale))  # noqa: SLF001 - of our own class

    def say(self, error: RuleError) -> str:
        """Return what a refusal says, in the language that is spoken here: `str` of it is English."""
        return self._door.say(error)
