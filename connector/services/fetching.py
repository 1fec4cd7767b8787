"""Mail is fetched from the reply mailbox: the oldest first, counted before it is fetched, stored before it is marked.

How far that has come is stored with each mail, so a crash loses nothing and doubles nothing; after a restore of the
database what came since the back-up is fetched again. What counts as progress is mail that is new: a copy of what came
before takes no other's place. See docs/decisions/0054 and 0059.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from hashlib import sha256

import structlog
from sqlalchemy import Connection

from connector.domain.notice import Notice, NoticeKind, Recipient
from connector.errors import InstallationError, TransientError
from connector.failures import tell
from connector.inbox import bounds
from connector.ports import Clock, ListedMail, OpenMailbox, ReplyMailbox
from connector.services import notices, receiving
from connector.services.policy import Policy
from connector.storage import incoming, installation, ledger, people, reply_mailbox
from connector.storage.database import Database
from connector.storage.fence import Fence, fenced
from connector.storage.incoming import Door
from connector.storage.ledger import Key, Kind, Urgency

LANE = "mailbox"
POLL = timedelta(minutes=1)
POLL_TOLD = timedelta(minutes=5)  # where the server tells at once what comes in
MOST = 50  # new mails a round; whatever else is due has its turn before the next
LONGEST = timedelta(seconds=30)  # of a round, likewise
MOST_WAITING = 200  # mails that are fetched and not yet read, so that a flood fills the mailbox and not the database
READ_FIRST = timedelta(seconds=10)
MOST_TRIES = 3  # before a mail is left behind that cannot be fetched
BEHIND = timedelta(hours=1)  # between two tries of what was left behind
GIVEN_UP = timedelta(days=7)
FORGOTTEN = receiving.KEPT - timedelta(days=1)  # what came before that may have been read, and would be read again
OUTAGE_TOLD = timedelta(hours=1)
OPERATOR = "Operator"

_PAGE = 500
LATE = "late"  # what a notice about a mailbox that is read all the same is about
FICKLE = (
    "its server says each time it is opened that all mails have other numbers than before (UIDVALIDITY), so all of "
    "them are fetched again and again; mail that is new is read, but late. Whoever runs that server can put it right"
)

log = structlog.get_logger(__name__)


def begin(database: Database, mailbox: ReplyMailbox | None, *, now: datetime, urgency: Urgency) -> None:
    """Have the reply mailbox looked into: it is in use from now on, or something may have come in."""
    if mailbox is None:
        return
    with database.begin() as db:
        reply_mailbox.begin(db, identity := installation.get(db).id, identity=mailbox.identity)
        ledger.touch(db, Key(Kind.MAILBOX, str(identity)), due_at=now, lane=LANE, urgency=urgency)


def look(
    database: Database, policy: Policy, mailbox: ReplyMailbox | None, *, clock: Clock, fence: Fence
) -> datetime | None:
    """Fetch what has come in, a round of it, and return when to look again; None if there is no mailbox.

    Raises: InstallationError, of which the operator has been told; TransientError.
    """
    if mailbox is None:
        with fenced(database, fence) as db:
            reply_mailbox.forget(db)
        return None
    try:
        with mailbox.open() as folder:
            pause = _Round(database=database, mailbox=mailbox, folder=folder, fence=fence, clock=clock).carry_out()
    except (InstallationError, TransientError) as error:
        with fenced(database, fence) as db:
            _note_fault(db, policy, mailbox, error, now=clock())
        raise
    with fenced(database, fence) as db:
        if reply_mailbox.is_fickle(db, now=clock()):
            _note_fault(db, policy, mailbox, InstallationError(FICKLE), now=clock())
            return clock() + pause
        since = reply_mailbox.note_read(db, now=clock())
    if since is not None:
        log.warning("mailbox_read_again", since=since.isoformat())
    return clock() + pause


@dataclass(kw_only=True)
class _Round:
    """One connection's worth of fetching."""

    database: Database
    mailbox: ReplyMailbox
    folder: OpenMailbox
    fence: Fence
    clock: Clock
    stored: list[int] = field(default_factory=list)
    new: int = 0
    passed_over: int | None = None
    ends_at: float = field(default_factory=lambda: time.monotonic() + LONGEST.total_seconds())

    def carry_out(self) -> timedelta:
        """Fetch until the budget is spent or nothing is left, and return how long to pause."""
        with fenced(self.database, self.fence) as db:
            reply_mailbox.begin(db, installation.get(db).id, identity=self.mailbox.identity)
            uid = reply_mailbox.opened(db, self.folder.validity, now=self.clock())
            room = MOST_WAITING - incoming.waiting(db)
        if room <= 0:
            return READ_FIRST
        try:
            is_spent = self._take_all(uid, most=min(MOST, room))
        finally:
            self._mark()
        if is_spent:
            return POLL if self.stored and not self.new else timedelta()  # copies alone are no progress
        self._catch_up()
        return POLL_TOLD if self.folder.tells else POLL

    def _take_all(self, uid: int, *, most: int) -> bool:
        """Take what has come in after a mail; return whether the budget was spent before its end."""
        while listed := self.folder.after(uid, most=_PAGE):
            for mail in self._within_budget(listed, most):
                self._take(mail)
                uid = mail.uid
            self._pass_on()
            if uid != listed[-1].uid:
                return True
        return False

    def _mark(self) -> None:
        """Mark what is stored as read, for people; where the connection is gone already, nobody needs that."""
        with suppress(TransientError):
            if self.stored and not self.folder.mark(self.stored):
                tell("mails_not_marked", "the mailbox's server does not let us", mails=len(self.stored))

    def _pass_on(self) -> None:
        """Note how far it has come where the last mails were passed over."""
        if self.passed_over is not None:
            with fenced(self.database, self.fence) as db:
                reply_mailbox.pass_on(db, self.passed_over)
            self.passed_over = None

    def _within_budget(self, listed: Sequence[ListedMail], most: int) -> Iterator[ListedMail]:
        """Yield mails until so many new ones are stored, or the round has lasted long enough."""
        for mail in listed:
            if self.new >= most or time.monotonic() > self.ends_at:
                return
            self.fence.renew()
            yield mail

    def _take(self, mail: ListedMail) -> None:
        """Store a mail, or quarantine it, or leave it behind; the next one follows, whatever becomes of this."""
        now, self.passed_over = self.clock(), None
        if mail.size > bounds.LARGEST:
            with fenced(self.database, self.fence) as db:
                receiving.refuse(db, bounds.Excess.MAIL_SIZE.value, identity=self._identity(mail), now=now)
                reply_mailbox.pass_on(db, mail.uid)
        elif mail.came_at is not None and mail.came_at < now - FORGOTTEN:
            self.passed_over = mail.uid  # noted once for many: a mailbox may be full of them
        elif self._has_failed_often(mail.uid):
            with fenced(self.database, self.fence) as db:
                reply_mailbox.leave_behind(db, mail.uid, since=now, again_at=now + BEHIND)
                reply_mailbox.pass_on(db, mail.uid)
            tell("mail_left_behind", "the mailbox's server does not hand it over", again_at=now + BEHIND)
        else:
            self._fetch(mail.uid, is_behind=False)

    def _has_failed_often(self, uid: int) -> bool:
        """Note that a mail is tried, before it is: also one that would end this process is left behind some time."""
        with fenced(self.database, self.fence) as db:
            return reply_mailbox.try_to_fetch(db, uid) >= MOST_TRIES

    def _fetch(self, uid: int, *, is_behind: bool) -> None:
        raw = self.folder.fetch(uid)
        with fenced(self.database, self.fence) as db:
            self.new += receiving.receive(db, raw, door=Door.MAILBOX, now=self.clock())
            (reply_mailbox.settle if is_behind else reply_mailbox.pass_on)(db, uid)
        self.stored.append(uid)

    def _catch_up(self) -> None:
        """Try one mail that was left behind; after a week it is quarantined, unread."""
        self.fence.renew()
        now = self.clock()
        with fenced(self.database, self.fence) as db:
            mail = reply_mailbox.behind(db, now=now)
            if mail is None:
                return
            uid, since = mail
            if since < now - GIVEN_UP:
                reply_mailbox.settle(db, uid)
                receiving.refuse(db, receiving.UNFETCHED, identity=self._number(uid), now=now)
                return
            reply_mailbox.try_again(db, uid, at=now + BEHIND)
        try:
            self._fetch(uid, is_behind=True)
        except TransientError as error:
            tell("mail_left_behind", error, again_at=now + BEHIND)

    def _identity(self, mail: ListedMail) -> str:
        """Return what stays of a mail that is never fetched, whatever number it has."""
        if mail.came_at is None:
            return self._number(mail.uid)
        return sha256(f"{self.mailbox.identity}:{mail.came_at.isoformat()}:{mail.size}".encode()).hexdigest()

    def _number(self, uid: int) -> str:
        return sha256(f"{self.mailbox.identity}:{self.folder.validity}:{uid}".encode()).hexdigest()


