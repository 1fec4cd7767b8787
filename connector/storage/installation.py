"""The installation itself: how often its database was restored, and what must rise above all that was ever used."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from sqlalchemy import Connection, case, delete, func, insert, select, update

from connector.storage import ledger
from connector.storage.ledger import Key, Kind
from connector.storage.tables import (
    browsers,
    connect_links,
    conversations,
    doubts,
    facts,
    installation,
    kept_entries,
    link_requests,
    pending_connections,
    pending_notices,
    sessions,
    signins,
)
from connector.storage.versions import raising

_STEP = 100  # more than a session is revised between two restores
_ZERO = datetime(2020, 1, 1, tzinfo=UTC)
_A_SECOND = 2  # more than the revisions that fit into one; SEQUENCE has 31 bits, which suffices until 2054
_STANDS = select(installation.c.restored_at)  # written once: every act asks it
_STANDS_KEPT = _STANDS.with_for_update(read=True)
_HIGHEST = 2**31 - 2**20  # and a clock that is decades ahead does no harm


@dataclass(frozen=True, slots=True, kw_only=True)
class Installation:
    """The row of the installation.

    Attributes:
        epoch: How often its database was restored.
        restored_at: Since when nothing goes out, aware UTC; None while all is as it should be.
        known_until: When the last thing had happened that was known of then, aware UTC.
    """

    id: UUID
    epoch: int
    restored_at: datetime | None
    known_until: datetime | None


def get(db: Connection, *, lock: bool = False) -> Installation:
    """Return the installation; `lock` has whoever asks so, or needs it unchanged, wait (PostgreSQL)."""
    query = select(installation)
    row = db.execute(query.with_for_update() if lock else query).one()
    return Installation(id=row.id, epoch=row.epoch, restored_at=row.restored_at, known_until=row.known_until)


def stands_still(db: Connection, *, keep_so: bool = False) -> bool:
    """Whether nothing may go out; `keep_so` has whoever wants to change that wait for the transaction (PostgreSQL)."""
    return db.execute(_STANDS_KEPT if keep_so else _STANDS).scalar_one() is not None


def stand_still(db: Connection, *, epoch: int, now: datetime) -> None:
    """Begin a new epoch, in which nothing goes out yet; in a standstill, of what came before no more is known now."""
    newest = select(facts.c.at).order_by(facts.c.id.desc()).limit(1).scalar_subquery()
    known_until = case((installation.c.restored_at.is_(None), newest), else_=installation.c.known_until)
    db.execute(update(installation).values(epoch=epoch, restored_at=now, known_until=known_until))


def go_on(db: Connection) -> None:
    """Let everything go out again."""
    db.execute(update(installation).values(restored_at=None))


def newest_fact(db: Connection) -> int:
    """Return the id of the last thing that happened; 0 if nothing has."""
    return db.execute(select(func.max(facts.c.id))).scalar_one() or 0


def raise_revisions(db: Connection, *, epochs: int, now: datetime) -> None:
    """Have no session at a revision that was ever sent, whatever was sent since the back-up.

    Time alone sees to it: it rises faster than revisions do, so that also the same back-up, restored again, comes to
    others than before. A step for each epoch since the back-up does so where clocks were set back, as far as a witness
    knows of these epochs.
    """
    stepped, floor = sessions.c.revision + _STEP * epochs, above_all(now)
    db.execute(raising(sessions, {"revision": case((stepped > floor, stepped), else_=floor)}))


def above_all(now: datetime) -> int:
    """Return a number above every revision and generation there was until now.

    A revision takes a second at least (see `domain.session.revised`), and this rises by two in each.
    """
    return min(int((now - _ZERO).total_seconds() * _A_SECOND), _HIGHEST)


def forget_promises(db: Connection, *, now: datetime) -> None:
    """Forget what was still to be told, sign-ins under way, and who was signed in: all that may be over by now."""
    others = select(conversations.c.id).where(conversations.c.reader != "operator")
    db.execute(delete(pending_notices).where(pending_notices.c.conversation_id.in_(others)))
    db.execute(update(signins).where(signins.c.used_at.is_(None)).values(used_at=now))
    db.execute(delete(pending_connections))
    db.execute(delete(connect_links))
    db.execute(delete(link_requests))
    db.execute(delete(browsers))


def have_swept(db: Connection, *, at: datetime) -> None:
    """Have what has ended deleted then, or before: of something that was stored just now, and that ends some time."""
    ledger.touch(db, Key(Kind.UPKEEP, str(get(db).id)), due_at=at)


def settle_doubts(db: Connection, calendar_id: UUID) -> None:
    """Forget what was in doubt in a calendar: all of it has been read."""
    db.execute(delete(doubts).where(doubts.c.calendar_id == calendar_id))


def keep_entries(db: Connection, calendar_id: UUID, names: Iterable[str]) -> None:
    """Note that these events are the practitioner's own from now on."""
    new = set(names) - kept_entries_of(db, calendar_id)
    if new:
        db.execute(insert(kept_entries), [{"calendar_id": calendar_id, "name": name} for name in sorted(new)])


def kept_entries_of(db: Connection, calendar_id: UUID) -> set[str]:
    """Return the names of the events that a practitioner keeps in a calendar; addresses, where they have no name."""
    query = select(kept_entries.c.name).where(kept_entries.c.calendar_id == calendar_id)
    return set(db.execute(query).scalars())
