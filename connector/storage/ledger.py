"""The ledger: what is due, in the same transaction as the change that made it due. See docs/decisions/0002.

A row is one unit to converge. `desired` counts what was asked for, `applied` what was done; `due_at` is NULL when
nothing is to be done. A lease is timed by the database's own clock, and its token fences off whoever held it before
(see `fence`). Dueness is judged by the `now` a caller gives.
"""

from __future__ import annotations

import secrets
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from random import SystemRandom
from typing import Any

import sqlalchemy as sa
from sqlalchemy import ColumnElement, Connection, and_, case, or_, select
from sqlalchemy.dialects import postgresql, sqlite

from connector.storage.columns import UtcDateTime
from connector.storage.database import Database, chunks
from connector.storage.due import FREE, LIVE, Claim, Key, Kind, Turn, Urgency, ahead, due
from connector.storage.turns import SEATS, due_keys, follower, for_all_but_acts, longest_waiting

__all__ = [
    "BACKOFF_FIRST",
    "BACKOFF_LONGEST",
    "LEASE",
    "REFUSAL_FIRST",
    "REFUSAL_LONGEST",
    "RETRY_AFTER_LONGEST",
    "SEATS",
    "Claim",
    "Key",
    "Kind",
    "Refused",
    "Turn",
    "Urgency",
    "bring_forward",
    "check",
    "claim",
    "clear_leases",
    "due",
    "due_keys",
    "failing",
    "finish",
    "follower",
    "forget",
    "hasten_refused",
    "is_refused",
    "longest_waiting",
    "next_due",
    "next_try",
    "oldest_overdue",
    "postpone",
    "refuse",
    "refused",
    "release",
    "renew",
    "touch",
    "waits",
]

LEASE = timedelta(seconds=60)
BACKOFF_FIRST = timedelta(seconds=5)
BACKOFF_LONGEST = timedelta(minutes=15)
REFUSAL_FIRST = timedelta(minutes=1)
REFUSAL_LONGEST = timedelta(hours=1)
RETRY_AFTER_LONGEST = timedelta(days=1)  # a service that asks for more is asked again after a day
_ERROR_LENGTH = 500
_CLAIMED = ("token", "desired", "attempts", "lane", "urgency", "refusals", "refused_at")
_LANE_LOCK = 0x6C616E65  # the first half of the advisory lock taken for a lane; the second is the lane's hash


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """A key whose work is refused; it is tried again, and is no longer among these once it was done.

    Attributes:
        since: When it was refused for the first time, aware UTC.
        again_at: When it is tried again, aware UTC; None while it is not to be done.
    """

    key: Key
    since: datetime
    error: str
    again_at: datetime | None


def _is(key: Key) -> ColumnElement[bool]:
    return and_(due.c.kind == key.kind.value, due.c.id == key.id)


def _held_by(claim: Claim) -> ColumnElement[bool]:
    return and_(_is(claim.key), due.c.token == claim.token, due.c.lease_until.is_not(None))


def touch(db: Connection, key: Key, *, due_at: datetime, lane: str = "", urgency: Urgency | None = None) -> None:
    """Make a key due, no later and no less urgently than it already is, and no earlier than its service allows.

    An empty `lane` leaves the key in the lane it has; without an `urgency` that of its kind counts. After the commit
    wake-ups are sent.
    """
    touch_all(db, [key], due_at=due_at, lane=lane, urgency=urgency)


def touch_all(
    db: Connection, keys: Sequence[Key], *, due_at: datetime, lane: str = "", urgency: Urgency | None = None
) -> None:
    """Make keys due as `touch` does, in their order."""
    rows = []
    turns = db.info.setdefault("touched", {})
    for key in keys:
        turn = Turn(due_at, key.kind.urgency if urgency is None else urgency)
        token = secrets.randbits(48)  # so that no claim on an earlier row of this name can pass for one on this
        values: dict[str, Any] = {"kind": key.kind.value, "id": key.id, "lane": lane, "token": token}
        rows.append(values | {"due_at": due_at, "urgency": turn.urgency.value})
        turns[key] = turn.or_sooner(turns.get(key))
    if rows:
        db.execute(_touch_statement(db.dialect.name), rows)


