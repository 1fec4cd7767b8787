"""Look whether a connection still leads to its calendar; what `connections test` and `doctor` have in common."""

from __future__ import annotations

from dataclasses import dataclass

from connector.errors import AccessLostError, ConnectorError
from connector.runtime import Runtime
from connector.storage import calendars
from connector.storage.calendars import Calendar, Connection, ConnectionState


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """Whether something works, and what to know or do about it."""

    ok: bool
    words: str


def look(runtime: Runtime, connection: Connection) -> State:
    """Sign in as the connection does and look for its calendar; changes nothing there or here."""
    reconnect = f"pencilled connections reconnect {connection.id.hex[:8]}"
    with runtime.database.read() as db:
        owned = calendars.calendars_of(db, connection.practitioner_id)
        chosen = [calendar for calendar in owned if calendar.connection_id == connection.id]
    try:
        provider = runtime.load_provider(connection.provider)
        account = provider.account(runtime.tokens(connection.id), runtime.network)
        writable = {info.remote_id: info.writable for info in account.calendars()}
    except AccessLostError as error:
        return State(ok=False, words=f"the password is no longer accepted ({error}). Reconnect: {reconnect}")
    except ConnectorError as error:
        return State(ok=False, words=str(error))
    for calendar in chosen:
        if calendar.remote_id not in writable:
            return State(ok=False, words=f"the calendar “{calendar.name}” is no longer there")
        if not writable[calendar.remote_id]:
            return State(ok=False, words=f"the calendar “{calendar.name}” can no longer be written to")
    if connection.state is ConnectionState.ACCESS_LOST:
        return State(ok=False, words=f"stopped when its password was refused; it would be let in now: {reconnect}")
    return _standing(chosen)


def _standing(chosen: list[Calendar]) -> State:
    troubled = [calendar for calendar in chosen if calendar.trouble]
    if troubled:
        words = f"reached just now, but “{troubled[0].name}” was in trouble last: {troubled[0].trouble}"
        return State(ok=False, words=words)
    return State(ok=True, words="reached, and can be written to: " + ", ".join(f"“{c.name}”" for c in chosen))
