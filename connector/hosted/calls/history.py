"""What happened, as the host in this process reads it."""

from __future__ import annotations

from collections.abc import Iterator

from connector.api.deliveries import EventList
from connector.api.timelines import EventBody
from connector.hosted.calls.door import Door, Id


class Timelines:
    """What `…/timeline` of the API does."""

    def __init__(self, door: Door) -> None:
        self._door = door

    def of_session(self, session: Id) -> Iterator[EventBody]:
        """Yield what happened to a session, oldest first: who did what, when and why."""
        path = {"session_id": self._door.session(session)}
        return self._door.listed("timelines.of_session", EventBody, path=path, query={})

    def of_practitioner(self, practitioner: Id) -> Iterator[EventBody]:
        """Yield what happened to all that is a practitioner's, oldest first."""
        path = {"practitioner_id": self._door.practitioner(practitioner)}
        return self._door.listed("timelines.of_practitioner", EventBody, path=path, query={})

    def of_connection(self, connection: Id) -> Iterator[EventBody]:
        """Yield what happened to a connection, oldest first."""
        path = {"connection_id": self._door.connection(connection)}
        return self._door.listed("timelines.of_connection", EventBody, path=path, query={})


class Events:
    """What `/events` of the API does: outcomes in the order in which they were committed."""

    def __init__(self, door: Door) -> None:
        self._door = door

    def since(self, cursor: str | None = None, *, limit: int = 100) -> EventList:
        """Return the outcomes behind a cursor, with the one to go on from; without one, from the oldest that is kept.

        None is ever left out behind a cursor, so keep `next` once what stands before it is dealt with.

        Raises: RuleError for a cursor that is none of ours.
        """
        query = {"cursor": cursor or "", "limit": limit}
        return self._door.ask("events.feed", EventList, query=query)
