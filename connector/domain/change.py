"""What a change feed means for entries of ours: an echo of our own write, a touch to keep, or something to put back."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from connector.domain.entry import EntryKey
from connector.domain.reconcile import Mirror, MirrorState, Sighting


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What a mirror has become. `disturbed` is true where the practitioner changed or deleted what is ours."""

    mirror: Mirror
    disturbed: bool
    deleted: bool = False


def findings(
    mirrors: Iterable[Mirror], sightings: Mapping[str, Sighting | None], wanted: Mapping[EntryKey, str]
) -> Iterator[Finding]:
    """Yield what was learned of the mirrors that were read; those that show what they did yield nothing.

    Args:
        mirrors: What we knew.
        sightings: By remote name, what a direct read found; None is a confirmed absence. Only names that were read.
        wanted: The fingerprint each entry shall have now; an entry that is not wanted is missing.
    """
    for mirror in mirrors:
        if mirror.ref.name not in sightings:
            continue
        sighting = sightings[mirror.ref.name]
        expected = wanted.get(mirror.key)
        if sighting is None:
            gone = replace(mirror, seen=None, state=MirrorState.ABSENT)
            missed = mirror.state is MirrorState.PRESENT and expected is not None
            yield Finding(mirror=gone, disturbed=missed, deleted=missed)
            continue
        seen = sighting.content.fingerprint if sighting.content is not None else ""
        read = replace(
            mirror,
            ref=replace(mirror.ref, href=sighting.href, etag=sighting.etag),
            seen=seen,
            state=MirrorState.PRESENT,
        )
        if read != mirror:
            ours = seen in (mirror.seen, expected)  # an echo, or a touch that leaves our four things alone
            yield Finding(mirror=read, disturbed=expected is not None and not ours)
