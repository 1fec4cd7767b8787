"""What a change feed means: a read of our events yields remote changes, and those that have settled count.

What a practitioner does in their calendar comes in bits: an event is dragged, dropped, dragged on, or deleted and
brought back. So a move or a deletion does not count at first: it is settling. It counts when a direct read after the
settling time finds the same. An echo of our own write means nothing, and a touch of what is not ours is kept.
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
    """A change that is settling: it does not count yet.

    Attributes:
        kind: DELETED, MOVED or RESHAPED.
        since: When it was first seen so, aware UTC.
        expected: Where the event should have stood then. A decision that changes this overrules the change.
        actual: Where it stands; None unless it was moved.
        accepted: The practitioner has said that they meant it, so it does not count for the circuit breaker.
    """

    key: EntryKey
    kind: ChangeKind
    since: datetime
    expected: Span
    actual: Span | None = None
    accepted: bool = False

    def overruled(self, content: Content | None) -> bool:
        """Whether it was decided since that the event stands elsewhere, or nowhere: then it is written all the same."""
        return content is None or content.span != self.expected

    def is_due(self, now: datetime, settling: timedelta) -> bool:
        """Whether it is time for the direct read that decides."""
        return now >= self.since + settling


@dataclass(frozen=True, slots=True, kw_only=True)
class SettledChange:
    """A change that counts: `kind` is what was done to the event of `mirror`, `to` where it stands if it was moved."""

    mirror: Mirror
    kind: ChangeKind
    to: Span | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """What a read says of one event: its mirror from now on, the change that is settling, and the one that counts."""

    mirror: Mirror
    remote_change: RemoteChange | None = None
    settled_change: SettledChange | None = None


def observations(
    mirrors: Iterable[Mirror],
    sightings: Mapping[str, Sighting | None],
    contents: Mapping[EntryKey, Content],
    remote_changes: Mapping[EntryKey, RemoteChange],
    *,
    hidden: Collection[EntryKey] = (),
    put_right: Collection[EntryKey] = (),
    now: datetime,
    settling: timedelta,
) -> Iterator[Observation]:
    """Yield one observation for each mirror whose event was read.

    Args:
        mirrors: As they were before the read. One in doubt is left alone: its event may be a write of our own.
        sightings: By remote name, what a direct read found; None is a confirmed absence. Only names that were read.
        contents: What each entry should show now; an entry that is not wanted is missing.
        remote_changes: The changes that are settling so far.
        hidden: Entries that their practitioner has deleted and not yet said why.
        put_right: Entries that stand otherwise than they should by nobody's wish: that means nothing.
        now: Aware UTC, not later than the read.
        settling: How long a change must last before it counts.
    """
    for mirror in mirrors:
        if mirror.ref.name not in sightings or mirror.state is MirrorState.UNKNOWN:
            continue
        sighting = sightings[mirror.ref.name]
        content, previous = contents.get(mirror.key), remote_changes.get(mirror.key)
        if mirror.key in put_right:
            yield Observation(mirror=_mirror_of(mirror, sighting) if sighting is not None else _gone(mirror))
        elif sighting is None:
            yield _absent(mirror, content, previous, hidden=mirror.key in hidden, now=now, settling=settling)
        else:
            yield _present(mirror, sighting, content, previous, hidden=mirror.key in hidden, now=now, settling=settling)


def _absent(
    mirror: Mirror,
    content: Content | None,
    previous: RemoteChange | None,
    *,
    hidden: bool,
    now: datetime,
    settling: timedelta,
) -> Observation:
    """Say what it means that the event of `mirror` is not there."""
    new_mirror = _gone(mirror)
    if content is None or hidden or content.span.end <= now:  # what is over may be tidied away
        return Observation(mirror=new_mirror)
    was_absent = mirror.state is MirrorState.ABSENT
    if was_absent and (previous is None or previous.overruled(content)):
        return Observation(mirror=new_mirror, remote_change=previous)  # nothing new, or about to be written again
    expected = _expected_span(mirror, content)
    new_change = RemoteChange(key=mirror.key, kind=ChangeKind.DELETED, since=now, expected=expected)
    return _settle(new_mirror, new_change, previous, now, settling)


def _present(
    mirror: Mirror,
    sighting: Sighting,
    content: Content | None,
    previous: RemoteChange | None,
    *,
    hidden: bool,
    now: datetime,
    settling: timedelta,
) -> Observation:
    """Say what it means that the event of `mirror` is there and reads as `sighting`."""
    if content is None:
        return Observation(mirror=_mirror_of(mirror, sighting))
    is_back = hidden and mirror.state is MirrorState.ABSENT
    if is_back:
        mirror = replace(mirror, ends_at=content.span.end)  # nothing was to be written there meanwhile
    new_mirror = _mirror_of(mirror, sighting)
    if is_back and sighting.content is not None and sighting.content.span == content.span:
        return Observation(mirror=new_mirror, settled_change=SettledChange(mirror=new_mirror, kind=ChangeKind.RETURNED))
    if new_mirror.seen == content.fingerprint:
        return _as_expected(mirror, replace(new_mirror, ends_at=content.span.end))
    if new_mirror.seen == mirror.seen and (previous is None or previous.overruled(content)):
        # Nobody has changed the event: what it should show has changed, and is about to be written.
        return Observation(mirror=new_mirror, remote_change=previous)
    new_change = _change_of(mirror, sighting.content, content, now)
    if new_change is None:
        return Observation(mirror=new_mirror, settled_change=SettledChange(mirror=new_mirror, kind=ChangeKind.EDITED))
    return _settle(new_mirror, new_change, previous, now, settling)


def _gone(mirror: Mirror) -> Mirror:
    """Return the mirror of an event that is not there."""
    return replace(mirror, seen=None, state=MirrorState.ABSENT)


def _mirror_of(mirror: Mirror, sighting: Sighting) -> Mirror:
    """Return the mirror of an event that was read."""
    return replace(
        mirror,
        ref=replace(mirror.ref, href=sighting.href, etag=sighting.etag),
        seen=sighting.content.fingerprint if sighting.content is not None else "",
        state=MirrorState.PRESENT,
    )


def _as_expected(mirror: Mirror, new_mirror: Mirror) -> Observation:
    """Say what it means that an event shows what it should: it was touched at most."""
    if new_mirror == mirror:
        return Observation(mirror=new_mirror)
    return Observation(mirror=new_mirror, settled_change=SettledChange(mirror=new_mirror, kind=ChangeKind.TOUCHED))


def _change_of(mirror: Mirror, actual: Content | None, content: Content, now: datetime) -> RemoteChange | None:
    """Return the change by which an event shows `actual` instead of `content`; None for an edit: it counts at once."""
    expected = _expected_span(mirror, content)
    if actual is None:
        return RemoteChange(key=mirror.key, kind=ChangeKind.RESHAPED, since=now, expected=expected)
    if actual.span != content.span:
        return RemoteChange(key=mirror.key, kind=ChangeKind.MOVED, since=now, expected=expected, actual=actual.span)
    return None


def _settle(
    mirror: Mirror, new_change: RemoteChange, previous: RemoteChange | None, now: datetime, settling: timedelta
) -> Observation:
    """Let a change that is still the same go on settling, or begin anew: the last place counts."""
    if previous is None or replace(new_change, since=previous.since, accepted=previous.accepted) != previous:
        return Observation(mirror=mirror, remote_change=new_change)
    if not previous.is_due(now, settling):
        return Observation(mirror=mirror, remote_change=previous)
    if new_change.actual is not None:
        mirror = replace(mirror, ends_at=new_change.actual.end)
    return Observation(
        mirror=mirror,
        remote_change=previous,
        settled_change=SettledChange(mirror=mirror, kind=new_change.kind, to=new_change.actual),
    )


def _expected_span(mirror: Mirror, content: Content) -> Span:
    """Return where an event should have stood when it was changed: elsewhere, if a decision is still to be written."""
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
        remote_changes: Those that are settling; only deletions count, and not those the practitioner has accepted.
    """
    deletions = [change for change in remote_changes if change.kind is ChangeKind.DELETED and not change.accepted]
    keys = {change.key for change in deletions if change.key in units}
    units_gone = {units[key] for key in keys}
    return Loss(gone=len(units_gone), known=len(set(units.values())), left=len(units) - len(keys))