def _note_fault(
    db: Connection,
    policy: Policy,
    mailbox: ReplyMailbox,
    error: InstallationError | TransientError,
    *,
    now: datetime,
) -> None:
    """Note why the mailbox cannot be read, and tell the operator once: at once if we are refused, else if it lasts."""
    reply_mailbox.begin(db, installation.get(db).id, identity=mailbox.identity)
    standing = reply_mailbox.note_fault(db, str(error), now=now)
    since = standing.fault_since or now
    lasts = now - since >= OUTAGE_TOLD
    if standing.fault_told_at is not None or not (lasts or isinstance(error, InstallationError)):
        return
    reply_mailbox.note_told(db, now=now)
    tell("mailbox_unread", error, level=logging.ERROR)
    for practitioner in list(people.all_practitioners(db))[:1]:  # a conversation belongs to one, whoever it is with
        if not policy.operator:
            return
        notice = Notice(
            kind=NoticeKind.MAILBOX_UNREAD,
            to=Recipient(name=OPERATOR, address=policy.operator, zone="UTC", locale="en"),
            practitioner_name="",
            reason=str(error),
            about=LATE if str(error) == FICKLE else "",
            since=since,
        )
        key = f"{notice.kind}:{since.isoformat()}"
        notices.tell(db, notice, key=key, practitioner_id=practitioner.id, now=now)
