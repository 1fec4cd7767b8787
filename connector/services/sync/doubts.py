"""Look again at events that may have been written without our knowing. See docs/decisions/0020.

A worker that has lost its claim may have written something that its successor knows nothing of, long after that has
looked. It is ours, so it is never taken for something the practitioner has done; what is theirs is left to the pull.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from uuid import uuid4

import structlog

from connector.domain.connection import Calendar
from connector.domain.entry import EntryKey
from connector.domain.reconcile import Action, Mirror, MirrorState, Remove, Sighting
from connector.ports import Failed, RemoteCalendar
from connector.storage import doubts, ledger, mirrors, people, remote_changes
from connector.storage.database import Database
from connector.storage.doubts import Doubt
from connector.storage.fence import Fence, fenced
from connector.storage.ledger import Key, Kind, Urgency

log = structlog.get_logger(__name__)


def leave(database: Database, calendar: Calendar, actions: Sequence[Action], *, now: datetime) -> None:
    """Have everything looked at again that may have been done under a claim that is lost.

    This alone is recorded without a claim: it can only make somebody look.
    """
    new = [doubts.of_action(action) for action in actions]
    later = [replace(doubt, id=uuid4(), wrote=None) for doubt in new]  # a request may land after the first look
    with database.begin() as db:
        people.practitioner(db, calendar.practitioner_id, lock=True)
        is_known = doubts.add(db, calendar.id, new, look_at=now)
        if is_known:
            doubts.put_off(db, calendar.id, later, look_at=now + ledger.LEASE)
            ledger.touch(db, Key(Kind.CALENDAR, str(calendar.id)), due_at=now, lane=calendar.lane)
    log.warning("claim_lost", calendar=str(calendar.id), in_doubt=len(actions), disconnected=not is_known)


def settle(
    database: Database, calendar: Calendar, remote: RemoteCalendar, due: Sequence[Doubt], *, fence: Fence, now: datetime
) -> None:
    """Look at what is in doubt, remove what stands there for no entry, and note how the others stand.

    What is to be done about these the plan says, as always.

    Raises: ProviderError; then it stays in doubt.
    """
    with database.read() as db:
        stored = {mirror.key: mirror for mirror in mirrors.of_keys(db, calendar.id, {doubt.key for doubt in due})}
    fence.renew()
    refs = [_with_href(doubt, stored.get(doubt.key)).ref for doubt in due if _matters(doubt, stored.get(doubt.key))]
    sightings = remote.read(list({ref.name: ref for ref in refs}.values())) if refs else {}
    fence.renew()
    _remove(remote, list(_strays(due, stored, sightings)))
    seen = {doubt.key: mirror for doubt in due if (mirror := _as_it_stands(doubt, stored.get(doubt.key), sightings))}
    with fenced(database, fence) as db:
        people.practitioner(db, calendar.practitioner_id, lock=True)
        mirrors.record(db, calendar.id, seen.values())
        remote_changes.replace(db, calendar.id, list(seen), [])
        doubts.settle(db, [doubt.id for doubt in due])
        if any(_is_theirs(doubt, stored.get(doubt.key), sightings) for doubt in due):
            key = Key(Kind.PULL, str(calendar.id))
            ledger.touch(db, key, due_at=now, lane=calendar.lane, urgency=Urgency.LOOK)


def _is_current(doubt: Doubt, mirror: Mirror | None) -> bool:
    """Whether an entry still goes by the name that is in doubt."""
    return mirror is not None and mirror.ref.name == doubt.ref.name


def _with_href(doubt: Doubt, mirror: Mirror | None) -> Doubt:
    if mirror is not None and _is_current(doubt, mirror) and mirror.ref.href is not None:
        return replace(doubt, ref=mirror.ref)
    return doubt


def _matters(doubt: Doubt, mirror: Mirror | None) -> bool:
    """Whether anything is to be learned: where nobody knows what was written, only from what should not stand."""
    return doubt.wrote is not None or not _is_current(doubt, mirror) or (mirror is not None and not mirror.stands)


def _strays(
    due: Sequence[Doubt], stored: Mapping[EntryKey, Mirror], sightings: Mapping[str, Sighting | None]
) -> Iterator[Remove]:
    """Yield how to remove what stands under a name that no entry goes by any more."""
    for doubt in due:
        sighting = sightings.get(doubt.ref.name)
        if sighting is not None and not _is_current(doubt, stored.get(doubt.key)):
            ref = replace(doubt.ref, href=sighting.href, etag=sighting.etag)
            yield Remove(key=doubt.key, session_id=doubt.session_id, ref=ref)


def _remove(remote: RemoteCalendar, removes: Sequence[Remove]) -> None:
    for outcome in remote.apply(removes) if removes else ():
        if isinstance(outcome, Failed):
            raise outcome.error


def _as_it_stands(doubt: Doubt, mirror: Mirror | None, sightings: Mapping[str, Sighting | None]) -> Mirror | None:
    """Return the mirror of an event that is not as it is known to be, and is so by our own doing; else None."""
    if mirror is None or not _is_current(doubt, mirror) or doubt.ref.name not in sightings:
        return None
    sighting = sightings[doubt.ref.name]
    if sighting is None:
        if mirror.state is MirrorState.PRESENT and doubt.wrote != "":
            return None
        return replace(mirror, seen=None, state=MirrorState.ABSENT)
    seen = _fingerprint(sighting)
    if mirror.state is MirrorState.PRESENT and (seen == mirror.seen or seen != doubt.wrote):
        return None
    ref = replace(mirror.ref, href=sighting.href, etag=sighting.etag)
    ends_at = sighting.content.span.end if sighting.content is not None else mirror.ends_at
    return replace(mirror, ref=ref, seen=seen, state=MirrorState.PRESENT, ends_at=ends_at)


def _is_theirs(doubt: Doubt, mirror: Mirror | None, sightings: Mapping[str, Sighting | None]) -> bool:
    """Whether an event has changed in a way that is not ours: a pull finds out what it means."""
    if mirror is None or mirror.state is not MirrorState.PRESENT or not _is_current(doubt, mirror):
        return False
    if doubt.ref.name not in sightings or _as_it_stands(doubt, mirror, sightings) is not None:
        return False
    sighting = sightings[doubt.ref.name]
    return sighting is None or _fingerprint(sighting) != mirror.seen


def _fingerprint(sighting: Sighting) -> str:
    return sighting.content.fingerprint if sighting.content is not None else ""
