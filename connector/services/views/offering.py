"""What a practitioner chooses from who offers other times: suggestions, and days of their own with what is free."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import Connection

from connector.domain.free_times import WEEKS, Suggestion, at_night, window
from connector.domain.session import Session, check_stands
from connector.domain.span import Span, When, zone_named
from connector.domain.working_hours import WorkingHours
from connector.services.policy import Policy
from connector.services.views.availability import availability, suggestions, widest
from connector.services.views.own_time import OwnDay, OwnTime, own_time, span_of
from connector.services.working_hours import CurrentHours, Source
from connector.storage import people

DAYS = 14  # that are shown at once
FURTHEST = timedelta(days=364)  # ahead of now, as far as calendars are read
SUGGESTED = 9
MOST_STARTS = 150  # on a page: where there are more, only those at rounder times are shown
STEPS = (15, 30, 60, 120, 240)  # minutes between two starts
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class FreeTime:
    """A time that can be offered.

    Attributes:
        is_night: Whether it begins or ends early or late on the client's clock.
        suggestion: What it was suggested for; None of one that is only free.
    """

    when: When
    is_night: bool
    suggestion: Suggestion | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OfferingDay:
    """A day of the practitioner's, and the free starts in it."""

    own: OwnDay
    free: tuple[FreeTime, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Offering:
    """What there is to choose from in place of a session's time.

    Attributes:
        suggested: The best of what is free, earliest first.
        weeks: How long a stretch of time was looked through for these.
        is_short: Whether there are fewer than were wanted, as far as it is looked.
        days: A fortnight.
        step: Minutes between two free starts of the days.
        earlier: The first day of the fortnight before; None if nothing can be offered in it.
        later: The first day of the fortnight after; None if it lies too far ahead.
    """

    session: Session
    own: OwnTime
    suggested: tuple[FreeTime, ...]
    weeks: int
    is_short: bool
    days: tuple[OfferingDay, ...]
    step: int
    earlier: date | None
    later: date | None

    @property
    def hours(self) -> CurrentHours:
        """By which hours times are free."""
        return self.own.hours

    @property
    def asks_for_hours(self) -> bool:
        """Whether nobody has said yet when the practitioner works."""
        return self.hours.source is not Source.CONFIRMED

    @property
    def hours_shown(self) -> str:
        """What is confirmed by whoever confirms the hours of this page."""
        return written(self.hours.hours)


def offering(
    db: Connection, policy: Policy, session: Session, *, now: datetime, first: date | None = None, zone: str = ""
) -> Offering:
    """Return what can be offered in place of a session's time, from what is stored; it is free as of the last reading.

    Args:
        db: Where.
        policy: The installation's.
        session: Whose time shall be another.
        now: Aware UTC.
        first: The first day of the fortnight; by default that around the session, or the next.
        zone: The client's.

    Raises: RuleError for a session that does not stand.
    """
    check_stands(session)
    practitioner = people.practitioner(db, session.practitioner_id)
    own_zone, client_zone = zone_named(practitioner.zone), zone_named(zone or practitioner.zone)
    found = suggestions(db, policy, session, now=now, count=SUGGESTED)
    earliest = now + policy.window
    begins = first_day(session, policy, own_zone, now=now, wanted=first)
    own = own_time(db, policy, practitioner, begins, DAYS, now=now)
    span = Span(start=own.days[0].span.start, end=own.days[-1].span.end)
    step, free = STEPS[0], tuple[datetime, ...]()
    if session.when.span.duration <= span.duration:
        asked = availability(
            db,
            policy,
            practitioner,
            span,
            length=session.when.span.duration,
            now=now,
            zone=zone,
            step=STEPS[0],
            for_session=session.id,
        )
        possible = [at for at in asked.starts if at >= earliest and at != session.when.span.start]
        step, free = _rounder(possible, own_zone)
    by_day: dict[date, list[FreeTime]] = defaultdict(list)
    for at in free:
        by_day[at.astimezone(own_zone).date()].append(_free(session, at, client_zone))
    weeks = next((n for n in WEEKS if _lies_in(found.times, session, earliest, n)), WEEKS[-1])
    is_short = len(found.times) < SUGGESTED
    return Offering(
        session=session,
        own=own,
        suggested=tuple(
            FreeTime(when=one.when, is_night=at_night(one.when.span, client_zone), suggestion=one)
            for one in sorted(found.times, key=lambda one: one.when.span)
        ),
        weeks=WEEKS[-1] if is_short else weeks,
        is_short=is_short,
        days=tuple(OfferingDay(own=day, free=tuple(by_day[day.date])) for day in own.days),
        step=step,
        earlier=begins - DAYS * _DAY if begins > earliest.astimezone(own_zone).date() else None,
        later=begins + DAYS * _DAY if begins + DAYS * _DAY <= (now + FURTHEST).astimezone(own_zone).date() else None,
    )


def first_day(session: Session, policy: Policy, zone: ZoneInfo, *, now: datetime, wanted: date | None = None) -> date:
    """Return the first day of a fortnight that can be shown: the one wanted, or the nearest to it that can."""
    earliest, latest = (now + policy.window).astimezone(zone).date(), (now + FURTHEST).astimezone(zone).date()
    usual = window(session.when, earliest=now + policy.window, weeks=WEEKS[0]).start.astimezone(zone).date()
    return min(max(wanted or usual, earliest), latest)


def until(session: Session, policy: Policy, zone: str, *, now: datetime, first: date | None = None) -> datetime:
    """Return how far ahead calendars have to be read for what is shown."""
    own = zone_named(zone)
    begins = first_day(session, policy, own, now=now, wanted=first)
    shown = span_of(begins, begins + DAYS * _DAY, own)
    around = widest(session, policy, now=now).end
    return max(around, shown.end) if shown is not None else around


def written(hours: WorkingHours) -> str:
    """Write hours as what a form carries."""
    days = (*hours.weekly, *hours.exceptions.values())
    dates = " ".join(map(str, hours.exceptions))
    return ";".join(",".join(f"{one.start}-{one.end}" for one in day) for day in days) + dates


def seen(shown: str, current: CurrentHours) -> bool:
    """Whether hours that are to be confirmed are those that a page has shown."""
    return current.source is not Source.CONFIRMED and written(current.hours) == shown


def _free(session: Session, start: datetime, client_zone: ZoneInfo) -> FreeTime:
    when = When.of(Span.of(start, session.when.span.duration), zone=session.when.zone)
    return FreeTime(when=when, is_night=at_night(when.span, client_zone))


def _rounder(starts: Sequence[datetime], zone: ZoneInfo) -> tuple[int, tuple[datetime, ...]]:
    """Return as many starts as can be looked over: those at round times of the wall clock, and how round they are."""
    minutes = [(at, local.hour * 60 + local.minute) for at in starts for local in (at.astimezone(zone),)]
    among = [(step, tuple(at for at, minute in minutes if minute % step == 0)) for step in STEPS]
    return next((one for one in among if len(one[1]) <= MOST_STARTS), among[-1])


def _lies_in(times: Sequence[Suggestion], session: Session, earliest: datetime, weeks: int) -> bool:
    span = window(session.when, earliest=earliest, weeks=weeks)
    return all(span.start <= one.when.span.start and one.when.span.end <= span.end for one in times)
