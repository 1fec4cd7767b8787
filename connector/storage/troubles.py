"""What keeps calendars from being written and read, and which providers refuse this installation itself.

That it goes through again is noted by `calendars.note_written` and `calendars.note_read`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy import ColumnElement, Connection, case, select, update
from sqlalchemy.dialects import postgresql, sqlite

from connector.domain.connection import TroubleKind
from connector.sentence import Sentence
from connector.storage.columns import UtcDateTime
from connector.storage.tables import calendars, connections, registration_faults
from connector.storage.versions import raising

RELAPSE = timedelta(hours=1)  # what comes back within this is the same episode: nobody is told again
_IS_OVER = registration_faults.c.ended_at.is_not(None)


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistrationFault:
    """A provider that refuses this installation itself; `cause` names nobody."""

    provider: str
    since: datetime
    cause: str


def note_write(db: Connection, calendar_id: UUID, words: Sentence, *, kind: TroubleKind, now: datetime) -> None:
    """Note what keeps a calendar from being written, keeping the instant at which trouble began."""
    since = _since(calendars.c.trouble_since, now)
    _note(db, calendar_id, trouble=words, trouble_kind=kind.value, trouble_since=since)


def note_read(
    db: Connection,
    calendar_id: UUID,
    words: Sentence,
    *,
    kind: TroubleKind,
    now: datetime,
    unreadable_at: datetime | None = None,
) -> None:
    """Note what keeps a calendar from being read, keeping the instant at which trouble began."""
    since = _since(calendars.c.read_trouble_since, now)
    trouble = {"read_trouble": words, "read_trouble_kind": kind.value, "read_trouble_since": since}
    _note(db, calendar_id, **trouble, unreadable_at=unreadable_at)


def note_unreadable(db: Connection, calendar_id: UUID, words: Sentence, *, lasting: timedelta, now: datetime) -> bool:
    """Note that a calendar is not there, or may not be read; return whether every look has said so for so long."""
    earlier = db.execute(select(calendars.c.unreadable_at).where(calendars.c.id == calendar_id)).scalar()
    note_read(db, calendar_id, words, kind=TroubleKind.REFUSED, now=now, unreadable_at=earlier or now)
    return earlier is not None and earlier <= now - lasting


def note_uncompared(
    db: Connection, calendar_id: UUID, words: Sentence, *, kind: TroubleKind, again_at: datetime, now: datetime
) -> None:
    """Note what keeps a calendar from being compared as a whole, and when that is tried again."""
    since = _since(calendars.c.compare_trouble_since, now)
    trouble = {"compare_trouble": words, "compare_trouble_kind": kind.value, "compare_trouble_since": since}
    _note(db, calendar_id, **trouble, compare_at=again_at)


def note_refused(db: Connection, calendar_id: UUID, *, since: datetime) -> None:
    """Note since when a calendar has taken no entries, now that it is sure."""
    _note(db, calendar_id, refused_at=since)


def note_outage_told(db: Connection, calendar_id: UUID, *, now: datetime) -> None:
    """Note that a practitioner was told of an outage."""
    _note(db, calendar_id, outage_told_at=now)


def begin_registration_fault(db: Connection, fault: RegistrationFault) -> bool:
    """Note that a provider refuses this installation; return whether that is new, so that its operator is told."""
    if _refresh(db, fault):
        return False
    db.execute(sa.delete(registration_faults).where(registration_faults.c.provider == fault.provider, _IS_OVER))
    values = {"provider": fault.provider, "since": fault.since, "cause": fault.cause}
    dialect = postgresql if db.dialect.name == "postgresql" else sqlite
    new = dialect.insert(registration_faults).values(values).on_conflict_do_nothing()
    return db.execute(new.returning(registration_faults.c.provider)).first() is not None


def end_registration_fault(db: Connection, provider: str, *, now: datetime) -> bool:
    """Note that a provider accepts this installation again; False if it did."""
    lasting = (registration_faults.c.provider == provider) & registration_faults.c.ended_at.is_(None)
    query = update(registration_faults).where(lasting).values(ended_at=now)
    return db.execute(query.returning(registration_faults.c.provider)).first() is not None


def registration_fault(db: Connection, provider: str) -> RegistrationFault | None:
    """Return how a provider refuses this installation now; None if it does not."""
    return next((fault for fault in every_registration_fault(db) if fault.provider == provider), None)


def every_registration_fault(db: Connection) -> Sequence[RegistrationFault]:
    """Return the providers that refuse this installation now."""
    query = select(registration_faults).where(registration_faults.c.ended_at.is_(None))
    return [
        RegistrationFault(provider=row.provider, since=row.since, cause=row.cause)
        for row in db.execute(query.order_by(registration_faults.c.provider))
    ]


def calendars_of_provider(db: Connection, provider: str) -> Sequence[UUID]:
    """Return the calendars of everybody at a provider."""
    query = select(calendars.c.id).join(connections, connections.c.id == calendars.c.connection_id)
    return list(db.execute(query.where(connections.c.provider == provider)).scalars())


def _refresh(db: Connection, fault: RegistrationFault) -> bool:
    """Have an episode that lasts, or ended just now, go on; False if there is none."""
    is_recent = sa.or_(~_IS_OVER, registration_faults.c.ended_at > fault.since - RELAPSE)
    own = (registration_faults.c.provider == fault.provider) & is_recent
    query = update(registration_faults).where(own).values(ended_at=None, cause=fault.cause)
    return db.execute(query.returning(registration_faults.c.provider)).first() is not None


def _since(column: ColumnElement[datetime | None], now: datetime) -> ColumnElement[datetime | None]:
    return case((column.is_(None), sa.literal(now, UtcDateTime())), else_=column)


def _note(db: Connection, calendar_id: UUID, **values: object) -> None:
    db.execute(raising(calendars, values).where(calendars.c.id == calendar_id))
