"""What stands in the calendars after a restore, compared with what the database says. See docs/decisions/0026."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import Connection

from connector.domain.connection import Calendar, ConnectionState
from connector.domain.connection import Connection as AccountConnection
from connector.domain.entry import Content, EntryKey, EntryKind
from connector.domain.notice import PauseReason
from connector.domain.reconcile import Mirror, earlier_names, former_name, kin, name_for
from connector.domain.span import Span
from connector.errors import ProviderError
from connector.ports import Account, Listed, RemoteCalendar, RemoteCalendarInfo
from connector.services.accounts import connect
from connector.services.policy import Policy
from connector.services.sync import comparison, push
from connector.storage import calendars, doubts, mirrors, offers, sessions
from connector.storage.database import Database

EVER = datetime.fromisoformat("1970-01-01T00:00:00+00:00")
LONG_OVER = timedelta(days=1)
_FORMER = 20  # so often an entry may have been made anew by earlier versions since the back-up and still be known


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """An event of ours in a calendar, and which entry it is; None if nobody knows."""

    listed: Listed
    key: EntryKey | None

    @property
    def span(self) -> Span | None:
        """When it is; None for what cannot be read."""
        return self.listed.sighting.content.span if self.listed.sighting.content is not None else None

    @property
    def name(self) -> str:
        """The remote name it was made under; where it stands, if that is not known."""
        return self.listed.name or self.listed.sighting.href


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One thing of which database and calendar say something else.

    `wanted` is where the database has it, `actual` where it stands; `what` is elsewhere, gone, left over or unknown.
    """

    what: str
    kind: str
    title: str
    wanted: Span | None = None
    actual: Span | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Elsewhere:
    """A calendar that takes no entries as the database has it, and in which `count` stand that nobody knows."""

    name: str
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Survey:
    """What stands in one calendar.

    Attributes:
        found: Our events there, but for copies that are the practitioner's own.
        chosen: Of these, one for each entry that stands.
        contents: What the database would have each entry show.
        mirrors: What the database knows to stand there; those of events that are gone included.
        elsewhere: Other calendars of the account that may be the target by now.
        error: Why nothing can be decided about it: it could not be read, or not be tidied.
    """

    calendar: Calendar
    found: tuple[Found, ...] = ()
    chosen: Mapping[EntryKey, Found] = field(default_factory=dict)
    contents: Mapping[EntryKey, Content]
    mirrors: Mapping[EntryKey, Mirror] = field(default_factory=dict)
    elsewhere: tuple[Elsewhere, ...] = ()
    error: str = ""

    @property
    def unknown(self) -> Sequence[Found]:
        """The events that nobody knows."""
        return [one for one in self.found if one.key is None]

    @property
    def doubles(self) -> Sequence[Found]:
        """The events of other generations of an entry than the one that is chosen.

        What has the name of that one is a copy somebody has made.
        """
        return [one for one in self.found if one.key is not None and self.chosen[one.key].name != one.name]

    def differences(self, now: datetime) -> Iterator[Difference]:
        """Yield what differs, the entries of the database first."""
        chosen, doubles = self.chosen, self.doubles
        for key, content in self.contents.items():
            about = {"kind": key.kind.value, "title": content.title, "wanted": content.span}
            if key not in chosen and content.span.end > now:
                yield Difference(what="gone", **about)  # type: ignore[arg-type]
            elif key in chosen and chosen[key].span not in (None, content.span):
                yield Difference(what="elsewhere", actual=chosen[key].span, **about)  # type: ignore[arg-type]
        for one in self.found:
            content_there = one.listed.sighting.content
            title = content_there.title if content_there else ""
            if one.key is None:
                yield Difference(what="unknown", kind="entry", title=title, actual=one.span)
            elif one.key not in self.contents or one in doubles:
                yield Difference(what="left over", kind=one.key.kind.value, title=title, actual=one.span)

    def where(self, key: EntryKey, expected: Span) -> Span | None:
        """Return where an entry stands; `expected` if nothing was done to it since the database saw it.

        A calendar that could not be written for long shows what was decided before: that is nothing new. Where a change
        was settling, what was seen is not yet when it counts as ending (`Mirror.ends_at`), and so it is new.
        """
        one, mirror = self.chosen.get(key), self.mirrors.get(key)
        content = one.listed.sighting.content if one is not None else None
        if content is None:
            return None
        is_as_seen = mirror is not None and mirror.seen == content.fingerprint and mirror.ends_at == content.span.end
        return expected if is_as_seen else content.span


def take(
    database: Database,
    policy: Policy,
    open_remote: Callable[[UUID], RemoteCalendar],
    *,
    open_account: Callable[[AccountConnection], Account] | None = None,
    before: bool = False,
    now: datetime,
) -> Sequence[Survey]:
    """Read every calendar that waits for the decision; with `before`, as it would be if a standstill began now.

    With `open_account`, the other calendars of each account are looked through as well: entries of ours that nobody
    knows stand there if the target was changed since.
    """
    with database.read() as db:
        targets = calendars.calendars_of(db)
    waiting = [one for one in targets if before or one.paused == PauseReason.RESTORED]
    taken = [_survey(database, policy, open_remote, calendar, now) for calendar in waiting]
    if open_account is None:
        return taken
    return [one if one.error else replace(one, elsewhere=_elsewhere(database, open_account, one, now)) for one in taken]


