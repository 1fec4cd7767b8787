"""Read what happened in a calendar since the last look, and keep the new sync token with what it covers."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import Connection

from connector.domain.change import ChangeKind, Observation, RemoteChange, SettledChange, observations
from connector.domain.connection import Calendar, CalendarRole, ConnectionState
from connector.domain.entry import EntryKey, EntryKind
from connector.domain.notice import PauseReason
from connector.domain.people import CLOCK
from connector.domain.reconcile import Mirror, MirrorState, Sighting
from connector.errors import EditConflictError, MissingError, RefusedError, SyncTokenExpiredError
from connector.ports import Changes, Failed, RemoteCalendar
from connector.services.policy import Policy
from connector.services.recording import lock, make_busy_due, make_calendars_due
from connector.services.sync import breaker, edits
from connector.services.sync.breaker import How
from connector.services.sync.push import SETTLED, Picture, picture
from connector.storage import busy, calendars, ledger, mirrors, offers, questions, remote_changes
from connector.storage.database import Database
from connector.storage.ledger import Key, Kind

ROUNDS = 3
LOOKS_BACK = timedelta(days=30)  # what ended longer ago may be moved or tidied away as anybody likes


@dataclass(frozen=True, slots=True, kw_only=True)
class _Known:
    """What was known of a calendar before it was read."""

    calendar: Calendar
    mirrors: Sequence[Mirror]
    remote_changes: Mapping[EntryKey, RemoteChange]

    def due(self, now: datetime, settling: timedelta) -> Collection[EntryKey]:
        """Return the entries whose suspicion is to be decided by a direct read now."""
        return {key for key, remote_change in self.remote_changes.items() if remote_change.is_due(now, settling)}


def pull(
    database: Database, policy: Policy, calendar_id: UUID, remote: RemoteCalendar, *, now: datetime
) -> datetime | None:
    """Take in what the practitioner did to our entries, and do what follows from it.

    A calendar that is not there, or may not be read, is stopped, and so is one from which too much is gone at once.

    Returns: When to look again, aware UTC; None if this calendar is not to be read any more.
    Raises: ProviderError; the sync token then stays where it was, so nothing is lost. EditConflictError if our own
        writing went on meanwhile, again and again: look again soon.
    """
    for _ in range(ROUNDS):
        with database.read() as db:
            known = _known(db, calendar_id, now)
        if known.calendar.role is not CalendarRole.TARGET:
            return None
        try:
            changes = _changes(remote, known.calendar.sync_token)
            known = _with_returned(database, known, changes, remote)
            concerned = _concerning(known, changes, now, policy.settling)
            sightings = _look(remote, concerned, changes, known.due(now, policy.settling))
        except (MissingError, RefusedError) as error:
            return _stop(database, policy, known.calendar, error, now)
        with database.begin() as db:
            if _take_in(db, policy, known, changes, sightings, now):
                return _next_look(db, policy, known.calendar, now)
    raise EditConflictError("the calendar was written while it was read")


def _known(db: Connection, calendar_id: UUID, now: datetime) -> _Known:
    calendar = calendars.calendar(db, calendar_id)
    suspected = remote_changes.of_calendar(db, calendar_id)
    asked = questions.open_of_practitioner(db, calendar.practitioner_id)
    keys = {EntryKey(kind=EntryKind.SESSION, id=session_id) for session_id in asked} | suspected.keys()
    return _Known(
        calendar=calendar,
        mirrors=mirrors.every(db, calendar_id, or_keys=keys, since=now - LOOKS_BACK),
        remote_changes=suspected,
    )


def _with_returned(database: Database, known: _Known, changes: Changes, remote: RemoteCalendar) -> _Known:
    """Return what is known with those mirrors whose events were gone and stand again; doubles are removed at once.

    Whoever brings back an event of ours that has been made anew since has made a double of it.

    Raises: ProviderError if a double could not be removed.
    """
    ours = {mirror.ref.href for mirror in known.mirrors}
    others = [changed.href for changed in changes.changed if changed.href not in ours]
    with database.read() as db:
        returned = mirrors.absent_at(db, known.calendar.id, others)
        doubles = mirrors.former_at(db, known.calendar.id, others)
    for outcome in remote.apply(doubles) if doubles else ():
        if isinstance(outcome, Failed):
            raise outcome.error
    return replace(known, mirrors=(*known.mirrors, *returned))


def _changes(remote: RemoteCalendar, token: str | None) -> Changes:
    try:
        return remote.changes(token)
    except SyncTokenExpiredError:
        return remote.changes(None)  # what is missing from it is gone


def _concerning(known: _Known, changes: Changes, now: datetime, settling: timedelta) -> list[Mirror]:
    """Return the mirrors of which there is something to learn; our own echoes are left out here."""
    listed = {changed.href: changed.etag for changed in changes.changed}
    due = known.due(now, settling)
    concerned = []
    for mirror in known.mirrors:
        href = mirror.ref.href
        if href is None:
            continue
        gone = mirror.state is MirrorState.ABSENT
        if mirror.key in due:
            concerned.append(mirror)
        elif href in listed:
            if gone or listed[href] is None or listed[href] != mirror.ref.etag:
                concerned.append(mirror)
        elif not gone and (href in changes.gone or (changes.full and mirror.ends_at > now - SETTLED)):
            concerned.append(mirror)
    return concerned


def _look(
    remote: RemoteCalendar, concerned: Sequence[Mirror], changes: Changes, due: Collection[EntryKey]
) -> Mapping[str, Sighting | None]:
    """Read what is concerned, as far as the feed has not brought it along; what is to be decided is always read."""
    brought = {changed.href: changed.sighting for changed in changes.changed if changed.sighting is not None}
    found: dict[str, Sighting | None] = {
        mirror.ref.name: brought[mirror.ref.href]
        for mirror in concerned
        if mirror.ref.href in brought and mirror.key not in due
    }
    rest = [mirror.ref for mirror in concerned if mirror.ref.name not in found]
    return found | dict(remote.read(rest)) if rest else found


def _take_in(
    db: Connection,
    policy: Policy,
    known: _Known,
    changes: Changes,
    sightings: Mapping[str, Sighting | None],
    now: datetime,
) -> bool:
    """Store what was learned, and do what follows; False if somebody else wrote meanwhile: then nothing is stored."""
    lock(db, policy, known.calendar.practitioner_id, now=now)
    current = _known(db, known.calendar.id, now)
    if calendars.connection(db, current.calendar.connection_id).state is ConnectionState.DISCONNECTING:
        return True  # nothing there counts any more
    told = {mirror.key for mirror in current.mirrors}
    returned = [mirror for mirror in known.mirrors if mirror.key not in told]
    current = replace(current, mirrors=(*current.mirrors, *mirrors.absent_of(db, current.calendar.id, returned)))
    if _has_changed(known, current, changes, sightings, now, policy.settling):
        return False
    shown = picture(db, current.calendar.id, now=now)
    learned = list(
        observations(
            current.mirrors,
            sightings,
            shown.contents,
            current.remote_changes,
            hidden=shown.hidden,
            now=now,
            settling=policy.settling,
        )
    )
    mirrors.record(db, current.calendar.id, [observation.mirror for observation in learned])
    looked_at = [observation.mirror.key for observation in learned]
    suspected = [observation.remote_change for observation in learned if observation.remote_change is not None]
    remote_changes.replace(db, current.calendar.id, looked_at, suspected)
    calendars.note_read(db, current.calendar.id, changes.token, now=now)
    if _goes_on(db, policy, current.calendar, shown, now):
        _heed(db, policy, current, _ripe(db, policy, current.calendar, learned, now), now)
    else:
        _heed(db, policy, current, _harmless(learned), now)
    if any(observation.mirror.stands and observation.mirror.key not in shown.contents for observation in learned):
        make_calendars_due(db, current.calendar.practitioner_id, now=now)  # to remove what has come back
    if any(observation.remote_change is not None and observation.remote_change.actual for observation in learned):
        make_busy_due(db, current.calendar.practitioner_id, now=now)
    _keep_busy_known(db, current, changes, now)
    return True


def _heed(db: Connection, policy: Policy, known: _Known, counts: Iterable[SettledChange], now: datetime) -> None:
    """Do what follows from what counts; it is not suspected any more."""
    settled_changes = [settled_change for settled_change in counts if settled_change.kind is not ChangeKind.TOUCHED]
    remote_changes.replace(db, known.calendar.id, [settled_change.mirror.key for settled_change in settled_changes], [])
    if settled_changes:
        edits.follow_up(db, policy, known.calendar, settled_changes, now=now)
        make_calendars_due(db, known.calendar.practitioner_id, now=now)


def _ripe(
    db: Connection, policy: Policy, calendar: Calendar, learned: Iterable[Observation], now: datetime
) -> Iterator[SettledChange]:
    """Yield what counts now; holds wait for the others of their offer, so that its client is told once."""
    offer_of = _offers_by_alternative(db, calendar)
    unsettled = {
        offer_of.get(key.id)
        for key, remote_change in remote_changes.of_calendar(db, calendar.id).items()
        if key.kind is EntryKind.HOLD and not remote_change.is_due(now, policy.settling)
    }
    for observation in learned:
        if observation.settled_change is None:
            continue
        waits = observation.mirror.key.kind is EntryKind.HOLD and offer_of.get(observation.mirror.key.id) in unsettled
        if observation.remote_change is None or not waits:
            yield observation.settled_change


def _harmless(learned: Iterable[Observation]) -> Iterator[SettledChange]:
    """Yield what counts even in a calendar that is stopped: what nobody has to settle."""
    for observation in learned:
        if observation.settled_change is not None and observation.settled_change.kind in (
            ChangeKind.RETURNED,
            ChangeKind.EDITED,
        ):
            yield observation.settled_change


def _offers_by_alternative(db: Connection, calendar: Calendar) -> Mapping[UUID, UUID]:
    waiting = offers.open_of_practitioner(db, calendar.practitioner_id)
    return {alternative.id: offer.id for offer in waiting for alternative in offer.alternatives}


def _goes_on(db: Connection, policy: Policy, calendar: Calendar, shown: Picture, now: datetime) -> bool:
    """Whether what was learned may count: not while the calendar is stopped, or looks wrong now."""
    suspected = remote_changes.of_calendar(db, calendar.id)
    wrong = breaker.reason_to_pause(_units(db, shown, suspected, now), suspected.values())
    if wrong is not None:
        breaker.stop(db, policy, calendar, wrong[0], count=wrong[1], now=now)
        return False
    if calendar.paused is None:
        return True
    unread = calendar.paused in (PauseReason.MISSING, PauseReason.REFUSED)
    if not unread and any(s.kind is ChangeKind.DELETED and not s.accepted for s in suspected.values()):
        return False
    breaker.resume(db, calendar.id, How.ITSELF, by=CLOCK, now=now)
    return True


def _units(
    db: Connection, shown: Picture, suspected: Mapping[EntryKey, RemoteChange], now: datetime
) -> Mapping[EntryKey, object]:
    """Return what stands or stood in the calendar and is to come: all holds of one offer count as one."""
    offer_of = _offers_by_alternative(db, shown.calendar)
    units: dict[EntryKey, object] = {}
    for entry in shown.wanted:
        mirror = shown.mirrors.get(str(entry.key))
        stood = entry.key in suspected or (
            mirror is not None and mirror.state is not MirrorState.ABSENT and mirror.ref.href
        )
        if stood and entry.content.span.end > now and entry.key not in shown.hidden:
            units[entry.key] = offer_of.get(entry.key.id, entry.key)
    return units


def _has_changed(
    known: _Known,
    current: _Known,
    changes: Changes,
    sightings: Mapping[str, Sighting | None],
    now: datetime,
    settling: timedelta,
) -> bool:
    """Whether our own writing went on while the calendar was read: what was read may be older than what is known."""
    before = {mirror.key: mirror for mirror in known.mirrors}
    if known.calendar.sync_token != current.calendar.sync_token or known.remote_changes != current.remote_changes:
        return True
    for mirror in current.mirrors:
        if mirror.ref.name in sightings and before.get(mirror.key) != mirror:
            return True
    return any(mirror.ref.name not in sightings for mirror in _concerning(current, changes, now, settling))


def _keep_busy_known(db: Connection, known: _Known, changes: Changes, now: datetime) -> None:
    """Have it read anew when the calendar is not free if something foreign has changed; else what is known holds on."""
    ours = {mirror.ref.href for mirror in known.mirrors}
    told = {changed.href for changed in changes.changed} | set(changes.gone)
    key = Key(Kind.BUSY, str(known.calendar.id))
    if told - ours or changes.full:
        if offers.undecided(db, known.calendar.practitioner_id):
            ledger.touch(db, key, due_at=now, lane=known.calendar.lane)
    elif not ledger.waits(db, key):
        busy.confirm(db, known.calendar.id, now=now)


def _next_look(db: Connection, policy: Policy, calendar: Calendar, now: datetime) -> datetime:
    asking = bool(offers.open_of_practitioner(db, calendar.practitioner_id))
    polled = now + (policy.poll_open if asking else policy.poll_idle)
    settled = [one.since + policy.settling for one in remote_changes.of_calendar(db, calendar.id).values()]
    return min([polled, *(at for at in settled if at > now)])


def _stop(
    database: Database, policy: Policy, calendar: Calendar, error: MissingError | RefusedError, now: datetime
) -> datetime:
    """Stop a calendar that cannot be read; it is looked at again, and goes on by itself once it can be."""
    missing = isinstance(error, MissingError)
    words = "the calendar is no longer there" if missing else f"the calendar may not be read: {error}"
    with database.begin() as db:
        calendars.note_trouble(db, calendar.id, words, now=now)
        breaker.stop(db, policy, calendar, PauseReason.MISSING if missing else PauseReason.REFUSED, now=now)
    return now + policy.poll_idle
