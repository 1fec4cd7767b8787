"""Nothing is decided, told or written while the database is older than the world. See docs/decisions/0026.

The rule is asked wherever something is decided (`lock`), told (`conversations`) or carried out (the worker's dispatch),
and by every door before it begins: commands when they open the installation, pages before anything that is posted.
Whoever runs a process looks whether the database was restored, before anything else and again and again.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

import structlog
from sqlalchemy import Connection

from connector.domain.facts import CalendarPaused
from connector.domain.notice import Notice, NoticeKind, PauseReason
from connector.domain.people import CLOCK, Actor, Practitioner
from connector.errors import StandstillError
from connector.ports import Clock, Seen, Witness
from connector.services import notices
from connector.services.policy import Policy
from connector.storage import calendars, installation, ledger, people, remote_changes, timeline
from connector.storage.database import Database

LOOK = timedelta(minutes=1)  # after so long, work that was put off asks again
# All that is told to anybody meanwhile.
MAY_LEAVE = (NoticeKind.RESTORE_FOUND, NoticeKind.SIGN_IN, NoticeKind.SUPPORT_SIGN_IN)
WORDS = (
    "Pencilled's database was set back to an earlier state, and that is being put right. Until then nothing can be "
    "changed; nothing is lost. Please try again later. Whoever runs this installation decides how it goes on, with "
    "`pencilled restored`."
)

log = structlog.get_logger(__name__)


def check(db: Connection) -> None:
    """Raise StandstillError while nothing may be decided; else none begins before the transaction ends.

    Asked before anything else is locked: whoever begins one waits for those who are deciding.
    """
    if installation.stands_still(db, keep_so=True):
        raise StandstillError(WORDS)


def refuse(database: Database) -> None:
    """Raise StandstillError while nothing may be decided, before anything is asked of a calendar service for it."""
    if stands(database):
        raise StandstillError(WORDS)


def lock(db: Connection, practitioner_id: UUID) -> Practitioner:
    """Let nobody else decide about a practitioner until the transaction ends: whoever decides anything begins with it.

    Raises: NotFoundError; StandstillError while nothing may be decided.
    """
    check(db)
    return people.practitioner(db, practitioner_id, lock=True)


def stands(database: Database) -> bool:
    """Whether nothing may go out at present."""
    with database.read() as db:
        return installation.stands_still(db)


def look(database: Database, policy: Policy, witness: Witness | None, *, clock: Clock) -> None:
    """Begin a standstill if the database has been restored, as a witness tells; else tell the witness how far it is."""
    if witness is None:
        return
    with database.read() as db:
        stored, seen = installation.get(db), _seen(db)
    remembered = witness.recall(stored.id)
    if remembered is not None and seen < remembered:
        _begin_if_behind(database, policy, witness, remembered, clock=clock)
    elif stored.restored_at is not None and (remembered is None or remembered.epoch < seen.epoch):
        return  # it may have been in the back-up: only whoever begins a standstill tells a witness so; see `is_known`
    elif seen != remembered:
        witness.remember(stored.id, seen)


def _begin_if_behind(database: Database, policy: Policy, witness: Witness, remembered: Seen, *, clock: Clock) -> None:
    """Begin a standstill if the database is behind a witness also as it is now, after the witness was asked.

    What it was before says nothing: things go on happening, and whoever pumps tells the witness so.
    """
    with database.begin() as db:
        stored = installation.get(db, lock=True)
        if _seen(db) >= remembered:
            return
        begin(db, policy, by=CLOCK, now=clock(), epoch=remembered.epoch + 1)
        seen = _seen(db)
    witness.remember(stored.id, seen)


def is_known(database: Database, witness: Witness | None) -> bool:
    """Whether everything stands still, and has since this database was restored: so a witness remembers.

    A standstill of which none knows may have been going on when the back-up was made.
    """
    with database.read() as db:
        stored = installation.get(db)
    if stored.restored_at is None or witness is None:
        return False
    remembered = witness.recall(stored.id)
    return remembered is not None and remembered.epoch == stored.epoch


def declare(database: Database, policy: Policy, witness: Witness | None, *, by: Actor, now: datetime) -> None:
    """Begin a standstill, also in another one, because somebody says that the database was restored."""
    with database.read() as db:
        installation_id = installation.get(db).id
    remembered = witness.recall(installation_id) if witness is not None else None
    with database.begin() as db:
        stored = installation.get(db, lock=True)
        begin(db, policy, by=by, now=now, epoch=max(stored.epoch, remembered.epoch if remembered else 0) + 1)
        seen = _seen(db)
    if witness is not None:
        witness.remember(installation_id, seen)


def _seen(db: Connection) -> Seen:
    return Seen(epoch=installation.get(db).epoch, fact=installation.newest_fact(db))


def begin(db: Connection, policy: Policy, *, by: Actor, now: datetime, epoch: int = 0) -> bool:
    """Let nothing go out any more, raise what must be above all that was ever used, and tell the operator once.

    Args:
        db: The transaction.
        policy: How this installation does things.
        by: Who knows that the database was restored; the clock if a witness does.
        now: Aware UTC.
        epoch: The least that the new epoch may be.
    Returns: Whether it begins with this; False if that epoch has begun already.
    """
    stored = installation.get(db, lock=True)
    if stored.restored_at is not None and stored.epoch >= epoch:
        return False
    new_epoch = max(stored.epoch + 1, epoch)
    installation.stand_still(db, epoch=new_epoch, now=now)
    installation.raise_revisions(db, epochs=new_epoch - stored.epoch, now=now)
    installation.forget_promises(db, now=now)
    _pause(db, by, now)
    ledger.end_leases(db)  # whoever is at work records nothing more, and so does nothing more; due work is locked last
    log.warning("database_was_restored", epoch=new_epoch, by=by.role.value)
    if policy.operator:
        _tell_operator(db, policy, new_epoch, now)
    return True


def end(db: Connection) -> None:
    """Let everything go out again."""
    installation.go_on(db)
    log.warning("restore_was_put_right")


def _pause(db: Connection, by: Actor, now: datetime) -> None:
    """Pause every calendar, whatever it was paused for, and forget what was going on in it."""
    for calendar in calendars.calendars_of(db):
        calendars.forget_token(db, calendar.id)
        remote_changes.forget_all(db, calendar.id)
        if calendar.paused != PauseReason.RESTORED:
            calendars.resume(db, calendar.id)  # that may have been decided since
        if not calendars.pause(db, calendar.id, PauseReason.RESTORED.value, count=0, now=now):
            continue
        fact = CalendarPaused(
            at=now,
            by=by,
            connection_id=calendar.connection_id,
            calendar=calendar.name,
            reason=PauseReason.RESTORED.value,
            count=0,
        )
        timeline.append(db, calendar.practitioner_id, [fact])


def _tell_operator(db: Connection, policy: Policy, epoch: int, now: datetime) -> None:
    notice = Notice(
        kind=NoticeKind.RESTORE_FOUND,
        to=policy.to_operator,
        practitioner_name="",
        since=installation.get(db).known_until,
    )
    for practitioner in list(people.all_practitioners(db))[:1]:  # a conversation belongs to one, whoever it is with
        notices.tell(db, notice, key=f"{notice.kind}:{epoch}", practitioner_id=practitioner.id, now=now)
