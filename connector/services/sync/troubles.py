"""What keeps a calendar from being read or written: noted, and told once to whoever can end it. See decision 24."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import assert_never
from uuid import UUID

from sqlalchemy import Connection as Db

from connector import counters
from connector.domain.connection import Calendar, CalendarRole, Connection, ConnectionState, TroubleKind
from connector.domain.facts import EntriesRefused
from connector.domain.notice import Notice, NoticeKind, Recipient
from connector.domain.people import CLOCK
from connector.domain.reconcile import Put
from connector.errors import InstallationError, MissingError, RefusedError, TransientError
from connector.sentence import Sentence
from connector.services import notices
from connector.services.accounts import registrations
from connector.services.policy import Policy
from connector.services.sync import push
from connector.services.sync.causes import OURS, cause
from connector.storage import calendars, ledger, people, sessions, timeline, troubles
from connector.storage.ledger import Claim, Key, Kind, Urgency
from connector.storage.sentences import written

LONG = timedelta(hours=1)  # an outage is told by letter after so long


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """Work on a calendar that did not go through."""

    connection: Connection
    calendar_id: UUID
    claim: Claim
    error: Exception

    @property
    def kind(self) -> TroubleKind:
        """Who can end it."""
        match self.error:
            case InstallationError():
                return TroubleKind.INSTALLATION
            case RefusedError() | MissingError():
                return TroubleKind.REFUSED
            case TransientError():
                return TroubleKind.OUTAGE
            case _:
                return TroubleKind.OURS

    @property
    def words(self) -> Sentence:
        """What went wrong, for its practitioner."""
        return OURS if self.kind is TroubleKind.OURS else cause(self.error)


def note(db: Db, policy: Policy, attempt: Attempt, *, now: datetime) -> None:
    """Note that work on a calendar did not go through, and tell whoever can do something about it, once."""
    counters.failed(attempt.connection.provider, attempt.kind)
    if isinstance(attempt.error, InstallationError):
        owner = attempt.connection.practitioner_id
        registrations.refused(db, policy, attempt.connection.provider, attempt.error, owner, now=now)
    match attempt.claim.key.kind:
        case Kind.CALENDAR:
            troubles.note_write(db, attempt.calendar_id, attempt.words, kind=attempt.kind, now=now)
        case Kind.PULL:
            troubles.note_read(db, attempt.calendar_id, attempt.words, kind=attempt.kind, now=now)
        case _:
            return  # what is read for conflicts has its own note; the rest is no practitioner's matter
    calendar = calendars.calendar(db, attempt.calendar_id)
    is_at_work = calendar.role is CalendarRole.TARGET and calendar.paused is None
    if is_at_work and attempt.connection.state is ConnectionState.OK:
        _tell_practitioner(db, policy, calendar, attempt, now)


def note_done(db: Db, connection: Connection, calendar_id: UUID, claim: Claim, *, looked: bool, now: datetime) -> None:
    """Note that work on a calendar has gone through; whatever it waits for is tried again then.

    `looked`: the calendar was read just now.
    """
    if claim.refused_at is not None:
        registrations.accepted(db, connection.provider, now=now)
    if looked:
        ledger.hasten_refused(db, registrations.AFTER_LOOK, [str(calendar_id)], now=now)


def _tell_practitioner(db: Db, policy: Policy, calendar: Calendar, attempt: Attempt, now: datetime) -> None:
    match attempt.kind:
        case TroubleKind.REFUSED:
            if attempt.claim.key.kind is Kind.CALENDAR:
                _note_refusal(db, policy, calendar, attempt.claim, now)
        case TroubleKind.OUTAGE | TroubleKind.OURS:
            _note_outage(db, calendar, attempt.connection, now)
        case TroubleKind.INSTALLATION:
            pass
        case _:
            assert_never(attempt.kind)


def _note_refusal(db: Db, policy: Policy, calendar: Calendar, claim: Claim, now: datetime) -> None:
    """Tell the practitioner once a second write in a row is refused while the calendar can be read; until then look."""
    if calendar.refused_at is not None:
        return
    if claim.refused_at is None or calendar.read_at is None or calendar.read_at < claim.refused_at:
        key = Key(Kind.PULL, str(calendar.id))
        ledger.touch(db, key, due_at=now, lane=calendar.lane, urgency=Urgency.LOOK)
        return
    troubles.note_refused(db, calendar.id, since=claim.refused_at)
    fact = EntriesRefused(
        at=now,
        by=CLOCK,
        connection_id=calendar.connection_id,
        calendar=calendar.name,
        why=written(calendar.trouble) if calendar.trouble else "",
    )
    timeline.append(db, calendar.practitioner_id, [fact])
    actions = push.picture(db, policy, calendar.id, now=now).actions
    missing = sum(isinstance(action, Put) for action in actions)
    _tell(db, calendar, NoticeKind.ENTRIES_REFUSED, now, count=missing)


def _note_outage(db: Db, calendar: Calendar, connection: Connection, now: datetime) -> None:
    """Tell the practitioner of an outage that lasts, if something of theirs is to come."""
    since = min(fault.since for fault in (calendar.write_fault, calendar.read_fault) if fault is not None)
    is_told = calendar.outage_told_at is not None or calendar.refused_at is not None
    if is_told or since > now - LONG or troubles.registration_fault(db, connection.provider) is not None:
        return
    if sessions.booked(db, calendar.practitioner_id, since=now):
        troubles.note_outage_told(db, calendar.id, now=now)
        _tell(db, calendar, NoticeKind.CALENDAR_UNREACHABLE, now)


def _tell(db: Db, calendar: Calendar, kind: NoticeKind, now: datetime, *, count: int = 0) -> None:
    practitioner = people.practitioner(db, calendar.practitioner_id)
    notice = Notice(
        kind=kind,
        to=Recipient.of(practitioner),
        practitioner_name=practitioner.name,
        about=calendar.name,
        calendar_id=calendar.id,
        count=count,
    )
    notices.tell_practitioner(db, practitioner, notice, now=now)
