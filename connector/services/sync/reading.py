"""Read what happened in a calendar: its change feed, each event of ours that this names, and now and then all of it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import NAMESPACE_OID, UUID, uuid5

from sqlalchemy import Connection

from connector.domain.change import RemoteChange
from connector.domain.connection import Calendar
from connector.domain.entry import EntryKey, EntryKind
from connector.domain.reconcile import Mirror, MirrorState, Ref, Remove, Sighting
from connector.errors import RefusedError, SyncTokenExpiredError, TransientError
from connector.ports import Changes, Listed, RemoteCalendar
from connector.services.sync import comparison
from connector.services.sync.comparison import Comparison
from connector.services.sync.push import LONG_OVER
from connector.storage import calendars, mirrors, questions, remote_changes, unknown_entries
from connector.storage.database import Database
from connector.storage.unknown_entries import Fate, StoredEntry

LOOKS_BACK = timedelta(days=30)  # what ended longer ago may be moved or tidied away as anybody likes


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """What is stored of a calendar at one moment."""

    calendar: Calendar
    mirrors: Sequence[Mirror]
    remote_changes: Mapping[EntryKey, RemoteChange]

    def due(self, now: datetime, settling: timedelta) -> Collection[EntryKey]:
        """Return the entries whose remote change a direct read should settle now."""
        return {key for key, remote_change in self.remote_changes.items() if remote_change.is_due(now, settling)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What the calendar service returned, and what had been stored before it was asked.

    Attributes:
        sightings: By remote name, how each event stands that there was something to learn about.
        comparison: What a listing of the whole calendar says; None where none was taken.
        failure: Why none could be taken though it was due; all else counts.
        removals: What is to be removed before anything is stored: doubles, and what nobody knows as somebody has said.
        removed: The names of the latter.
    """

    snapshot: Snapshot
    changes: Changes
    sightings: Mapping[str, Sighting | None]
    comparison: Comparison | None = None
    failure: TransientError | RefusedError | None = None
    removals: Sequence[Remove] = ()
    removed: Collection[str] = ()

    @property
    def is_set_back(self) -> bool:
        """Whether an event stands in the version it had before our last write: only its server can have done that."""
        return any(_is_set_back(mirror, self.sightings.get(mirror.ref.name)) for mirror in self.snapshot.mirrors)

    @property
    def is_bare(self) -> bool:
        """Whether nothing of ours stands in the calendar any more, as when it was made anew."""
        return self.comparison is not None and not self.comparison.found

    def is_told(self, mirror: Mirror) -> bool:
        """Whether the change feed itself tells of an event, rather than only the listing."""
        named = {changed.href for changed in self.changes.changed} | set(self.changes.gone)
        return not self.changes.full and mirror.ref.href in named


def snapshot(db: Connection, calendar_id: UUID, now: datetime) -> Snapshot:
    """Return what is stored of a calendar that a reading can concern."""
    calendar = calendars.calendar(db, calendar_id)
    unsettled = remote_changes.of_calendar(db, calendar_id)
    in_question = questions.open_of_practitioner(db, calendar.practitioner_id)
    keys = {EntryKey(kind=EntryKind.SESSION, id=session_id) for session_id in in_question} | unsettled.keys()
    return Snapshot(
        calendar=calendar,
        mirrors=mirrors.every(db, calendar_id, or_keys=keys, since=now - LOOKS_BACK),
        remote_changes=unsettled,
    )


def read(database: Database, stored: Snapshot, remote: RemoteCalendar, settling: timedelta, now: datetime) -> Reading:
    """Read the change feed and, directly, each event of ours that it names or that has settled.

    The whole calendar is compared after every break, once a night, and before an absence counts: what is not at its
    address may stand at another. Where the listing fails, what the feed tells counts all the same, unless the calendar
    is paused: that must be compared before it goes on.

    Raises: ProviderError.
    """
    changes, is_break = _changes(remote, stored.calendar.sync_token)
    stored, doubles = _with_returned(database, stored, changes)
    waits = comparison.waits(stored.calendar, now=now)
    if waits or not (is_break or comparison.is_due(stored.calendar, now=now)):
        reading = _told(stored, changes, remote, settling, now)
        is_enough = not reading.is_set_back and not _is_absence_doubtful(reading, now, settling)
        if waits or is_enough:
            return replace(reading, removals=doubles)
    try:
        listed = remote.listing(now)
    except (TransientError, RefusedError) as error:
        if stored.calendar.paused is not None:
            raise
        return replace(_told(stored, changes, remote, settling, now), removals=doubles, failure=error)
    reading = _compared(database, stored, changes, listed, remote, settling, now)
    return replace(reading, removals=(*doubles, *reading.removals))


