"""Connected calendars, and calendars of busy times, as the host in this process has them made and ended."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from types import NoneType
from uuid import UUID

from msgspec import UNSET, UnsetType

from connector.api.busy_feeds import BusyFeedBody, BusyFeedList, MadeBusyFeedBody
from connector.api.connections import ConnectionBody, ConnectLinkBody
from connector.hosted.calls.door import Door, Id, said


class Connections:
    """What `/connections` of the API does, and its connect links."""

    def __init__(self, door: Door) -> None:
        self._door = door

    def link(
        self,
        practitioner: Id,
        *,
        return_url: str,
        provider: str | None = None,
        locale: str | None = None,
        reconnect: Id | None = None,
        once: str = "",
    ) -> ConnectLinkBody:
        """Make a link that leads a practitioner through connecting one account, once, and back.

        Args:
            practitioner: Whose account; hand the link to them alone.
            return_url: Where they are sent back to: its origin is one of `CONNECTOR_RETURN_ORIGINS`.
            provider: The only service to offer; None for all that are set up.
            locale: In which language the pages speak; None for the practitioner's own.
            reconnect: The connection that is to be reconnected; None for a new one.
            once: The name of this act: asked for again under it, it is not done again.

        Raises: RuleError.
        """
        body = {
            "return_url": return_url,
            "provider": provider,
            "locale": locale,
            "reconnect": self._door.connection(reconnect) if reconnect is not None else None,
        }
        path = {"practitioner_id": self._door.practitioner(practitioner)}
        return self._door.ask("connections.make_link", ConnectLinkBody, path=path, body=body, once=once)

    def get(self, connection: Id) -> ConnectionBody:
        """Return a connection and how it fares. Raises: NotFoundError."""
        return self._door.ask("connections.show", ConnectionBody, path=self._path(connection))

    def list(
        self, *, practitioner: Id | UnsetType = UNSET, external_id: str | UnsetType = UNSET
    ) -> Iterator[ConnectionBody]:
        """Yield connections, the oldest first."""
        of = practitioner if practitioner is UNSET else self._door.practitioner(practitioner)
        return self._door.pages("connections.listed", ConnectionBody, practitioner_id=of, external_id=external_id)

    def change(
        self,
        connection: Id,
        *,
        external_id: str | UnsetType | None = UNSET,
        session_level: int | UnsetType = UNSET,
        hold_level: int | UnsetType = UNSET,
        version: int | None = None,
    ) -> ConnectionBody:
        """Change how much of clients a calendar shows; what is left out stays. Raises: RuleError."""
        body = said(external_id=external_id, session_level=session_level, hold_level=hold_level)
        path = self._path(connection)
        return self._door.ask("connections.change", ConnectionBody, path=path, body=body, version=version)

    def disconnect(
        self, connection: Id, *, leave_entries: bool = False, version: int | None = None, once: str = ""
    ) -> ConnectionBody | None:
        """Disconnect an account; return how it stands while entries are removed, None once it is gone.

        `leave_entries`: do not wait for that, where they cannot be reached.

        Raises: RuleError.
        """
        body, path = {"leave_entries": leave_entries}, self._path(connection)
        found = self._door.ask("connections.leave", object, path=path, body=body, version=version, once=once)
        return found if isinstance(found, ConnectionBody) else None

    def _path(self, connection: Id) -> dict[str, Id]:
        return {"connection_id": self._door.connection(connection)}


class BusyFeeds:
    """What `/practitioners/…/busy-feeds` of the API does."""

    def __init__(self, door: Door) -> None:
        self._door = door

    def make(self, practitioner: Id, *, name: str, once: str = "") -> MadeBusyFeedBody:
        """Make a calendar of a practitioner's busy times; its address is told this once. Raises: RuleError."""
        path, body = self._path(practitioner), {"name": name}
        return self._door.ask("busy_feeds.make", MadeBusyFeedBody, path=path, body=body, once=once)

    def list(self, practitioner: Id) -> Sequence[BusyFeedBody]:
        """Return those of a practitioner that are open, the oldest first."""
        return self._door.ask("busy_feeds.listed", BusyFeedList, path=self._path(practitioner)).items

    def end(self, practitioner: Id, feed: UUID) -> None:
        """Have nothing fetched there from now on. Raises: RuleError."""
        self._door.ask("busy_feeds.end", NoneType, path={**self._path(practitioner), "feed_id": feed})

    def _path(self, practitioner: Id) -> dict[str, Id]:
        return {"practitioner_id": self._door.practitioner(practitioner)}
