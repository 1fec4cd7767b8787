"""Write events that are over without the client they showed, who was erased since. See docs/decisions/0029.

What is over is otherwise left as it is: its practitioner may have moved, renamed or tidied it away as they like. So
each event is read first; only its title and place are taken, and where it stands is left to them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import UUID

import structlog

from connector.domain.connection import Calendar
from connector.domain.entry import Content, Entry, EntryKey, EntryKind, EntryWords, Showing, neutral
from connector.domain.reconcile import Mirror, MirrorState, Put, Sighting
from connector.domain.session import Session
from connector.errors import EditConflictError, MissingError, RefusedError
from connector.ports import Clock, Failed, Outcome, RemoteCalendar, Written
from connector.services.policy import Policy
from connector.services.sync.push import BATCH
from connector.services.titles import words_of
from connector.storage import calendars, erasures, mirrors, people, sessions
from connector.storage.database import Database
from connector.storage.fence import Fence, fenced

AGAIN = timedelta(hours=1)  # after so long, what was refused or changed meanwhile is tried again

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Waiting:
    """What waits in a calendar that may be written."""

    calendar: Calendar
    words: EntryWords
    mirrors: Sequence[Mirror]
    sessions: Mapping[UUID, Session]


def rewrite(
    database: Database, policy: Policy, calendar_id: UUID, remote: RemoteCalendar, *, clock: Clock, fence: Fence
) -> datetime | None:
    """Write what waits, and return when to look again, aware UTC; None if nothing waits, or nothing may be done.

    Run it after `push.converge`, under the same claim: what is in doubt is settled by then.

    Raises: ProviderError, but for what the service says of single events: these wait, and nobody is troubled by them.
    """
    waiting = _waiting(database, policy, calendar_id, fence)
    if waiting is None:
        return None
    for start in range(0, len(waiting.mirrors), BATCH):
        fence.renew()
        _rewrite(database, waiting, waiting.mirrors[start : start + BATCH], remote, clock, fence)
    with database.read() as db:
        return clock() + AGAIN if erasures.waits(db, calendar_id) else None


def _waiting(database: Database, policy: Policy, calendar_id: UUID, fence: Fence) -> _Waiting | None:
    with database.read() as db:
        calendar = calendars.calendar(db, calendar_id)
        if calendar.paused is not None or not erasures.waits(db, calendar_id):
            return None
        words = words_of(db, policy, calendar.practitioner_id)
        its_mirrors = erasures.of_calendar(db, calendar_id)
        its_sessions = {mirror.session_id: sessions.get(db, mirror.session_id) for mirror in its_mirrors}
    with fenced(database, fence) as db:
        erasures.keep_only(db, calendar_id, [mirror.key for mirror in its_mirrors])
    settled = [mirror for mirror in its_mirrors if mirror.state is MirrorState.PRESENT]
    return _Waiting(calendar=calendar, words=words, mirrors=settled, sessions=its_sessions)


def _rewrite(
    database: Database,
    waiting: _Waiting,
    batch: Sequence[Mirror],
    remote: RemoteCalendar,
    clock: Clock,
    fence: Fence,
) -> None:
    """Write some of it, and store what became of each."""
    sightings = remote.read([mirror.ref for mirror in batch])
    fence.renew()
    by_key = {mirror.key: mirror for mirror in batch}
    puts: list[Put] = []
    landed: list[Mirror] = []
    for mirror in batch:
        sighting = sightings.get(mirror.ref.name)
        if sighting is None:
            landed.append(replace(mirror, seen=None, state=MirrorState.ABSENT))
        elif (put := _put(waiting, mirror, sighting)) is not None:
            puts.append(put)
        else:
            landed.append(_mirror_of(mirror, sighting))
    outcomes = list(remote.apply(puts)) if puts else []
    landed += _landed(by_key, outcomes)
    with fenced(database, fence) as db:
        people.practitioner(db, waiting.calendar.practitioner_id, lock=True)
        mirrors.record(db, waiting.calendar.id, landed)
        erasures.done(db, waiting.calendar.id, [mirror.key for mirror in landed])
    _raise_what_concerns_all(outcomes, waiting.calendar)
    log.info("events_erased", calendar=str(waiting.calendar.id), entries=len(landed), at=clock().isoformat())


def _put(waiting: _Waiting, mirror: Mirror, sighting: Sighting) -> Put | None:
    """Return what writes an event without its client; None if it shows nothing of them."""
    content = sighting.content or _content(waiting.sessions[mirror.session_id])
    level = waiting.calendar.disclosure
    own_level = level.session_level if mirror.key.kind is EntryKind.SESSION else level.hold_level
    wanted = neutral(content, mirror.key.kind, own_level, words=waiting.words)
    if wanted == sighting.content:
        return None
    return Put(
        entry=Entry(key=mirror.key, session_id=mirror.session_id, content=wanted),
        ref=replace(mirror.ref, href=sighting.href, etag=sighting.etag),
        over=_fingerprint(sighting),
    )


def _content(session: Session) -> Content:
    """Return what stands for an event that was made into what we never write, such as an all-day one."""
    return Content(span=session.when.span, title="", location="", showing=Showing.CONFIRMED)


def _landed(by_key: Mapping[EntryKey, Mirror], outcomes: Sequence[Outcome]) -> Iterator[Mirror]:
    for outcome in outcomes:
        mirror = by_key[outcome.key]
        match outcome:
            case Written(ref=ref, seen=seen):
                yield replace(mirror, ref=ref, seen=seen, former_etag=mirror.ref.etag)
            case Failed(error=MissingError()):
                yield replace(mirror, seen=None, state=MirrorState.ABSENT)
            case _:
                pass


def _raise_what_concerns_all(outcomes: Sequence[Outcome], calendar: Calendar) -> None:
    """Raise what keeps the whole calendar from being written; log how many single events wait on."""
    errors = [outcome.error for outcome in outcomes if isinstance(outcome, Failed)]
    single = [error for error in errors if isinstance(error, RefusedError | EditConflictError)]
    if single:
        log.warning("erasure_waits", calendar=str(calendar.id), entries=len(single))
    for error in errors:
        if not isinstance(error, RefusedError | EditConflictError | MissingError):
            raise error


def _mirror_of(mirror: Mirror, sighting: Sighting) -> Mirror:
    ref = replace(mirror.ref, href=sighting.href, etag=sighting.etag)
    return replace(mirror, ref=ref, seen=_fingerprint(sighting))


def _fingerprint(sighting: Sighting) -> str:
    return sighting.content.fingerprint if sighting.content is not None else ""
