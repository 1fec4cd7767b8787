"""Read what happened in a calendar since the last pull, and store the new sync token with what it covers."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import UUID

import structlog
from sqlalchemy import Connection

from connector.domain import change
from connector.domain.change import ChangeKind, Observation, RemoteChange, SettledChange
from connector.domain.connection import Calendar, CalendarRole, ConnectionState
from connector.domain.entry import EntryKey, EntryKind
from connector.domain.notice import PauseReason
from connector.domain.people import CLOCK
from connector.domain.reconcile import Mirror, MirrorState, Sighting
from connector.errors import EditConflictError, MissingError, RefusedError, SyncTokenExpiredError
from connector.ports import Changes, Failed, RemoteCalendar
from connector.services.policy import Policy
from connector.services.recording import lock, make_busy_due, make_calendars_due
from connector.services.sync import breaker, edits, push
from connector.services.sync.breaker import How
from connector.services.sync.push import LONG_OVER, Picture
from connector.storage import busy, calendars, ledger, mirrors, offers, questions, remote_changes, troubles
from connector.storage.database import Database
from connector.storage.fence import Fence, fenced
from connector.storage.ledger import Key, Kind

ROUNDS = 3
LOOKS_BACK = timedelta(days=30)  # what ended longer ago may be moved or tidied away as anybody likes

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Snapshot:
    """What is stored of a calendar at one moment."""

    calendar: Calendar
    mirrors: Sequence[Mirror]
    remote_changes: Mapping[EntryKey, RemoteChange]

    def due(self, now: datetime, settling: timedelta) -> Collection[EntryKey]:
        """Return the entries whose remote change a direct read should settle now."""
        return {key for key, remote_change in self.remote_changes.items() if remote_change.is_due(now, settling)}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Reading:
    """What the calendar service returned, and what had been stored before it was asked."""

    snapshot: _Snapshot
    changes: Changes
    sightings: Mapping[str, Sighting | None]


def pull(
    database: Database, policy: Policy, calendar_id: UUID, remote: RemoteCalendar, *, fence: Fence, now: datetime
) -> datetime | None:
    """Store what the practitioner did to our entries, and do what follows from it.

    A calendar that is not there, or may not be read, is paused, and so is one from which too much is gone at once.

    Returns: When to pull again, aware UTC; None if this calendar is not to be read any more.
    Raises: ProviderError; the sync token then stays where it was, so nothing is lost. EditConflictError if our own
        writing went on meanwhile, again and again: pull again soon.
    """
    for _ in range(ROUNDS):
        with database.read() as db:
            snapshot = _snapshot(db, calendar_id, now)
        if snapshot.calendar.role is not CalendarRole.TARGET:
            return None
        try:
            fence.renew()
            reading = _read(database, snapshot, remote, policy.settling, now)
        except (MissingError, RefusedError) as error:
            return _pause_unreadable(database, policy, snapshot.calendar, error, fence, now)
        with fenced(database, fence) as db:
            if _store(db, policy, reading, now):
                return _next_pull_at(db, policy, snapshot.calendar, now)
    raise EditConflictError("the calendar was written while it was read")


def _snapshot(db: Connection, calendar_id: UUID, now: datetime) -> _Snapshot:
    calendar = calendars.calendar(db, calendar_id)
    unsettled = remote_changes.of_calendar(db, calendar_id)
    in_question = questions.open_of_practitioner(db, calendar.practitioner_id)
    keys = {EntryKey(kind=EntryKind.SESSION, id=session_id) for session_id in in_question} | unsettled.keys()
    return _Snapshot(
        calendar=calendar,
        mirrors=mirrors.every(db, calendar_id, or_keys=keys, since=now - LOOKS_BACK),
        remote_changes=unsettled,
    )


def _read(
    database: Database, snapshot: _Snapshot, remote: RemoteCalendar, settling: timedelta, now: datetime
) -> _Reading:
    """Read the change feed and, directly, each event of ours that it names or that has settled.

    Raises: ProviderError.
    """
    changes = _changes(remote, snapshot.calendar.sync_token)
    snapshot = _with_returned(database, snapshot, changes, remote)
    targets = _mirrors_to_read(snapshot, changes, now, settling)
    sightings = _sightings(remote, targets, changes, snapshot.due(now, settling))
    return _Reading(snapshot=snapshot, changes=changes, sightings=sightings)


def _changes(remote: RemoteCalendar, token: str | None) -> Changes:
    try:
        return remote.changes(token)
    except SyncTokenExpiredError:
        return remote.changes(None)  # what is missing from it is gone


def _with_returned(database: Database, snapshot: _Snapshot, changes: Changes, remote: RemoteCalendar) -> _Snapshot:
    """Add the mirrors whose events were gone and stand again; doubles are removed at once.

    Whoever brings back an event of ours that has been created anew since has made a double of it.

    Raises: ProviderError if a double could not be removed.
    """
    hrefs = {mirror.ref.href for mirror in snapshot.mirrors}
    other_hrefs = [changed.href for changed in changes.changed if changed.href not in hrefs]
    with database.read() as db:
        returned = mirrors.absent_at(db, snapshot.calendar.id, other_hrefs)
        doubles = mirrors.former_at(db, snapshot.calendar.id, other_hrefs)
    for outcome in remote.apply(doubles) if doubles else ():
        if isinstance(outcome, Failed):
            raise outcome.error
    return replace(snapshot, mirrors=(*snapshot.mirrors, *returned))


def _mirrors_to_read(snapshot: _Snapshot, changes: Changes, now: datetime, settling: timedelta) -> list[Mirror]:
    """Return the mirrors of which there is something to learn; our own echoes are left out here."""
    etags = {changed.href: changed.etag for changed in changes.changed}
    due = snapshot.due(now, settling)
    return [
        mirror
        for mirror in snapshot.mirrors
        if mirror.ref.href is not None and (mirror.key in due or _differs(mirror, mirror.ref.href, etags, changes, now))
    ]


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
    rest = [mirror.ref for mirror in targets if mirror.ref.name not in sightings]
    return sightings | dict(remote.read(rest)) if rest else sightings


def _store(db: Connection, policy: Policy, reading: _Reading, now: datetime) -> bool:
    """Store what was read, and do what follows; False if our own writing went on meanwhile: then nothing is stored."""
    lock(db, policy, reading.snapshot.calendar.practitioner_id, now=now)
    current = _snapshot(db, reading.snapshot.calendar.id, now)
    if calendars.connection(db, current.calendar.connection_id).state is ConnectionState.DISCONNECTING:
        return True  # nothing there counts any more
    current = _with_absent(db, current, reading.snapshot)
    if _was_written(reading, current, now, policy.settling):
        return False
    picture = push.picture(db, current.calendar.id, now=now)
    observations = list(
        change.observations(
            current.mirrors,
            reading.sightings,
            picture.contents,
            current.remote_changes,
            hidden=picture.hidden,
            now=now,
            settling=policy.settling,
        )
    )
    _store_observations(db, current.calendar, observations, reading.changes.token, now)
    if _may_count(db, policy, current.calendar, picture, now):
        _follow_up(db, policy, current.calendar, _settled_changes(db, policy, current.calendar, observations, now), now)
    else:
        _follow_up(db, policy, current.calendar, _harmless_changes(observations), now)
    _make_due(db, current.calendar, picture, observations, now)
    _refresh_free_busy(db, current, reading.changes, now)
    return True


def _with_absent(db: Connection, current: _Snapshot, earlier: _Snapshot) -> _Snapshot:
    """Add the mirrors that an earlier snapshot holds because their events stand again."""
    keys = {mirror.key for mirror in current.mirrors}
    returned = [mirror for mirror in earlier.mirrors if mirror.key not in keys]
    return replace(current, mirrors=(*current.mirrors, *mirrors.absent_of(db, current.calendar.id, returned)))


def _was_written(reading: _Reading, current: _Snapshot, now: datetime, settling: timedelta) -> bool:
    """Whether our own writing went on during the reading: what was read may then be older than what is stored."""
    earlier = reading.snapshot
    if earlier.calendar.sync_token != current.calendar.sync_token or earlier.remote_changes != current.remote_changes:
        return True
    earlier_mirrors = {mirror.key: mirror for mirror in earlier.mirrors}
    for mirror in current.mirrors:
        if mirror.ref.name in reading.sightings and earlier_mirrors.get(mirror.key) != mirror:
            return True
    targets = _mirrors_to_read(current, reading.changes, now, settling)
    return any(mirror.ref.name not in reading.sightings for mirror in targets)


def _store_observations(
    db: Connection, calendar: Calendar, observations: Sequence[Observation], token: str, now: datetime
) -> None:
    """Store each mirror as it was read, the remote changes that have not settled, and the new sync token."""
    mirrors.record(db, calendar.id, [observation.mirror for observation in observations])
    keys = [observation.mirror.key for observation in observations]
    unsettled = [observation.remote_change for observation in observations if observation.remote_change is not None]
    remote_changes.replace(db, calendar.id, keys, unsettled)
    calendars.note_read(db, calendar.id, token, now=now)


def _make_due(
    db: Connection, calendar: Calendar, picture: Picture, observations: Iterable[Observation], now: datetime
) -> None:
    """Have what has come back removed, and free/busy read where an entry was moved to."""
    if any(
        observation.mirror.stands and observation.mirror.key not in picture.contents for observation in observations
    ):
        make_calendars_due(db, calendar.practitioner_id, now=now)
    if any(observation.remote_change is not None and observation.remote_change.actual for observation in observations):
        make_busy_due(db, calendar.practitioner_id, now=now)


def _follow_up(
    db: Connection, policy: Policy, calendar: Calendar, settled_changes: Iterable[SettledChange], now: datetime
) -> None:
    """Do what follows from changes that have settled; they are no longer stored as unsettled."""
    edited = [settled_change for settled_change in settled_changes if settled_change.kind is not ChangeKind.TOUCHED]
    remote_changes.replace(db, calendar.id, [settled_change.mirror.key for settled_change in edited], [])
    if edited:
        edits.follow_up(db, policy, calendar, edited, now=now)
        make_calendars_due(db, calendar.practitioner_id, now=now)


def _settled_changes(
    db: Connection, policy: Policy, calendar: Calendar, observations: Iterable[Observation], now: datetime
) -> Iterator[SettledChange]:
    """Yield what counts now; holds wait for the others of their offer, so that its client is told once."""
    offer_ids = _offer_ids(db, calendar)
    unsettled_offer_ids = {
        offer_ids.get(key.id)
        for key, remote_change in remote_changes.of_calendar(db, calendar.id).items()
        if key.kind is EntryKind.HOLD and not remote_change.is_due(now, policy.settling)
    }
    for observation in observations:
        if observation.settled_change is None:
            continue
        key = observation.mirror.key
        waits = key.kind is EntryKind.HOLD and offer_ids.get(key.id) in unsettled_offer_ids
        if observation.remote_change is None or not waits:
            yield observation.settled_change


def _harmless_changes(observations: Iterable[Observation]) -> Iterator[SettledChange]:
    """Yield what counts even in a calendar that is paused: what has no need to settle."""
    for observation in observations:
        if observation.settled_change is not None and observation.settled_change.kind in (
            ChangeKind.RETURNED,
            ChangeKind.EDITED,
        ):
            yield observation.settled_change


def _offer_ids(db: Connection, calendar: Calendar) -> Mapping[UUID, UUID]:
    """Return the open offer of each alternative."""
    open_offers = offers.open_of_practitioner(db, calendar.practitioner_id)
    return {alternative.id: offer.id for offer in open_offers for alternative in offer.alternatives}


def _may_count(db: Connection, policy: Policy, calendar: Calendar, picture: Picture, now: datetime) -> bool:
    """Whether settled changes count: not while the calendar is paused, or looks wrong now; pauses or resumes it."""
    unsettled = remote_changes.of_calendar(db, calendar.id)
    pause = breaker.reason_to_pause(_units(db, picture, unsettled, now), unsettled.values())
    if pause is not None:
        reason, count = pause
        breaker.pause(db, policy, calendar, reason, count=count, now=now)
        return False
    if calendar.paused is None:
        return True
    unreadable = calendar.paused in (PauseReason.MISSING, PauseReason.REFUSED)
    if not unreadable and any(
        remote_change.kind is ChangeKind.DELETED and not remote_change.accepted for remote_change in unsettled.values()
    ):
        return False
    breaker.resume(db, calendar.id, How.ITSELF, by=CLOCK, now=now)
    return True


def _units(
    db: Connection, picture: Picture, unsettled: Mapping[EntryKey, RemoteChange], now: datetime
) -> Mapping[EntryKey, object]:
    """Return what stands or stood in the calendar and is to come: all holds of one offer count as one."""
    offer_ids = _offer_ids(db, picture.calendar)
    units: dict[EntryKey, object] = {}
    for entry in picture.wanted:
        mirror = picture.mirrors.get(str(entry.key))
        stood = entry.key in unsettled or (
            mirror is not None and mirror.state is not MirrorState.ABSENT and mirror.ref.href
        )
        if stood and entry.content.span.end > now and entry.key not in picture.hidden:
            units[entry.key] = offer_ids.get(entry.key.id, entry.key)
    return units


def _refresh_free_busy(db: Connection, snapshot: _Snapshot, changes: Changes, now: datetime) -> None:
    """Have free/busy read again if an event that is not ours has changed; else what is stored still holds."""
    hrefs = {mirror.ref.href for mirror in snapshot.mirrors}
    changed_hrefs = {changed.href for changed in changes.changed} | set(changes.gone)
    key = Key(Kind.BUSY, str(snapshot.calendar.id))
    if changed_hrefs - hrefs or changes.full:
        if offers.undecided(db, snapshot.calendar.practitioner_id):
            ledger.touch(db, key, due_at=now, lane=snapshot.calendar.lane)
    elif not ledger.waits(db, key):
        busy.confirm(db, snapshot.calendar.id, now=now)


def _next_pull_at(db: Connection, policy: Policy, calendar: Calendar, now: datetime) -> datetime:
    has_open_offer = bool(offers.open_of_practitioner(db, calendar.practitioner_id))
    polled_at = now + (policy.poll_open if has_open_offer else policy.poll_idle)
    unsettled = remote_changes.of_calendar(db, calendar.id).values()
    settled_at = [remote_change.since + policy.settling for remote_change in unsettled]
    return min([polled_at, *(at for at in settled_at if at > now)])


def _pause_unreadable(
    database: Database,
    policy: Policy,
    calendar: Calendar,
    error: MissingError | RefusedError,
    fence: Fence,
    now: datetime,
) -> datetime:
    """Pause a calendar that cannot be read, look after look; it is pulled again, and resumes by itself once it can be.

    One look that finds it so pauses nothing: it is looked at again after the settling time, as deletions are.
    """
    missing = isinstance(error, MissingError)
    words = "the calendar is no longer there" if missing else f"the calendar may not be read: {error}"
    log.warning("look_refused", calendar=str(calendar.id), missing=missing, paused=calendar.paused is not None)
    with fenced(database, fence) as db:
        if not troubles.note_unreadable(db, calendar.id, words, lasting=policy.settling, now=now):
            return now + policy.settling
        breaker.pause(db, policy, calendar, PauseReason.MISSING if missing else PauseReason.REFUSED, now=now)
    return now + policy.poll_idle
