"""Sessions: booked, read, moved, cancelled.

Whatever gives a session a new time has the practitioner's calendars read first, outside any transaction, and is refused
while something stands there: `conflicts` of the problem say what. What has an `id` can be accepted by it; a session and
a time that is held for somebody else cannot.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy import Connection

from connector.api.call import Answer, Call
from connector.api.findings import AcceptedIds
from connector.api.places import LocationBody, read_location, written_location
from connector.api.routes import Resource
from connector.api.values import (
    ExternalId,
    Line,
    MaybeLine,
    PageQuery,
    SoughtId,
    Time,
    check_instant,
    read_time,
    written_time,
)
from connector.domain.api_key import Scope
from connector.domain.facts import Attestation, FlagReason, MoveReason
from connector.domain.people import Client, Practitioner
from connector.domain.session import (
    Edit,
    LocationKind,
    Session,
    SessionKind,
    SessionState,
    SessionWithOffers,
    Sought,
    agreed,
    check_future,
    read_reason,
)
from connector.domain.span import When
from connector.errors import RequestError
from connector.services.scheduling import sessions
from connector.services.scheduling.conflicts import Consent
from connector.services.views import booked, participants

resource = Resource("sessions", writes=(Scope.SESSIONS,))

_OF_TIMES = ("time_passed", "time_taken", "conflict_in_calendar", "time_does_not_exist", "session_length_out_of_range")
_OF_PLACES = ("link_malformed", "text_empty", "text_too_long")
_OF_ONE = ("session_not_found", "session_cancelled")
_FIELDS: Mapping[str, str] = {
    "when": "/time",
    "minutes": "/time",
    "location": "/location/text",
    "who": "/attestation/who",
    "channel": "/attestation/channel",
    "agreed_at": "/attestation/at",
}


class SessionBody(msgspec.Struct, frozen=True, kw_only=True):
    """A session.

    Attributes:
        external_id: What the host calls it.
        version: Raised by every change of what stands here; the ETag.
        flag: Why its practitioner has to look after it; null if they have not.
        series_id: What it is one of; null if it stands alone.
        revision: How often its client was told something new about it.
        open_offer_id: The offer that waits for its client's answer.
        draft_id: The offer that is noted down and not sent.
    """

    id: UUID
    external_id: str | None
    version: int
    created_at: datetime
    practitioner_id: UUID
    client_id: UUID
    kind: SessionKind
    state: SessionState
    time: Time
    location: LocationBody
    flag: FlagReason | None
    series_id: UUID | None
    revision: int
    open_offer_id: UUID | None
    draft_id: UUID | None


class ChangedSessionBody(SessionBody, frozen=True, kw_only=True):
    """A session as it stands after an act.

    Attributes:
        ended_offer_id: The offer that was open, and has ended with this act: its links change nothing any more.
    """

    ended_offer_id: UUID | None


class SessionList(msgspec.Struct, frozen=True, kw_only=True):
    """A page of sessions, by start; `next` is the cursor of the next page, null on the last."""

    items: list[SessionBody]
    next: str | None


class SessionQuery(PageQuery, frozen=True, kw_only=True, forbid_unknown_fields=True, rename={"since": "from"}):
    """Which sessions.

    Attributes:
        since: Those that end after this instant.
        to: Those that begin before it.
        flagged: Those that their practitioner has to look after, for whatever reason; or all others.
        flag: Those that they have to for this reason.
    """

    since: datetime | None = None
    to: datetime | None = None
    practitioner_id: UUID | None = None
    client_id: UUID | None = None
    series_id: UUID | None = None
    external_id: SoughtId | None = None
    state: SessionState | None = None
    flagged: bool | None = None
    flag: FlagReason | None = None


class NewSessionBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A session to be booked.

    Attributes:
        practitioner_id: Whose it is; or their `practitioner_external_id`.
        client_id: For whom; or their `client_external_id`.
        kind: Whether the two meet for the first time.
        series_id: Any id that the sessions of one series share.
        accept_conflicts: The ids of the conflicts that were shown.
    """

    time: Time
    location: LocationBody
    practitioner_id: UUID | None = None
    practitioner_external_id: ExternalId | None = None
    client_id: UUID | None = None
    client_external_id: ExternalId | None = None
    kind: SessionKind = SessionKind.FOLLOWUP
    series_id: UUID | None = None
    external_id: ExternalId | None = None
    accept_conflicts: AcceptedIds = ()


class AttestationBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """That the client has agreed.

    Attributes:
        who: Who agreed.
        at: When.
        channel: How they said so, such as by phone.
    """

    who: Line
    at: datetime
    channel: Line


class RescheduleBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A time that the client has agreed to, and perhaps another place."""

    time: Time
    attestation: AttestationBody
    location: LocationBody | None = None
    accept_conflicts: AcceptedIds = ()


class CorrectionBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What was told by mistake, put right.

    Attributes:
        override_past: Also a time that has passed.
    """

    time: Time
    location: LocationBody | None = None
    override_past: bool = False
    accept_conflicts: AcceptedIds = ()


class RelocationBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Another place; the client is told, and need not agree."""

    location: LocationBody


class CancellationBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Why a session is cancelled; the client reads it."""

    reason: MaybeLine = ""


class SessionNameBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the host calls a session; null for nothing. What else there is of it is changed by acts."""

    external_id: ExternalId | None


_PLACE = LocationBody(kind=LocationKind.IN_PERSON, text="Linden Street 4, Berlin")
_TIME = Time(
    start=datetime.fromisoformat("2026-12-01T10:00:00+01:00"),
    end=datetime.fromisoformat("2026-12-01T10:50:00+01:00"),
    zone="Europe/Berlin",
)
_LATER = Time(
    start=datetime.fromisoformat("2026-12-03T16:00:00+01:00"),
    end=datetime.fromisoformat("2026-12-03T16:50:00+01:00"),
    zone="Europe/Berlin",
)
_BOOKING = NewSessionBody(
    practitioner_external_id="practitioner-12",
    client_external_id="client-7",
    external_id="booking-4711",
    time=_TIME,
    location=_PLACE,
)
_AGREED = AttestationBody(who="Alex Client", at=datetime.fromisoformat("2026-03-01T09:15:00+01:00"), channel="by phone")


@resource.get(
    "/sessions",
    scope=Scope.READ,
    query=SessionQuery,
    answers={200: SessionList},
    summary="List sessions, by start",
    lists=True,
)
def every(call: Call[None, SessionQuery], db: Connection) -> SessionList:
    """Each as it stands; cancelled ones, too."""
    query = call.query
    what = Sought(
        practitioner_id=query.practitioner_id,
        client_id=query.client_id,
        series_id=query.series_id,
        external_id=query.external_id,
        ends_after=check_instant(query.since, at="/from") if query.since else None,
        starts_before=check_instant(query.to, at="/to") if query.to else None,
        state=query.state,
        flag=query.flag,
        flagged=query.flagged,
    )
    rows = booked.sought(db, what, within=call.within, after=call.cursor.after_instant(), most=call.cursor.wanted)
    shown, following = call.cursor.page(rows, lambda row: (row.session.when.span.start, row.session.id))
    return SessionList(items=[_body(one) for one in shown], next=following)


@resource.get(
    "/sessions/<uuid:session_id>",
    scope=Scope.READ,
    answers={200: SessionBody},
    summary="Read a session",
    refuses=("session_not_found",),
)
def show(call: Call[None, None], db: Connection, session_id: UUID) -> SessionBody:
    """As it stands, with its open offer and its draft."""
    return _body(booked.booked(db, session_id, sees=call.sees))


def _read_for_booking(call: Call[NewSessionBody, None]) -> When:
    """Have the practitioner's calendars read as far ahead as the session."""
    when = read_time(call.body.time, at="/time")
    check_future(when, call.now)
    read_location(call.body.location)
    with call.runtime.database.read() as db:
        practitioner = _practitioner(call, db)
        _client(call, db)
    call.runtime.read_busy(practitioner.id, [when])
    return when


