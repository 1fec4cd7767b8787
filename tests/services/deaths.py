"""A real calendar service, used by a process that can die before a call reaches it or after it was done."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, tzinfo

from connector.domain.reconcile import Action, Ref, Sighting
from connector.domain.span import Span
from connector.ports import Account, BusyReading, Changes, Listed, Outcome, RemoteCalendar, RemoteCalendarInfo
from tests.services.crashes import MortalDatabase


class DyingCalendar:
    """Passes everything on; each outcome is a write at which its process may die."""

    def __init__(self, remote: RemoteCalendar, database: MortalDatabase) -> None:
        self._remote = remote
        self._database = database

    def apply(self, actions: Sequence[Action]) -> Iterator[Outcome]:
        for action in actions:
            self._database.on_write("before", action)
        for outcome in self._remote.apply(actions):
            self._database.on_write("after", actions[0])
            yield outcome

    def read(self, refs: Sequence[Ref]) -> Mapping[str, Sighting | None]:
        return self._remote.read(refs)

    def changes(self, since: str | None) -> Changes:
        return self._remote.changes(since)

    def listing(self, since: datetime) -> Sequence[Listed]:
        return self._remote.listing(since)

    def busy(self, span: Span, *, zone: tzinfo = UTC) -> BusyReading:
        return self._remote.busy(span, zone=zone)


class DyingAccount:
    """An account whose calendars die with the process that uses them."""

    def __init__(self, account: Account, database: MortalDatabase) -> None:
        self._account = account
        self._database = database

    def calendars(self) -> Sequence[RemoteCalendarInfo]:
        return self._account.calendars()

    def open(self, remote_id: str) -> DyingCalendar:
        return DyingCalendar(self._account.open(remote_id), self._database)