@cache
def _touch_statement(dialect: str) -> sa.Insert:
    """Build the statement once: building it costs five times what it takes to carry it out."""
    insert = postgresql.insert(due) if dialect == "postgresql" else sqlite.insert(due)
    parameters = {
        name: sa.bindparam(name, type_=due.c[name].type)
        for name in ("kind", "id", "lane", "urgency", "due_at", "token")
    }
    new = insert.values(**parameters, desired=1, applied=0, attempts=0)
    soonest = case((due.c.due_at < new.excluded.due_at, due.c.due_at), else_=new.excluded.due_at)
    is_more_urgent = and_(due.c.due_at.is_not(None), due.c.urgency < new.excluded.urgency)
    changes = {
        "desired": due.c.desired + 1,
        "urgency": case((is_more_urgent, due.c.urgency), else_=new.excluded.urgency),
        "due_at": case((due.c.not_before > soonest, due.c.not_before), else_=soonest),
        "lane": case((new.excluded.lane == "", due.c.lane), else_=new.excluded.lane),
    }
    return new.on_conflict_do_update(index_elements=[due.c.kind, due.c.id], set_=changes)


def waits(db: Connection, key: Key) -> bool:
    """Whether a key is due, or being worked on."""
    busy = or_(due.c.due_at.is_not(None), LIVE)
    return db.execute(select(due.c.id).where(_is(key), busy)).first() is not None


def next_try(db: Connection, key: Key) -> datetime | None:
    """Return when a key is due; None if it is not."""
    return db.execute(select(due.c.due_at).where(_is(key))).scalar()


def forget(db: Connection, key: Key) -> None:
    """Make a key not due. A run that is under way keeps its lease to its end, so a new touch cannot overlap it."""
    db.execute(sa.delete(due).where(_is(key), FREE))
    idle = {"due_at": None, "not_before": None, "failed_at": None, "refused_at": None, "refusals": 0}
    db.execute(sa.update(due).where(_is(key)).values(**idle, desired=due.c.desired + 1))
    db.info.setdefault("touched", {}).pop(key, None)


def claim(
    database: Database,
    key: Key,
    *,
    now: datetime,
    lease: timedelta = LEASE,
    seats: int = SEATS,
    closed: Collection[str] = (),
) -> Claim | None:
    """Lease a key that is due; None if it is not, if another holds it, or if its lane is full (then it stays due).

    One of several seats is kept for acts. A lane that is among `closed` counts as full.
    """
    others = due.alias()
    in_lane = select(sa.func.count()).where(others.c.lane == due.c.lane, others.c.lease_until > ahead(0.0))
    most = case((due.c.urgency == Urgency.ACT.value, seats), else_=for_all_but_acts(seats))
    has_seat = or_(due.c.lane == "", in_lane.scalar_subquery() < most)
    query = (
        sa.update(due)
        .where(_is(key), due.c.due_at <= now, FREE, has_seat)
        .values(lease_until=ahead(lease.total_seconds()), token=due.c.token + 1)
        .returning(*(due.c[name] for name in _CLAIMED))
    )
    if closed:
        query = query.where(due.c.lane.not_in(closed))
    with database.begin() as db:
        if not database.embedded:  # else two claims might each count the other's seat as free
            lane_lock = sa.func.pg_advisory_xact_lock(_LANE_LOCK, sa.func.hashtext(due.c.lane))
            db.execute(select(lane_lock).where(_is(key), due.c.lane != ""))
        row = db.execute(query).first()
    if row is None:
        return None
    return Claim(
        key=key,
        token=row.token,
        desired=row.desired,
        attempts=row.attempts,
        lane=row.lane,
        urgency=Urgency(row.urgency),
        refusals=row.refusals,
        refused_at=row.refused_at,
    )


def renew(database: Database, claim: Claim, *, lease: timedelta = LEASE) -> bool:
    """Extend a lease; False if the claim is gone, and then its holder stops at once."""
    return _update(database, claim, lease_until=ahead(lease.total_seconds()))


