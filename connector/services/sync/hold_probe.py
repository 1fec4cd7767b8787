"""Prove how a calendar's holds must be shown: write a tentative event, read free/busy, and remove it again."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

from sqlalchemy import Connection as Db

from connector.domain.connection import Calendar, CalendarRole, ConnectionState
from connector.domain.entry import Content, Entry, EntryKey, EntryKind, EntryWords, Showing
from connector.domain.facts import HoldsProved
from connector.domain.people import CLOCK, ERASED
from connector.domain.reconcile import Put, Ref, Remove
from connector.domain.span import Span
from connector.errors import LeaseLostError, NotFoundError
from connector.ports import Failed, RemoteCalendar
from connector.services.policy import Policy
from connector.services.sync import doubts
from connector.services.titles import words_of
from connector.storage import calendars, ledger, people, timeline
from connector.storage.database import Database
from connector.storage.fence import Fence, fenced
from connector.storage.ledger import Key, Kind

DAILY = timedelta(days=1)
LAG = timedelta(seconds=30)  # free/busy may lag behind: what reads as free is read once more after so long
_AHEAD = timedelta(days=190)  # so far ahead that few have plans
_HOUR = 3  # at night
_LENGTH = timedelta(minutes=15)
_NIGHTS = 7


def probe(
    database: Database, policy: Policy, calendar_id: UUID, remote: RemoteCalendar, *, fence: Fence, now: datetime
) -> datetime | None:
    """Find out whether a tentative event keeps its time busy here; where it does not, holds are firm from now on.

    The probe's name is stored before it is written, so that one left by a crash is found and removed. One that reads as
    free is left for a while and read again.

    Returns: When to probe again; None for a calendar nothing is written to.
    Raises: ProviderError; then call again later.
    """
    calendar = _load(database, calendar_id)
    if calendar is None:
        return None
    fence.renew()
    is_standing = calendar.probe is not None and calendar.probe_tries > 0 and calendar.probe_at is not None
    is_busy = is_standing and _reads_as_busy(remote, Span.of(calendar.probe_at or now, _LENGTH))
    clear(database, calendar_id, remote, fence=fence)
    if not _is_written_to(database, calendar_id):
        return None
    if calendar.paused is not None:
        return now + DAILY
    if not is_standing:
        fence.renew()
        span = _free_night(database, calendar, remote, now)
        if span is None:
            return now + DAILY
        is_busy = _place(database, policy, calendar, remote, span, fence, now)
        if not is_busy and _is_written_to(database, calendar_id):
            return now + LAG
    with fenced(database, fence) as db:
        _note(db, calendar, firm=not is_busy, now=now)
    return now + DAILY


def clear(database: Database, calendar_id: UUID, remote: RemoteCalendar, *, fence: Fence) -> None:
    """Remove a probe that may stand in a calendar.

    Raises: ProviderError.
    """
    calendar = _load(database, calendar_id)
    if calendar is None or calendar.probe is None:
        return
    fence.renew()
    _remove(calendar, remote, calendar.probe)
    with fenced(database, fence) as db:
        calendars.note_probe(db, calendar_id, None)


def _place(
    database: Database,
    policy: Policy,
    calendar: Calendar,
    remote: RemoteCalendar,
    span: Span,
    fence: Fence,
    now: datetime,
) -> bool:
    """Place a probe, and return whether its time is busy then; one that reads as free is left standing for a while."""
    name = str(uuid4())
    with fenced(database, fence) as db:
        calendars.note_probe(db, calendar.id, name, at=span.start)
        words = words_of(db, policy, calendar.practitioner_id)
    put = Put(entry=_entry(calendar, span, words), ref=Ref(name=name))
    try:
        (outcome,) = remote.apply([put])
        if isinstance(outcome, Failed):
            raise outcome.error
        is_busy = _reads_as_busy(remote, span)
        if not is_busy and _is_written_to(database, calendar.id):
            with fenced(database, fence) as db:
                calendars.note_probe(db, calendar.id, name, at=span.start, tries=1)
            return False
        _remove(calendar, remote, name)  # by its name: whoever disconnects meanwhile has forgotten it
        with fenced(database, fence) as db:
            calendars.note_probe(db, calendar.id, None)
    except LeaseLostError:
        doubts.leave(database, calendar, [put], now=now)
        raise
    return is_busy


def _remove(calendar: Calendar, remote: RemoteCalendar, name: str) -> None:
    (outcome,) = remote.apply([Remove(key=_key(calendar), session_id=calendar.id, ref=Ref(name=name))])
    if isinstance(outcome, Failed):
        raise outcome.error


def _reads_as_busy(remote: RemoteCalendar, span: Span) -> bool:
    return any(busy_time.span.overlaps(span) for busy_time in remote.busy(span).times)


def _load(database: Database, calendar_id: UUID) -> Calendar | None:
    try:
        with database.read() as db:
            return calendars.calendar(db, calendar_id)
    except NotFoundError:
        return None  # disconnected


def _is_written_to(database: Database, calendar_id: UUID) -> bool:
    """Whether our entries go to this calendar, and it is not being disconnected."""
    calendar = _load(database, calendar_id)
    if calendar is None or calendar.role is not CalendarRole.TARGET:
        return False
    with database.read() as db:
        return calendars.connection(db, calendar.connection_id).state is not ConnectionState.DISCONNECTING


def _note(db: Db, calendar: Calendar, *, firm: bool, now: datetime) -> None:
    calendars.note_hold_strength(db, calendar.id, firm=firm, now=now)
    if firm != calendar.disclosure.firm_holds or calendar.probed_at is None:
        fact = HoldsProved(at=now, by=CLOCK, connection_id=calendar.connection_id, calendar=calendar.name, firm=firm)
        timeline.append(db, calendar.practitioner_id, [fact])
    if firm != calendar.disclosure.firm_holds:
        ledger.touch(db, Key(Kind.CALENDAR, str(calendar.id)), due_at=now, lane=calendar.lane)


def _free_night(database: Database, calendar: Calendar, remote: RemoteCalendar, now: datetime) -> Span | None:
    """Return a quarter of an hour at night in which nothing stands; None if there is none in a week."""
    with database.read() as db:
        zone = people.practitioner(db, calendar.practitioner_id).zone
    first = (now + _AHEAD).astimezone(ZoneInfo(zone)).replace(hour=_HOUR, minute=0, second=0)
    for night in range(_NIGHTS):
        span = Span.of(first + timedelta(days=night), _LENGTH)
        if not _reads_as_busy(remote, span):
            return span
    return None


def _entry(calendar: Calendar, span: Span, words: EntryWords) -> Entry:
    title = words.title(EntryKind.HOLD, ERASED, calendar.disclosure.hold_level)  # it is for nobody
    content = Content(span=span, title=title, location="", showing=Showing.TENTATIVE)
    return Entry(key=_key(calendar), session_id=calendar.id, content=content)


def _key(calendar: Calendar) -> EntryKey:
    return EntryKey(kind=EntryKind.HOLD, id=calendar.id)
