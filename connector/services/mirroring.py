"""Bring a calendar to what it shall show: load, plan, note the intent, apply, record each outcome as it lands."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import assert_never
from uuid import UUID

from sqlalchemy import Connection

from connector.domain.entry import Entry, entries_for
from connector.domain.offer import Offer
from connector.domain.reconcile import Action, Mirror, MirrorState, Put, Remove, plan
from connector.errors import AccessLostError, MissingError, ProviderError, RefusedError, TransientError
from connector.ports import Clock, Failed, Outcome, RemoteCalendar, Removed, Written
from connector.storage import calendars, mirrors, offers, people, sessions
from connector.storage.calendars import Calendar, ConnectionState
from connector.storage.database import Database

SETTLED = timedelta(days=1)  # what ended longer ago stays in the calendar as it is
BATCH = 50
ROUNDS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """What a calendar shall show, what we know it shows, and the plan between the two."""

    calendar: Calendar
    wanted: tuple[Entry, ...]
    mirrors: dict[str, Mirror]
    actions: tuple[Action, ...]


@dataclass(slots=True)
class _Round:
    """What became of one round of actions."""

    errors: list[ProviderError] = field(default_factory=list)
    stuck: set[UUID] = field(default_factory=set)  # sessions of which a put failed: their removals wait
    vanished: bool = False  # an event of ours was gone: plan again, under a new name


def picture(db: Connection, calendar_id: UUID, *, now: datetime) -> Picture:
    """Derive what a calendar shall show and plan how to get there; asks no calendar service.

    Raises: NotFoundError if there is no such calendar.
    """
    calendar = calendars.calendar(db, calendar_id)
    since = now - SETTLED
    wanted, known = _wanted(db, calendar, since)
    if calendars.connection(db, calendar.connection_id).state is ConnectionState.LEAVING:
        wanted, actions = [], _farewell(wanted, known, now)
    else:
        actions = list(plan(wanted, known, calendar_id=calendar_id))
    return Picture(
        calendar=calendar,
        wanted=tuple(wanted),
        mirrors={str(mirror.key): mirror for mirror in known},
        actions=tuple(actions),
    )


def converge(
    database: Database, calendar_id: UUID, remote: RemoteCalendar, *, clock: Clock, renew: Callable[[], None]
) -> int:
    """Make a calendar show exactly what it shall, and return how many actions that took; a second run takes none.

    Args:
        database: Where what is wanted and what is known stand.
        calendar_id: Which calendar.
        remote: The same calendar at its service.
        clock: For the instants that are noted.
        renew: Called between batches; raises if this work is no longer ours to do.
    Raises: The worst of what went wrong once everything that could be done is done: AccessLostError, TransientError
        (bring it up again later) or RefusedError (ours to fix).
    """
    count = 0
    for _attempt in range(ROUNDS):
        with database.read() as db:
            now = picture(db, calendar_id, now=clock())
        if not now.actions:
            break
        count += len(now.actions)
        done = _carry_out(database, now, remote, renew)
        if not done.vanished:
            _raise_worst(database, calendar_id, done.errors, clock())
            break
    else:
        raise TransientError("events of ours kept vanishing from the calendar while they were written")
    with database.begin() as db:
        calendars.note_written(db, calendar_id, now=clock())
    return count


def _wanted(db: Connection, calendar: Calendar, since: datetime) -> tuple[list[Entry], list[Mirror]]:
    open_offers: dict[UUID, list[Offer]] = defaultdict(list)
    for offer in offers.open_of_practitioner(db, calendar.practitioner_id):
        open_offers[offer.session_id].append(offer)
    concerned = {mirror.session_id for mirror in mirrors.active(db, calendar.id, since=since)}
    booked = sessions.booked(db, calendar.practitioner_id, since=since, or_among=concerned | open_offers.keys())
    # Whatever is wanted of a session, however long ago it took place, all its mirrors are needed to tell what is new.
    known = mirrors.active(db, calendar.id, since=since, or_sessions=[session.id for session in booked])
    names = people.client_names(db, [session.client_id for session in booked])
    wanted = [
        entry
        for session in booked
        for entry in entries_for(
            session, open_offers.get(session.id, ()), names[session.client_id], calendar.disclosure
        )
    ]
    return wanted, list(known)


def _farewell(wanted: Iterable[Entry], known: Iterable[Mirror], now: datetime) -> list[Action]:
    """Take out everything that is ours, but what is over and stands where it shall."""
    over = {entry.key for entry in wanted if entry.content.span.end <= now}
    return [
        Remove(key=mirror.key, session_id=mirror.session_id, at=mirror.ref)
        for mirror in known
        if mirror.state is not MirrorState.ABSENT and not (mirror.key in over and mirror.ends_at <= now)
    ]


def _carry_out(database: Database, now: Picture, remote: RemoteCalendar, renew: Callable[[], None]) -> _Round:
    puts = [action for action in now.actions if isinstance(action, Put)]
    removes = [action for action in now.actions if isinstance(action, Remove)]
    known = dict(now.mirrors)
    _intend(database, now.calendar.id, puts, known)
    done = _Round()
    _apply(database, now.calendar.id, remote, puts, known, done, renew)
    # A time is released only after what takes its place stands: removals of a session whose put failed wait.
    free = [action for action in removes if action.session_id not in done.stuck]
    if not any(isinstance(error, AccessLostError) for error in done.errors):
        _apply(database, now.calendar.id, remote, free, known, done, renew)
    return done


def _intend(database: Database, calendar_id: UUID, puts: Iterable[Put], known: dict[str, Mirror]) -> None:
    fresh = []
    for put in puts:
        earlier = known.get(str(put.key))
        if earlier is None or earlier.ref.name != put.at.name:
            fresh.append(
                Mirror(
                    key=put.key,
                    session_id=put.session_id,
                    ref=put.at,
                    seen=None,
                    state=MirrorState.UNKNOWN,
                    ends_at=put.entry.content.span.end,
                )
            )
    if not fresh:
        return
    with database.begin() as db:
        mirrors.intend(db, calendar_id, fresh, {mirror.key for mirror in known.values()})
    known.update({str(mirror.key): mirror for mirror in fresh})


def _apply(
    database: Database,
    calendar_id: UUID,
    remote: RemoteCalendar,
    actions: Sequence[Action],
    known: dict[str, Mirror],
    done: _Round,
    renew: Callable[[], None],
) -> None:
    ends = {str(a.key): a.entry.content.span.end for a in actions if isinstance(a, Put)}
    for start in range(0, len(actions), BATCH):
        if start:
            renew()
        landed: list[Mirror] = []
        try:
            for outcome in remote.apply(actions[start : start + BATCH]):
                changed = _landed(outcome, known[str(outcome.key)], done)
                if changed is not None:
                    landed.append(replace(changed, ends_at=ends.get(str(outcome.key), changed.ends_at)))
        finally:
            if landed:
                with database.begin() as db:
                    mirrors.record(db, calendar_id, landed)


def _landed(outcome: Outcome, mirror: Mirror, done: _Round) -> Mirror | None:
    match outcome:
        case Written(ref=ref, seen=seen):
            return replace(mirror, ref=ref, seen=seen, state=MirrorState.PRESENT)
        case Removed():
            return replace(mirror, seen=None, state=MirrorState.ABSENT)
        case Failed(error=MissingError()):
            done.vanished = True
            done.stuck.add(mirror.session_id)
            return replace(mirror, seen=None, state=MirrorState.ABSENT)
        case Failed(error=error):
            done.errors.append(error)
            done.stuck.add(mirror.session_id)
            return None
        case _:
            assert_never(outcome)


def _raise_worst(database: Database, calendar_id: UUID, errors: Sequence[ProviderError], now: datetime) -> None:
    if not errors:
        return
    lost = [error for error in errors if isinstance(error, AccessLostError)]
    passing = [error for error in errors if not isinstance(error, RefusedError)]
    worst = (lost or passing or errors)[0]
    with database.begin() as db:
        calendars.note_trouble(db, calendar_id, str(worst), now=now)
    if lost or not passing:
        raise worst
    waits = [error.retry_after for error in errors if isinstance(error, TransientError) and error.retry_after]
    raise TransientError(str(worst), retry_after=max(waits, default=None)) from worst
