"""Read when a practitioner's calendars are not free, and tell them of each conflict with an offered time.

What was read is stored with its age. A calendar that cannot be read is a blind spot: never free, never busy.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from uuid import UUID

import structlog
from sqlalchemy import Connection as Db

from connector.domain.connection import Calendar, CalendarRole, ConnectionState
from connector.domain.entry import EntryKey, EntryKind
from connector.domain.facts import ConflictFound
from connector.domain.free_times import merged
from connector.domain.notice import Choice, Notice, NoticeKind, Recipient
from connector.domain.offer import Alternative, Offer
from connector.domain.people import CLOCK
from connector.domain.span import Span, zone_named
from connector.errors import ConnectorError, MissingError, ProviderError, RefusedError
from connector.failures import tell
from connector.ports import Busy, BusyReading, Clock, ListsBusy, RemoteCalendar
from connector.sentence import Paragraph, Sentence
from connector.services import notices, standstill
from connector.services.policy import Policy
from connector.services.recording import lock, make_absences_due, make_busy_due
from connector.services.sync import push, unread
from connector.services.sync.causes import cause
from connector.services.sync.readers import Readers
from connector.storage import (
    absences,
    asks,
    busy,
    calendars,
    conversations,
    installation,
    ledger,
    mirrors,
    offers,
    people,
    questions,
    remote_changes,
    sessions,
    timeline,
)
from connector.storage.asks import Ask
from connector.storage.busy import BlindSpot
from connector.storage.database import Database
from connector.storage.fence import Fence, fenced
from connector.storage.ledger import Key, Kind

AHEAD = timedelta(days=60)  # how far ahead is read, at least
FURTHEST = timedelta(days=400)
_NOTED = timedelta(hours=1)  # as exactly it is noted when somebody has asked
PATIENCE = timedelta(seconds=5)  # how long who saves a time waits for calendars to be read
FRESH = 4  # polling intervals after which a calendar that was not read counts as a blind spot
FRESH_IDLE = 2  # the same in idle ones, for who asks when somebody is free
ASKED_FOR = timedelta(days=1)  # after somebody has asked when a practitioner is free, calendars are read so long
_MARGIN = timedelta(days=1)  # read so much farther than was asked: who asks for as many days again finds them read

_readers = Readers()

log = structlog.get_logger(__name__)


def read(
    database: Database, policy: Policy, calendar_id: UUID, remote: RemoteCalendar, *, fence: Fence, now: datetime
) -> datetime | None:
    """Read when a calendar is not free, and tell its practitioner of every offered time that no longer is.

    A calendar whose change feed is read is read again when the feed tells of something; the others are polled: while an
    offer is open more often than while sessions are to come, or somebody has asked lately when they are free.

    Returns: When to read again; None while nothing depends on it.
    Raises: AccessLostError, TransientError; what was stored stays, growing older.
    """
    with database.read() as db:
        calendar = calendars.calendar(db, calendar_id)
        until = _until(db, calendar.practitioner_id, now)
        zone = people.practitioner(db, calendar.practitioner_id).zone
    try:
        fence.renew()
        reading = _read(remote, Span(start=now, end=until), zone)
    except ProviderError as error:
        with fenced(database, fence) as db:
            busy.note_trouble(db, calendar_id, error.sentence)
            is_needed = _is_needed(db, calendar, now) or is_watched(db, calendar.practitioner_id, now=now)
        if isinstance(error, MissingError | RefusedError):
            again_at = now + policy.poll_idle if is_needed else None
            tell("busy_not_read", error, calendar=str(calendar_id), again_at=again_at)
            return again_at
        raise
    with fenced(database, fence) as db:
        lock(db, policy, calendar.practitioner_id, now=now)
        _keep(db, policy, calendar, reading, until=until, now=now)
        is_needed = _is_needed(db, calendar, now)
        is_idle = is_watched(db, calendar.practitioner_id, now=now)
    if calendar.role is CalendarRole.TARGET:
        return None
    return now + policy.poll_open if is_needed else now + policy.poll_idle if is_idle else None


def refresh(database: Database, policy: Policy, practitioner_id: UUID, *, now: datetime) -> None:
    """Have a practitioner's calendars read if that was not done just now: they are choosing times."""
    with database.read() as db:
        own_calendars = calendars.all_of(db, practitioner_id)
    if any(_is_older(calendar, now - policy.poll_open, until=now) for calendar in own_calendars):
        with database.begin() as db:
            make_busy_due(db, practitioner_id, now=now)


