"""The acts of the API as attributes of the extension; what they need is imported when one is first used."""

from __future__ import annotations

from abc import ABC, abstractmethod
from functools import cached_property
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from connector.errors import RuleError
    from connector.hosted.calls import Calls
    from connector.hosted.calls.availability import Availabilities
    from connector.hosted.calls.connections import BusyFeeds, Connections
    from connector.hosted.calls.history import Events, Timelines
    from connector.hosted.calls.offers import Offers
    from connector.hosted.calls.people import Clients, Practitioners, WorkingHours
    from connector.hosted.calls.sessions import Sessions
    from connector.runtime import Runtime


class Face(ABC):
    """What a host in the same process can have done; see docs/python.md."""

    @property
    @abstractmethod
    def runtime(self) -> Runtime:
        """The parts of the installation."""

    @cached_property
    def calls(self) -> Calls:
        """Everything, where reasons, warnings and what happened are said in English."""
        from connector.hosted.calls import Calls  # noqa: PLC0415 - once nothing of the host's goes by a name of ours

        return Calls(lambda: self.runtime)

    def speaking(self, locale: str) -> Calls:
        """Return everything, where they are said in the nearest language on offer."""
        return self.calls.speaking(locale)

    def say(self, error: RuleError, locale: str) -> str:
        """Return what a refusal says, in the nearest language on offer; `str` of it is English."""
        return self.calls.speaking(locale).say(error)

    @property
    def practitioners(self) -> Practitioners:
        """Who gives sessions."""
        return self.calls.practitioners

    @property
    def hours(self) -> WorkingHours:
        """When practitioners work."""
        return self.calls.hours

    @property
    def clients(self) -> Clients:
        """Who receives sessions."""
        return self.calls.clients

    @property
    def availability(self) -> Availabilities:
        """When practitioners are free."""
        return self.calls.availability

    @property
    def sessions(self) -> Sessions:
        """What is booked."""
        return self.calls.sessions

    @property
    def offers(self) -> Offers:
        """Which other times clients are offered."""
        return self.calls.offers

    @property
    def timelines(self) -> Timelines:
        """What happened, in words for people."""
        return self.calls.timelines

    @property
    def events(self) -> Events:
        """What happened, for programs: the outcomes that `on_outcome` is told of."""
        return self.calls.events

    @property
    def connections(self) -> Connections:
        """Which calendars are connected."""
        return self.calls.connections

    @property
    def busy_feeds(self) -> BusyFeeds:
        """Calendars of busy times, for other programs."""
        return self.calls.busy_feeds
