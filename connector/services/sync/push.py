"""Bring a calendar to what it should show: load, plan, note the intent, apply, record each outcome as it lands."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import assert_never
from uuid import UUID

from sqlalchemy import Connection

from connector import paths
from connector.domain.change import ChangeKind, Observation, RemoteChange
from connector.domain.connection import Calendar, CalendarRole, ConnectionState
from connector.domain.entry import Content, Entry, EntryKey, EntryKind, EntryLink, entries_for
from connector.domain.facts import EntriesTaken
from connector.domain.notice import RevertReason
from connector.domain.offer import Offer
from connector.domain.people import CLOCK
from connector.domain.question import Meanwhile, Question
from connector.domain.reconcile import Action, Mirror, MirrorState, Put, Remove, plan
from connector.domain.span import Span
from connector.errors import (
    AccessLostError,
    EditConflictError,
    InstallationError,
    LeaseLostError,
    MissingError,
    ProviderError,
    RefusedError,
    TransientError,
)
from connector.ports import Clock, Failed, Outcome, RemoteCalendar, Removed, Written
from connector.sentence import Sentence
from connector.services.policy import Policy
from connector.services.sync import doubts, reverts
from connector.services.titles import words_of
from connector.storage import calendars, ledger, mirrors, offers, people, questions, remote_changes, sessions, timeline
from connector.storage import doubts as stored_doubts
from connector.storage.database import Database
from connector.storage.fence import Fence, fenced
from connector.storage.ledger import Key, Kind, Urgency

LONG_OVER = timedelta(days=1)  # what ended longer ago stays in the calendar as it is
BATCH = 50
ROUNDS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """What a calendar should show, what we know it shows, and the plan between the two.

    `hidden` are entries whose practitioner has deleted them and not yet said why; they are left alone, like those whose
    remote change has not settled.
    """

    calendar: Calendar
    wanted: tuple[Entry, ...]
    mirrors: dict[str, Mirror]
    remote_changes: Mapping[EntryKey, RemoteChange]
    hidden: frozenset[EntryKey]
    actions: tuple[Action, ...]

    @property
    def contents(self) -> dict[EntryKey, Content]:
        """What each wanted entry should show."""
        return {entry.key: entry.content for entry in self.wanted}


@dataclass(slots=True)
class _Results:
    """What became of one round of actions.

    Attributes:
        errors: What went wrong.
        stuck: Sessions of which a put failed: their removals wait.
        written: Entries that stand as they should.
        vanished: An event of ours was gone, or another stands than the one we may have written: plan again.
        unmade: A new event was answered as not there.
        missing: Entries whose events somebody else has deleted: a remote change that has not settled.
        overtaken: The same, but it was decided meanwhile that they stand at another time: they are written again.
        contested: Entries that somebody else has changed: the feed must be read before they can be written.
    """

    errors: list[ProviderError] = field(default_factory=list)
    stuck: set[UUID] = field(default_factory=set)
    written: set[EntryKey] = field(default_factory=set)
    vanished: bool = False
    unmade: bool = False
    missing: set[EntryKey] = field(default_factory=set)
    overtaken: set[EntryKey] = field(default_factory=set)
    contested: set[EntryKey] = field(default_factory=set)


def picture(db: Connection, policy: Policy, calendar_id: UUID, *, now: datetime) -> Picture:
    """Derive what a calendar should show and plan how to get there; asks no calendar service.

    Raises: NotFoundError if there is no such calendar.
    """
    calendar = calendars.calendar(db, calendar_id)
    open_questions = questions.open_of_practitioner(db, calendar.practitioner_id)
    entries, active_mirrors = _entries_and_mirrors(db, policy, calendar, open_questions, now - LONG_OVER)
    unsettled = remote_changes.of_calendar(db, calendar_id)
    hidden = _hidden(open_questions.values(), active_mirrors)
    actions: list[Action] = []
    if calendars.connection(db, calendar.connection_id).state is ConnectionState.DISCONNECTING:
        entries, actions = [], _removals(entries, active_mirrors, now)
    elif calendar.paused is not None:
        pass  # until somebody says how to go on
    elif calendar.role is CalendarRole.CLEARING:
        if _is_replaced(db, calendar):
            actions = _removals(entries, active_mirrors, now)
        entries = [entry for entry in entries if entry.content.span.end <= now]
    elif calendar.role is CalendarRole.WATCHED:
        entries = []
    else:
        leave = hidden | set(_left_alone(entries, active_mirrors, unsettled, now))
        actions = list(plan(entries, active_mirrors, calendar_id=calendar_id, leave=leave))
    return Picture(
        calendar=calendar,
        wanted=tuple(entries),
        mirrors={str(mirror.key): mirror for mirror in active_mirrors},
        remote_changes=unsettled,
        hidden=hidden,
        actions=tuple(actions),
    )


def plan_after(picture: Picture, observations: Iterable[Observation], *, now: datetime) -> Sequence[Action]:
    """Return what is to be done once these observations of a target's events are stored."""
    mirrors_by_key = dict(picture.mirrors)
    unsettled = dict(picture.remote_changes)
    for observation in observations:
        key = observation.mirror.key
        mirrors_by_key[str(key)] = observation.mirror
        unsettled.pop(key, None)
        if observation.remote_change is not None:
            unsettled[key] = observation.remote_change
    current = list(mirrors_by_key.values())
    leave = picture.hidden | set(_left_alone(picture.wanted, current, unsettled, now))
    return list(plan(picture.wanted, current, calendar_id=picture.calendar.id, leave=leave))