def check(db: Connection, claim: Claim) -> bool:
    """Whether a claim is still its holder's; then nobody else can claim the key before this transaction has ended.

    One whose lease has run out counts as long as nobody else has claimed the key.
    """
    return db.execute(select(due.c.token).where(_held_by(claim)).with_for_update()).first() is not None


def finish(database: Database, claim: Claim, *, again_at: datetime | None = None) -> bool:
    """End a claim whose work is done, until `again_at` or the next touch; False if it was gone.

    A key touched meanwhile stays due, and as urgent as that made it; else it is as urgent again as its kind is.
    """
    is_touched = due.c.desired != claim.desired
    next_at = case((is_touched, due.c.due_at), else_=sa.literal(again_at, UtcDateTime()))
    urgency = case((is_touched, due.c.urgency), else_=claim.key.kind.urgency.value)
    clean = {"lease_until": None, "attempts": 0, "last_error": None, "not_before": None}
    clean |= {"failed_at": None, "refusals": 0, "refused_at": None}
    return _update(database, claim, applied=claim.desired, due_at=next_at, urgency=urgency, **clean)


def failing(db: Connection, kind: Kind, *, now: datetime, limit: int = 500) -> list[str]:
    """Return the ids of the keys that have failed and wait to be tried again, the longest waiting first.

    They are locked until the transaction ends; those that somebody else has locked are left out.
    """
    waits = and_(due.c.kind == kind.value, due.c.attempts > 0, due.c.due_at > now, FREE)
    query = select(due.c.id).where(waits).order_by(due.c.due_at).limit(limit)
    return list(db.execute(query.with_for_update(skip_locked=True)).scalars())


def postpone(
    database: Database, claim: Claim, *, now: datetime, retry_after: timedelta | None, error: str
) -> datetime | None:
    """End a claim whose work failed and try again later; return when, None if the claim was gone.

    `error` must not name or quote anybody. A key forgotten meanwhile stays forgotten.
    """
    pause = _backoff(claim.attempts, first=BACKOFF_FIRST, longest=BACKOFF_LONGEST)
    return _put_off(database, claim, pause, now=now, retry_after=retry_after, error=error)


def refuse(
    database: Database, claim: Claim, *, now: datetime, retry_after: timedelta | None = None, error: str
) -> datetime | None:
    """End a claim whose work was refused and try again, ever more slowly; return when, None if the claim was gone.

    As `postpone`, and the key counts as refused until its work is done. One touched meanwhile is as due as the touch
    made it: what was asked for since has not been tried.
    """
    pause = _backoff(claim.refusals, first=REFUSAL_FIRST, longest=REFUSAL_LONGEST)
    refusal = {
        "refusals": due.c.refusals + 1,
        "refused_at": case(
            (due.c.due_at.is_(None), None),
            (due.c.refused_at.is_(None), sa.literal(now, UtcDateTime())),
            else_=due.c.refused_at,
        ),
    }
    return _put_off(database, claim, pause, now=now, retry_after=retry_after, error=error, **refusal)


def _put_off(
    database: Database,
    claim: Claim,
    pause: timedelta,
    *,
    now: datetime,
    retry_after: timedelta | None,
    error: str,
    **changes: Any,
) -> datetime | None:
    wait = min(retry_after, RETRY_AFTER_LONGEST) if retry_after is not None else None
    again_at = now + max(wait or timedelta(), pause)
    is_untried = and_(due.c.desired != claim.desired, sa.literal("refusals" in changes))
    due_at = case((or_(due.c.due_at.is_(None), is_untried), due.c.due_at), else_=sa.literal(again_at, UtcDateTime()))
    still_ours = _update(
        database,
        claim,
        lease_until=None,
        attempts=due.c.attempts + 1,
        failed_at=case((due.c.failed_at.is_(None), sa.literal(now, UtcDateTime())), else_=due.c.failed_at),
        due_at=due_at,
        not_before=None if wait is None else now + wait,
        last_error=error[:_ERROR_LENGTH],
        **changes,
    )
    return again_at if still_ours else None


def is_refused(db: Connection, kinds: Iterable[Kind], identity: str) -> bool:
    """Whether work of one of these kinds is refused."""
    return db.execute(select(due.c.id).where(_refused_of(kinds, [identity])).limit(1)).first() is not None


