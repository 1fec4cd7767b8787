"""How far the reply mailbox has been read: stored in the same transaction as what was read."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import Connection, case, delete, func, insert, select, update

from connector.storage.tables import reply_mailbox, unfetched_mails

FICKLE = 3  # times in a row that its UIDs meant something else,
LATELY = timedelta(hours=1)  # each so soon after the one before
UNOPENED = 0  # no validity: of a mailbox that was never opened


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How the reading of a mailbox stands.

    Attributes:
        uid: Of the last mail that is stored, or left behind.
        looked_at: When it was last read to the end of what it had for us, aware UTC.
        fault: Why it cannot be read, since when, and when the operator was told; None while it can.
        left_behind: How many mails could not be fetched, and are tried again.
    """

    identity: str
    uid: int
    looked_at: datetime | None
    fault: str | None
    fault_since: datetime | None
    fault_told_at: datetime | None
    left_behind: int


def standing(db: Connection) -> Standing | None:
    """Return how it stands; None if there was never a mailbox, or there is none any more."""
    row = db.execute(select(reply_mailbox)).first()
    if row is None:
        return None
    left = db.execute(select(func.count()).select_from(unfetched_mails)).scalar_one()
    return Standing(
        identity=row.identity,
        uid=row.uid,
        looked_at=row.looked_at,
        fault=row.fault,
        fault_since=row.fault_since,
        fault_told_at=row.fault_told_at,
        left_behind=left,
    )


def begin(db: Connection, installation_id: UUID, *, identity: str) -> None:
    """Begin to read a mailbox; goes on where it stands if it is the one that was read before."""
    row = db.execute(select(reply_mailbox.c.identity)).first()
    if row is not None and row.identity == identity:
        return
    forget(db)
    values = {"id": installation_id, "identity": identity, "validity": UNOPENED, "uid": 0, "tries": 0}
    db.execute(insert(reply_mailbox).values(values))


def forget(db: Connection) -> None:
    """Forget the mailbox that was read."""
    db.execute(delete(reply_mailbox))
    db.execute(delete(unfetched_mails))


def opened(db: Connection, validity: int, *, now: datetime) -> int:
    """Return the UID of the last mail that was read; 0 where the UIDs mean something else than before."""
    row = db.execute(select(reply_mailbox)).one()
    if row.validity == validity:
        return int(row.uid)
    values: dict[str, int | datetime | None] = {"validity": validity, "uid": 0, "tried_uid": None, "tries": 0}
    if row.validity != UNOPENED:
        is_lately = row.renumbered_at is not None and now - row.renumbered_at < LATELY
        values |= {"renumbered": row.renumbered + 1 if is_lately else 1, "renumbered_at": now}
    db.execute(delete(unfetched_mails))
    db.execute(update(reply_mailbox).values(values))
    return 0


def is_fickle(db: Connection, *, now: datetime) -> bool:
    """Whether its UIDs mean something else again and again."""
    row = db.execute(select(reply_mailbox.c.renumbered, reply_mailbox.c.renumbered_at)).one()
    return row.renumbered >= FICKLE and row.renumbered_at is not None and now - row.renumbered_at < LATELY


def try_to_fetch(db: Connection, uid: int) -> int:
    """Note that a mail is about to be fetched, and return how often in a row it was tried before."""
    tries = case((reply_mailbox.c.tried_uid == uid, reply_mailbox.c.tries + 1), else_=1)
    query = update(reply_mailbox).values(tried_uid=uid, tries=tries).returning(reply_mailbox.c.tries)
    return int(db.execute(query).scalar_one()) - 1


def pass_on(db: Connection, uid: int) -> None:
    """Note that everything up to a mail is stored, or left behind."""
    db.execute(update(reply_mailbox).values(uid=uid, tried_uid=None, tries=0))


def leave_behind(db: Connection, uid: int, *, since: datetime, again_at: datetime) -> None:
    """Leave a mail behind that cannot be fetched, until then."""
    db.execute(insert(unfetched_mails).values(uid=uid, since=since, again_at=again_at))


def behind(db: Connection, *, now: datetime) -> tuple[int, datetime] | None:
    """Return a mail that is to be tried again by now, and since when it could not be fetched."""
    due = select(unfetched_mails).where(unfetched_mails.c.again_at <= now)
    row = db.execute(due.order_by(unfetched_mails.c.again_at, unfetched_mails.c.uid).limit(1)).first()
    return (row.uid, row.since) if row else None


def try_again(db: Connection, uid: int, *, at: datetime) -> None:
    """Have a mail that was left behind tried again then."""
    db.execute(update(unfetched_mails).where(unfetched_mails.c.uid == uid).values(again_at=at))


def settle(db: Connection, uid: int) -> None:
    """Note that a mail is no longer left behind."""
    db.execute(delete(unfetched_mails).where(unfetched_mails.c.uid == uid))


def note_fault(db: Connection, fault: str, *, now: datetime) -> Standing:
    """Note why it cannot be read, and return how it stands with that."""
    since = func.coalesce(reply_mailbox.c.fault_since, now)
    db.execute(update(reply_mailbox).values(fault=fault, fault_since=since))
    now_standing = standing(db)
    assert now_standing is not None  # noqa: S101 - for the type checker: it was begun
    return now_standing


def note_told(db: Connection, *, now: datetime) -> None:
    """Note that the operator was told."""
    db.execute(update(reply_mailbox).values(fault_told_at=now))


def note_read(db: Connection, *, now: datetime) -> datetime | None:
    """Note that it was read to the end, and return since when it could not be; None if it could."""
    since = db.execute(select(reply_mailbox.c.fault_since)).scalar()
    db.execute(update(reply_mailbox).values(looked_at=now, fault=None, fault_since=None, fault_told_at=None))
    return since