def converge(
    database: Database,
    policy: Policy,
    calendar_id: UUID,
    remote: RemoteCalendar,
    *,
    clock: Clock,
    fence: Fence,
) -> int:
    """Make a calendar show exactly what it should, and return how many actions that took; a second run takes none.

    What somebody else has changed or deleted meanwhile is not written over: a pull finds out what it means, and is made
    due.

    Args:
        database: Holds the sessions, offers and mirrors.
        policy: How this installation does things.
        calendar_id: Which calendar.
        remote: The same calendar at its service.
        clock: For the instants that are stored.
        fence: The claim of the calendar's key, or of a work that has it.
    Raises: The worst of what went wrong once everything that could be done is done: AccessLostError, TransientError
        (bring it up again later), InstallationError or RefusedError.
    """
    count = 0
    results = _Results()
    for _attempt in range(ROUNDS):
        unsettled = _settle_doubts(database, calendar_id, remote, fence, clock())
        with database.read() as db:
            current = picture(db, policy, calendar_id, now=clock())
        if not current.actions:
            _raise_worst(unsettled)
            break
        count += len(current.actions)
        results = _Work(database, policy, current, remote, clock, fence).carry_out()
        if not results.vanished:
            _raise_worst([*results.errors, *unsettled])
            break
    else:
        if results.unmade:
            raise RefusedError(Sentence("new entries are answered as not there, again and again"))
        raise TransientError(
            Sentence("events of ours kept changing or vanishing from the calendar while they were written")
        )
    if current.calendar.role is CalendarRole.TARGET and current.calendar.paused is None:
        with fenced(database, fence) as db:
            _note_written(db, calendars.calendar(db, calendar_id), clock())
            for predecessor in calendars.being_cleared_for(db, calendar_id):
                ledger.touch(db, Key(Kind.CALENDAR, str(predecessor.id)), due_at=clock(), lane=predecessor.lane)
    return count


def _note_written(db: Connection, calendar: Calendar, now: datetime) -> None:
    """Note that everything wanted stands in a calendar, and in its timeline if that had been refused."""
    calendars.note_written(db, calendar.id, now=now)
    if calendar.refused_at is not None:
        fact = EntriesTaken(at=now, by=CLOCK, connection_id=calendar.connection_id, calendar=calendar.name)
        timeline.append(db, calendar.practitioner_id, [fact])


def look_again_at(database: Database, calendar_id: UUID) -> datetime | None:
    """Return when an event that was in doubt is to be looked at again; None if none is, or nothing may be done."""
    with database.read() as db:
        if calendars.calendar(db, calendar_id).paused is not None:
            return None
        return stored_doubts.next_look(db, calendar_id)


def _settle_doubts(
    database: Database, calendar_id: UUID, remote: RemoteCalendar, fence: Fence, now: datetime
) -> Sequence[ProviderError]:
    """Look at what is in doubt, and return what kept us from it where everything else can be done all the same."""
    with database.read() as db:
        due = stored_doubts.due(db, calendar_id, now=now)
        calendar = calendars.calendar(db, calendar_id)
    if due and calendar.paused is None:
        try:
            doubts.settle(database, calendar, remote, due, fence=fence, now=now)
        except RefusedError as error:
            return (error,)
    return ()


