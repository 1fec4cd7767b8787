"""Pause a calendar that looks wrong before anything reaches a client, and resume once a person has said how."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID, uuid4

from sqlalchemy import Connection as Db

from connector.domain.change import RemoteChange, loss
from connector.domain.connection import Calendar
from connector.domain.entry import EntryKey
from connector.domain.facts import CalendarPaused, CalendarResumed
from connector.domain.notice import Notice, NoticeKind, PauseReason, Recipient
from connector.domain.people import CLOCK, Actor
from connector.errors import RuleError
from connector.failures import tell
from connector.services import notices, standstill
from connector.services.policy import Policy
from connector.storage import calendars, ledger, people, remote_changes, timeline, unknown_entries
from connector.storage.ledger import Key, Kind
from connector.storage.seal import Seal
from connector.storage.unknown_entries import Fate

PURPOSE = "stopped"  # of the tokens that lead to the page of a paused calendar
LINK_LASTS = timedelta(days=30)  # so long a mailed link decides how a calendar goes on


class How(StrEnum):
    """How work on a paused calendar goes on."""

    REVERT = "restore"  # revert all that is gone or was moved, remove what nobody knows, or try to read it again
    ACCEPT = "accept"  # the deletions were meant, each as if it had been made alone; or what nobody knows may stay
    ITSELF = "itself"  # all that was missing is back
    OVER = "over"  # it can be read again, or holds nothing any more that nobody knows
    FOLLOW_CALENDARS = "follow_calendars"  # the database was restored, and what stands in the calendars is right
    FOLLOW_DATABASE = "follow_database"  # the same, and what the database says is right


_AFTER_RESTORE = (How.FOLLOW_CALENDARS, How.FOLLOW_DATABASE)
_GONE = (PauseReason.EMPTIED, PauseReason.SHRUNKEN)
_FATES = {How.REVERT: Fate.REMOVED, How.ACCEPT: Fate.KEPT}


def reason_to_pause(
    units: Mapping[EntryKey, object], unsettled: Iterable[RemoteChange]
) -> tuple[PauseReason, int] | None:
    """Return why a calendar should be paused, and how much is gone from it; None if nothing is wrong.

    Args:
        units: As `loss` takes them.
        unsettled: Every remote change in the calendar that has not settled.
    """
    lost = loss(units, unsettled)
    if lost.is_emptied:
        return PauseReason.EMPTIED, lost.gone
    return (PauseReason.SHRUNKEN, lost.gone) if lost.is_shrunken else None


def pause(db: Db, policy: Policy, calendar: Calendar, reason: PauseReason, *, count: int = 0, now: datetime) -> None:
    """Pause a calendar, and ask its practitioner and the operator how to go on, once."""
    if not calendars.pause(db, calendar.id, reason.value, count=count, now=now):
        return
    tell("calendar_stopped", reason.value, calendar=str(calendar.id), count=count)
    fact = CalendarPaused(
        at=now,
        by=CLOCK,
        connection_id=calendar.connection_id,
        calendar=calendar.name,
        reason=reason.value,
        count=count,
    )
    timeline.append(db, calendar.practitioner_id, [fact])
    practitioner = people.practitioner(db, calendar.practitioner_id)
    notice = Notice(
        kind=NoticeKind.CALENDAR_PAUSED,
        to=Recipient.of(practitioner),
        practitioner_name=practitioner.name,
        about=calendar.name,
        reason=reason.value,
        calendar_id=calendar.id,
        paused_at=now,
        count=count,
    )
    notices.tell_practitioner(db, practitioner, notice, now=now)
    if policy.operator:
        _tell_operator(db, policy, calendar, reason, count, now)


def find(db: Db, seal: Seal, token: str) -> tuple[Calendar, datetime | None]:
    """Return the calendar a mailed link leads to, and since when it was paused that the link is about.

    None if an earlier version has mailed it: such a link is about no stop.

    Raises: NotFoundError if the link is none of ours, or the calendar is disconnected.
    """
    calendar_id, paused_at = seal.subject(PURPOSE, token)
    calendar = calendars.calendar(db, calendar_id)
    seal.check_reader(PURPOSE, token, people.practitioner(db, calendar.practitioner_id).email)
    return calendar, paused_at


def resume(db: Db, calendar_id: UUID, how: How, *, by: Actor, now: datetime) -> None:
    """Go on with a paused calendar: what is said about it answers why it was paused, and nothing else.

    Accepted deletions are read once more, and then count as any other: that of a hold withdraws its alternative, that
    of a session's event is asked about. What nobody has been asked about yet, the next look judges.

    Raises: NotFoundError; RuleError if the calendar is not paused.
    """
    calendar = calendars.calendar(db, calendar_id)
    if how in _AFTER_RESTORE:
        people.practitioner(db, calendar.practitioner_id, lock=True)
    else:
        standstill.lock(db, calendar.practitioner_id)  # no pull decides meanwhile
    if calendar.paused == PauseReason.RESTORED and how not in _AFTER_RESTORE:
        raise RuleError(
            "This calendar was stopped because Pencilled's database was set back to an earlier state. Whoever runs "
            "this installation decides how it goes on.",
            code="calendar_stopped_by_restore",
        )
    if not calendars.resume(db, calendar_id):
        raise RuleError("This calendar is not stopped. Nothing needs to be done.", code="calendar_not_stopped")
    calendars.ask_for_comparison(db, calendar_id, repair=False)
    fate = _FATES.get(how) if calendar.paused == PauseReason.UNKNOWN else None
    if fate is not None:
        unknown_entries.decide(db, calendar_id, fate)
    elif calendar.paused in _GONE and how is How.REVERT:
        remote_changes.forget_all(db, calendar_id)
    elif calendar.paused in _GONE and how is How.ACCEPT:
        remote_changes.accept_deletions(db, calendar_id)
    fact = CalendarResumed(
        at=now,
        by=by,
        connection_id=calendar.connection_id,
        calendar_id=calendar.id,
        calendar=calendar.name,
        how=fate.value if fate is not None else how.value,
    )
    timeline.append(db, calendar.practitioner_id, [fact])
    for kind in (Kind.CALENDAR, Kind.PULL, Kind.CHANNEL, Kind.BUSY, Kind.PROBE):
        ledger.touch(db, Key(kind, str(calendar_id)), due_at=now, lane=calendar.lane, urgency=kind.urgency_asked)


def check_working(db: Db, practitioner_id: UUID) -> None:
    """Raise RuleError if a calendar of the practitioner is paused or takes no entries: no time would be seen there."""
    for calendar in calendars.calendars_of(db, practitioner_id):
        if calendar.paused == PauseReason.RESTORED:
            raise RuleError(
                "The calendar “%(calendar)s” was stopped because Pencilled's database was set back to an earlier "
                "state, so the offered times could not be shown in it. Whoever runs this installation decides how it "
                "goes on. Send again after that. No time is held.",
                code="target_stopped_by_restore",
                calendar=calendar.name,
            )
        if calendar.paused is not None:
            raise RuleError(
                "The calendar “%(calendar)s” was stopped because it looks wrong, so the offered times could not be "
                "shown in it. Say first how to go on with it, on the page of your calendars, then send again. No time "
                "is held.",
                code="target_stopped",
                calendar=calendar.name,
            )
        if calendar.refused_at is not None:
            raise RuleError(
                "The calendar “%(calendar)s” takes no entries at the moment (%(trouble)s), so the offered times could "
                "not be shown in it. See whether its account may still write to it, on the page of your calendars; we "
                "try again by ourselves. Send again after that. No time is held.",
                code="target_refuses_entries",
                calendar=calendar.name,
                trouble=calendar.trouble or "",
            )


def _tell_operator(db: Db, policy: Policy, calendar: Calendar, reason: PauseReason, count: int, now: datetime) -> None:
    notice = Notice(
        kind=NoticeKind.OPERATOR_PAUSED,
        to=policy.to_operator,
        practitioner_name="",
        reason=reason.value,
        calendar_id=calendar.id,
        paused_at=now,
        count=count,
    )
    key = f"{notice.kind}:{calendar.id}:{uuid4()}"
    notices.tell(db, notice, key=key, practitioner_id=calendar.practitioner_id, now=now)
