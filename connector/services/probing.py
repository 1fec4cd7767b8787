"""Prove how a calendar's holds must be shown: place a tentative event, ask for free and busy, take it away again."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

from sqlalchemy import Connection as Db

from connector.domain.entry import Content, Entry, EntryKey, EntryKind, Showing
from connector.domain.facts import HoldsProved
from connector.domain.people import CLOCK
from connector.domain.reconcile import Put, Ref, Remove
from connector.domain.span import Span
from connector.ports import Failed, RemoteCalendar
from connector.storage import calendars, ledger, people, timeline
from connector.storage.calendars import Calendar, CalendarRole
from connector.storage.database import Database
from connector.storage.ledger import Key, Kind

DAILY = timedelta(days=1)
LAG = timedelta(seconds=30)  # free and busy may lag behind: what reads as free is asked about once more after so long
TRIES = 2
_TITLE = "Hold"
_AHEAD = timedelta(days=190)  # where nobody looks, and few have plans
_HOUR = 3  # at night
_LENGTH = timedelta(minutes=15)
_NIGHTS = 7


def probe(database: Database, calendar_id: UUID, remote: RemoteCalendar, *, now: datetime) -> datetime | None:
    """Find out whether a tentative event keeps its time busy here; where it does not, holds are firm from now on.

    The probe's name is stored before it is placed, so that one left by a crash is found and removed.

    Returns: When to look again; None for a calendar nothing is written to.
    Raises: ProviderError; then call again later.
    """
    with database.read() as db:
        calendar = calendars.calendar(db, calendar_id)
        zone = people.practitioner(db, calendar.practitioner_id).zone
    if calendar.role is not CalendarRole.TARGET:
        return None
    if calendar.stopped is not None:
        return now + DAILY
    if calendar.probe is not None:  # one that was read as free, or one left by a crash
        clear(database, calendar_id, remote)
    span = _free_night(remote, zone, now)
    if span is None:
        return now + DAILY
    name = str(uuid4())
    with database.begin() as db:
        calendars.note_probe(db, calendar_id, name, tries=calendar.probe_tries)
    placed = Put(entry=_entry(calendar, span), at=Ref(name=name))
    (outcome,) = remote.apply([placed])
    if isinstance(outcome, Failed):
        raise outcome.error
    is_busy = any(one.span.overlaps(span) for one in remote.busy(span))
    if not is_busy and calendar.probe_tries + 1 < TRIES:
        with database.begin() as db:
            calendars.note_probe(db, calendar_id, name, tries=calendar.probe_tries + 1)
        return now + LAG
    clear(database, calendar_id, remote)
    with database.begin() as db:
        _note(db, calendar, firm=not is_busy, now=now)
    return now + DAILY


def clear(database: Database, calendar_id: UUID, remote: RemoteCalendar) -> None:
    """Remove a probe that may stand in a calendar.

    Raises: ProviderError.
    """
    with database.read() as db:
        calendar = calendars.calendar(db, calendar_id)
    if calendar.probe is None:
        return
    (outcome,) = remote.apply([Remove(key=_key(calendar), session_id=calendar.id, at=Ref(name=calendar.probe))])
    if isinstance(outcome, Failed):
        raise outcome.error
    with database.begin() as db:
        calendars.note_probe(db, calendar_id, None, tries=calendar.probe_tries)


def _note(db: Db, calendar: Calendar, *, firm: bool, now: datetime) -> None:
    calendars.note_strength(db, calendar.id, firm=firm, now=now)
    if firm != calendar.disclosure.firm_holds or calendar.probed_at is None:
        fact = HoldsProved(at=now, by=CLOCK, connection_id=calendar.connection_id, calendar=calendar.name, firm=firm)
        timeline.append(db, calendar.practitioner_id, [fact])
    if firm != calendar.disclosure.firm_holds:
        ledger.touch(db, Key(Kind.CALENDAR, str(calendar.id)), due_at=now, lane=calendar.lane)


def _free_night(remote: RemoteCalendar, zone: str, now: datetime) -> Span | None:
    """Return a quarter of an hour at night in which nothing stands; None if there is none in a week."""
    first = (now + _AHEAD).astimezone(ZoneInfo(zone)).replace(hour=_HOUR, minute=0, second=0)
    for night in range(_NIGHTS):
        span = Span.of(first + timedelta(days=night), _LENGTH)
        if not any(one.span.overlaps(span) for one in remote.busy(span)):
            return span
    return None


def _entry(calendar: Calendar, span: Span) -> Entry:
    content = Content(span=span, title=_TITLE, location="", showing=Showing.TENTATIVE)
    return Entry(key=_key(calendar), session_id=calendar.id, content=content)


def _key(calendar: Calendar) -> EntryKey:
    return EntryKey(kind=EntryKind.HOLD, id=calendar.id)
