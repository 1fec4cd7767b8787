"""Whose turn it is: which due keys could be claimed now, the most urgent first, and of these the longest due.

Each urgency is asked for by itself, so that its own part of an index is read, and nothing of what is due some other
time. A lane that is full is passed over, and so are those that the caller names.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from functools import cache

import sqlalchemy as sa
from sqlalchemy import ColumnElement, Connection, and_, select

from connector.storage.columns import UtcDateTime
from connector.storage.database import Database
from connector.storage.due import FREE, LIVE, Claim, Key, Kind, Urgency, due

SEATS = 4  # live leases a lane, at most
_WIDEST = 16_000  # rows read at a time

_Row = sa.Row[str, str, str, int]


def for_all_but_acts(seats: int) -> int:
    """Return how many of a lane's seats others than acts may take: one is kept for acts where there are several."""
    return max(1, seats - 1)


def due_keys(
    database: Database, now: datetime, limit: int = 500, *, seats: int = SEATS, closed: Collection[str] = ()
) -> dict[Key, Urgency]:
    """Return keys that could be claimed now, in their order: of each lane as many as it has seats, of `closed` none."""
    return _in_turn(database, now, limit, seats, closed, order=(due.c.urgency, due.c.due_at), among=Urgency)


def longest_waiting(
    database: Database, now: datetime, *, seats: int = SEATS, closed: Collection[str] = ()
) -> Key | None:
    """Return the key that has been due for the longest time of all that could be claimed now and are no acts."""
    among = [urgency for urgency in Urgency if urgency is not Urgency.ACT]
    return next(iter(_in_turn(database, now, 1, seats, closed, order=(due.c.due_at,), among=among)), None)


def follower(database: Database, claim: Claim, now: datetime) -> tuple[Key, Urgency] | None:
    """Return what to look at after a claim has ended: its own key if that is due again, or the next in its lane."""
    values = {"kind": claim.key.kind.value, "id": claim.key.id, "lane": claim.lane, "now": now}
    with database.read() as db:
        row = db.execute(_follower_statement(claim.lane != ""), values).first()
    return row if row is None else (Key(Kind(row.kind), row.id), Urgency(row.urgency))


@cache
def _follower_statement(in_lane: bool) -> sa.CompoundSelect[str, str, str, int]:  # noqa: FBT001 - of a cache
    """Build the statement once: building it costs more than carrying it out."""
    now = sa.bindparam("now", type_=UtcDateTime())
    own = and_(due.c.kind == sa.bindparam("kind"), due.c.id == sa.bindparam("id"))
    parts = [_first(own, now, 1)]
    if in_lane:
        parts += [_first(due.c.lane == sa.bindparam("lane"), now, 1, urgency=urgency) for urgency in Urgency]
    return _merged(parts, 1, (due.c.urgency, due.c.due_at))


def _in_turn(
    database: Database,
    now: datetime,
    limit: int,
    seats: int,
    closed: Collection[str],
    *,
    order: Sequence[sa.Column[object]],
    among: Iterable[Urgency],
) -> dict[Key, Urgency]:
    keys: dict[Key, Urgency] = {}
    leases: dict[str, int] | None = None
    shut: dict[Urgency, set[str]] = {urgency: set(closed) for urgency in among}
    width = limit
    with database.read() as db:
        while True:
            parts = [_first(_open(lanes), now, width, urgency=urgency) for urgency, lanes in shut.items()]
            rows = db.execute(_merged(parts, width, order)).all()
            if leases is None:
                leases = _leases_by_lane(db) if any(row.lane for row in rows) else {}
            _seat(rows, keys, leases, seats)
            former, shut = shut, {urgency: _full(leases, seats, urgency) | set(closed) for urgency in shut}
            if len(keys) >= limit or len(rows) < width or shut == former:
                return dict(list(keys.items())[:limit])
            width = min(2 * width, _WIDEST)  # others may wait behind the lanes that are full now


def _first(
    whose: ColumnElement[bool], now: ColumnElement[datetime] | datetime, limit: int, *, urgency: Urgency | None = None
) -> sa.Select[str, str, str, int]:
    """Select the longest due of what is free and such."""
    query = select(due.c.kind, due.c.id, due.c.lane, due.c.urgency, due.c.due_at).where(
        whose, due.c.due_at <= now, FREE
    )
    if urgency is not None:
        query = query.where(due.c.urgency == urgency.value)
    return query.order_by(due.c.due_at).limit(limit)


def _merged(
    parts: Sequence[sa.Select[str, str, str, int]], limit: int, order: Sequence[sa.Column[object]]
) -> sa.CompoundSelect[str, str, str, int]:
    merged = sa.union_all(*(select(part.subquery()) for part in parts))
    return merged.order_by(*(merged.selected_columns[column.name] for column in order)).limit(limit)


def _open(shut: Collection[str]) -> ColumnElement[bool]:
    return due.c.lane.not_in(sorted(shut)) if shut else sa.true()


def _full(leases: dict[str, int], seats: int, urgency: Urgency) -> set[str]:
    """Return the lanes that have no seat for work of an urgency."""
    return {lane for lane, count in leases.items() if count >= _most(seats, urgency)}


def _most(seats: int, urgency: Urgency) -> int:
    return seats if urgency is Urgency.ACT else for_all_but_acts(seats)


def _seat(rows: Iterable[_Row], keys: dict[Key, Urgency], leases: dict[str, int], seats: int) -> None:
    """Add to `keys` each key whose lane has a seat for it, and count it in `leases`."""
    for row in rows:
        key, urgency = Key(Kind(row.kind), row.id), Urgency(row.urgency)
        if key in keys or (row.lane and leases.get(row.lane, 0) >= _most(seats, urgency)):
            continue
        keys[key] = urgency
        if row.lane:
            leases[row.lane] = leases.get(row.lane, 0) + 1


def _leases_by_lane(db: Connection) -> dict[str, int]:
    """Return how many live leases each lane has."""
    counts = select(due.c.lane, sa.func.count()).where(LIVE, due.c.lane != "").group_by(due.c.lane)
    return {lane: count for lane, count in db.execute(counts)}  # noqa: C416 - rows are no tuples