def hasten_refused(db: Connection, kinds: Iterable[Kind], identities: Iterable[str], *, now: datetime) -> int:
    """Make due what was refused: something else has succeeded there. Returns how much that was.

    No earlier than its service allows.
    """
    soonest = case((due.c.not_before > now, due.c.not_before), else_=sa.literal(now, UtcDateTime()))
    later = and_(_refused_of(kinds, identities), due.c.due_at > soonest)
    hastened = (due.c.kind, due.c.id, due.c.due_at, due.c.urgency)
    rows = db.execute(sa.update(due).where(later).values(due_at=soonest).returning(*hastened)).all()
    turns = db.info.setdefault("touched", {})
    turns |= {Key(Kind(row.kind), row.id): Turn(row.due_at, Urgency(row.urgency)) for row in rows}
    return len(rows)


def bring_forward(db: Connection, kind: Kind, identities: Iterable[str], *, now: datetime) -> None:
    """Make due now what waits to be tried again, whatever it was to wait for; what others have locked is left out."""
    for some in chunks(identities):
        own = and_(due.c.kind == kind.value, due.c.id.in_(some), due.c.due_at > now, FREE)
        waiting = db.execute(select(due.c.id).where(own).with_for_update(skip_locked=True)).scalars().all()
        still = and_(due.c.kind == kind.value, due.c.id.in_(waiting))
        db.execute(sa.update(due).where(still).values(due_at=now, not_before=None))
        turns = db.info.setdefault("touched", {})
        turns |= {Key(kind, identity): Turn(now, kind.urgency) for identity in waiting}


def _refused_of(kinds: Iterable[Kind], identities: Iterable[str]) -> ColumnElement[bool]:
    values = [kind.value for kind in kinds]
    return and_(due.c.refused_at.is_not(None), due.c.kind.in_(values), due.c.id.in_(list(identities)))


def release(database: Database, claim: Claim) -> bool:
    """Give a lease back with the work undone: the key is as due as before; False if the claim was gone."""
    return _update(database, claim, lease_until=None)


def clear_leases(database: Database) -> int:
    """End every lease and fence off whoever held one; only for a process that is alone. Returns how many."""
    with database.begin() as db:
        return end_leases(db)


def end_leases(db: Connection) -> int:
    """End every lease and fence off whoever held one. Returns how many."""
    query = sa.update(due).where(due.c.lease_until.is_not(None)).values(lease_until=None, token=due.c.token + 1)
    return db.execute(query).rowcount


def next_due(database: Database, after: datetime) -> datetime | None:
    """Return the first time later than `after` at which something becomes due."""
    return _read_one(database, select(sa.func.min(due.c.due_at)).where(due.c.due_at > after))


def oldest_overdue(database: Database, now: datetime) -> timedelta:
    """Return how long the longest due key has been waiting for somebody to claim it; zero if none waits."""
    since = _read_one(database, select(sa.func.min(due.c.due_at)).where(due.c.due_at <= now, FREE))
    return now - since if since else timedelta()


def refused(database: Database, limit: int = 500) -> list[Refused]:
    """Return the keys whose work is refused, the longest refused first."""
    query = select(due).where(due.c.refused_at.is_not(None)).order_by(due.c.refused_at).limit(limit)
    with database.read() as db:
        return [
            Refused(
                key=Key(Kind(row.kind), row.id),
                since=row.refused_at,
                error=row.last_error or "",
                again_at=row.due_at,
            )
            for row in db.execute(query)
        ]


def _update(database: Database, claim: Claim, **values: Any) -> bool:
    with database.begin() as db:
        return db.execute(sa.update(due).where(_held_by(claim)).values(**values)).rowcount == 1


def _read_one(database: Database, query: sa.Select[datetime]) -> datetime | None:
    with database.read() as db:
        return db.execute(query).scalar()


def _backoff(failures: int, *, first: timedelta, longest: timedelta) -> timedelta:
    """Full jitter: anywhere between the first delay and one that doubles with every failure."""
    most = min(longest, first * (2 << min(failures, 15)))
    return first + (most - first) * SystemRandom().random()
