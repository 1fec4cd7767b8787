"""Read what happened in a calendar since the last look, and keep the new sync token with what it covers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID, uuid4

from sqlalchemy import Connection

from connector.domain.change import Finding, findings
from connector.domain.entry import EntryKind
from connector.domain.facts import EntryTouched
from connector.domain.notice import Notice, NoticeKind, Recipient
from connector.domain.people import Actor, Role
from connector.domain.reconcile import Mirror, Sighting
from connector.errors import EditConflictError, SyncTokenExpiredError
from connector.ports import Changes, RemoteCalendar
from connector.services import notifying
from connector.services.mirroring import picture
from connector.services.recording import make_calendars_due
from connector.services.terms import Terms
from connector.storage import calendars, mirrors, offers, people, sessions, timeline
from connector.storage.calendars import Calendar
from connector.storage.database import Database


def pull(database: Database, terms: Terms, calendar_id: UUID, remote: RemoteCalendar, *, now: datetime) -> datetime:
    """Take in what the practitioner did to our entries; what they moved or deleted is put back, and they are told.

    Returns: When to look again, aware UTC.
    Raises: ProviderError; the sync token then stays where it was, so nothing is lost. EditConflictError if our own
        writing went on meanwhile: look again at once.
    """
    with database.read() as db:
        calendar = calendars.calendar(db, calendar_id)
        known = mirrors.every(db, calendar_id)
    try:
        changes = remote.changes(calendar.sync_token)
    except SyncTokenExpiredError:
        changes = remote.changes(None)
    news = _concerning(known, changes)
    sightings = _look(remote, news, changes)
    with database.begin() as db:
        current = mirrors.every(db, calendar_id)
        if any(mirror.ref.name not in sightings for mirror in _concerning(current, changes)):
            raise EditConflictError("the calendar was written while it was read")
        _take_in(db, terms, calendar, current, sightings, now)
        calendars.note_read(db, calendar_id, changes.token, now=now)
        busy = bool(offers.open_of_practitioner(db, calendar.practitioner_id))
    return now + (terms.poll_open if busy else terms.poll_idle)


def _concerning(known: Sequence[Mirror], changes: Changes) -> list[Mirror]:
    """Return the mirrors of which the feed tells something we do not know; our own echoes are left out here."""
    listed = {changed.href: changed.etag for changed in changes.changed}
    concerned = []
    for mirror in known:
        href = mirror.ref.href
        if href is None:
            continue
        if href in listed:
            if listed[href] is None or listed[href] != mirror.ref.etag:
                concerned.append(mirror)
        elif changes.full or href in changes.gone:
            concerned.append(mirror)
    return concerned


def _look(remote: RemoteCalendar, news: Sequence[Mirror], changes: Changes) -> Mapping[str, Sighting | None]:
    brought = {changed.href: changed.sighting for changed in changes.changed if changed.sighting is not None}
    found: dict[str, Sighting | None] = {
        mirror.ref.name: brought[mirror.ref.href] for mirror in news if mirror.ref.href in brought
    }
    rest = [mirror.ref for mirror in news if mirror.ref.name not in found]
    return found | dict(remote.read(rest)) if rest else found


def _take_in(
    db: Connection,
    terms: Terms,
    calendar: Calendar,
    current: Sequence[Mirror],
    sightings: Mapping[str, Sighting | None],
    now: datetime,
) -> None:
    wanted = {e.key: e.content.fingerprint for e in picture(db, calendar.id, now=now).wanted}
    learned = list(findings(current, sightings, wanted))
    mirrors.record(db, calendar.id, [finding.mirror for finding in learned])
    disturbed = [finding for finding in learned if finding.disturbed]
    if disturbed:
        _tell(db, terms, calendar, disturbed, now)
        make_calendars_due(db, calendar.practitioner_id, now=now)


def _tell(db: Connection, terms: Terms, calendar: Calendar, disturbed: Sequence[Finding], now: datetime) -> None:
    practitioner = people.practitioner(db, calendar.practitioner_id)
    by = Actor(role=Role.PRACTITIONER, name=practitioner.name)
    touched = [
        EntryTouched(
            at=now,
            by=by,
            session_id=finding.mirror.session_id,
            connection_id=calendar.connection_id,
            key=str(finding.mirror.key),
            deleted=finding.deleted,
        )
        for finding in disturbed
    ]
    timeline.append(db, practitioner.id, touched)
    first = disturbed[0].mirror  # one letter a look, however much was touched
    session = sessions.get(db, first.session_id)
    notice = Notice(
        kind=NoticeKind.ENTRY_PUT_BACK,
        to=Recipient.of(practitioner),
        practitioner_name=practitioner.name,
        client_name=people.client(db, session.client_id).name,
        session=session,
        about="session" if first.key.kind is EntryKind.SESSION else "hold",
    )
    told = notifying.Told(notice=notice, to_client=False, key=f"{notice.kind}:{first.ref.name}:{uuid4()}")
    notifying.queue(db, told, terms=terms, practitioner_id=practitioner.id, now=now)