def _entries_and_mirrors(
    db: Connection, policy: Policy, calendar: Calendar, open_questions: Mapping[UUID, Question], since: datetime
) -> tuple[list[Entry], list[Mirror]]:
    """Return what a calendar should show of the sessions since then, and every mirror of these sessions in it."""
    open_offers: dict[UUID, list[Offer]] = defaultdict(list)
    for offer in offers.open_of_practitioner(db, calendar.practitioner_id):
        open_offers[offer.session_id].append(offer)
    mirrored = {mirror.session_id for mirror in mirrors.active(db, calendar.id, since=since)}
    booked = sessions.booked(db, calendar.practitioner_id, since=since, or_among=mirrored | open_offers.keys())
    # Whatever is wanted of a session, however long ago it took place, all its mirrors are needed to tell what is new.
    active_mirrors = mirrors.active(db, calendar.id, since=since, or_sessions=[session.id for session in booked])
    names = people.client_names(db, [session.client_id for session in booked])
    words = words_of(db, policy, calendar.practitioner_id)
    entries = [
        entry
        for session in booked
        for entry in entries_for(
            session,
            open_offers.get(session.id, ()),
            names[session.client_id],
            calendar.disclosure,
            words=words,
            put_at=_put_at(open_questions.get(session.id), calendar.id),
            link=_link(policy, session.id),
        )
    ]
    return entries, list(active_mirrors)


def _link(policy: Policy, session_id: UUID) -> EntryLink | None:
    """Return where entries of a session lead."""
    if not policy.public_url:
        return None
    return EntryLink(url=policy.public_url.rstrip("/") + paths.session(str(session_id)), title=policy.brand)


def _put_at(question: Question | None, calendar_id: UUID) -> Span | None:
    """Return where the practitioner has put a session's event in this calendar, while they are asked about it."""
    if question is None or question.keeps is None or question.calendar_id != calendar_id:
        return None
    return question.keeps.span


def _hidden(open_questions: Iterable[Question], active_mirrors: Iterable[Mirror]) -> frozenset[EntryKey]:
    """Return the sessions' entries that were deleted here, while their practitioner is asked what that meant."""
    session_ids = {question.session_id for question in open_questions if question.row.entry is Meanwhile.GONE}
    return frozenset(
        mirror.key
        for mirror in active_mirrors
        if mirror.key.kind is EntryKind.SESSION and mirror.key.id in session_ids and mirror.state is MirrorState.ABSENT
    )


def _left_alone(
    entries: Iterable[Entry],
    active_mirrors: Iterable[Mirror],
    unsettled: Mapping[EntryKey, RemoteChange],
    now: datetime,
) -> Iterator[EntryKey]:
    """Yield what nothing is done about for now: changed there and not settled, or over and tidied away."""
    absent = {mirror.key for mirror in active_mirrors if mirror.state is MirrorState.ABSENT}
    for entry in entries:
        remote_change = unsettled.get(entry.key)
        is_unsettled = remote_change is not None and not remote_change.overruled(entry.content)
        is_tidied = entry.key in absent and entry.content.span.end <= now
        if is_unsettled or is_tidied:
            yield entry.key


def _is_replaced(db: Connection, calendar: Calendar) -> bool:
    """Whether everything that stands in a calendar being cleared stands in its successor, too."""
    if calendar.successor_id is None:
        return True
    successor = calendars.calendar(db, calendar.successor_id)
    is_filled = successor.written_at is not None and successor.paused is None
    return is_filled and successor.role is CalendarRole.TARGET


def _removals(entries: Iterable[Entry], active_mirrors: Iterable[Mirror], now: datetime) -> list[Action]:
    """Take out everything that is ours, but what is over and stands where it should."""
    past = {entry.key for entry in entries if entry.content.span.end <= now}
    return [
        Remove(key=mirror.key, session_id=mirror.session_id, ref=mirror.ref)
        for mirror in active_mirrors
        if mirror.state is not MirrorState.ABSENT and not (mirror.key in past and mirror.ends_at <= now)
    ]