def ask(database: Database, policy: Policy, practitioner_id: UUID, until: datetime, *, now: datetime) -> None:
    """Note that somebody asks when a practitioner is free, and have calendars read that were not, or not so far.

    Whoever asks is answered by what is known, and asks again. Most of those who do cause no write. While a restored
    database waits, nothing is noted.
    """
    until = min(until, now + FURTHEST)
    with database.read() as db:
        own_calendars = _readable(db, practitioner_id)
        noted = asked_lately(db, practitioner_id, now=now)
        stands = installation.stands_still(db)
    if stands:
        return
    oldest = now - FRESH_IDLE * policy.poll_idle
    is_unread = any(_is_older(calendar, oldest, until=until) for calendar in own_calendars)
    was_refreshed = noted is not None and noted.refreshed_at is not None and noted.refreshed_at > now - policy.poll_open
    is_due = is_unread and not (was_refreshed and noted is not None and noted.until >= until)
    if noted is not None and noted.at > now - _NOTED and noted.until >= until and not is_due:
        return
    latest = max(until + _MARGIN, noted.until) if noted is not None else until + _MARGIN
    refreshed_at = now if is_due else noted.refreshed_at if noted is not None else None
    with database.begin() as db:
        standstill.check(db)
        asks.save(db, practitioner_id, Ask(at=now, until=latest, refreshed_at=refreshed_at))
        if is_due or noted is None:
            make_busy_due(db, practitioner_id, now=now)


def asked_lately(db: Db, practitioner_id: UUID, *, now: datetime) -> Ask | None:
    """Return what was asked about a practitioner within the last day; None if nothing was."""
    noted = asks.get(db, practitioner_id)
    return noted if noted is not None and noted.at > now - ASKED_FOR else None


def is_watched(db: Db, practitioner_id: UUID, *, now: datetime) -> bool:
    """Whether somebody wants to know what is new in a practitioner's calendars, with no offer open.

    They have sessions to come, about which an absence would make us ask; or somebody has asked when they are free.
    """
    if absences.furthest(db, practitioner_id, now=now) is not None:
        return True
    return asked_lately(db, practitioner_id, now=now) is not None


def _readable(db: Db, practitioner_id: UUID) -> Sequence[Calendar]:
    """Return a practitioner's calendars that let us in."""
    usable = {one.id for one in calendars.connections_of(db, practitioner_id) if one.state is ConnectionState.OK}
    return [one for one in calendars.all_of(db, practitioner_id) if one.connection_id in usable]


def _is_older(calendar: Calendar, oldest: datetime, *, until: datetime) -> bool:
    """Whether a calendar was last read before an instant, or has changed since, or was not read as far as another."""
    if calendar.busy_at is None or calendar.busy_until is None or calendar.busy_outdated_at is not None:
        return True
    return calendar.busy_at <= oldest or calendar.busy_until <= until


def read_now(
    database: Database,
    policy: Policy,
    open_remote: Callable[[UUID], RemoteCalendar],
    practitioner_id: UUID,
    until: datetime,
    *,
    clock: Clock,
    patience: timedelta = PATIENCE,
) -> None:
    """Read a practitioner's calendars for somebody who is about to save a time; waits for it `patience` long at most.

    A calendar that does not answer in time, or cannot be read, stays a blind spot; its answer still counts when it
    comes. So does one that could not be asked, since others are slow. Call it outside any transaction.
    """
    now = clock()
    until = min(until, now + FURTHEST)
    with database.read() as db:
        own = _readable(db, practitioner_id)
    jobs = [
        (calendar.lane, partial(_read_for_door, database, policy, calendar, open_remote, until, now))
        for calendar in own
    ]
    if left := _readers.run(jobs, patience=patience):
        log.warning("busy_not_read", calendars=left, error="many calendars are being read for pages just now")


