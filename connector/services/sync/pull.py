"""Read what happened in a calendar since the last pull, and store the new sync token with what it covers."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID

import structlog
from sqlalchemy import Connection

from connector import counters
from connector.domain import change
from connector.domain.change import ChangeKind, Observation, RemoteChange, SettledChange
from connector.domain.connection import Calendar, CalendarRole, ConnectionState, TroubleKind
from connector.domain.entry import Content, EntryKey, EntryKind
from connector.domain.facts import CalendarPutRight, Deviation
from connector.domain.notice import PauseReason
from connector.domain.people import CLOCK
from connector.domain.reconcile import Action, MirrorState, Remove, Sighting
from connector.errors import EditConflictError, MissingError, RefusedError, TransientError
from connector.failures import tell
from connector.ports import Changes, Failed, Outcome, RemoteCalendar
from connector.sentence import Sentence
from connector.services.policy import Policy
from connector.services.recording import lock, make_busy_due, make_calendars_due
from connector.services.sync import breaker, comparison, edits, free_busy, push
from connector.services.sync.breaker import How
from connector.services.sync.push import Picture
from connector.services.sync.reading import Reading, Snapshot, mirrors_to_read, read, snapshot
from connector.storage import (
    busy,
    calendars,
    ledger,
    mirrors,
    offers,
    people,
    remote_changes,
    timeline,
    troubles,
    unknown_entries,
)
from connector.storage.database import Database
from connector.storage.fence import Fence, fenced
from connector.storage.ledger import Key, Kind, Urgency

ROUNDS = 3

log = structlog.get_logger(__name__)


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
            stored = snapshot(db, calendar_id, now)
        if stored.calendar.role is not CalendarRole.TARGET:
            return None
        try:
            fence.renew()
            reading = read(database, stored, remote, policy.settling, now)
        except (MissingError, RefusedError) as error:
            return _pause_unreadable(database, policy, stored.calendar, error, fence, now)
        reading = _without_removals(remote, reading)
        with fenced(database, fence) as db:
            if _store(db, policy, reading, now):
                return _next_pull_at(db, policy, stored.calendar, now)
    raise EditConflictError(Sentence("the calendar was written while it was read"))


def foreseen(
    database: Database, policy: Policy, calendar_id: UUID, remote: RemoteCalendar, *, now: datetime
) -> Sequence[Action]:
    """Return what a comparison that repairs would do now, and what else is to be done; changes nothing anywhere.

    Raises: NotFoundError; ProviderError.
    """
    with database.read() as db:
        stored = snapshot(db, calendar_id, now)
        picture = push.picture(db, policy, calendar_id, now=now)
    if stored.calendar.role is not CalendarRole.TARGET or stored.calendar.paused is not None:
        return picture.actions
    stored = replace(stored, calendar=replace(stored.calendar, compare_at=None, repair_asked=True))
    reading = read(database, stored, remote, policy.settling, now)
    if reading.failure is not None:
        raise reading.failure
    with database.read() as db:
        current = _with_earlier(db, stored, reading.snapshot)
        if reading.comparison and any(comparison.unknown_of(db, stored.calendar, reading.comparison.others)):
            return reading.removals  # the calendar will be paused, and its practitioner asked
    observations = list(_observations(reading, current, picture, policy, now))
    return (*reading.removals, *push.plan_after(picture, observations, now=now))


def _without_removals(remote: RemoteCalendar, reading: Reading) -> Reading:
    """Remove what is to be removed; what is refused stays, and is tried again after the next comparison.

    Raises: ProviderError.
    """
    errors = [outcome.error for outcome in _removed(remote, reading.removals) if isinstance(outcome, Failed)]
    for error in errors:
        if not isinstance(error, RefusedError):
            raise error
    if not errors:
        return reading
    tell("removal_refused", errors[0], calendar=str(reading.snapshot.calendar.id), entries=len(errors))
    return replace(reading, removed=())


def _removed(remote: RemoteCalendar, removes: Sequence[Remove]) -> Iterator[Outcome]:
    yield from remote.apply(removes) if removes else ()


def _observations(
    reading: Reading, current: Snapshot, picture: Picture, policy: Policy, now: datetime
) -> Iterator[Observation]:
    return change.observations(
        current.mirrors,
        reading.sightings,
        picture.contents,
        current.remote_changes,
        hidden=picture.hidden,
        put_right=_put_right(reading, current, picture),
        now=now,
        settling=policy.settling,
    )


def _store(db: Connection, policy: Policy, reading: Reading, now: datetime) -> bool:
    """Store what was read, and do what follows; False if our own writing went on meanwhile: then nothing is stored."""
    lock(db, policy, reading.snapshot.calendar.practitioner_id, now=now)
    current = snapshot(db, reading.snapshot.calendar.id, now)
    if calendars.connection(db, current.calendar.connection_id).state is ConnectionState.DISCONNECTING:
        return True  # nothing there counts any more
    current = _with_earlier(db, current, reading.snapshot)
    if _was_written(reading, current, now, policy.settling):
        return False
    picture = push.picture(db, policy, current.calendar.id, now=now)
    put_right = _put_right(reading, current, picture)
    observations = list(_observations(reading, current, picture, policy, now))
    _store_observations(db, current.calendar, observations, reading.changes.token, now)
    unknown = _store_comparison(db, current.calendar, reading, now)
    if reading.failure is not None:
        current = replace(current, calendar=_note_uncompared(db, current.calendar, reading.failure, now))
    if _may_count(db, policy, current.calendar, picture, unknown, now):
        if reading.comparison is None and comparison.withholds(current.calendar, now=now):
            observations = [_without_absence(observation) for observation in observations]
        _follow_up(db, policy, current.calendar, _settled_changes(db, policy, current.calendar, observations, now), now)
    else:
        _follow_up(db, policy, current.calendar, _harmless_changes(observations), now)
    _make_due(db, current.calendar, picture, observations, now)
    if put_right:
        _note_put_right(db, reading, current.calendar, len(put_right), now)
        make_calendars_due(db, current.calendar.practitioner_id, now=now)
    _refresh_free_busy(db, current, reading.changes, now)
    return True


def _note_put_right(db: Connection, reading: Reading, calendar: Calendar, count: int, now: datetime) -> None:
    cause = Deviation.UNTOLD
    if reading.is_set_back:
        cause = Deviation.SET_BACK
    elif reading.is_bare and calendar.paused == PauseReason.MISSING:
        cause = Deviation.MADE_AGAIN
    log.warning("calendar_put_right", calendar=str(calendar.id), entries=count, cause=cause.value)
    fact = CalendarPutRight(
        at=now,
        by=CLOCK,
        connection_id=calendar.connection_id,
        calendar=calendar.name,
        count=count,
        cause=cause.value,
    )
    timeline.append(db, calendar.practitioner_id, [fact])


def _with_earlier(db: Connection, current: Snapshot, earlier: Snapshot) -> Snapshot:
    """Add the mirrors that an earlier snapshot holds because their events stand again, as they are stored now."""
    keys = {mirror.key for mirror in current.mirrors}
    returned = [mirror.key for mirror in earlier.mirrors if mirror.key not in keys]
    if not returned:
        return current
    return replace(current, mirrors=(*current.mirrors, *mirrors.of_keys(db, current.calendar.id, returned)))


def _put_right(reading: Reading, current: Snapshot, picture: Picture) -> Collection[EntryKey]:
    """Return the entries that stand otherwise than they should by nobody's wish: they are written as they should be.

    So are all where the calendar was set back by its server, those of one that was made anew, and what only a
    comparison has found where somebody has asked for a repair.
    """
    otherwise = [
        mirror
        for mirror in current.mirrors
        if mirror.ref.name in reading.sightings
        and mirror.key in picture.contents
        and mirror.key not in picture.hidden
        and not _shows(reading.sightings[mirror.ref.name], picture.contents[mirror.key])
    ]
    if reading.is_set_back or (reading.is_bare and current.calendar.paused == PauseReason.MISSING):
        return {mirror.key for mirror in otherwise}
    if not current.calendar.repair_asked or reading.comparison is None:
        return ()
    return {
        mirror.key for mirror in otherwise if mirror.key not in current.remote_changes and not reading.is_told(mirror)
    }


def _shows(sighting: Sighting | None, content: Content) -> bool:
    return sighting is not None and sighting.content == content


def _store_comparison(db: Connection, calendar: Calendar, reading: Reading, now: datetime) -> int | None:
    """Store what a comparison has found beside our entries; return how many nobody knows, None without a comparison."""
    unknown_entries.forget(db, calendar.id, reading.removed)
    if reading.comparison is None:
        return None
    zone = people.practitioner(db, calendar.practitioner_id).zone
    again_at = comparison.next_at(calendar.id, now, zone)
    calendars.note_compared(db, calendar.id, now=now, again_at=again_at)
    others = {name: sighting for name, sighting in reading.comparison.others.items() if name not in reading.removed}
    return unknown_entries.keep(db, calendar.id, comparison.unknown_of(db, calendar, others))


def _note_uncompared(
    db: Connection, calendar: Calendar, failure: TransientError | RefusedError, now: datetime
) -> Calendar:
    """Note that a calendar could not be compared, and when that is tried again; return it as it is stored then."""
    again_at = comparison.try_again_at(calendar, now)
    kind = TroubleKind.REFUSED if isinstance(failure, RefusedError) else TroubleKind.OUTAGE
    counters.failed(calendars.connection(db, calendar.connection_id).provider, kind)
    troubles.note_uncompared(db, calendar.id, failure.sentence, kind=kind, again_at=again_at, now=now)
    tell("comparison_failed", failure, calendar=str(calendar.id), again_at=again_at)
    return calendars.calendar(db, calendar.id)


def _was_written(reading: Reading, current: Snapshot, now: datetime, settling: timedelta) -> bool:
    """Whether our own writing went on during the reading: what was read may then be older than what is stored."""
    earlier = reading.snapshot
    if earlier.calendar.sync_token != current.calendar.sync_token or earlier.remote_changes != current.remote_changes:
        return True
    earlier_mirrors = {mirror.key: mirror for mirror in earlier.mirrors}
    for mirror in current.mirrors:
        if mirror.ref.name in reading.sightings and earlier_mirrors.get(mirror.key) != mirror:
            return True
    targets = mirrors_to_read(current, reading.changes, now, settling)
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
    """Have what has come back removed, and free/busy read where an entry was moved to.

    And have written what nothing else has made due: entries are named otherwise since the calendar was last written,
    such as in another version, or after another choice of languages.
    """
    key = Key(Kind.CALENDAR, str(calendar.id))
    if picture.actions and not ledger.waits(db, key):
        ledger.touch(db, key, due_at=now, lane=calendar.lane)
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


def _without_absence(observation: Observation) -> Observation:
    """Have an absence go on settling: the calendar is to be compared before it counts, and could not be."""
    is_absence = observation.settled_change is not None and observation.settled_change.kind is ChangeKind.DELETED
    return replace(observation, settled_change=None) if is_absence else observation


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


def _may_count(
    db: Connection, policy: Policy, calendar: Calendar, picture: Picture, unknown: int | None, now: datetime
) -> bool:
    """Whether settled changes count: not while the calendar is paused, or looks wrong now; pauses or resumes it.

    Whatever looks wrong now is a question of its own, also where another one has just ended by itself.
    `unknown` is how many entries stand there that nobody knows; None if the calendar was not compared.
    """
    paused = calendar.paused
    if paused in (PauseReason.MISSING, PauseReason.REFUSED) or (paused == PauseReason.UNKNOWN and unknown == 0):
        breaker.resume(db, calendar.id, How.OVER, by=CLOCK, now=now)
        paused = None
    if unknown:
        breaker.pause(db, policy, calendar, PauseReason.UNKNOWN, count=unknown, now=now)
        return False
    unsettled = remote_changes.of_calendar(db, calendar.id)
    pause = breaker.reason_to_pause(_units(db, picture, unsettled, now), unsettled.values())
    if pause is not None:
        reason, count = pause
        breaker.pause(db, policy, calendar, reason, count=count, now=now)
        return False
    if paused is None:
        return True
    if paused == PauseReason.UNKNOWN or any(
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


def _refresh_free_busy(db: Connection, stored: Snapshot, changes: Changes, now: datetime) -> None:
    """Have free/busy read again if an event that is not ours has changed; else what is stored still holds.

    Where nobody wants to know it, it is read once somebody does; after a whole look, which tells of no change and may
    hide one, it is read all the same if it ever was.
    """
    hrefs = {mirror.ref.href for mirror in stored.mirrors}
    changed_hrefs = {changed.href for changed in changes.changed} | set(changes.gone)
    key = Key(Kind.BUSY, str(stored.calendar.id))
    if changed_hrefs - hrefs or changes.full:
        practitioner_id = stored.calendar.practitioner_id
        is_wanted = changes.full and stored.calendar.busy_at is not None
        is_wanted = is_wanted or bool(offers.undecided(db, practitioner_id))
        if is_wanted or free_busy.is_watched(db, practitioner_id, now=now):
            ledger.touch(db, key, due_at=now, lane=stored.calendar.lane, urgency=Urgency.LOOK)
        elif not changes.full and not ledger.waits(db, key):
            busy.outdate(db, stored.calendar.id, now=now)
    elif not ledger.waits(db, key):
        busy.confirm(db, stored.calendar.id, now=now)


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
    words = (
        Sentence("the calendar is no longer there")
        if missing
        else Sentence("the calendar may not be read: %(reason)s", reason=error.sentence)
    )
    with fenced(database, fence) as db:
        counters.failed(calendars.connection(db, calendar.connection_id).provider, TroubleKind.REFUSED)
        lasts = troubles.note_unreadable(db, calendar.id, words, lasting=policy.settling, now=now)
        if lasts:
            breaker.pause(db, policy, calendar, PauseReason.MISSING if missing else PauseReason.REFUSED, now=now)
    again_at = now + (policy.poll_idle if lasts else policy.settling)
    tell("look_refused", error, calendar=str(calendar.id), paused=lasts, again_at=again_at)
    return again_at
