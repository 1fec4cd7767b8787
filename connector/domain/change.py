"""What a change feed means: a look at our events becomes a suspicion and, once that has settled, something that counts.

What a practitioner does in their calendar comes in bits: an event is dragged, dropped, dragged on, or deleted and
brought back. So a move or a deletion is only suspected at first. It counts when a direct read after the settling time
finds the same. An echo of our own write means nothing, and a touch of what is not ours is kept.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from connector.domain.entry import Content, EntryKey
from connector.domain.reconcile import Mirror, MirrorState, Sighting
from connector.domain.span import Span


class ChangeKind(StrEnum):
    """What somebody did to an event of ours."""

    DELETED = "deleted"
    MOVED = "moved"
    RESHAPED = "reshaped"  # into what we never write: all-day, recurring, shown as free
    EDITED = "edited"  # title, place or status, which are ours; counts at once
    RETURNED = "returned"  # one they are asked about, having deleted it, stands again where it should; counts at once
    TOUCHED = "touched"  # notes, colour, reminders: theirs to keep; or back in its place before it counted


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteChange:
    """An act that does not count yet.

    Attributes:
        act: DELETED, MOVED or RESHAPED.
        since: When it was first seen so, aware UTC.
        wanted: Where the event should have stood then. A decision that changes this overrules what is suspected.
        found: Where it stands; None unless it was moved.
        accepted: The practitioner has said that they meant it, so it does not put on the brake.
    """

    key: EntryKey
    kind: ChangeKind
    since: datetime
    wanted: Span
    found: Span | None = None
    accepted: bool = False

    def overruled(self, content: Content | None) -> bool:
        """Whether it was decided since that the event stands elsewhere, or nowhere: then it is written all the same."""
        return content is None or content.span != self.wanted

    def is_due(self, now: datetime, settling: timedelta) -> bool:
        """Whether it is time for the direct read that decides."""
        return now >= self.since + settling


@dataclass(frozen=True, slots=True, kw_only=True)
class SettledChange:
    """Something that counts: `act` was done to the event of `mirror`; `to` is where it stands if it was moved."""

    mirror: Mirror
    kind: ChangeKind
    to: Span | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """What was learned of one event: how it is known now, what is suspected of it, and what counts."""

    mirror: Mirror
    remote_change: RemoteChange | None = None
    settled_change: SettledChange | None = None


def observations(
    mirrors: Iterable[Mirror],
    sightings: Mapping[str, Sighting | None],
    wanted: Mapping[EntryKey, Content],
    remote_changes: Mapping[EntryKey, RemoteChange],
    *,
    hidden: Collection[EntryKey] = (),
    now: datetime,
    settling: timedelta,
) -> Iterator[Observation]:
    """Yield what was learned of each mirror that was read.

    Args:
        mirrors: What we knew. One in doubt is left alone: what stands there may be a write of our own.
        sightings: By remote name, what a direct read found; None is a confirmed absence. Only names that were read.
        wanted: What each entry shall show now; an entry that is not wanted is missing.
        remote_changes: What is suspected so far.
        hidden: Entries that their practitioner has deleted and not yet said why.
        now: Aware UTC, not later than the read.
        settling: How long an act must last before it counts.
    """
    for mirror in mirrors:
        if mirror.ref.name not in sightings or mirror.state is MirrorState.UNKNOWN:
            continue
        sighting = sightings[mirror.ref.name]
        content, earlier = wanted.get(mirror.key), remote_changes.get(mirror.key)
        if sighting is None:
            yield _absent(mirror, content, earlier, hidden=mirror.key in hidden, now=now, settling=settling)
        else:
            yield _present(mirror, sighting, content, earlier, hidden=mirror.key in hidden, now=now, settling=settling)


def _absent(
    mirror: Mirror,
    content: Content | None,
    earlier: RemoteChange | None,
    *,
    hidden: bool,
    now: datetime,
    settling: timedelta,
) -> Observation:
    gone = replace(mirror, seen=None, state=MirrorState.ABSENT)
    if content is None or hidden or content.span.end <= now:  # what is over may be tidied away
        return Observation(mirror=gone)
    if mirror.state is MirrorState.ABSENT and earlier is None:
        return Observation(mirror=gone)
    if earlier is not None and earlier.overruled(content) and mirror.state is MirrorState.ABSENT:
        return Observation(mirror=gone, remote_change=earlier)  # about to be written again
    fresh = RemoteChange(key=mirror.key, kind=ChangeKind.DELETED, since=now, wanted=_stood(mirror, content))
    return _weighed(gone, fresh, earlier, now, settling)


def _present(
    mirror: Mirror,
    sighting: Sighting,
    content: Content | None,
    earlier: RemoteChange | None,
    *,
    hidden: bool,
    now: datetime,
    settling: timedelta,
) -> Observation:
    back = hidden and mirror.state is MirrorState.ABSENT
    if back and content is not None:
        mirror = replace(mirror, ends_at=content.span.end)  # nothing was to be written there meanwhile
    found = sighting.content
    seen = found.fingerprint if found is not None else ""
    read = replace(
        mirror,
        ref=replace(mirror.ref, href=sighting.href, etag=sighting.etag),
        seen=seen,
        state=MirrorState.PRESENT,
    )
    if content is None:
        return Observation(mirror=read)
    if back and found is not None and found.span == content.span:
        return Observation(mirror=read, settled_change=SettledChange(mirror=read, kind=ChangeKind.RETURNED))
    if seen == content.fingerprint:
        read = replace(read, ends_at=content.span.end)
        return Observation(
            mirror=read, settled_change=SettledChange(mirror=read, kind=ChangeKind.TOUCHED) if read != mirror else None
        )
    if seen == mirror.seen and (earlier is None or earlier.overruled(content)):
        return Observation(
            mirror=read, remote_change=earlier
        )  # what is wanted has changed since, and is about to be written
    if found is None:
        fresh = RemoteChange(key=mirror.key, kind=ChangeKind.RESHAPED, since=now, wanted=_stood(mirror, content))
        return _weighed(read, fresh, earlier, now, settling)
    if found.span != content.span:
        stood = _stood(mirror, content)
        fresh = RemoteChange(key=mirror.key, kind=ChangeKind.MOVED, since=now, wanted=stood, found=found.span)
        return _weighed(read, fresh, earlier, now, settling)
    return Observation(mirror=read, settled_change=SettledChange(mirror=read, kind=ChangeKind.EDITED))


def _weighed(
    mirror: Mirror, fresh: RemoteChange, earlier: RemoteChange | None, now: datetime, settling: timedelta
) -> Observation:
    """Go on with a suspicion that is still the same, or begin anew: the last place counts."""
    if earlier is None or replace(fresh, since=earlier.since, accepted=earlier.accepted) != earlier:
        return Observation(mirror=mirror, remote_change=fresh)
    if not earlier.is_due(now, settling):
        return Observation(mirror=mirror, remote_change=earlier)
    if fresh.found is not None:
        mirror = replace(mirror, ends_at=fresh.found.end)
    return Observation(
        mirror=mirror,
        remote_change=earlier,
        settled_change=SettledChange(mirror=mirror, kind=fresh.kind, to=fresh.found),
    )


def _stood(mirror: Mirror, content: Content) -> Span:
    """Return where an event should have stood when it was touched: elsewhere, if a decision is still to be written."""
    if mirror.ends_at == content.span.end:
        return content.span
    return Span.of(mirror.ends_at - content.span.duration, mirror.ends_at)


@dataclass(frozen=True, slots=True, kw_only=True)
class Loss:
    """How much of ours is gone from a calendar, in units: a session's event is one, all holds of an offer are one.

    `left` counts the entries that stand.
    """

    gone: int
    known: int
    left: int

    @property
    def is_emptied(self) -> bool:
        """Whether nothing of ours is left of what was more than one."""
        return not self.left and self.known > 1

    @property
    def is_shrunken(self) -> bool:
        """Whether more is gone than a person deletes in one go: more than three, and more than a fifth."""
        return self.gone > max(_FEW, self.known * _SHARE)


_FEW, _SHARE = 3, 0.2


def loss(units: Mapping[EntryKey, object], remote_changes: Iterable[RemoteChange]) -> Loss:
    """Count what is gone.

    Args:
        units: By the key of each entry that is to come and was known to stand in the calendar: what it is counted with.
        remote_changes: What is suspected; only deletions count, and not those the practitioner has accepted.
    """
    gone = {s.key for s in remote_changes if s.kind is ChangeKind.DELETED and not s.accepted and s.key in units}
    units_gone = {units[key] for key in gone}
    return Loss(gone=len(units_gone), known=len(set(units.values())), left=len(units) - len(gone))