@dataclass(frozen=True, slots=True)
class _Work:
    """One round of actions, with all it takes to carry them out."""

    database: Database
    policy: Policy
    picture: Picture
    remote: RemoteCalendar
    clock: Clock
    fence: Fence
    results: _Results = field(default_factory=_Results)

    def carry_out(self) -> _Results:
        """Do everything, and store what became of it as it lands."""
        puts = [action for action in self.picture.actions if isinstance(action, Put)]
        removes = [action for action in self.picture.actions if isinstance(action, Remove)]
        mirrors_by_key = dict(self.picture.mirrors)
        self.fence.renew()
        self._intend(puts, removes, mirrors_by_key)
        for group in _ordered(puts):
            self._apply(group, mirrors_by_key)
        # A time is released only after what takes its place stands: removals of a session whose put failed wait.
        free = [action for action in removes if action.session_id not in self.results.stuck]
        if not any(isinstance(error, AccessLostError | InstallationError) for error in self.results.errors):
            self._apply(free, mirrors_by_key)
        if self.results.contested:
            # A pull while an event was in doubt has passed over the change: so everything is read again.
            with fenced(self.database, self.fence) as db:
                calendars.forget_token(db, self.picture.calendar.id)
                _make_pull_due(db, self.picture.calendar, due_at=self.clock())
        return self.results

    def _intend(self, puts: Iterable[Put], removes: Iterable[Remove], mirrors_by_key: dict[str, Mirror]) -> None:
        """Store what is about to be done; until it is known how that went, what stands there, or does not, is ours."""
        new_mirrors: list[Mirror] = []
        rewritten: list[EntryKey] = []
        for put in puts:
            earlier = mirrors_by_key.get(str(put.key))
            if earlier is not None and earlier.ref.name == put.ref.name:
                rewritten.append(put.key)
            else:
                new_mirrors.append(_intended(put))
        left = [mirror for mirror in mirrors_by_key.values() if mirror.state is MirrorState.UNKNOWN]
        with fenced(self.database, self.fence) as db:
            people.practitioner(db, self.picture.calendar.practitioner_id, lock=True)  # no pull decides meanwhile
            # Whoever has left these may have a request under way that will land after this.
            later = list(map(stored_doubts.of_mirror, left))
            stored_doubts.put_off(db, self.picture.calendar.id, later, look_at=self.clock() + ledger.LEASE)
            former = {mirror.key for mirror in mirrors_by_key.values()}
            mirrors.intend(db, self.picture.calendar.id, new_mirrors, former)
            mirrors.doubt(db, self.picture.calendar.id, rewritten)
            mirrors.doubt(db, self.picture.calendar.id, [remove.key for remove in removes], unseen=True)
        mirrors_by_key.update({str(mirror.key): mirror for mirror in new_mirrors})

    def _apply(self, actions: Sequence[Action], mirrors_by_key: Mapping[str, Mirror]) -> None:
        for start in range(0, len(actions), BATCH):
            self.fence.renew()
            batch = actions[start : start + BATCH]
            try:
                self._apply_batch(batch, mirrors_by_key)
            except LeaseLostError:
                doubts.leave(self.database, self.picture.calendar, batch, now=self.clock())
                raise

    def _apply_batch(self, batch: Sequence[Action], mirrors_by_key: Mapping[str, Mirror]) -> None:
        actions = {str(action.key): action for action in batch}
        ends = {key: action.entry.content.span.end for key, action in actions.items() if isinstance(action, Put)}
        landed: list[Mirror] = []
        unexpected: list[Action] = []
        try:
            for outcome in self.remote.apply(batch):
                before = mirrors_by_key[str(outcome.key)]
                end = ends.get(str(outcome.key), before.ends_at)
                if _is_unexpected(outcome, before):
                    unexpected.append(actions[str(outcome.key)])
                    continue
                mirror = _landed(outcome, before, self.results, elsewhere=end != before.ends_at)
                if mirror is not None:
                    landed.append(replace(mirror, ends_at=end) if mirror != before else mirror)
        finally:
            if landed:
                self._record(landed)
            if unexpected:
                self._look_again(unexpected)

    def _look_again(self, unexpected: Sequence[Action]) -> None:
        """Have events looked at that do not stand as expected, where what stands may be an earlier write of ours."""
        with fenced(self.database, self.fence) as db:
            new = map(stored_doubts.of_action, unexpected)
            stored_doubts.add(db, self.picture.calendar.id, new, look_at=self.clock())
        self.results.vanished = True
        self.results.stuck.update(action.session_id for action in unexpected)

    def _record(self, landed: Sequence[Mirror]) -> None:
        """Store what landed; tell the practitioner of each edit of theirs that it undid."""
        calendar, now = self.picture.calendar, self.clock()
        keys = {mirror.key for mirror in landed}
        overruled = {
            key: remote_change
            for key, remote_change in self.picture.remote_changes.items()
            if key in self.results.written & keys
        }
        deletions = self._deletions(keys, now)
        with fenced(self.database, self.fence) as db:
            people.practitioner(db, calendar.practitioner_id, lock=True)
            mirrors.record(db, calendar.id, landed)
            remote_changes.replace(db, calendar.id, [*overruled, *(deletion.key for deletion in deletions)], deletions)
            if deletions:
                _make_pull_due(db, calendar, due_at=now + self.policy.settling)
            for mirror in landed:
                if mirror.key in overruled or mirror.key in self.results.overtaken:
                    self._revert(db, mirror, overruled.get(mirror.key), now)
        self.results.overtaken.clear()

    def _deletions(self, keys: set[EntryKey], now: datetime) -> list[RemoteChange]:
        """Return the remote change of each entry whose event was found to be missing."""
        contents = self.picture.contents
        return [
            RemoteChange(key=key, kind=ChangeKind.DELETED, since=now, expected=contents[key].span)
            for key in self.results.missing & keys
        ]

    def _revert(self, db: Connection, mirror: Mirror, overruled: RemoteChange | None, now: datetime) -> None:
        """Tell the practitioner that a decision has undone what they did to an event; None: they had deleted it."""
        reverts.revert(
            db,
            self.picture.calendar,
            mirror,
            RevertReason.DECIDED,
            found=overruled.actual if overruled else None,
            deleted=overruled is None or overruled.kind is ChangeKind.DELETED,
            now=now,
        )