@resource.post(
    "/sessions",
    scope=Scope.SESSIONS,
    body=NewSessionBody,
    answers={201: SessionBody},
    summary="Book a session",
    refuses=(
        *_OF_TIMES,
        *_OF_PLACES,
        "practitioner_not_given",
        "client_not_named",
        "practitioner_not_found",
        "client_not_found",
        "person_retired",
        "external_id_taken",
        "external_id_malformed",
    ),
    fields=_FIELDS,
    prepare=_read_for_booking,
    example=_BOOKING,
)
def book(call: Call[NewSessionBody, None], db: Connection) -> Answer:
    """If its time is free it is booked, the client is told, and it appears in the practitioner's calendars."""
    wanted = call.body
    session = sessions.book(
        db,
        call.runtime.policy,
        practitioner_id=_practitioner(call, db).id,
        client_id=_client(call, db).id,
        when=call.prepared,
        location=read_location(wanted.location),
        by=call.by,
        now=call.now,
        kind=wanted.kind,
        series_id=wanted.series_id,
        external_id=wanted.external_id,
        consent=_consent(wanted.accept_conflicts),
    )
    shown = booked.booked(db, session.id, sees=call.sees)
    return Answer(body=_body(shown), status=201, location=f"/sessions/{session.id}")


def _read_for_moving(call: Call[Any, None], session_id: UUID) -> When:
    """Have the practitioner's calendars read as far ahead as the new time, if it is another."""
    when = read_time(call.body.time, at="/time")
    with call.runtime.database.read() as db:
        session = booked.booked(db, session_id, sees=call.sees).session
    call.match(session.version)  # again below, under its practitioner's lock
    if when != session.when:
        call.runtime.read_busy(session.practitioner_id, [when])
    return when


@resource.post(
    "/sessions/<uuid:session_id>/reschedule",
    scope=Scope.SESSIONS,
    body=RescheduleBody,
    answers={200: ChangedSessionBody},
    summary="Move a session to a time that its client has agreed to",
    refuses=(*_OF_ONE, *_OF_TIMES, *_OF_PLACES, "agreement_missing", "agreement_in_future"),
    fields=_FIELDS,
    prepare=_read_for_moving,
    edits=True,
    example=RescheduleBody(time=_LATER, attestation=_AGREED),
)
def reschedule(call: Call[RescheduleBody, None], db: Connection, session_id: UUID) -> ChangedSessionBody:
    """It stands at once, and the client is told of the old and the new time. An open offer ends."""
    said = call.body.attestation
    attestation = agreed(
        who=said.who, at=check_instant(said.at, at="/attestation/at"), channel=said.channel, now=call.now
    )
    return _edited(call, db, session_id, reason=MoveReason.AGREED, attestation=attestation)


@resource.post(
    "/sessions/<uuid:session_id>/correct",
    scope=Scope.SESSIONS,
    body=CorrectionBody,
    answers={200: ChangedSessionBody},
    summary="Correct a session that was entered by mistake",
    refuses=(*_OF_ONE, *_OF_TIMES, *_OF_PLACES),
    fields=_FIELDS,
    prepare=_read_for_moving,
    edits=True,
    example=CorrectionBody(time=_TIME),
)
def correct(call: Call[CorrectionBody, None], db: Connection, session_id: UUID) -> ChangedSessionBody:
    """The client is told which time does not apply; a wrong letter still here never leaves. An open offer ends."""
    return _edited(call, db, session_id, reason=MoveReason.CORRECTION, override_past=call.body.override_past)


@resource.post(
    "/sessions/<uuid:session_id>/relocate",
    scope=Scope.SESSIONS,
    body=RelocationBody,
    answers={200: ChangedSessionBody},
    summary="Change the place of a session",
    refuses=(*_OF_ONE, *_OF_PLACES),
    fields=_FIELDS,
    edits=True,
    example=RelocationBody(location=_PLACE),
)
def relocate(call: Call[RelocationBody, None], db: Connection, session_id: UUID) -> ChangedSessionBody:
    """The client is told, and need not agree; an open offer stays."""
    before = _matched(call, db, session_id)
    edit = Edit(location=read_location(call.body.location))
    sessions.edit(db, call.runtime.policy, session_id, edit, by=call.by, now=call.now)
    return _changed(call, db, before)


@resource.post(
    "/sessions/<uuid:session_id>/cancel",
    scope=Scope.SESSIONS,
    body=CancellationBody,
    answers={200: ChangedSessionBody},
    summary="Cancel a session",
    refuses=("session_not_found", "text_too_long"),
    edits=True,
    example=CancellationBody(reason="The practice is closed that day."),
)
def cancel(call: Call[CancellationBody, None], db: Connection, session_id: UUID) -> ChangedSessionBody:
    """Its time is free again, and the client is told. An open offer and a draft end. Again changes nothing."""
    before = _matched(call, db, session_id)
    reason = read_reason(call.body.reason)
    sessions.cancel(db, call.runtime.policy, session_id, by=call.by, now=call.now, reason=reason)
    return _changed(call, db, before)