def _read_for_door(
    database: Database,
    policy: Policy,
    calendar: Calendar,
    open_remote: Callable[[UUID], RemoteCalendar],
    until: datetime,
    now: datetime,
) -> None:
    """Read one calendar without a claim: what a worker has read meanwhile stays."""
    try:
        with database.read() as db:
            until = max(until, _until(db, calendar.practitioner_id, now))
            zone = people.practitioner(db, calendar.practitioner_id).zone
        try:
            reading = _read(open_remote(calendar.id), Span(start=now, end=until), zone)
        except ConnectorError as error:
            tell("busy_not_read", error, calendar=str(calendar.id), again_at=now)
            _keep_for_door(database, policy, calendar, cause(error), until=until, now=now)
        else:
            _keep_for_door(database, policy, calendar, reading, until=until, now=now)
    except Exception as error:  # noqa: BLE001 - a thread has nobody above it; the calendar stays a blind spot
        log.error("busy_not_read", calendar=str(calendar.id), error=type(error).__name__)  # noqa: TRY400 - no names


def _keep_for_door(
    database: Database,
    policy: Policy,
    calendar: Calendar,
    reading: BusyReading | Sentence,
    *,
    until: datetime,
    now: datetime,
) -> None:
    """Store what was read, or why it could not be."""
    with database.begin() as db:
        lock(db, policy, calendar.practitioner_id, now=now)
        latest = next((one for one in calendars.all_of(db, calendar.practitioner_id) if one.id == calendar.id), None)
        if latest is None or (latest.busy_at is not None and latest.busy_at > now):
            return
        if isinstance(reading, Sentence):
            busy.note_trouble(db, calendar.id, reading)
            ledger.touch(db, Key(Kind.BUSY, str(calendar.id)), due_at=now, lane=calendar.lane)  # what follows from it
            return
        _keep(db, policy, calendar, reading, until=until, now=now)


def _keep(db: Db, policy: Policy, calendar: Calendar, reading: BusyReading, *, until: datetime, now: datetime) -> None:
    """Store what a reading found, and what it could not read; tell the practitioner of conflicts."""
    found = _with_known(busy.events(db, calendar.id), reading, _foreign(db, policy, calendar, reading.times, now), now)
    busy.keep(db, calendar.id, found, now=now, until=until)
    unread.keep(db, calendar, reading.unreadable, now=now)
    _tell_conflicts(db, calendar, now)
    make_absences_due(db, calendar.practitioner_id, now=now)


def conflicts(db: Db, practitioner_id: UUID, span: Span) -> tuple[str, ...]:
    """Return the names of the practitioner's calendars in which something stands at that time, as last read."""
    return tuple(sorted({conflict.calendar for conflict in busy.overlapping(db, practitioner_id, span)}))


def blind_spots(
    db: Db, policy: Policy, practitioner_id: UUID, alternatives: Iterable[Alternative], *, now: datetime
) -> Sequence[BlindSpot]:
    """Return the calendars of which it is not known whether they are free at these times, or not of all in them."""
    until = max((alternative.when.span.end for alternative in alternatives), default=now)
    return blind_until(db, policy, practitioner_id, until, now=now)


def blind_until(
    db: Db, policy: Policy, practitioner_id: UUID, until: datetime, *, now: datetime
) -> Sequence[BlindSpot]:
    """Return the calendars of which it is not known whether they are free until then."""
    return busy.blind_spots(db, practitioner_id, read_since=now - FRESH * policy.poll_open, until=until)


def blindness(spot: BlindSpot) -> Paragraph:
    """Say that a calendar is a blind spot, or that something in it is."""
    return Paragraph((*_unread(spot), *([_stale(spot)] if spot.stale else [])))


def _unread(spot: BlindSpot) -> Iterator[Sentence]:
    if spot.events:
        yield Sentence(
            "“%(calendar)s” holds an event that could not be read, so nobody knows whether these times are free there. "
            "Look there first.",
            plural="“%(calendar)s” holds %(n)s events that could not be read, so nobody knows whether these times are "
            "free there. Look there first.",
            n=spot.events,
            calendar=spot.calendar,
        )