def _told(stored: Snapshot, changes: Changes, remote: RemoteCalendar, settling: timedelta, now: datetime) -> Reading:
    """Return what the feed tells, each event of ours that it names read directly where it has not brought it."""
    targets = mirrors_to_read(stored, changes, now, settling)
    sightings = _sightings(remote, targets, changes, stored.due(now, settling))
    return Reading(snapshot=stored, changes=changes, sightings=sightings)


def mirrors_to_read(stored: Snapshot, changes: Changes, now: datetime, settling: timedelta) -> list[Mirror]:
    """Return the mirrors of which there is something to learn; our own echoes are left out here."""
    etags = {changed.href: changed.etag for changed in changes.changed}
    due = stored.due(now, settling)
    return [
        mirror
        for mirror in stored.mirrors
        if mirror.ref.href is not None and (mirror.key in due or _differs(mirror, mirror.ref.href, etags, changes, now))
    ]


def _is_set_back(mirror: Mirror, sighting: Sighting | None) -> bool:
    if sighting is None or sighting.etag is None or sighting.etag != mirror.former_etag:
        return False
    return mirror.state is MirrorState.ABSENT or sighting.etag != mirror.ref.etag


def _changes(remote: RemoteCalendar, token: str | None) -> tuple[Changes, bool]:
    """Return what the feed tells, and whether it had to begin anew."""
    if token is not None:
        try:
            return remote.changes(token), False
        except SyncTokenExpiredError:
            pass  # what is missing from a full listing is gone
    return remote.changes(None), True


def _with_returned(database: Database, stored: Snapshot, changes: Changes) -> tuple[Snapshot, Sequence[Remove]]:
    """Add the mirrors whose events were gone and stand again; and return how to remove doubles.

    Whoever brings back an event of ours that has been created anew since has made a double of it.
    """
    hrefs = {mirror.ref.href for mirror in stored.mirrors}
    other_hrefs = [changed.href for changed in changes.changed if changed.href not in hrefs]
    with database.read() as db:
        returned = mirrors.absent_at(db, stored.calendar.id, other_hrefs)
        doubles = mirrors.former_at(db, stored.calendar.id, other_hrefs)
    return replace(stored, mirrors=(*stored.mirrors, *returned)), doubles


def _differs(mirror: Mirror, href: str, etags: Mapping[str, str | None], changes: Changes, now: datetime) -> bool:
    """Whether the change feed says something of an event that its mirror does not; `etags` are those it names."""
    absent = mirror.state is MirrorState.ABSENT
    if href in etags:
        return absent or etags[href] is None or etags[href] != mirror.ref.etag
    return not absent and (href in changes.gone or (changes.full and mirror.ends_at > now - LONG_OVER))


def _sightings(
    remote: RemoteCalendar, targets: Sequence[Mirror], changes: Changes, due: Collection[EntryKey]
) -> Mapping[str, Sighting | None]:
    """Return how each event stands, by its remote name; what the feed has not brought, or is due, is read directly."""
    in_feed = {changed.href: changed.sighting for changed in changes.changed if changed.sighting is not None}
    sightings: dict[str, Sighting | None] = {
        mirror.ref.name: in_feed[mirror.ref.href]
        for mirror in targets
        if mirror.ref.href in in_feed and mirror.key not in due
    }
    unread = [target for target in targets if target.ref.name not in sightings]
    return {**sightings, **_read_directly(remote, unread)}


def _read_directly(remote: RemoteCalendar, targets: Sequence[Mirror]) -> Mapping[str, Sighting | None]:
    return remote.read([mirror.ref for mirror in targets]) if targets else {}


