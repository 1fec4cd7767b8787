"""Bring a calendar to what it shall show: load, plan, note the intent, apply, record each outcome as it lands."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import assert_never
from uuid import UUID

from sqlalchemy import Connection

from connector.domain.change import ChangeKind, RemoteChange
from connector.domain.connection import Calendar, CalendarRole, ConnectionState
from connector.domain.entry import Content, Entry, EntryKey, EntryKind, entries_for
from connector.domain.notice import RevertReason
from connector.domain.offer import Offer
from connector.domain.question import Meanwhile, Question
from connector.domain.reconcile import Action, Mirror, MirrorState, Put, Remove, plan
from connector.domain.span import Span
from connector.errors import (
    AccessLostError,
    EditConflictError,
    MissingError,
    ProviderError,
    RefusedError,
    TransientError,
)
from connector.ports import Clock, Failed, Outcome, RemoteCalendar, Removed, Written
from connector.services.policy import Policy
from connector.services.sync import reverts
from connector.storage import calendars, ledger, mirrors, offers, people, questions, remote_changes, sessions
from connector.storage.database import Database
from connector.storage.ledger import Key, Kind

SETTLED = timedelta(days=1)  # what ended longer ago stays in the calendar as it is
BATCH = 50
ROUNDS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """What a calendar shall show, what we know it shows, and the plan between the two.

    `hidden` are entries that the practitioner has deleted and not yet said why; they are left alone, like what is
    suspected and not yet settled.
    """

    calendar: Calendar
    wanted: tuple[Entry, ...]
    mirrors: dict[str, Mirror]
    remote_changes: Mapping[EntryKey, RemoteChange]
    hidden: frozenset[EntryKey]
    actions: tuple[Action, ...]

    @property
    def contents(self) -> dict[EntryKey, Content]:
        """What each wanted entry shall show."""
        return {entry.key: entry.content for entry in self.wanted}


@dataclass(slots=True)
class _Round:
    """What became of one round of actions.

    Attributes:
        errors: What went wrong.
        stuck: Sessions of which a put failed: their removals wait.
        written: Entries that stand as they shall.
        vanished: An event of ours was gone: plan again.
        missed: Entries whose events somebody else has deleted: suspected from now on.
        overtaken: The same, but it was decided meanwhile that they stand at another time: they are written again.
        contested: Entries that somebody else has changed: the feed must be read before they can be written.
    """

    errors: list[ProviderError] = field(default_factory=list)
    stuck: set[UUID] = field(default_factory=set)
    written: set[EntryKey] = field(default_factory=set)
    vanished: bool = False
    missed: set[EntryKey] = field(default_factory=set)
    overtaken: set[EntryKey] = field(default_factory=set)
    contested: set[EntryKey] = field(default_factory=set)


def picture(db: Connection, calendar_id: UUID, *, now: datetime) -> Picture:
    """Derive what a calendar shall show and plan how to get there; asks no calendar service.

    Raises: NotFoundError if there is no such calendar.
    """
    calendar = calendars.calendar(db, calendar_id)
    since = now - SETTLED
    asked = questions.open_of_practitioner(db, calendar.practitioner_id)
    wanted, known = _wanted(db, calendar, asked, since)
    suspected = remote_changes.of_calendar(db, calendar_id)
    hidden = _hidden(asked.values(), known)
    if calendars.connection(db, calendar.connection_id).state is ConnectionState.DISCONNECTING:
        wanted, actions = [], _removals(wanted, known, now)
    elif calendar.paused is not None:
        actions = []  # until somebody says how to go on
    elif calendar.role is CalendarRole.CLEARING:
        over = [entry for entry in wanted if entry.content.span.end <= now]
        actions = _removals(wanted, known, now) if _succeeded(db, calendar) else []
        wanted = over
    elif calendar.role is CalendarRole.WATCHED:
        wanted, actions = [], []
    else:
        leave = hidden | set(_left(wanted, known, suspected, now))
        actions = list(plan(wanted, known, calendar_id=calendar_id, leave=leave))
    return Picture(
        calendar=calendar,
        wanted=tuple(wanted),
        mirrors={str(mirror.key): mirror for mirror in known},
        remote_changes=suspected,
        hidden=hidden,
        actions=tuple(actions),
    )


def converge(
    database: Database,
    policy: Policy,
    calendar_id: UUID,
    remote: RemoteCalendar,
    *,
    clock: Clock,
    renew: Callable[[], None],
) -> int:
    """Make a calendar show exactly what it shall, and return how many actions that took; a second run takes none.

    What somebody else has changed or deleted meanwhile is not written over: it is for `pulling` to find out what it
    means, which is then made due.

    Args:
        database: Where what is wanted and what is known stand.
        policy: How this installation does things.
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
        done = _Work(database, policy, now, remote, clock, renew).carry_out()
        if not done.vanished:
            _raise_worst(database, calendar_id, done.errors, clock())
            break
    else:
        raise TransientError("events of ours kept vanishing from the calendar while they were written")
    if now.calendar.role is CalendarRole.TARGET and now.calendar.paused is None:
        with database.begin() as db:
            calendars.note_written(db, calendar_id, now=clock())
            for before in calendars.being_cleared_for(db, calendar_id):
                ledger.touch(db, Key(Kind.CALENDAR, str(before.id)), due_at=clock(), lane=before.lane)
    return count


