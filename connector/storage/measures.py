"""How an installation stands, in numbers: each question is one statement that reads no table of history."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy import ColumnElement, Connection, case, func, or_, select, text

from connector.domain.connection import CalendarRole
from connector.domain.offer import OfferState
from connector.storage.columns import UtcDateTime
from connector.storage.due import Kind, ahead, due, undashed
from connector.storage.tables import calendars, connections, conversations, endpoints, offers

LATE, OVERDUE = timedelta(minutes=1), timedelta(minutes=10)
ENDPOINT_STATES = ("working", "failing", "disabled", "disabled_by_hand")
WORK_STATES = ("due", "over_1m", "over_10m", "running", "failing", "refused")
_LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)
_FREE = or_(due.c.lease_until.is_(None), due.c.lease_until <= ahead(0.0))


@dataclass(frozen=True, slots=True, kw_only=True)
class CalendarGroup:
    """So many calendars that stand alike.

    Attributes:
        state: Of their connections.
        paused: Why they are paused; None for at work.
        unwritable: Of which kind the trouble is that keeps them from being written (a TroubleKind); `unreadable`
            likewise from being read. None for no trouble.
        looked_at: When the one of them was looked at whose last good look is the longest ago, `compared_at` likewise;
            of one that never was, when it was connected. Aware UTC.
    """

    provider: str
    role: CalendarRole
    state: str
    paused: str | None
    unwritable: str | None
    unreadable: str | None
    count: int
    looked_at: datetime
    compared_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """So much of one kind that waits, in one state; `since` the oldest has, aware UTC, where that is known."""

    what: str
    state: str
    count: int
    since: datetime | None


def calendar_groups(db: Connection) -> Sequence[CalendarGroup]:
    """Return how all calendars stand, those alike together."""
    kinds = (
        connections.c.provider,
        calendars.c.role,
        connections.c.state,
        calendars.c.paused,
        calendars.c.trouble_kind,
        calendars.c.read_trouble_kind,
    )
    query = select(
        *kinds,
        func.count().label("number"),
        _first(func.coalesce(calendars.c.read_at, calendars.c.created_at)).label("looked_at"),
        _first(func.coalesce(calendars.c.compared_at, calendars.c.created_at)).label("compared_at"),
    )
    query = query.join(connections, connections.c.id == calendars.c.connection_id).group_by(*kinds)
    return [
        CalendarGroup(
            provider=row.provider,
            role=CalendarRole(row.role),
            state=row.state,
            paused=row.paused,
            unwritable=row.trouble_kind,
            unreadable=row.read_trouble_kind,
            count=row.number,
            looked_at=row.looked_at,
            compared_at=row.compared_at,
        )
        for row in db.execute(query)
    ]


def work(db: Connection, now: datetime) -> Sequence[Waiting]:
    """Return how much work waits or is under way, by kind and state; what is idle until its time comes is left out.

    Work that waits for somebody to begin it counts by how long it has; work that will be tried again is `failing`, or
    `refused`, as well.
    """
    is_refused = due.c.refused_at > _LONG_AGO  # which its index finds; "is not null" has SQLite read the whole table
    is_leased = (due.c.lease_until > ahead(0.0)) & (due.c.lane >= "")  # likewise
    waits = _work(_over(now), _first(due.c.due_at)).where(due.c.due_at <= now, _FREE)
    runs = _work(sa.literal("running"), sa.null()).where(is_leased)
    fails = _work(sa.literal("failing"), _first(due.c.failed_at)).where(due.c.attempts > 0, due.c.refused_at.is_(None))
    refused = _work(sa.literal("refused"), _first(due.c.refused_at)).where(is_refused)
    parts = [part.group_by(due.c.kind, "state") for part in (waits, runs, fails, refused)]
    rows = db.execute(sa.union_all(*parts))
    return [Waiting(what=row.kind, state=row.state, count=row.number, since=row.since) for row in rows]


def _over(now: datetime) -> ColumnElement[str]:
    return case((due.c.due_at <= now - OVERDUE, "over_10m"), (due.c.due_at <= now - LATE, "over_1m"), else_="due")


def _work(state: ColumnElement[str], since: ColumnElement[Any]) -> sa.Select[Any]:
    typed = sa.type_coerce(since, UtcDateTime()).label("since")
    return select(due.c.kind, state.label("state"), func.count().label("number"), typed)


def letters(db: Connection, now: datetime) -> Sequence[Waiting]:
    """Return in how many conversations something waits to be told, by medium; `since` the oldest could be told."""
    since = func.coalesce(due.c.failed_at, due.c.due_at).label("since")
    is_later = func.coalesce(due.c.due_at, due.c.due_at) > now  # not by the index of all that is due some time
    keys = [
        select(due.c.id, since).where(due.c.kind == Kind.CONVERSATION.value, waits)
        for waits in (due.c.due_at <= now, sa.and_(due.c.attempts > 0, is_later))
    ]
    waiting = sa.union_all(*keys).subquery()
    oldest = _first(waiting.c.since).label("since")
    query = select(conversations.c.medium, func.count().label("number"), oldest).group_by(conversations.c.medium)
    query = query.join(conversations, conversations.c.id == undashed(waiting.c.id))
    return [Waiting(what=row.medium, state="waiting", count=row.number, since=row.since) for row in db.execute(query)]


def open_offers(db: Connection) -> int:
    """Return how many offers wait for an answer."""
    state: ColumnElement[str] = sa.literal_column(f"'{OfferState.OPEN.value}'")  # as its index says it
    query = select(func.count()).where(offers.c.state == state)
    return db.execute(query).scalar_one()


def endpoints_by_state(db: Connection) -> dict[str, int]:
    """Return how many endpoints of hosts there are in each state."""
    is_on = endpoints.c.disabled_at.is_(None)
    state = case(
        (is_on & endpoints.c.failing_since.is_(None), "working"),
        (is_on, "failing"),
        (endpoints.c.disabled_why == "by_hand", "disabled_by_hand"),
        else_="disabled",
    ).label("state")
    query = select(state, func.count().label("number")).group_by("state")
    return {row.state: row.number for row in db.execute(query)}


def schema_step(db: Connection) -> str:
    """Return the step of the schema that the database is at."""
    step: str = db.execute(text("SELECT version_num FROM alembic_version")).scalar_one()
    return step


def _first(instant: ColumnElement[Any]) -> ColumnElement[datetime]:
    return func.min(instant, type_=UtcDateTime())