def _is_absence_doubtful(reading: Reading, now: datetime, settling: timedelta) -> bool:
    """Whether an event of ours is not at its address and may stand at another: that is looked at before it counts."""
    due = reading.snapshot.due(now, settling)
    absent = [
        mirror
        for mirror in reading.snapshot.mirrors
        if mirror.ends_at > now
        and mirror.ref.name in reading.sightings
        and reading.sightings[mirror.ref.name] is None
        and mirror.state is not MirrorState.UNKNOWN
    ]
    hrefs = {mirror.ref.href for mirror in reading.snapshot.mirrors}
    has_others = any(changed.href not in hrefs for changed in reading.changes.changed)
    return any(has_others or mirror.key in due for mirror in absent)


def _compared(
    database: Database,
    stored: Snapshot,
    changes: Changes,
    listed: Sequence[Listed],
    remote: RemoteCalendar,
    settling: timedelta,
    now: datetime,
) -> Reading:
    """Say what a listing of the whole calendar means, and read directly what it does not show though it should."""
    with database.read() as db:
        named = mirrors.named_in(db, stored.calendar.id, {event.name for event in listed if event.name is not None})
        to_remove = unknown_entries.of_calendar(db, stored.calendar.id, Fate.REMOVED)
    all_mirrors = {mirror.key: mirror for mirror in (*stored.mirrors, *named)}
    result = comparison.compare(listed, all_mirrors.values(), calendar_id=stored.calendar.id)
    keys = {mirror.key for mirror in stored.mirrors}
    returned = [mirror for mirror in named if mirror.key not in keys and mirror.ref.name in result.found]
    stored = replace(stored, mirrors=(*stored.mirrors, *returned))
    if stored.calendar.paused is not None:
        to_remove, result = (), replace(result, doubles=())
    targets = mirrors_to_read(stored, changes, now, settling)
    sightings = _found(stored, result, targets)
    missing = [mirror for mirror in stored.mirrors if _is_missing(mirror, result, now)]
    unread = {mirror.key: mirror for mirror in (*targets, *missing) if mirror.ref.name not in sightings}
    return Reading(
        snapshot=stored,
        changes=changes,
        sightings={**sightings, **_read_directly(remote, list(unread.values()))},
        comparison=result,
        removals=(*result.doubles, *_removals(to_remove, result)),
        removed=[entry.name for entry in to_remove],
    )


def _found(stored: Snapshot, result: Comparison, targets: Sequence[Mirror]) -> dict[str, Sighting | None]:
    """Return how the events stand that are to be read, or stand otherwise than we believe."""
    names = {mirror.ref.name for mirror in targets}
    return {
        mirror.ref.name: sighting
        for mirror in stored.mirrors
        if (sighting := result.found.get(mirror.ref.name)) is not None
        and (mirror.ref.name in names or not _is_as_believed(mirror, sighting))
    }


def _is_as_believed(mirror: Mirror, sighting: Sighting) -> bool:
    seen = sighting.content.fingerprint if sighting.content is not None else ""
    place = (mirror.state, mirror.ref.href, mirror.ref.etag, mirror.seen)
    return place == (MirrorState.PRESENT, sighting.href, sighting.etag, seen)


def _is_missing(mirror: Mirror, result: Comparison, now: datetime) -> bool:
    """Whether an event that should stand was not listed; perhaps it was only left out."""
    is_believed = mirror.state is MirrorState.PRESENT and mirror.ref.href is not None
    return is_believed and mirror.ends_at > now and mirror.ref.name not in result.found


def _removals(entries: Iterable[StoredEntry], result: Comparison) -> Iterator[Remove]:
    """Yield how to remove the entries that nobody knows, where they stand now."""
    for entry in entries:
        sighting = result.others.get(entry.name)
        if sighting is not None:
            identity = uuid5(NAMESPACE_OID, entry.name)
            ref = Ref(name=entry.name, href=sighting.href, etag=sighting.etag)
            yield Remove(key=EntryKey(kind=EntryKind.HOLD, id=identity), session_id=identity, ref=ref)
