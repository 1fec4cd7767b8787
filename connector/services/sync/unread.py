"""Events that could not be read are kept with their calendar and their age, and noted once in its timeline."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta

import structlog
from sqlalchemy import Connection as Db

from connector.domain.connection import Calendar
from connector.domain.facts import EventsRead, EventsUnread
from connector.domain.people import CLOCK
from connector.domain.unreadable import Unread, Unreadable
from connector.ports import UnreadEvent
from connector.storage import timeline, unread

FEW = 3  # events of one reason of which it is kept when they begin
LIFETIME = timedelta(days=36500)  # what begins further away tells nobody anything, and no zone may have a clock there

log = structlog.get_logger(__name__)


def keep(db: Db, calendar: Calendar, events: Sequence[UnreadEvent], *, now: datetime) -> None:
    """Store which events a reading could not read, in place of those of the last, and note that there are any, or none.

    The caller holds the practitioner's lock.
    """
    before = unread.of_calendar(db, calendar.id)
    found = frozenset(_by_reason(events, before, now))
    if found == frozenset(before):
        return
    unread.keep(db, calendar.id, found)
    if events:
        reasons = {one.value: sum(event.reason is one for event in events) for one in {e.reason for e in events}}
        log.warning("events_not_read", calendar=str(calendar.id), events=len(events), reasons=reasons)
    if bool(events) == bool(before):
        return
    connection_id, name = calendar.connection_id, calendar.name
    fact = (
        EventsUnread(at=now, by=CLOCK, connection_id=connection_id, calendar=name, count=len(events))
        if events
        else EventsRead(at=now, by=CLOCK, connection_id=connection_id, calendar=name)
    )
    timeline.append(db, calendar.practitioner_id, [fact])


def _by_reason(events: Iterable[UnreadEvent], before: Iterable[Unread], now: datetime) -> Iterator[Unread]:
    since = {one.reason: one.since for one in before}
    groups: dict[Unreadable, list[UnreadEvent]] = defaultdict(list)
    for event in events:
        groups[event.reason].append(event)
    for reason, group in groups.items():
        starts = sorted({at for event in group if (at := event.starts_at) and abs(at - now) < LIFETIME})
        yield Unread(reason=reason, events=len(group), since=since.get(reason, now), starts=tuple(starts[:FEW]))
