"""Compare what a calendar should show with what we know it shows, and say what to do. Nothing is done here."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID, uuid5

from connector.domain.entry import Content, Entry, EntryKey

_NAMES = UUID("6c0f4a52-1b5e-4f0e-9a38-5f1d5b0c7e21")
_DIGITS = re.compile("[0-9a-f]{32}")
_VERSION = 5
_EARLIER = 8
_KIN = len("00000000-0000-5000")  # sixty bits of chance


class MirrorState(StrEnum):
    """What we know of a remote event."""

    UNKNOWN = "unknown"  # we meant to write it, and do not know whether that happened
    PRESENT = "present"
    ABSENT = "absent"  # confirmed; the row stays because its remote name is spent


@dataclass(frozen=True, slots=True, kw_only=True)
class Ref:
    """Where an entry lives in a calendar.

    `name` is ours: the event's UID and the stem of its address, new for each `generation`, since services do not let a
    deleted name be used again. `href` is the address or id the service gave it, `etag` its last known version.
    """

    name: str
    generation: int = 1
    href: str | None = None
    etag: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Mirror:
    """The tie between an entry and its remote event.

    `seen` is the fingerprint last written or read there; `ends_at` when it ends there, as far as that counts.
    `former_etag` is its version before our last write or removal: no service gives one out twice, so an event that has
    it again has been set back.
    """

    key: EntryKey
    session_id: UUID
    ref: Ref
    seen: str | None
    state: MirrorState
    ends_at: datetime
    former_etag: str | None = None

    @property
    def stands(self) -> bool:
        """Whether the event is there, as far as we know, or may be."""
        return self.state is not MirrorState.ABSENT


@dataclass(frozen=True, slots=True, kw_only=True)
class Put:
    """Make the remote event show the entry: create it if it is not there, else change only what is ours.

    `over` is the fingerprint last seen there; None where nothing was. Where something stands by now that is neither
    that nor what is wanted, somebody has written in between, and who wins is not the adapter's to decide:
    EditConflictError.
    """

    entry: Entry
    ref: Ref
    over: str | None = None

    @property
    def key(self) -> EntryKey:
        """Which entry."""
        return self.entry.key

    @property
    def session_id(self) -> UUID:
        """Which session it belongs to."""
        return self.entry.session_id


@dataclass(frozen=True, slots=True, kw_only=True)
class Remove:
    """Make sure the remote event is not there."""

    key: EntryKey
    session_id: UUID
    ref: Ref


Action = Put | Remove


@dataclass(frozen=True, slots=True, kw_only=True)
class Sighting:
    """An event of ours as it was read in a calendar.

    `content` is None where the practitioner has made of it what we never write (an all-day or a recurring event).
    """

    href: str
    etag: str | None
    content: Content | None


def name_for(calendar_id: UUID, key: EntryKey, generation: int) -> str:
    """Return the remote name of an entry: unguessable, and different in every calendar and generation.

    It begins alike in all generations (`kin`), so that one which was made after a back-up, of whatever generation, is
    known by the database that the back-up brings back.
    """
    first = former_name(calendar_id, key, 1)
    return first if generation == 1 else first[:_KIN] + former_name(calendar_id, key, generation)[_KIN:]


def former_name(calendar_id: UUID, key: EntryKey, generation: int) -> str:
    """Return the name that earlier versions gave: a generation after the first began like no other."""
    return str(uuid5(_NAMES, f"{calendar_id}/{key}/{generation}"))


def kin(name: str) -> str:
    """Return how every name begins of the entry that goes by this one in its calendar."""
    return name[:_KIN]


def earlier_names(calendar_id: UUID, key: EntryKey, generation: int) -> Iterator[str]:
    """Yield the names an entry may have gone by before: the first, and the latest of those before this generation.

    A restore leaves many generations out, so not every one was ever used.
    """
    latest = range(max(2, generation - _EARLIER), generation)
    for earlier in ([1] if generation > 1 else []) + list(latest):
        yield name_for(calendar_id, key, earlier)
        if earlier > 1:
            yield former_name(calendar_id, key, earlier)


def name_in(text: str) -> str | None:
    """Return the name of ours that a UID, an id or a mark is, however a service spells it; None if it is none.

    It is one if it has the form of our names, a UUID of version 5: those of other programs nearly always have another.
    """
    digits = text.strip().partition("@")[0].lower().replace("-", "")
    if not _DIGITS.fullmatch(digits):
        return None
    uuid = UUID(digits)
    return str(uuid) if uuid.version == _VERSION else None


def plan(
    entries: Iterable[Entry], mirrors: Iterable[Mirror], *, calendar_id: UUID, leave: Collection[EntryKey] = ()
) -> Iterator[Action]:
    """Yield creations, then changes, then removals: a time is never seen free while it changes hands.

    `leave` names entries that nothing is done about for now: somebody has changed them, and it is not yet known what
    that means.
    """
    entry_by_key = {entry.key: entry for entry in entries}
    mirror_by_key = {mirror.key: mirror for mirror in mirrors}
    changes: list[Put] = []
    for key, entry in entry_by_key.items():
        if key in leave:
            continue
        mirror = mirror_by_key.get(key)
        if mirror is None or mirror.state is MirrorState.ABSENT:
            yield _creation(entry, calendar_id, generation=mirror.ref.generation + 1 if mirror else 1)
        elif (change := _change(entry, mirror)) is not None:
            changes.append(change)
    yield from changes
    for key, mirror in mirror_by_key.items():
        if key not in entry_by_key and mirror.state is not MirrorState.ABSENT:
            yield Remove(key=key, session_id=mirror.session_id, ref=mirror.ref)


def _creation(entry: Entry, calendar_id: UUID, *, generation: int) -> Put:
    name = name_for(calendar_id, entry.key, generation)
    return Put(entry=entry, ref=Ref(name=name, generation=generation))


def _change(entry: Entry, mirror: Mirror) -> Put | None:
    """Return what makes an event show its entry; None if it does already."""
    if mirror.state is MirrorState.UNKNOWN:
        return Put(entry=entry, ref=mirror.ref, over=mirror.seen)
    if mirror.seen != entry.content.fingerprint:
        return Put(entry=entry, ref=mirror.ref, over=mirror.seen)
    return None