def _wanted(
    db: Connection, calendar: Calendar, asked: Mapping[UUID, Question], since: datetime
) -> tuple[list[Entry], list[Mirror]]:
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
            session,
            open_offers.get(session.id, ()),
            names[session.client_id],
            calendar.disclosure,
            put_at=_put_at(asked.get(session.id), calendar.id),
        )
    ]
    return wanted, list(known)


def _put_at(question: Question | None, calendar_id: UUID) -> Span | None:
    """Return where the practitioner has put a session's event in this calendar, while they are asked about it."""
    if question is None or question.keeps is None or question.calendar_id != calendar_id:
        return None
    return question.keeps.span


def _hidden(asked: Iterable[Question], known: Iterable[Mirror]) -> frozenset[EntryKey]:
    """Return the sessions' entries that were deleted here, while their practitioner is asked what that meant."""
    deleted = {one.session_id for one in asked if one.row.entry is Meanwhile.GONE}
    return frozenset(
        mirror.key
        for mirror in known
        if mirror.key.kind is EntryKind.SESSION and mirror.key.id in deleted and mirror.state is MirrorState.ABSENT
    )


def _left(
    wanted: Iterable[Entry], known: Iterable[Mirror], suspected: Mapping[EntryKey, RemoteChange], now: datetime
) -> Iterator[EntryKey]:
    """Yield what nothing is done about for now: what is suspected, and what is over and was tidied away."""
    gone = {mirror.key for mirror in known if mirror.state is MirrorState.ABSENT}
    for entry in wanted:
        remote_change = suspected.get(entry.key)
        unsettled = remote_change is not None and not remote_change.overruled(entry.content)
        tidied = entry.key in gone and entry.content.span.end <= now
        if unsettled or tidied:
            yield entry.key


def _succeeded(db: Connection, calendar: Calendar) -> bool:
    """Whether everything that stands in a calendar being cleared stands in its successor, too."""
    if calendar.successor_id is None:
        return True
    successor = calendars.calendar(db, calendar.successor_id)
    filled = successor.written_at is not None and successor.paused is None
    return filled and successor.role is CalendarRole.TARGET


def _removals(wanted: Iterable[Entry], known: Iterable[Mirror], now: datetime) -> list[Action]:
    """Take out everything that is ours, but what is over and stands where it shall."""
    over = {entry.key for entry in wanted if entry.content.span.end <= now}
    return [
        Remove(key=mirror.key, session_id=mirror.session_id, at=mirror.ref)
        for mirror in known
        if mirror.state is not MirrorState.ABSENT and not (mirror.key in over and mirror.ends_at <= now)
    ]


