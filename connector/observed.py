"""A remote calendar with an observer at every call, such as one that counts them.

What takes the calendar's place has the abilities of that calendar and no others: its class inherits the five calls that
every calendar has, and those of each ability. A new ability of calendars needs a class and a row of _ABILITIES here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import UTC, datetime, tzinfo
from functools import cache
from typing import Any, Generic, TypeVar

from connector.domain.reconcile import Action, Ref, Sighting
from connector.domain.span import Span
from connector.ports import BusyReading, Changes, Channel, Listed, ListsBusy, Outcome, RemoteCalendar, Watchable

Observer = Callable[[str], AbstractContextManager[object]]
"""Told the name of a call; what it returns is entered before the call and left after it, with its error if any."""

_T = TypeVar("_T")


def observed(remote: RemoteCalendar, observer: Observer) -> RemoteCalendar:
    """Return a calendar that does what `remote` does, each call within a context of the observer's.

    The context of `apply` is left when the last outcome has been taken, so it includes what the caller does in between.
    """
    abilities = tuple(calls for ability, calls in _ABILITIES if isinstance(remote, ability))
    calendar: RemoteCalendar = _class_of((_CalendarCalls, *abilities))(remote, observer)
    return calendar


class _Calls(Generic[_T]):
    """Some calls of one calendar."""

    def __init__(self, remote: _T, observer: Observer) -> None:
        self._remote = remote
        self._observer = observer


class _CalendarCalls(_Calls[RemoteCalendar]):
    """The calls that every calendar has."""

    def apply(self, actions: Sequence[Action]) -> Iterator[Outcome]:
        with self._observer("apply"):
            yield from self._remote.apply(actions)

    def read(self, refs: Sequence[Ref]) -> Mapping[str, Sighting | None]:
        with self._observer("read"):
            return self._remote.read(refs)

    def changes(self, token: str | None) -> Changes:
        with self._observer("changes"):
            return self._remote.changes(token)

    def listing(self, since: datetime) -> Sequence[Listed]:
        with self._observer("listing"):
            return self._remote.listing(since)

    def busy(self, span: Span, *, zone: tzinfo = UTC) -> BusyReading:
        with self._observer("busy"):
            return self._remote.busy(span, zone=zone)


class _ListsBusyCalls(_Calls[ListsBusy]):
    def list_busy(self, span: Span, *, zone: tzinfo = UTC) -> BusyReading:
        with self._observer("list_busy"):
            return self._remote.list_busy(span, zone=zone)


class _WatchableCalls(_Calls[Watchable]):
    def watch(self, *, channel_id: str, secret: str, address: str, now: datetime) -> Channel:
        with self._observer("watch"):
            return self._remote.watch(channel_id=channel_id, secret=secret, address=address, now=now)

    def renew(self, channel: Channel, *, address: str, now: datetime) -> Channel:
        with self._observer("renew"):
            return self._remote.renew(channel, address=address, now=now)

    def unwatch(self, channel: Channel) -> None:
        with self._observer("unwatch"):
            self._remote.unwatch(channel)


_ABILITIES: tuple[tuple[type, type[_Calls[Any]]], ...] = ((ListsBusy, _ListsBusyCalls), (Watchable, _WatchableCalls))


@cache
def _class_of(bases: tuple[type[_Calls[Any]], ...]) -> type[Any]:
    return type("ObservedCalendar", bases, {})