def _elsewhere(
    database: Database, open_account: Callable[[AccountConnection], Account], survey: Survey, now: datetime
) -> tuple[Elsewhere, ...]:
    """Look through the other calendars of an account; one that cannot be read says nothing."""
    with database.read() as db:
        connection = calendars.connection(db, survey.calendar.connection_id)
    account = open_account(connection)
    counts: dict[str, int] = {}
    with suppress(ProviderError):
        for info in account.calendars():
            if info.writable and not connect.is_same(survey.calendar, connection.provider, info):
                with suppress(ProviderError):
                    listed = account.open(info.remote_id).listing(now - LONG_OVER)
                    counts[info.name] = _count_unknown(database, connection, info, listed)
    return tuple(Elsewhere(name=name, count=count) for name, count in counts.items() if count)


def _count_unknown(
    database: Database, connection: AccountConnection, info: RemoteCalendarInfo, listed: Iterable[Listed]
) -> int:
    names = {one.name for one in listed if one.marked and one.name is not None}
    identity = connect.identity(connection.provider, info)
    with database.read() as db:
        if identity is not None and calendars.written_elsewhere(db, identity, besides=connection.id):
            return 0
        return len(names - mirrors.known_names(db, names) - doubts.known_names(db, names))


def _survey(
    database: Database,
    policy: Policy,
    open_remote: Callable[[UUID], RemoteCalendar],
    calendar: Calendar,
    now: datetime,
) -> Survey:
    with database.read() as db:
        contents = push.picture(db, policy, calendar.id, now=now).contents
        stored = {mirror.key: mirror for mirror in mirrors.all_in(db, calendar.id)}
        connection = calendars.connection(db, calendar.connection_id)
    if connection.state is not ConnectionState.OK:
        return Survey(calendar=calendar, contents=contents, error="its access is no longer accepted; reconnect it")
    try:
        listed = open_remote(calendar.id).listing(now - LONG_OVER)
    except ProviderError as error:
        return Survey(calendar=calendar, contents=contents, error=str(error))
    with database.read() as db:
        keys = _keys(db, calendar, listed, stored)
        found = tuple(_found(db, calendar, listed, keys))
    chosen = _chosen(calendar.id, found, contents, stored)
    return Survey(calendar=calendar, contents=contents, mirrors=stored, found=found, chosen=chosen)


def _found(
    db: Connection, calendar: Calendar, listed: Iterable[Listed], keys: Mapping[str, EntryKey]
) -> Iterator[Found]:
    """Yield what is an entry of this calendar, and what bears our mark and is known nowhere: not copies of others."""
    found = [Found(listed=one, key=keys.get(one.name or "")) for one in listed]
    others = {one.name: one.listed.sighting for one in found if one.key is None and one.listed.marked}
    unknown = {entry.name for entry in comparison.unknown_of(db, calendar, others)}
    if unknown:
        unknown -= _known_elsewhere(db, calendar, unknown)
    for one in found:
        if one.key is not None or one.name in unknown:
            yield one


def _chosen(
    calendar_id: UUID,
    found: Iterable[Found],
    contents: Mapping[EntryKey, Content],
    stored: Mapping[EntryKey, Mirror],
) -> Mapping[EntryKey, Found]:
    """Return one event for each entry that stands: one that was made anew since, else the one at its address.

    Of several with its name and none at its address, the one that stands where it should.
    """

    def rank(key: EntryKey, one: Found) -> tuple[bool, bool, bool]:
        mirror, content = stored.get(key), contents.get(key)
        is_in_place = content is not None and one.span == content.span
        if mirror is None:
            return False, False, is_in_place
        names = {mirror.ref.name, *earlier_names(calendar_id, key, mirror.ref.generation)}
        return one.name not in names, one.listed.sighting.href == mirror.ref.href, is_in_place

    chosen: dict[EntryKey, Found] = {}
    for one in found:
        if one.key is not None and (one.key not in chosen or rank(one.key, one) > rank(one.key, chosen[one.key])):
            chosen[one.key] = one
    return chosen


def _known_elsewhere(db: Connection, calendar: Calendar, names: Iterable[str]) -> set[str]:
    """Return those of these names that an entry has in another calendar of the practitioner, made anew since."""
    entries = list(_entries_of(db, calendar.practitioner_id))
    others = [one.id for one in calendars.all_of(db, calendar.practitioner_id) if one.id != calendar.id]
    kinship = {kin(name_for(other, key, 1)) for other in others for key in entries}
    return {name for name in names if kin(name) in kinship}


def _keys(
    db: Connection, calendar: Calendar, listed: Iterable[Listed], stored: Mapping[EntryKey, Mirror]
) -> Mapping[str, EntryKey]:
    """Return which entry goes by each name: as a mirror has it, or as it was made anew since the back-up."""
    keys = {mirror.ref.name: key for key, mirror in stored.items()}
    others = {one.name for one in listed if one.name is not None} - keys.keys()
    if not others:
        return keys
    former_names: dict[str, EntryKey] = {}
    kinship: dict[str, EntryKey] = {}
    for key in _entries_of(db, calendar.practitioner_id):
        kinship[kin(name_for(calendar.id, key, 1))] = key
        first = stored[key].ref.generation if key in stored else 1
        for generation in range(2 if first < _FORMER else first, first + _FORMER):
            former_names[former_name(calendar.id, key, generation)] = key
    known = {name: former_names.get(name) or kinship.get(kin(name)) for name in others}
    return keys | {name: key for name, key in known.items() if key is not None}


def _entries_of(db: Connection, practitioner_id: UUID) -> Iterator[EntryKey]:
    for session in sessions.of_practitioner(db, practitioner_id, since=EVER):
        yield EntryKey(kind=EntryKind.SESSION, id=session.id)
        for offer in offers.of_session(db, session.id):
            for alternative in offer.alternatives:
                yield EntryKey(kind=EntryKind.HOLD, id=alternative.id)