@dataclass(frozen=True, slots=True)
class _Work:
    """One round of actions, with all it takes to carry them out."""

    database: Database
    policy: Policy
    now: Picture
    remote: RemoteCalendar
    clock: Clock
    renew: Callable[[], None]
    done: _Round = field(default_factory=_Round)

    def carry_out(self) -> _Round:
        """Do everything, and store what became of it as it lands."""
        puts = [action for action in self.now.actions if isinstance(action, Put)]
        removes = [action for action in self.now.actions if isinstance(action, Remove)]
        known = dict(self.now.mirrors)
        self._intend(puts, removes, known)
        for some in _in_turn(puts):
            self._apply(some, known)
        # A time is released only after what takes its place stands: removals of a session whose put failed wait.
        free = [action for action in removes if action.session_id not in self.done.stuck]
        if not any(isinstance(error, AccessLostError) for error in self.done.errors):
            self._apply(free, known)
        if self.done.contested:
            # A look that came while an event was in doubt has passed over the change: so everything is read again.
            with self.database.begin() as db:
                calendars.forget_token(db, self.now.calendar.id)
                _look_again(db, self.now.calendar, due_at=self.clock())
        return self.done

    def _intend(self, puts: Iterable[Put], removes: Iterable[Remove], known: dict[str, Mirror]) -> None:
        """Note what is about to be done; until it is known how that went, what stands there, or does not, is ours."""
        fresh, changed = [], []
        for put in puts:
            earlier = known.get(str(put.key))
            if earlier is not None and earlier.ref.name == put.at.name:
                changed.append(put.key)
                continue
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
        with self.database.begin() as db:
            people.practitioner(db, self.now.calendar.practitioner_id, lock=True)  # nobody judges meanwhile
            mirrors.intend(db, self.now.calendar.id, fresh, {mirror.key for mirror in known.values()})
            mirrors.doubt(db, self.now.calendar.id, changed)
            mirrors.doubt(db, self.now.calendar.id, [remove.key for remove in removes], unseen=True)
        known.update({str(mirror.key): mirror for mirror in fresh})

    def _apply(self, actions: Sequence[Action], known: dict[str, Mirror]) -> None:
        for start in range(0, len(actions), BATCH):
            if start:
                self.renew()
            some = actions[start : start + BATCH]
            ends = {str(a.key): a.entry.content.span.end for a in some if isinstance(a, Put)}
            landed: list[Mirror] = []
            try:
                for outcome in self.remote.apply(some):
                    before = known[str(outcome.key)]
                    end = ends.get(str(outcome.key), before.ends_at)
                    changed = _landed(outcome, before, self.done, elsewhere=end != before.ends_at)
                    if changed is not None:
                        landed.append(replace(changed, ends_at=end) if changed != before else changed)
            finally:
                if landed:
                    self._record(landed)

    def _record(self, landed: Sequence[Mirror]) -> None:
        """Store what landed; who finds their own change undone by it is told."""
        calendar, now, contents = self.now.calendar, self.clock(), self.now.contents
        keys = {mirror.key for mirror in landed}
        missed = [
            RemoteChange(key=key, kind=ChangeKind.DELETED, since=now, expected=contents[key].span)
            for key in self.done.missed & keys
        ]
        overruled = {key: one for key, one in self.now.remote_changes.items() if key in self.done.written & keys}
        with self.database.begin() as db:
            people.practitioner(db, calendar.practitioner_id, lock=True)
            mirrors.record(db, calendar.id, landed)
            remote_changes.replace(db, calendar.id, [*overruled, *(one.key for one in missed)], missed)
            if missed:
                _look_again(db, calendar, due_at=now + self.policy.settling)
            for mirror in landed:
                remote_change = overruled.get(mirror.key)
                if remote_change is None and mirror.key not in self.done.overtaken:
                    continue
                found = remote_change.actual if remote_change else None
                deleted = remote_change is None or remote_change.kind is ChangeKind.DELETED
                reason = RevertReason.DECIDED
                reverts.revert(db, self.policy, calendar, mirror, reason, found=found, deleted=deleted, now=now)
        self.done.overtaken.clear()


def _in_turn(puts: Sequence[Put]) -> Iterator[Sequence[Put]]:
    """Yield puts that may go side by side: what is created of a session before what is moved away."""
    created = [put for put in puts if put.at.href is None]
    changed = [put for put in puts if put.at.href is not None]
    if {put.session_id for put in created} & {put.session_id for put in changed}:
        yield created
        yield changed
    else:
        yield puts


def _look_again(db: Connection, calendar: Calendar, *, due_at: datetime) -> None:
    ledger.touch(db, Key(Kind.PULL, str(calendar.id)), due_at=due_at, lane=calendar.lane)


def _landed(outcome: Outcome, mirror: Mirror, done: _Round, *, elsewhere: bool) -> Mirror | None:
    """Return how a mirror is known after an outcome; None if that is not known. `elsewhere`: its time has changed."""
    match outcome:
        case Written(key=key, ref=ref, seen=seen):
            done.written.add(key)
            return replace(mirror, ref=ref, seen=seen, state=MirrorState.PRESENT)
        case Removed():
            return replace(mirror, seen=None, state=MirrorState.ABSENT)
        case Failed(key=key, error=MissingError()):
            done.vanished = True
            done.stuck.add(mirror.session_id)
            if mirror.seen is not None:  # it stood there, and nobody but its practitioner can have deleted it
                (done.overtaken if elsewhere else done.missed).add(key)
            return replace(mirror, seen=None, state=MirrorState.ABSENT)
        case Failed(key=key, error=EditConflictError() as error):
            done.contested.add(key)
            done.errors.append(error)
            done.stuck.add(mirror.session_id)
            return mirror  # certainly not written
        case Failed(error=error):
            done.errors.append(error)
            done.stuck.add(mirror.session_id)
            return mirror if isinstance(error, RefusedError) and mirror.state is MirrorState.PRESENT else None
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
