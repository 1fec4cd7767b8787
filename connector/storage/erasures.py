"""Events that are over and may still show a client who was erased: each waits here until it is written, or gone."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from uuid import UUID

from sqlalchemy import Connection, delete, func, insert, select

from connector.domain.entry import EntryKey
from connector.domain.reconcile import Mirror, MirrorState
from connector.storage import mirrors
from connector.storage.tables import erasures
from connector.storage.tables import mirrors as mirror_rows
from connector.storage.tables import sessions as session_rows


def add(db: Connection, entries: Iterable[tuple[UUID, EntryKey]]) -> None:
    """Have the events of these entries written without their client, each in its calendar."""
    known = {(row.calendar_id, row.key) for row in db.execute(select(erasures))}
    new = {(calendar_id, str(key)) for calendar_id, key in entries} - known
    if new:
        db.execute(insert(erasures), [{"calendar_id": one, "key": key} for one, key in sorted(new, key=str)])


def of_calendar(db: Connection, calendar_id: UUID) -> Sequence[Mirror]:
    """Return the mirrors of what waits in a calendar; what is known to be gone there waits no longer."""
    rows = db.execute(select(erasures.c.key).where(erasures.c.calendar_id == calendar_id)).scalars()
    waiting = mirrors.of_keys(db, calendar_id, [EntryKey.parse(key) for key in rows])
    return [mirror for mirror in waiting if mirror.state is not MirrorState.ABSENT]


def waits(db: Connection, calendar_id: UUID) -> bool:
    """Whether anything waits in a calendar."""
    return db.execute(select(erasures.c.key).where(erasures.c.calendar_id == calendar_id).limit(1)).first() is not None


def done(db: Connection, calendar_id: UUID, keys: Collection[EntryKey]) -> None:
    """Note that these events no longer show their client."""
    own = (erasures.c.calendar_id == calendar_id) & erasures.c.key.in_([str(key) for key in keys])
    db.execute(delete(erasures).where(own))


def keep_only(db: Connection, calendar_id: UUID, keys: Collection[EntryKey]) -> None:
    """Forget what waits in a calendar but for these."""
    own = erasures.c.calendar_id == calendar_id
    db.execute(delete(erasures).where(own, erasures.c.key.not_in([str(key) for key in keys])))


def counted(db: Connection, client_id: UUID) -> Mapping[UUID, int]:
    """Return how many events of a client wait, by calendar."""
    joined = erasures.join(
        mirror_rows,
        (mirror_rows.c.calendar_id == erasures.c.calendar_id) & (mirror_rows.c.key == erasures.c.key),
    ).join(session_rows, session_rows.c.id == mirror_rows.c.session_id)
    query = (
        select(erasures.c.calendar_id, func.count())
        .select_from(joined)
        .where(session_rows.c.client_id == client_id, mirror_rows.c.state != MirrorState.ABSENT.value)
        .group_by(erasures.c.calendar_id)
    )
    return {row[0]: row[1] for row in db.execute(query)}
