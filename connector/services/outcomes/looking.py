"""Links by which operators and hosts' developers look at deliveries: for an hour, and without signing in."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

from connector.storage.seal import Seal

PURPOSE = "deliveries"
LASTS = timedelta(hours=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Looking:
    """What a link shows: the deliveries to one endpoint, or to all of them for None, until an instant, aware UTC."""

    endpoint_id: UUID | None
    until: datetime

    def has_ended(self, now: datetime) -> bool:
        """Whether it shows nothing any more."""
        return now >= self.until


def make(seal: Seal, *, endpoint_id: UUID | None, now: datetime) -> tuple[str, Looking]:
    """Return the token of a new link, and what it shows; nothing of it is stored."""
    until = (now + LASTS).replace(microsecond=0)
    said = [str(int(until.timestamp())), endpoint_id.hex if endpoint_id else ""]
    return seal.sign(PURPOSE, said), Looking(endpoint_id=endpoint_id, until=until)


def find(seal: Seal, token: str) -> Looking:
    """Return what a token shows, whether or not it has ended.

    Raises: NotFoundError if it is none of ours.
    """
    until, endpoint_id = seal.signed(PURPOSE, token)
    return Looking(
        endpoint_id=UUID(hex=endpoint_id) if endpoint_id else None,
        until=datetime.fromtimestamp(int(until), UTC),
    )
