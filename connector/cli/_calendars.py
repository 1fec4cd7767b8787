"""Look whether a connection still leads to its calendar; what `connections test` and `doctor` have in common."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from connector.domain.connection import Calendar, CalendarRole, Connection, ConnectionState
from connector.domain.notice import PauseReason
from connector.errors import AccessLostError, ConnectorError
from connector.runtime import Runtime
from connector.services.views import phrases
from connector.services.views.troubles import of_calendar
from connector.storage import calendars, installation


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """Whether something works, and what to know or do about it."""

    ok: bool
    words: str


def look(runtime: Runtime, connection: Connection) -> State:
    """Sign in as the connection does and look for its calendar; changes nothing there or here."""
    reconnect = f"pencilled connections reconnect {connection.id.hex[:8]}"
    with runtime.database.read() as db:
        owned = calendars.in_connection(db, connection.id)
        stands_still = installation.stands_still(db)
    targets = [calendar for calendar in owned if calendar.role is CalendarRole.TARGET]
    try:
        writable = _writable(runtime, connection)
    except AccessLostError as error:
        return State(ok=False, words=f"the access is no longer accepted ({error}). Reconnect: {reconnect}")
    except ConnectorError as error:
        return State(ok=False, words=str(error))
    fault = _pause(connection, targets, stands_still=stands_still) or _absence(owned, targets, writable)
    if fault:
        return State(ok=False, words=fault)
    if connection.state is ConnectionState.ACCESS_LOST:
        return State(ok=False, words=f"stopped when its access was refused; it would be let in now: {reconnect}")
    if connection.state is ConnectionState.DISCONNECTING:
        return State(ok=True, words="being disconnected; a running worker removes what is ours first")
    return _standing(runtime, targets)


def _writable(runtime: Runtime, connection: Connection) -> Mapping[str, bool]:
    """Ask the service which calendars there are, by remote id, and whether each can be written to."""
    provider = runtime.load_provider(connection.provider)
    account = provider.account(runtime.tokens(connection.id), runtime.network)
    return {info.remote_id: info.writable for info in account.calendars()}


def _pause(connection: Connection, targets: Sequence[Calendar], *, stands_still: bool) -> str:
    """Say which calendar is paused and how to go on; empty if none is."""
    for calendar in targets:
        if calendar.paused is not None and connection.state is ConnectionState.OK:
            resume = f"pencilled connections resume {connection.id.hex[:8]}"
            if calendar.paused == PauseReason.RESTORED:
                resume = "pencilled restored" if stands_still else "pencilled restored --continue"
            return f"“{calendar.name}” is stopped: {why_paused(calendar)}. Say how it goes on: {resume}"
    return ""


def _absence(owned: Sequence[Calendar], targets: Sequence[Calendar], writable: Mapping[str, bool]) -> str:
    """Say which calendar is gone, or can no longer be written to; empty if all are as they should be."""
    for calendar in owned:
        if calendar.remote_id not in writable:
            return f"the calendar “{calendar.name}” is no longer there"
        if calendar in targets and not writable[calendar.remote_id]:
            return f"the calendar “{calendar.name}” can no longer be written to"
    return ""


def why_paused(calendar: Calendar) -> str:
    """Say why a calendar is paused; empty for one that is not."""
    if calendar.paused is None:
        return ""
    what = "of them" if calendar.paused == PauseReason.UNKNOWN else "gone"
    count = f" ({calendar.paused_count} {what})" if calendar.paused_count else ""
    return f"{phrases.PAUSES[PauseReason(calendar.paused)]}{count}"


def strength(calendar: Calendar) -> str:
    """Say how holds are shown in a calendar."""
    if calendar.probed_at is None:
        return "not tried out yet"
    return "busy: tentative reads as free" if calendar.disclosure.firm_holds else "tentative"


def troubles_of(runtime: Runtime, calendar: Calendar) -> str:
    """Say what does not go through in a calendar; empty if both the last look and the last write did."""
    with runtime.database.read() as db:
        return "; ".join(trouble.sentence for trouble in of_calendar(db, calendar))


def _standing(runtime: Runtime, targets: Sequence[Calendar]) -> State:
    for calendar in targets:
        if words := troubles_of(runtime, calendar):
            return State(ok=False, words=f"reached just now, but “{calendar.name}” {words}")
    return State(ok=True, words="reached, and can be written to: " + ", ".join(f"“{c.name}”" for c in targets))
