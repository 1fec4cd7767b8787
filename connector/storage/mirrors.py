"""The ties between entries and their remote events."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Row, and_, bindparam, insert, or_, select, update

from connector.domain.entry import EntryKey, EntryKind
from connector.domain.reconcile import Mirror, MirrorState, Ref, Remove, earlier_names
from connector.domain.session import SessionState
from connector.storage.database import chunks
from connector.storage.tables import calendars, formers, mirrors, sessions


def active(
    db: Connection, calendar_id: UUID, *, since: datetime, or_sessions: Collection[UUID] = ()
) -> Sequence[Mirror]:
    """Return the mirrors that work can concern; what took place before `since` and stands where it should is left out.

    That is: ending after `since`, in doubt, of one of these sessions, or astray, however long ago: a hold that still
    stands, the event of a session that was cancelled, or one that stands at another time than its session.
    """
    is_astray = or_(
        mirrors.c.key.startswith(f"{EntryKind.HOLD}:"),
        sessions.c.state != SessionState.BOOKED.value,
        sessions.c.ends_at != mirrors.c.ends_at,
    )
    is_concerned = or_(
        mirrors.c.ends_at > since,
        mirrors.c.state == MirrorState.UNKNOWN.value,
        mirrors.c.session_id.in_(or_sessions),
        and_(mirrors.c.state == MirrorState.PRESENT.value, is_astray),
    )
    joined = mirrors.join(sessions, sessions.c.id == mirrors.c.session_id)
    rows = db.execute(select(mirrors).select_from(joined).where(mirrors.c.calendar_id == calendar_id, is_concerned))
    return [_mirror(row) for row in rows]


def every(
    db: Connection, calendar_id: UUID, *, or_keys: Collection[EntryKey] = (), since: datetime | None = None
) -> Sequence[Mirror]:
    """Return every mirror of a calendar whose event is not confirmed to be gone, and those of these keys.

    With `since`, what ended before is left out.
    """
    is_alive = mirrors.c.state != MirrorState.ABSENT.value
    if since is not None:
        is_alive = and_(is_alive, mirrors.c.ends_at > since)
    is_concerned = or_(is_alive, mirrors.c.key.in_([str(key) for key in or_keys])) if or_keys else is_alive
    return [
        _mirror(row) for row in db.execute(select(mirrors).where(mirrors.c.calendar_id == calendar_id, is_concerned))
    ]


def all_in(db: Connection, calendar_id: UUID) -> Sequence[Mirror]:
    """Return every mirror of a calendar, those of events that are gone included."""
    return [_mirror(row) for row in db.execute(select(mirrors).where(mirrors.c.calendar_id == calendar_id))]


def named(db: Connection, word: str) -> Sequence[tuple[UUID, Mirror]]:
    """Return the mirrors, each with its calendar, whose event goes by this name, id or address at its service."""
    is_named = or_(
        mirrors.c.name == word,
        mirrors.c.href == word,
        mirrors.c.key == word,
        mirrors.c.href.endswith(f"/{word}", autoescape=True),
    )
    return [(row.calendar_id, _mirror(row)) for row in db.execute(select(mirrors).where(is_named))]


def hrefs(db: Connection, practitioner_id: UUID, *, since: datetime) -> Collection[str]:
    """Return where entries of ours that end after `since` stand, or stood, in any calendar of a practitioner."""
    joined = mirrors.join(calendars, calendars.c.id == mirrors.c.calendar_id)
    own = and_(calendars.c.practitioner_id == practitioner_id, mirrors.c.href.is_not(None), mirrors.c.ends_at > since)
    return set(db.execute(select(mirrors.c.href).select_from(joined).where(own)).scalars())


def doubt(db: Connection, calendar_id: UUID, keys: Collection[EntryKey], *, unseen: bool = False) -> None:
    """Note, before the call, that events are about to be changed, or removed (`unseen`): until then in doubt."""
    if keys:
        own = (mirrors.c.calendar_id == calendar_id) & mirrors.c.key.in_([str(key) for key in keys])
        values = {"state": MirrorState.UNKNOWN.value} | ({"seen": None} if unseen else {})
        db.execute(update(mirrors).where(own).values(values))


def of_keys(db: Connection, calendar_id: UUID, keys: Collection[EntryKey]) -> Sequence[Mirror]:
    """Return the mirrors of these entries in a calendar."""
    own = (mirrors.c.calendar_id == calendar_id) & mirrors.c.key.in_([str(key) for key in keys])
    return [_mirror(row) for row in db.execute(select(mirrors).where(own))]


def of_session(db: Connection, session_id: UUID) -> Sequence[tuple[UUID, Mirror]]:
    """Return the mirrors of a session with the calendar each is in."""
    rows = db.execute(select(mirrors).where(mirrors.c.session_id == session_id))
    return [(row.calendar_id, _mirror(row)) for row in rows]


def intend(db: Connection, calendar_id: UUID, creations: Iterable[Mirror], stored_keys: Collection[EntryKey]) -> None:
    """Note, before the first call, what is about to be created: rows in state unknown, new or with a new generation."""
    new_rows: list[dict[str, Any]] = []
    stored_rows: list[dict[str, Any]] = []
    for mirror in creations:
        (stored_rows if mirror.key in stored_keys else new_rows).append({"calendar_id": calendar_id} | _columns(mirror))
    if new_rows:
        db.execute(insert(mirrors), new_rows)
    _keep_formers(db, calendar_id, [row["key"] for row in stored_rows])
    _update(db, stored_rows)


def absent_at(db: Connection, calendar_id: UUID, hrefs: Collection[str]) -> Sequence[Mirror]:
    """Return the mirrors whose event was confirmed to be gone, but which are told to stand at one of these hrefs."""
    absent: list[Mirror] = []
    for chunk in chunks(hrefs):
        is_absent = (mirrors.c.state == MirrorState.ABSENT.value) & mirrors.c.href.in_(chunk)
        rows = db.execute(select(mirrors).where(mirrors.c.calendar_id == calendar_id, is_absent))
        absent += [_mirror(row) for row in rows]
    return absent


def absent_of(db: Connection, calendar_id: UUID, among: Iterable[Mirror]) -> Sequence[Mirror]:
    """Return those of these mirrors whose event is still taken to be gone, as they are stored now."""
    return absent_at(db, calendar_id, [mirror.ref.href for mirror in among if mirror.ref.href is not None])


def former_at(db: Connection, calendar_id: UUID, hrefs: Collection[str]) -> Sequence[Remove]:
    """Return how to remove the events at these hrefs that were made anew since: somebody has brought them back."""
    removes: list[Remove] = []
    for chunk in chunks(hrefs):
        own = (formers.c.calendar_id == calendar_id) & formers.c.href.in_(chunk)
        for row in db.execute(select(formers).where(own)):
            ref = Ref(name=row.href, href=row.href)
            removes.append(Remove(key=EntryKey.parse(row.key), session_id=row.session_id, ref=ref))
    return removes


def known_names(db: Connection, names: Collection[str]) -> set[str | None]:
    """Return those of these remote names that an entry goes by, in any calendar of the installation."""
    known: set[str | None] = set()
    for chunk in chunks(names):
        known |= set(db.execute(select(mirrors.c.name).where(mirrors.c.name.in_(chunk))).scalars())
    return known


def named_in(db: Connection, calendar_id: UUID, names: Collection[str]) -> Sequence[Mirror]:
    """Return the mirrors of a calendar that go by these names, and those that have gone by others."""
    by_name: dict[str, Mirror] = {}
    for chunk in [*chunks(names), []]:
        is_concerned = mirrors.c.name.in_(chunk) if chunk else mirrors.c.generation > 1
        rows = db.execute(select(mirrors).where(mirrors.c.calendar_id == calendar_id, is_concerned))
        by_name |= {row.name: _mirror(row) for row in rows}
    return list(by_name.values())


def names(db: Connection, practitioner_id: UUID, *, since: datetime) -> Mapping[str, EntryKey]:
    """Return every remote name that an entry of a practitioner goes by, or has gone by, which ends after `since`."""
    joined = mirrors.join(calendars, calendars.c.id == mirrors.c.calendar_id)
    own = and_(calendars.c.practitioner_id == practitioner_id, mirrors.c.ends_at > since)
    columns = (mirrors.c.name, mirrors.c.generation, mirrors.c.calendar_id, mirrors.c.key)
    by_name: dict[str, EntryKey] = {}
    for row in db.execute(select(*columns).select_from(joined).where(own)):
        key = EntryKey.parse(row.key)
        by_name |= dict.fromkeys((row.name, *earlier_names(row.calendar_id, key, row.generation)), key)
    return by_name


def record(db: Connection, calendar_id: UUID, changed: Iterable[Mirror]) -> None:
    """Store what became of mirrors that are known."""
    _update(db, [{"calendar_id": calendar_id} | _columns(mirror) for mirror in changed])


def _keep_formers(db: Connection, calendar_id: UUID, keys: Sequence[str]) -> None:
    """Keep where events stood that are about to be made anew."""
    own = (mirrors.c.calendar_id == calendar_id) & mirrors.c.key.in_(keys) & mirrors.c.href.is_not(None)
    columns = (mirrors.c.calendar_id, mirrors.c.href, mirrors.c.key, mirrors.c.session_id)
    rows = [row._asdict() for row in db.execute(select(*columns).where(own))] if keys else []
    if rows:
        former_hrefs = {remove.ref.href for remove in former_at(db, calendar_id, [row["href"] for row in rows])}
        new_rows = [row for row in rows if row["href"] not in former_hrefs]
        if new_rows:
            db.execute(insert(formers), new_rows)


def _update(db: Connection, rows: Sequence[dict[str, Any]]) -> None:
    if not rows:
        return
    names = [name for name in rows[0] if name not in {"calendar_id", "key"}]
    statement = (
        update(mirrors)
        .where(mirrors.c.calendar_id == bindparam("b_calendar_id"), mirrors.c.key == bindparam("b_key"))
        .values({name: bindparam(f"b_{name}") for name in names})
    )
    db.execute(statement, [{f"b_{name}": value for name, value in row.items()} for row in rows])


def _columns(mirror: Mirror) -> dict[str, Any]:
    return {
        "key": str(mirror.key),
        "session_id": mirror.session_id,
        "name": mirror.ref.name,
        "generation": mirror.ref.generation,
        "href": mirror.ref.href,
        "etag": mirror.ref.etag,
        "former_etag": mirror.former_etag,
        "seen": mirror.seen,
        "state": mirror.state.value,
        "ends_at": mirror.ends_at,
    }


def _mirror(row: Row[Any]) -> Mirror:
    return Mirror(
        key=EntryKey.parse(row.key),
        session_id=row.session_id,
        ref=Ref(name=row.name, generation=row.generation, href=row.href, etag=row.etag),
        seen=row.seen,
        state=MirrorState(row.state),
        ends_at=row.ends_at,
        former_etag=row.former_etag,
    )