def _stale(spot: BlindSpot) -> Sentence:
    if spot.since is None:
        return _never_read(spot)
    if spot.unreadable:
        return Sentence(
            "The calendar “%(calendar)s” cannot be read at the moment, so nobody knows whether these times are free "
            "there. It was last read on %(since)s (UTC).",
            calendar=spot.calendar,
            since=spot.since,
        )
    return Sentence(
        "The calendar “%(calendar)s” was last read on %(since)s (UTC), so nobody knows whether these times are still "
        "free there.",
        calendar=spot.calendar,
        since=spot.since,
    )


def _never_read(spot: BlindSpot) -> Sentence:
    if spot.unreadable:
        return Sentence(
            "The calendar “%(calendar)s” cannot be read at the moment, and never could be, so nobody knows whether "
            "these times are free there.",
            calendar=spot.calendar,
        )
    return Sentence(
        "The calendar “%(calendar)s” has not been read yet, so nobody knows whether these times are free there.",
        calendar=spot.calendar,
    )


def _is_needed(db: Db, calendar: Calendar, now: datetime) -> bool:
    """Whether something is decided by it: an open offer, or where a practitioner has moved an entry to."""
    open_offers = offers.open_of_practitioner(db, calendar.practitioner_id)
    moved_to = remote_changes.places(db, calendar.practitioner_id, after=now)
    return bool(open_offers or moved_to)


def _until(db: Db, practitioner_id: UUID, now: datetime) -> datetime:
    """Return how far ahead it matters whether the practitioner is free."""
    alternatives = [alternative for offer in offers.undecided(db, practitioner_id) for alternative in offer.standing]
    places = remote_changes.places(db, practitioner_id, after=now)
    open_questions = questions.open_of_practitioner(db, practitioner_id).values()
    ends = [
        *(alternative.when.span.end for alternative in alternatives),
        *(span.end for span in places),
        *(question.moved_to.span.end for question in open_questions if question.moved_to),
    ]
    if (asked := asked_lately(db, practitioner_id, now=now)) is not None:
        ends.append(asked.until)
    if (last := absences.furthest(db, practitioner_id, now=now)) is not None:
        ends.append(last)
    return min(max([now + AHEAD, *ends]), now + FURTHEST)


def _foreign(db: Db, policy: Policy, calendar: Calendar, busy_times: Iterable[Busy], now: datetime) -> Iterator[Busy]:
    """Yield what stands in a calendar that is not ours."""
    hrefs = mirrors.hrefs(db, calendar.practitioner_id, since=now - AHEAD)
    picture = push.picture(db, policy, calendar.id, now=now)
    own_spans = [content.span for content in picture.contents.values()]
    spans_without_href = {
        picture.contents[mirror.key].span
        for mirror in picture.mirrors.values()
        if mirror.ref.href is None and mirror.key in picture.contents  # perhaps written, and its href not yet stored
    }
    keys = mirrors.names(db, calendar.practitioner_id, since=now - AHEAD)
    places = _places(db, calendar.practitioner_id, now)
    everywhere = {span for spans in places.values() for span in spans}
    for busy_time in busy_times:
        own = everywhere if busy_time.name == "" else places.get(keys.get(busy_time.name or ""), frozenset())
        if busy_time.span in own:
            continue  # ours, or a copy of it, at whatever address; one at another time is an appointment of its own
        if busy_time.href is None:  # what is ours may be among it
            yield from (replace(busy_time, span=span) for span in _without(busy_time.span, own_spans))
        elif (
            busy_time.href not in hrefs
            and busy_time.span not in spans_without_href
            and not _is_probe(picture.calendar, busy_time.href)
        ):
            yield busy_time


def _with_known(known: Sequence[Busy], reading: BusyReading, found: Iterable[Busy], now: datetime) -> Iterator[Busy]:
    """Yield what was found, and the events known before that a reading does not tell to be gone.

    Those are what it could not read, and what still takes time where it only tells when the calendar is not free.
    """
    unreadable = {event.href for event in reading.unreadable} - {one.href for one in reading.times}
    taken = merged(one.span for one in reading.times) if all(one.href is None for one in reading.times) else ()
    still = [one for one in known if one.href in unreadable or _is_taken(one.span, taken, now)]
    yield from still
    for one in found:
        if one.href is None:
            yield from (replace(one, span=span) for span in _without(one.span, (event.span for event in still)))
        else:
            yield one


