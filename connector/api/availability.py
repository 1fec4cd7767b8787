"""When practitioners are free, what to suggest in place of a session's time, and when they work."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from functools import partial
from hashlib import blake2s
from typing import Annotated, Any, Literal
from uuid import UUID
from zoneinfo import ZoneInfo

import msgspec
from msgspec import Meta
from sqlalchemy import Connection

from connector.api.call import Answer, Call
from connector.api.routes import Resource
from connector.api.values import Time, Zone, check_instant, check_zone, minutes, written_time
from connector.domain.api_key import Scope
from connector.domain.session import Session
from connector.domain.span import Span
from connector.domain.working_hours import Day, Stretch, WorkingHours
from connector.errors import NotFoundError, RequestError
from connector.services import people, working_hours
from connector.services.sync import free_busy
from connector.services.views import availability as views
from connector.services.views.availability import Availability, Suggestions, Taken
from connector.services.views.booked import booked
from connector.services.working_hours import CurrentHours, Source

resource = Resource("availability", writes=(Scope.ADMIN, Scope.SESSIONS, Scope.OFFERS))
hours_resource = Resource("hours", writes=(Scope.ADMIN,))

_CLOCK = r"^([01][0-9]|2[0-3]):[0-5][0-9]$"
_CLOCK_END = r"^(([01][0-9]|2[0-3]):[0-5][0-9]|24:00)$"
_WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


class AvailabilityQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """When somebody is free, and for how long a session.

    Attributes:
        start: From when, with an offset; a plus sign is written %2B there.
        end: Until when: 60 days later at most.
        minutes: How long the session lasts; the practitioner's buffer comes on top.
        zone: On whose clock times are answered; the practitioner's if left out.
        step: Minutes between two starts.
        for_session: A session that shall move: neither it nor what is offered for it is in its own way.
    """

    start: datetime = msgspec.field(name="from")
    end: datetime = msgspec.field(name="to")
    minutes: Annotated[int, Meta(ge=1, le=1440)]
    zone: Zone | None = None
    step: Annotated[int, Meta(ge=views.FEWEST_MINUTES, le=views.MOST_MINUTES)] = 15
    for_session: UUID | None = None


class StretchBody(msgspec.Struct, frozen=True, kw_only=True):
    """From when to when."""

    start: datetime
    end: datetime


class BusyBody(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """When somebody is not free, and why; what stands in a calendar is not told.

    Attributes:
        end: Of sessions and holds with the buffer after it.
        reason: A session; a time held for whoever it is offered to; something in another calendar; or a calendar, or
            an event, that could not be read.
    """

    start: datetime
    end: datetime
    reason: Literal["session", "hold", "outside_event", "blind_spot"]
    session_id: UUID | None = None
    offer_id: UUID | None = None


class BlindSpotBody(msgspec.Struct, frozen=True, kw_only=True):
    """A calendar of which not all is known.

    Attributes:
        last_read_at: When it was last read; null if never.
        unreadable: Whether that was tried since, and failed.
        stale: Whether it was not read lately, or not as far as was asked.
        unread_events: How many of its events could not be read.
    """

    calendar_id: UUID
    calendar: str
    last_read_at: datetime | None
    unreadable: bool
    stale: bool
    unread_events: int


class AvailabilityBody(msgspec.Struct, frozen=True, kw_only=True):
    """When somebody is free, and when not.

    Attributes:
        as_of: When that of their calendars was read which was read longest ago; null if one never was.
        complete: Whether all of them were read lately, as far as was asked, and every event in them. If not, ask again
            soon: whoever asks has them read.
        hours: Where the working hours come from that this keeps to.
        free: Within each of these a session may lie wherever it likes.
        starts: Of those the round times on the practitioner's clock; none that comes twice because it is put back.
    """

    as_of: datetime | None
    complete: bool
    zone: str
    minutes: int
    buffer_minutes: int
    hours: Literal["confirmed", "learnt", "assumed"]
    blind_spots: list[BlindSpotBody]
    busy: list[BusyBody]
    free: list[StretchBody]
    starts: list[datetime]


class SuggestionsQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How many suggestions, and how many minutes lie between two starts at least."""

    count: Annotated[int, Meta(ge=1, le=views.MOST_SUGGESTIONS)] = 9
    step: Annotated[int, Meta(ge=views.FEWEST_MINUTES, le=views.MOST_MINUTES)] = 15


class PractitionerSuggestionsQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The same, and in place of which session's time."""

    for_session: UUID
    count: Annotated[int, Meta(ge=1, le=views.MOST_SUGGESTIONS)] = 9
    step: Annotated[int, Meta(ge=views.FEWEST_MINUTES, le=views.MOST_MINUTES)] = 15


class SuggestionBody(msgspec.Struct, frozen=True, kw_only=True):
    """A time in place of the session's; `reason` says for people how it differs."""

    time: Time
    reason: str


class SuggestionsBody(msgspec.Struct, frozen=True, kw_only=True):
    """Times in place of a session's, the best first; `as_of` and `complete` as of an availability."""

    session_id: UUID
    as_of: datetime | None
    complete: bool
    hours: Literal["confirmed", "learnt", "assumed"]
    blind_spots: list[BlindSpotBody]
    suggestions: list[SuggestionBody]


class HoursStretchBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """From when to when somebody works on a day, as its wall clock shows it: 09:00 to 17:00, or to 24:00."""

    start: Annotated[str, Meta(pattern=_CLOCK)]
    end: Annotated[str, Meta(pattern=_CLOCK_END)]


_Stretches = Annotated[list[HoursStretchBody], Meta(max_length=12)]


class WeekBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The working hours of each weekday; an empty list, or none, for a day off."""

    monday: _Stretches = []
    tuesday: _Stretches = []
    wednesday: _Stretches = []
    thursday: _Stretches = []
    friday: _Stretches = []
    saturday: _Stretches = []
    sunday: _Stretches = []


class HoursExceptionBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What counts on one date instead of what its weekday has."""

    date: date
    hours: _Stretches


class HoursBody(msgspec.Struct, frozen=True, kw_only=True):
    """When somebody works, on the clock of their zone.

    Attributes:
        source: Whether somebody has said so, or the sessions booked tell so, or nothing is known.
    """

    zone: str
    source: Literal["confirmed", "learnt", "assumed"]
    confirmed_at: datetime | None
    version: int
    weekly: WeekBody
    exceptions: list[HoursExceptionBody]


class NewHoursBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """When somebody works, all of it."""

    weekly: WeekBody
    exceptions: Annotated[list[HoursExceptionBody], Meta(max_length=400)] = []


@resource.get(
    "/practitioners/<uuid:practitioner_id>/availability",
    scope=Scope.READ,
    query=AvailabilityQuery,
    answers={200: AvailabilityBody},
    summary="When a practitioner is free",
    refuses=("practitioner_not_found", "session_not_found", "span_too_long", "end_before_start", "zone_unknown"),
    fields={"when": "/to"},
)
def free(call: Call[None, AvailabilityQuery], db: Connection, practitioner_id: UUID) -> Answer:
    """Answered from what was read of their calendars; whoever asks has them read anew where that was long ago."""
    asked = call.query
    practitioner = people.practitioner(db, practitioner_id, sees=call.sees)
    if asked.zone is not None:
        check_zone(asked.zone, at="/zone")
    span = Span.of(check_instant(asked.start, at="/from"), check_instant(asked.end, at="/to"))
    found = views.availability(
        db,
        call.runtime.policy,
        practitioner,
        span,
        length=timedelta(minutes=asked.minutes),
        now=call.now,
        zone=asked.zone or "",
        step=asked.step,
        for_session=asked.for_session,
    )
    _ask(call, practitioner_id, span.end)
    return Answer(body=_body(found), etag=found.etag)


