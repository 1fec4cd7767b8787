"""Compare a whole calendar with what we believe of it: what no feed tells is found here.

A listing knows our events by the name in their mark or by their UID, whatever address they stand at: one that stands at
another address was moved, one that stands twice was copied, and one of which nobody knows is told to a person.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import Connection

from connector.domain.connection import Calendar
from connector.domain.notice import PauseReason
from connector.domain.reconcile import Mirror, Ref, Remove, Sighting, earlier_names
from connector.ports import Listed
from connector.storage import doubts, installation, mirrors, unknown_entries
from connector.storage.ledger import REFUSAL_FIRST, REFUSAL_LONGEST
from connector.storage.unknown_entries import UnknownEntry

_NIGHT = time(hour=1)  # when the first calendars of the night are compared, where their practitioners are
_SPREAD = timedelta(hours=4)
PATIENCE = timedelta(hours=1)  # for so long an absence waits for a comparison that fails


def is_due(calendar: Calendar, *, now: datetime) -> bool:
    """Whether a whole calendar is to be compared now: after every break, once a night, and while it holds unknowns."""
    is_in_question = calendar.sync_token is None or calendar.paused == PauseReason.UNKNOWN
    return is_in_question or calendar.compare_at is None or calendar.compare_at <= now


def waits(calendar: Calendar, *, now: datetime) -> bool:
    """Whether a calendar could not be compared lately, and that is not to be tried again yet.

    One that is paused goes on only once it was compared.
    """
    is_failing = calendar.compare_fault is not None and calendar.paused is None
    return is_failing and calendar.compare_at is not None and calendar.compare_at > now


def try_again_at(calendar: Calendar, now: datetime) -> datetime:
    """Return when to try a comparison again that has failed just now: after as long as it has failed, to hourly."""
    fault = calendar.compare_fault
    lasting = now - fault.since if fault is not None else timedelta()
    return now + min(max(lasting, REFUSAL_FIRST), REFUSAL_LONGEST)


def withholds(calendar: Calendar, *, now: datetime) -> bool:
    """Whether an absence waits for a comparison that has failed: for a while it may still say that an event was moved.

    A calendar that can never be listed must let its practitioner delete entries all the same.
    """
    fault = calendar.compare_fault
    return fault is not None and fault.since > now - PATIENCE


def next_at(calendar_id: UUID, compared_at: datetime, zone: str) -> datetime:
    """Return when a calendar that was compared then is compared again: in the next night, each at a minute of its own.

    Returns: Aware UTC, later than `compared_at` by a day and an hour (of a clock change) at most.
    """
    local_zone = ZoneInfo(zone)
    spread = timedelta(seconds=calendar_id.int % (_SPREAD // timedelta(seconds=1)))
    day = compared_at.astimezone(local_zone).date()
    for later in range(3):
        wall = datetime.combine(day + timedelta(days=later), _NIGHT) + spread
        at = wall.replace(tzinfo=local_zone).astimezone(compared_at.tzinfo)
        if at > compared_at:
            return at
    raise AssertionError("some night of three days is still to come")


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """What a listing of a whole calendar says of our entries.

    Attributes:
        found: By remote name, how the event of each mirror stands, at whatever address.
        doubles: How to remove what was made anew since and stands again.
        others: What bears our mark and goes by the name of no mirror of this calendar, by name.
    """

    found: Mapping[str, Sighting]
    doubles: Sequence[Remove]
    others: Mapping[str, Sighting]


def compare(listed: Iterable[Listed], stored: Iterable[Mirror], *, calendar_id: UUID) -> Comparison:
    """Say which event of a listing is which; `stored` are all mirrors of the calendar that matter, gone ones too."""
    by_name: dict[str, list[Listed]] = {}
    for event in listed:
        if event.name is not None:
            by_name.setdefault(event.name, []).append(event)
    found: dict[str, Sighting] = {}
    doubles: list[Remove] = []
    for mirror in stored:
        events = by_name.pop(mirror.ref.name, None)
        if events is not None:
            found[mirror.ref.name] = _original(events, mirror)
        for earlier in earlier_names(calendar_id, mirror.key, mirror.ref.generation):
            doubles += (
                Remove(key=mirror.key, session_id=mirror.session_id, ref=_ref(earlier, event.sighting))
                for event in by_name.pop(earlier, ())
            )
    others = {name: events[0].sighting for name, events in by_name.items() if any(event.marked for event in events)}
    return Comparison(found=found, doubles=doubles, others=others)


def _original(events: Sequence[Listed], mirror: Mirror) -> Sighting:
    """Return the event itself among the copies of it: the one at its address, else any."""
    sightings = [event.sighting for event in events]
    return next((sighting for sighting in sightings if sighting.href == mirror.ref.href), sightings[0])


def _ref(name: str, sighting: Sighting) -> Ref:
    return Ref(name=name, href=sighting.href, etag=sighting.etag)


def unknown_of(db: Connection, calendar: Calendar, others: Mapping[str, Sighting]) -> Iterator[UnknownEntry]:
    """Yield the entries with our mark that nobody knows.

    What goes by the name of an entry in another calendar of the installation is a copy of that, or came from there.
    """
    if not others:
        return
    known = mirrors.known_names(db, others) | doubts.known_names(db, others) | {calendar.probe}
    known |= unknown_entries.kept(db, calendar.id) | set(installation.kept_entries_of(db, calendar.id))
    for name, sighting in others.items():
        if name not in known:
            yield UnknownEntry(name=name, href=sighting.href, content=sighting.content)