@resource.post(
    "/sessions/<uuid:session_id>/keep",
    scope=Scope.SESSIONS,
    answers={200: ChangedSessionBody},
    summary="Keep a flagged session as it is",
    refuses=("session_not_found",),
    edits=True,
)
def keep(call: Call[None, None], db: Connection, session_id: UUID) -> ChangedSessionBody:
    """Its flag goes; without one nothing changes."""
    before = _matched(call, db, session_id)
    sessions.keep(db, call.runtime.policy, session_id, by=call.by, now=call.now)
    return _changed(call, db, before)


@resource.patch(
    "/sessions/<uuid:session_id>",
    scope=Scope.SESSIONS,
    body=SessionNameBody,
    answers={200: SessionBody},
    summary="Change what the host calls a session",
    refuses=("session_not_found", "external_id_taken", "external_id_malformed"),
    edits=True,
    example=SessionNameBody(external_id="booking-4711"),
)
def call_it(call: Call[SessionNameBody, None], db: Connection, session_id: UUID) -> SessionBody:
    """Nobody is told."""
    _matched(call, db, session_id)
    sessions.call(db, session_id, call.body.external_id)
    return _body(booked.booked(db, session_id, sees=call.sees))


def _edited(
    call: Call[Any, None],
    db: Connection,
    session_id: UUID,
    *,
    reason: MoveReason,
    attestation: Attestation | None = None,
    override_past: bool = False,
) -> ChangedSessionBody:
    before = _matched(call, db, session_id)
    edit = Edit(
        when=call.prepared,
        location=read_location(call.body.location) if call.body.location else None,
        reason=reason,
        attestation=attestation,
        override_past=override_past,
    )
    consent = _consent(call.body.accept_conflicts)
    sessions.edit(db, call.runtime.policy, session_id, edit, by=call.by, now=call.now, consent=consent)
    return _changed(call, db, before)


def _matched(call: Call[Any, None], db: Connection, session_id: UUID) -> SessionWithOffers:
    """Return a session, locked, that is as whoever asks has seen it."""
    found = sessions.locked(db, session_id, sees=call.sees)
    call.match(found.session.version)
    return found


def _changed(call: Call[Any, None], db: Connection, before: SessionWithOffers) -> ChangedSessionBody:
    after = booked.booked(db, before.session.id, sees=call.sees)
    ended = before.open_offer_id if before.open_offer_id != after.open_offer_id else None
    return ChangedSessionBody(**msgspec.structs.asdict(_body(after)), ended_offer_id=ended)


def _practitioner(call: Call[NewSessionBody, None], db: Connection) -> Practitioner:
    identity, external_id = call.body.practitioner_id, call.body.practitioner_external_id
    if (identity is None) == (external_id is None):
        raise RequestError(
            "Say whose session it is, in one way: practitioner_id or practitioner_external_id.",
            code="practitioner_not_given",
            http=422,
            pointer="/practitioner_id",
        )
    return participants.practitioner(db, identity=identity, external_id=external_id, sees=call.sees)


def _client(call: Call[NewSessionBody, None], db: Connection) -> Client:
    identity, external_id = call.body.client_id, call.body.client_external_id
    if (identity is None) == (external_id is None):
        raise RequestError(
            "Say for whom the session is, in one way: client_id or client_external_id.",
            code="client_not_named",
            http=422,
            pointer="/client_id",
        )
    return participants.client(db, identity=identity, external_id=external_id, within=call.within)


def _consent(ids: tuple[str, ...]) -> Consent:
    return Consent(each=frozenset(ids))


def _body(shown: SessionWithOffers) -> SessionBody:
    session: Session = shown.session
    return SessionBody(
        id=session.id,
        external_id=session.external_id,
        version=session.version,
        created_at=session.created_at,
        practitioner_id=session.practitioner_id,
        client_id=session.client_id,
        kind=session.kind,
        state=session.state,
        time=written_time(session.when),
        location=written_location(session.location),
        flag=session.flag,
        series_id=session.series_id,
        revision=session.revision,
        open_offer_id=shown.open_offer_id,
        draft_id=shown.draft_id,
    )