@resource.get(
    "/practitioners/<uuid:practitioner_id>/suggestions",
    scope=Scope.READ,
    query=PractitionerSuggestionsQuery,
    answers={200: SuggestionsBody},
    summary="Times in place of a session's, by its practitioner",
    refuses=("practitioner_not_found", "session_not_found", "session_cancelled"),
)
def suggest(call: Call[None, PractitionerSuggestionsQuery], db: Connection, practitioner_id: UUID) -> Answer:
    """The best first: near the old time, spread over days, and not at night for the client unless that was."""
    people.practitioner(db, practitioner_id, sees=call.sees)
    session = booked(db, call.query.for_session, sees=call.sees).session
    if session.practitioner_id != practitioner_id:
        raise NotFoundError("There is no such session.", code="session_not_found")
    return _suggested(call, db, session, call.query.count, call.query.step)


@resource.get(
    "/sessions/<uuid:session_id>/suggestions",
    scope=Scope.READ,
    query=SuggestionsQuery,
    answers={200: SuggestionsBody},
    summary="Times in place of a session's",
    refuses=("session_not_found", "session_cancelled"),
)
def suggest_for(call: Call[None, SuggestionsQuery], db: Connection, session_id: UUID) -> Answer:
    """The best first: near the old time, spread over days, and not at night for the client unless that was."""
    session = booked(db, session_id, sees=call.sees).session
    return _suggested(call, db, session, call.query.count, call.query.step)


@hours_resource.get(
    "/practitioners/<uuid:practitioner_id>/hours",
    scope=Scope.READ,
    answers={200: HoursBody},
    summary="When a practitioner works",
    refuses=("practitioner_not_found",),
)
def show(call: Call[None, None], db: Connection, practitioner_id: UUID) -> Answer:
    """As was said; else as the sessions booked tell, or as is usual. Putting them back as they are confirms them."""
    practitioner = people.practitioner(db, practitioner_id, sees=call.sees)
    return _hours_answer(working_hours.current(db, practitioner, now=call.now))


@hours_resource.put(
    "/practitioners/<uuid:practitioner_id>/hours",
    scope=Scope.ADMIN,
    body=NewHoursBody,
    answers={200: HoursBody},
    summary="Say when a practitioner works",
    edits=True,
    refuses=(
        "practitioner_not_found",
        "hours_out_of_day",
        "hours_overlap",
        "hours_stretches_out_of_range",
        "hours_exceptions_out_of_range",
        "hours_date_twice",
    ),
    fields={"hours": "/weekly"},
    example=NewHoursBody(
        weekly=WeekBody(
            monday=[HoursStretchBody(start="09:00", end="12:30"), HoursStretchBody(start="14:00", end="18:00")]
        ),
        exceptions=[HoursExceptionBody(date=date(2026, 12, 24), hours=[])],
    ),
)
def put(call: Call[NewHoursBody, None], db: Connection, practitioner_id: UUID) -> Answer:
    """All of them: a day that is left out is a day off. From then on no session changes them."""
    people.practitioner(db, practitioner_id, sees=call.sees)

    def seen(before: CurrentHours) -> None:
        if call.expected is not None and _hours_etag(before) in call.expected:
            call.matched = True
        else:
            call.match(before.version)

    hours = working_hours.change(db, practitioner_id, _read(call.body), by=call.by, now=call.now, seen=seen)
    return _hours_answer(hours)


def _suggested(call: Call[None, Any], db: Connection, session: Session, count: int, step: int) -> Answer:
    policy = call.runtime.policy
    found = views.suggestions(db, policy, session, now=call.now, count=count, step=step)
    _ask(call, session.practitioner_id, views.widest(session, policy, now=call.now).end)
    return Answer(body=_suggestions_body(found, call))


def _ask(call: Call[None, Any], practitioner_id: UUID, until: datetime) -> None:
    """Note, once it is answered, that somebody asks, and have calendars read where that was long ago."""
    database, policy = call.runtime.database, call.runtime.policy
    call.afterwards(partial(free_busy.ask, database, policy, practitioner_id, until, now=call.now))


