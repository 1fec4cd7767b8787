"""Events of practitioners' calendars that could not be read, as the last reading of each calendar found them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection, delete, insert, select

from connector.domain.unreadable import Unread, Unreadable
from connector.storage.tables import unread_events


def keep(db: Connection, calendar_id: UUID, unread: Iterable[Unread]) -> None:
    """Store what of a calendar could not be read, in place of what was stored."""
    db.execute(delete(unread_events).where(unread_events.c.calendar_id == calendar_id))
    rows = [
        {
            "calendar_id": calendar_id,
            "reason": one.reason.value,
            "events": one.events,
            "since": one.since,
            "starts": " ".join(start.isoformat() for start in one.starts),
        }
        for one in unread
    ]
    if rows:
        db.execute(insert(unread_events), rows)


def of_calendar(db: Connection, calendar_id: UUID) -> Sequence[Unread]:
    """Return what of a calendar could not be read."""
    return of_calendars(db, [calendar_id]).get(calendar_id, ())


def of_calendars(db: Connection, calendar_ids: Iterable[UUID]) -> Mapping[UUID, Sequence[Unread]]:
    """Return what could not be read, by calendar; those are left out of which all could be."""
    query = select(unread_events).where(unread_events.c.calendar_id.in_(list(calendar_ids)))
    found: dict[UUID, list[Unread]] = defaultdict(list)
    for row in db.execute(query.order_by(unread_events.c.since, unread_events.c.reason)):
        found[row.calendar_id].append(
            Unread(
                reason=Unreadable(row.reason),
                events=row.events,
                since=row.since,
                starts=tuple(map(datetime.fromisoformat, row.starts.split())),
            )
        )
    return dict(found)
