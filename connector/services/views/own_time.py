"""A practitioner's own time by the days of their clock: what stands in it, and of what nobody knows.

For whoever shows days or weeks: `own_time` answers from what is stored, in the same number of statements however many
days are asked for and whatever stands in them. What stands in calendars is known by its time alone, and by the name of
the calendar. Each day has what lies on it as minutes of its wall clock, so that it can be drawn as a column of 24 hours
even where the clocks change.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import Connection

from connector.domain.people import Practitioner
from connector.domain.session import Session
from connector.domain.span import Span, zone_named
from connector.domain.working_hours import MINUTES, Day
from connector.services import working_hours
from connector.services.policy import Policy
from connector.services.views.availability import Reason, unknown
from connector.services.working_hours import CurrentHours
from connector.storage import busy
from connector.storage import own_time as stored
from connector.storage.busy import BlindSpot

MOST_DAYS = 60
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """Something that stands in a practitioner's time, or a stretch of it of which nobody knows.

    Attributes:
        kind: A session, a hold (a time that is kept free for a client who may choose it), an event outside, a blind
            spot.
        span: From when to when; of sessions and holds without the gap that is kept after them.
        session: Of a session; None of everything else.
        session_id: Of a session, and of a hold that it is an alternative to.
        client_id: Likewise, whose it is.
        client_name: Likewise.
        offer_id: Of a hold.
        alternative_id: Of a hold.
        held_until: Of a hold: when its client must have answered; aware UTC.
        calendars: Of an event outside: the names of the calendars in which it stands at exactly this time.
    """

    kind: Reason
    span: Span
    session: Session | None = None
    session_id: UUID | None = None
    client_id: UUID | None = None
    client_name: str = ""
    offer_id: UUID | None = None
    alternative_id: UUID | None = None
    held_until: datetime | None = None
    calendars: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """What of something lies on one day.

    Attributes:
        start: Minutes after midnight that the clock shows when it begins there; 0 if it has begun before.
        end: The same of its end, later than its start; 1440 if it goes on.
        begins_before: Whether it has begun on a day before.
        goes_on: Whether it ends on a later day.
    """

    what: Standing
    start: int
    end: int
    begins_before: bool
    goes_on: bool

    @property
    def is_all_day(self) -> bool:
        """Whether it takes the whole day."""
        return self.start == 0 and self.end == MINUTES


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnDay:
    """A day of a practitioner's clock.

    Attributes:
        span: From its midnight to the next: 23 or 25 hours where the clocks change.
        hours: When they work, in minutes of its wall clock.
        parts: What lies on it, in the order in which it begins, what ends later first.
    """

    date: date
    span: Span
    hours: Day
    parts: tuple[Part, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnTime:
    """Some days of a practitioner's.

    Attributes:
        zone: By whose clock these are days: the practitioner's.
        days: In order.
        as_of: Since when what stands outside may have changed: when the calendar that was read longest ago was; None if
            one never was.
        blind: The calendars of which not all is known, or not by now.
    """

    practitioner: Practitioner
    zone: ZoneInfo
    hours: CurrentHours
    days: tuple[OwnDay, ...]
    as_of: datetime | None
    blind: tuple[BlindSpot, ...]


def own_time(
    db: Connection, policy: Policy, practitioner: Practitioner, first: date, days: int, *, now: datetime
) -> OwnTime:
    """Return so many days of a practitioner's from a date on, 60 at most."""
    if not 1 <= days <= MOST_DAYS:
        raise ValueError(f"{days} days: between 1 and {MOST_DAYS} can be shown at once")
    zone = zone_named(practitioner.zone)
    hours = working_hours.current(db, practitioner, now=now)
    dates = [first + n * _DAY for n in range(days)]
    spans = [(day, span) for day in dates if (span := span_of(day, day, zone)) is not None]
    every = Span(start=spans[0][1].start, end=spans[-1][1].end)
    not_known = unknown(db, policy, practitioner, every, now=now)
    standing = sorted(
        (*_ours(db, practitioner, every, now), *_outside(db, practitioner, every), *_blind(not_known.spans)),
        key=lambda one: (one.span.start, -one.span.duration, one.kind, one.calendars),
    )
    return OwnTime(
        practitioner=practitioner,
        zone=zone,
        hours=hours,
        days=tuple(
            OwnDay(date=day, span=span, hours=hours.hours.on(day), parts=tuple(_parts(standing, span, zone)))
            for day, span in spans
        ),
        as_of=not_known.as_of,
        blind=not_known.blind,
    )


def span_of(first: date, last: date, zone: ZoneInfo) -> Span | None:
    """Return the time from the midnight of one day to the midnight after another; None if the calendar leaves it out.

    A zone that crosses the date line leaves out a whole day.
    """
    start, end = (datetime.combine(day, time(), tzinfo=zone).astimezone(UTC) for day in (first, last + _DAY))
    return Span(start=start, end=end) if start < end else None


def _ours(db: Connection, practitioner: Practitioner, span: Span, now: datetime) -> Iterator[Standing]:
    for one in stored.booked(db, practitioner.id, span):
        yield Standing(
            kind=Reason.SESSION,
            span=one.session.when.span,
            session=one.session,
            session_id=one.session.id,
            client_id=one.session.client_id,
            client_name=one.client_name,
        )
    for held in stored.held(db, practitioner.id, span, now=now):
        yield Standing(
            kind=Reason.HOLD,
            span=held.when.span,
            session_id=held.session_id,
            client_id=held.client_id,
            client_name=held.client_name,
            offer_id=held.offer_id,
            alternative_id=held.alternative_id,
            held_until=held.until,
        )


def _outside(db: Connection, practitioner: Practitioner, span: Span) -> Iterator[Standing]:
    by_span: dict[Span, set[str]] = defaultdict(set)
    for one in busy.overlapping(db, practitioner.id, span):
        by_span[one.span].add(one.calendar)
    for at, names in by_span.items():
        yield Standing(kind=Reason.OUTSIDE_EVENT, span=at, calendars=tuple(sorted(names)))


def _blind(spans: Iterable[Span]) -> Iterator[Standing]:
    for span in spans:
        yield Standing(kind=Reason.BLIND_SPOT, span=span)


def _parts(standing: Sequence[Standing], day: Span, zone: ZoneInfo) -> Iterator[Part]:
    for one in standing:
        if not one.span.overlaps(day):
            continue
        begins_before, goes_on = one.span.start < day.start, one.span.end > day.end
        start = 0 if begins_before else _minute(one.span.start, zone)
        end = MINUTES if one.span.end >= day.end else _minute(one.span.end, zone)
        yield Part(
            what=one,
            start=start,
            end=max(end, start + 1),  # it may end at what its clock shows earlier, because that is put back meanwhile
            begins_before=begins_before,
            goes_on=goes_on,
        )


def _minute(at: datetime, zone: ZoneInfo) -> int:
    local = at.astimezone(zone)
    return local.hour * 60 + local.minute