def _is_taken(span: Span, taken: Iterable[Span], now: datetime) -> bool:
    """Whether all that is to come of a span lies in what is not free."""
    start = max(span.start, now)
    return any(one.start <= start and span.end <= one.end for one in taken)


def _places(db: Db, practitioner_id: UUID, now: datetime) -> Mapping[EntryKey | None, frozenset[Span]]:
    """Return where each entry of a practitioner stands: where it should, and where they have put it."""
    places: dict[EntryKey | None, set[Span]] = defaultdict(set)
    for session in sessions.booked(db, practitioner_id, since=now - AHEAD):
        places[EntryKey(kind=EntryKind.SESSION, id=session.id)].add(session.when.span)
    for offer in offers.open_of_practitioner(db, practitioner_id):
        for alternative in offer.held:
            places[EntryKey(kind=EntryKind.HOLD, id=alternative.id)].add(alternative.when.span)
    for session_id, question in questions.open_of_practitioner(db, practitioner_id).items():
        if question.keeps is not None:
            places[EntryKey(kind=EntryKind.SESSION, id=session_id)].add(question.keeps.span)
    for calendar in calendars.calendars_of(db, practitioner_id):
        for key, change in remote_changes.of_calendar(db, calendar.id).items():
            if change.actual is not None:
                places[key].add(change.actual)
    return {key: frozenset(spans) for key, spans in places.items()}


def _is_probe(calendar: Calendar, href: str) -> bool:
    names = (calendar.probe, calendar.probe.replace("-", "")) if calendar.probe else ()
    return any(name in href for name in names)


def _without(span: Span, others: Iterable[Span]) -> Iterator[Span]:
    """Yield what others leave of a span."""
    start = span.start
    for other in sorted(others):
        if other.overlaps(span):
            if start < other.start:
                yield Span(start=start, end=other.start)
            start = max(start, other.end)
    if start < span.end:
        yield Span(start=start, end=span.end)


def _read(remote: RemoteCalendar, span: Span, zone: str) -> BusyReading:
    if isinstance(remote, ListsBusy):
        try:
            return remote.list_busy(span, zone=zone_named(zone))
        except RefusedError:
            pass  # only free and busy may be seen there
    return remote.busy(span, zone=zone_named(zone))


def _tell_conflicts(db: Db, calendar: Calendar, now: datetime) -> None:
    for offer in offers.open_of_practitioner(db, calendar.practitioner_id):
        for alternative in offer.held:
            for conflict in busy.overlapping(db, calendar.practitioner_id, alternative.when.span):
                if conflict.calendar_id == calendar.id:
                    _tell_conflict(db, calendar, offer, alternative, conflict.span, now)


def _tell_conflict(
    db: Db, calendar: Calendar, offer: Offer, alternative: Alternative, other: Span, now: datetime
) -> None:
    """Tell of one conflict, once."""
    start = alternative.when.span.start
    key = (
        f"{NoticeKind.CONFLICT_FOUND}:{alternative.id}:{start:%Y%m%dT%H%M%S}:{calendar.id}:{other.start:%Y%m%dT%H%M%S}"
    )
    if conversations.was_told(db, key):
        return
    practitioner = people.practitioner(db, calendar.practitioner_id)
    session = sessions.get(db, offer.session_id)
    fact = ConflictFound(
        at=now,
        by=CLOCK,
        session_id=session.id,
        offer_id=offer.id,
        connection_id=calendar.connection_id,
        alternative_id=alternative.id,
        when=alternative.when,
        calendar=calendar.name,
    )
    timeline.append(db, practitioner.id, [fact])
    notice = Notice(
        kind=NoticeKind.CONFLICT_FOUND,
        to=Recipient.of(practitioner),
        practitioner_name=practitioner.name,
        client_name=people.client(db, session.client_id).name,
        session=session,
        offer_id=offer.id,
        alternative_id=alternative.id,
        choices=(Choice(when=alternative.when, location=alternative.location or session.location),),
        expires_at=offer.expires_at,
        about=calendar.name,
    )
    notices.tell(db, notice, key=key, practitioner_id=practitioner.id, now=now)