def _body(found: Availability) -> AvailabilityBody:
    zone = found.zone
    return AvailabilityBody(
        as_of=found.taken.as_of,
        complete=found.taken.complete,
        zone=zone.key,
        minutes=minutes(found.length),
        buffer_minutes=minutes(found.practitioner.buffer),
        hours=found.hours.source.value,
        blind_spots=_blind(found.taken),
        busy=[
            BusyBody(
                start=one.span.start.astimezone(zone),
                end=one.span.end.astimezone(zone),
                reason=one.reason.value,
                session_id=one.session_id,
                offer_id=one.offer_id,
            )
            for one in found.taken.busy
        ],
        free=[StretchBody(start=_on(one.start, zone), end=_on(one.end, zone)) for one in found.free],
        starts=[_on(start, zone) for start in found.starts],
    )


def _suggestions_body(found: Suggestions, call: Call[None, Any]) -> SuggestionsBody:
    return SuggestionsBody(
        session_id=found.session.id,
        as_of=found.taken.as_of,
        complete=found.taken.complete,
        hours=found.hours.source.value,
        blind_spots=_blind(found.taken),
        suggestions=[
            SuggestionBody(time=written_time(one.when), reason=call.language.sentence(one.reason))
            for one in found.times
        ],
    )


def _blind(taken: Taken) -> list[BlindSpotBody]:
    return [
        BlindSpotBody(
            calendar_id=spot.calendar_id,
            calendar=spot.calendar,
            last_read_at=spot.since,
            unreadable=spot.unreadable,
            stale=spot.stale,
            unread_events=spot.events,
        )
        for spot in taken.blind
    ]


def _on(at: datetime, zone: ZoneInfo) -> datetime:
    return at.astimezone(zone)


def _hours_answer(hours: CurrentHours) -> Answer:
    body = HoursBody(
        zone=hours.zone,
        source=hours.source.value,
        confirmed_at=hours.confirmed_at,
        version=hours.version,
        weekly=WeekBody(**{day: _stretches(found) for day, found in zip(_WEEKDAYS, hours.hours.weekly, strict=True)}),
        exceptions=[
            HoursExceptionBody(date=day, hours=_stretches(found)) for day, found in hours.hours.exceptions.items()
        ],
    )
    return Answer(body=body, etag=_hours_etag(hours))


def _hours_etag(hours: CurrentHours) -> str:
    """Return the version of what was said; hours that nobody has said change with every session."""
    if hours.source is Source.CONFIRMED:
        return str(hours.version)
    shown = msgspec.json.encode((hours.zone, hours.source, hours.hours.weekly))
    return f"0-{blake2s(shown, digest_size=8).hexdigest()}"


def _stretches(hours: Day) -> list[HoursStretchBody]:
    return [HoursStretchBody(start=_clock(one.start), end=_clock(one.end)) for one in hours]


def _clock(minute: int) -> str:
    return f"{minute // 60:02}:{minute % 60:02}"


def _read(body: NewHoursBody) -> WorkingHours:
    exceptions: dict[date, Day] = {}
    for one in body.exceptions:
        if one.date in exceptions:
            raise RequestError(
                "%(day)s stands there twice. Leave one of the two out.",
                code="hours_date_twice",
                http=422,
                pointer="/exceptions",
                day=one.date,
            )
        exceptions[one.date] = _day(one.hours)
    return WorkingHours(weekly=tuple(_day(getattr(body.weekly, day)) for day in _WEEKDAYS), exceptions=exceptions)


def _day(hours: list[HoursStretchBody]) -> Day:
    return tuple(Stretch(start=_minute(one.start), end=_minute(one.end)) for one in hours)


def _minute(clock: str) -> int:
    hours, _, rest = clock.partition(":")
    return int(hours) * 60 + int(rest)
