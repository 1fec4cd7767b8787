"""A practitioner's week: what stands on each day of their clock, and what waits for them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from uuid import UUID

from sqlalchemy import Connection

from connector.domain.people import Practitioner
from connector.domain.session import Session, SessionState, Sought
from connector.domain.span import Span, zone_named
from connector.domain.week import Placed, hours, placed, week_of
from connector.services.policy import Policy
from connector.services.views.needs import Needs, needs
from connector.services.views.own_time import OwnDay, Part, own_time
from connector.storage import people, sessions
from connector.storage.busy import BlindSpot

DAYS = 7
_A_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class WeekDay:
    """One day of a week.

    Attributes:
        whole: What takes all of it.
        timed: What takes a part of it, and where that is drawn.
        shift: By how much the clocks are put forward on it; less than nothing where they are put back.
    """

    date: date
    span: Span
    whole: tuple[Part, ...]
    timed: tuple[Placed[Part], ...]
    shift: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class NextSession:
    """The next session that a practitioner has, and with whom."""

    session: Session
    client_name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WeekPage:
    """What a practitioner sees of a week, and what waits for them.

    Attributes:
        first: The first day of the week.
        days: Its days in order.
        today: The day it is for them, in this week or not.
        opens: The first hour that is drawn; `closes`, the first that is not drawn any more.
        blind: The calendars of which not all is known.
        as_of: Since when something may have changed in a calendar; None if one was never read.
        next_session: The one that comes next, in this week or later, or takes place now; None if none is booked.
    """

    practitioner: Practitioner
    needs: Needs
    first: date
    days: tuple[WeekDay, ...]
    today: date
    opens: int
    closes: int
    blind: tuple[BlindSpot, ...]
    as_of: datetime | None
    next_session: NextSession | None

    @property
    def is_current(self) -> bool:
        """Whether today is in it."""
        return self.first <= self.today < self.first + DAYS * _A_DAY

    @property
    def today_first(self) -> tuple[WeekDay, ...]:
        """The days as they matter: from today on, and then those that are over."""
        if not self.is_current:
            return self.days
        return tuple(sorted(self.days, key=lambda day: (day.date < self.today, day.date)))


def week_page(
    db: Connection, policy: Policy, practitioner_id: UUID, day: date | None, *, now: datetime, first_weekday: int = 0
) -> WeekPage:
    """Return the week in which a day lies, by default today; in as many statements whatever stands in it.

    Raises: NotFoundError if there is no such practitioner.
    """
    practitioner = people.practitioner(db, practitioner_id)
    today = now.astimezone(zone_named(practitioner.zone)).date()
    first = week_of(day or today, first_weekday=first_weekday)
    own = own_time(db, policy, practitioner, first, DAYS, now=now)
    shown = tuple(map(_week_day, own.days))
    opens, closes = hours(day.timed for day in shown)
    return WeekPage(
        practitioner=practitioner,
        needs=needs(db, practitioner, now=now),
        first=first,
        days=shown,
        today=today,
        opens=opens,
        closes=closes,
        blind=own.blind,
        as_of=own.as_of,
        next_session=_next_session(db, practitioner_id, now),
    )


def _next_session(db: Connection, practitioner_id: UUID, now: datetime) -> NextSession | None:
    coming = Sought(practitioner_id=practitioner_id, ends_after=now, state=SessionState.BOOKED)
    for one in sessions.sought(db, coming, most=1):
        return NextSession(session=one.session, client_name=people.client(db, one.session.client_id).name)
    return None


def _week_day(day: OwnDay) -> WeekDay:
    return WeekDay(
        date=day.date,
        span=day.span,
        whole=tuple(part for part in day.parts if part.is_all_day),
        timed=placed(part for part in day.parts if not part.is_all_day),
        shift=_A_DAY - day.span.duration,
    )
