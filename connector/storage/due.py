"""The words of the ledger: what a key is, the table of due work, and the database's own clock."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum, StrEnum
from typing import Any, NamedTuple
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy import BigInteger, Column, Integer, String, Text, or_
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement

from connector.storage.columns import UtcDateTime, Uuid, metadata

due = sa.Table(
    "due",
    metadata,
    Column("kind", String(16), primary_key=True),
    Column("id", Text, primary_key=True),
    Column("lane", Text, nullable=False),  # what shares a cap on concurrency; empty for none
    Column("urgency", Integer, nullable=False, server_default="2"),  # an Urgency: what goes before what
    Column("desired", BigInteger, nullable=False),
    Column("applied", BigInteger, nullable=False),
    Column("due_at", UtcDateTime),
    Column("not_before", UtcDateTime),  # the service asked us to wait until then: a touch does not make it due earlier
    Column("lease_until", UtcDateTime),
    Column("token", BigInteger, nullable=False),
    Column("attempts", Integer, nullable=False),  # failed in a row
    Column("failed_at", UtcDateTime),  # when the first of these was noted
    Column("refused_at", UtcDateTime),  # when it was refused for the first time since it last succeeded
    Column("refusals", Integer, nullable=False, server_default="0"),  # since then
    Column("last_error", Text),
    *(
        sa.Index(f"ix_due_{name}", *columns.split(), sqlite_where=sa.text(where), postgresql_where=sa.text(where))
        for name, columns, where in (
            ("due_at", "due_at", "due_at IS NOT NULL"),
            ("urgency", "urgency due_at", "due_at IS NOT NULL"),
            ("lane", "lane urgency due_at", "due_at IS NOT NULL"),
            ("leased", "lane", "lease_until IS NOT NULL"),
            ("refused", "refused_at", "refused_at IS NOT NULL"),
            ("failing", "kind", "attempts > 0"),
        )
    ),
)


class Urgency(IntEnum):
    """What goes first, whatever is due for longer; what somebody waits for never waits for upkeep."""

    ACT = 0  # somebody has acted: holds, sessions, removals, letters, deadlines
    LOOK = 1  # somebody has asked for it, or something may have happened in a calendar
    UPKEEP = 2  # polls, comparisons, probes, channels


class Kind(StrEnum):
    """What a key stands for."""

    CALENDAR = "calendar"  # mirror it
    PULL = "pull"  # read its change feed
    CHANNEL = "channel"  # renew a watch
    OFFER = "offer"  # its deadline
    QUESTION = "question"  # when it answers itself
    BUSY = "busy"  # read when a calendar is not free
    ABSENCE = "absence"  # what a practitioner is to be asked about their absences
    PROBE = "probe"  # prove how a calendar's holds must be shown
    CONVERSATION = "conversation"  # what one reader is told about one session, by one medium
    SIGN_IN = "sign_in"  # mail a link to who has asked for one, if they are a practitioner
    MAIL = "mail"  # read one that has come in
    MAILBOX = "mailbox"  # fetch what has come in to the reply mailbox
    OUTCOME = "outcome"  # one webhook to the host
    UPKEEP = "upkeep"  # periodic, re-arms itself

    @property
    def urgency(self) -> Urgency:
        """How urgent it is where nothing else is said, and once it comes back by itself."""
        return Urgency.ACT if self in _ACTS else Urgency.LOOK if self in _LOOKS else Urgency.UPKEEP

    @property
    def urgency_asked(self) -> Urgency:
        """How urgent it is when somebody has asked for it: never upkeep, so that it goes before every poll."""
        return min(self.urgency, Urgency.LOOK)


_ACTS = frozenset({Kind.CALENDAR, Kind.OFFER, Kind.QUESTION, Kind.CONVERSATION, Kind.OUTCOME})
_LOOKS = frozenset({Kind.SIGN_IN, Kind.MAIL, Kind.ABSENCE})  # anybody can ask, or write: this keeps no act waiting


@dataclass(frozen=True, slots=True)
class Key:
    """One unit of work that never runs twice at the same time."""

    kind: Kind
    id: str


class Turn(NamedTuple):
    """When a key is due, aware UTC, and how urgent it is then."""

    due_at: datetime
    urgency: Urgency

    def or_sooner(self, other: Turn | None) -> Turn:
        """Return the earlier time and the higher urgency of both."""
        return self if other is None else Turn(min(self.due_at, other.due_at), min(self.urgency, other.urgency))


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A lease on a key.

    Attributes:
        token: Grows with every claim of the key.
        desired: As it stood when the claim was made; work from this.
        attempts: Failures in a row so far.
        refusals: How many of these were refusals.
        refused_at: When the first of the refusals was noted, aware UTC; None if there is none.
    """

    key: Key
    token: int
    desired: int
    attempts: int
    lane: str
    urgency: Urgency
    refusals: int = 0
    refused_at: datetime | None = None


class ahead(FunctionElement[datetime]):  # noqa: N801 - reads as the SQL function it is
    """The database's own time, so many seconds from now."""

    type = UtcDateTime()
    inherit_cache = True


@compiles(ahead, "sqlite")
def _ahead_sqlite(element: ahead, compiler: Any, **kw: Any) -> str:
    return f"strftime('%Y-%m-%d %H:%M:%f000', 'now', {compiler.process(element.clauses, **kw)} || ' seconds')"


@compiles(ahead, "postgresql")
def _ahead_postgresql(element: ahead, compiler: Any, **kw: Any) -> str:
    return f"statement_timestamp() + {compiler.process(element.clauses, **kw)} * interval '1 second'"


LIVE = due.c.lease_until > ahead(0.0)
FREE = or_(due.c.lease_until.is_(None), due.c.lease_until <= ahead(0.0))


class undashed(FunctionElement[UUID]):  # noqa: N801 - as above
    """A UUID from a text, so that a row is found by its primary key."""

    type = Uuid()
    inherit_cache = True


@compiles(undashed, "postgresql")
def _undashed_postgresql(element: undashed, compiler: Any, **kw: Any) -> str:
    return f"CAST({compiler.process(element.clauses, **kw)} AS UUID)"


@compiles(undashed, "sqlite")
def _undashed_sqlite(element: undashed, compiler: Any, **kw: Any) -> str:
    return f"replace({compiler.process(element.clauses, **kw)}, '-', '')"


class dashed(FunctionElement[str]):  # noqa: N801 - reads as the SQL function it is
    """A UUID as Python writes it."""

    type = Text()
    inherit_cache = True


@compiles(dashed, "postgresql")
def _dashed_postgresql(element: dashed, compiler: Any, **kw: Any) -> str:
    return f"CAST({compiler.process(element.clauses, **kw)} AS TEXT)"


@compiles(dashed, "sqlite")
def _dashed_sqlite(element: dashed, compiler: Any, **kw: Any) -> str:
    column = compiler.process(element.clauses, **kw)
    parts = ((1, 8), (9, 4), (13, 4), (17, 4), (21, 12))
    return "(" + " || '-' || ".join(f"substr({column}, {start}, {length})" for start, length in parts) + ")"