def _intended(put: Put) -> Mirror:
    """Return the mirror of an event that is about to be created."""
    return Mirror(
        key=put.key,
        session_id=put.session_id,
        ref=put.ref,
        seen=None,
        state=MirrorState.UNKNOWN,
        ends_at=put.entry.content.span.end,
    )


def _ordered(puts: Sequence[Put]) -> Iterator[Sequence[Put]]:
    """Yield puts that may go side by side: what is created of a session before what is moved away."""
    creations = [put for put in puts if put.ref.href is None]
    updates = [put for put in puts if put.ref.href is not None]
    if {put.session_id for put in creations} & {put.session_id for put in updates}:
        yield creations
        yield updates
    else:
        yield puts


def _make_pull_due(db: Connection, calendar: Calendar, *, due_at: datetime) -> None:
    key = Key(Kind.PULL, str(calendar.id))
    ledger.touch(db, key, due_at=due_at, lane=calendar.lane, urgency=Urgency.LOOK)


def _is_unexpected(outcome: Outcome, mirror: Mirror) -> bool:
    """Whether a put met something else than it expected, which may be an earlier write of ours: it was in doubt."""
    is_conflict = isinstance(outcome, Failed) and isinstance(outcome.error, EditConflictError)
    return is_conflict and mirror.state is MirrorState.UNKNOWN


def _landed(outcome: Outcome, mirror: Mirror, results: _Results, *, elsewhere: bool) -> Mirror | None:
    """Return how a mirror stands after an outcome; None if that is not known. `elsewhere`: its time has changed."""
    match outcome:
        case Written(key=key, ref=ref, seen=seen):
            results.written.add(key)
            former = mirror.ref.etag if ref.etag != mirror.ref.etag else mirror.former_etag
            return replace(mirror, ref=ref, seen=seen, state=MirrorState.PRESENT, former_etag=former)
        case Removed():
            return replace(mirror, seen=None, state=MirrorState.ABSENT, former_etag=mirror.ref.etag)
        case Failed(key=key, error=MissingError()):
            results.vanished = True
            results.stuck.add(mirror.session_id)
            results.unmade = results.unmade or mirror.seen is None
            if mirror.seen is not None:  # it stood there, and nobody but its practitioner can have deleted it
                (results.overtaken if elsewhere else results.missing).add(key)
            return replace(mirror, seen=None, state=MirrorState.ABSENT)
        case Failed(key=key, error=EditConflictError() as error):
            results.contested.add(key)
            results.errors.append(error)
            results.stuck.add(mirror.session_id)
            return mirror  # certainly not written
        case Failed(error=error):
            results.errors.append(error)
            results.stuck.add(mirror.session_id)
            is_certain = isinstance(error, RefusedError | InstallationError) and mirror.state is MirrorState.PRESENT
            return mirror if is_certain else None
        case _:
            assert_never(outcome)


def _raise_worst(errors: Sequence[ProviderError]) -> None:
    """Raise what decides how the work goes on; a passing fault before a refusal, since it is tried again sooner."""
    for kind in (AccessLostError, InstallationError):
        for error in errors:
            if isinstance(error, kind):
                raise error
    passing = [error for error in errors if not isinstance(error, RefusedError)]
    if errors and not passing:
        raise errors[0]
    if passing:
        waits = [error.retry_after for error in errors if isinstance(error, TransientError) and error.retry_after]
        raise TransientError(passing[0].sentence, retry_after=max(waits, default=None)) from passing[0]
