"""What a practitioner is shown who books a session: whom, and once that is said, when they are free."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from uuid import UUID

from sqlalchemy import Connection

from connector.domain.free_times import MOST_A_DAY, STEP, suggest
from connector.domain.people import Client, Practitioner
from connector.domain.session import Session
from connector.domain.span import Span, When, instant, zone_named
from connector.services import people as services
from connector.services.policy import Policy
from connector.services.views.availability import availability, search_for
from connector.services.views.own_time import span_of
from connector.storage import people, sessions
from connector.storage.busy import BlindSpot

MOST_CLIENTS = 15
USUAL_LENGTH = timedelta(minutes=50)
_TIMES, _TIMES_OF_A_DAY = 9, 16
_AHEAD = timedelta(days=14)


@dataclass(frozen=True, slots=True, kw_only=True)
class WhomPage:
    """Clients to choose from: those sought, or with whom something was booked last."""

    practitioner: Practitioner
    sought: str
    clients: tuple[Client, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class BookingPage:
    """What is known before a session with a client is booked.

    Attributes:
        last: The last session of these two that stands, if there is one.
        like: The session whose place and length are proposed: that one, or the practitioner's last with anybody.
        times: Some at which they are free.
        day: The day to which these are limited, if to one.
        blind: The calendars of which not all is known.
    """

    practitioner: Practitioner
    client: Client
    last: Session | None
    like: Session | None
    times: tuple[When, ...]
    day: date | None
    blind: tuple[BlindSpot, ...]

    @property
    def zone(self) -> str:
        """By whose clock the session is booked."""
        return self.last.when.zone if self.last else self.practitioner.zone


def whom(db: Connection, practitioner_id: UUID, sought: str) -> WhomPage:
    """Return whom a practitioner can book a session with. Raises: NotFoundError."""
    practitioner = people.practitioner(db, practitioner_id)
    if sought:
        found = people.clients_of(db, practitioner_id, text=sought, most=MOST_CLIENTS)
    else:
        found = people.latest_clients(db, practitioner_id, most=MOST_CLIENTS)
    clients = tuple(client for client in found if not client.retired)
    return WhomPage(practitioner=practitioner, sought=sought, clients=clients)


def booking_page(
    db: Connection, policy: Policy, practitioner_id: UUID, client_id: UUID, day: date | None, *, now: datetime
) -> BookingPage:
    """Return what is known before a practitioner books a session with a client of theirs.

    `day`: the one for which they want to know when they are free; else some times of a fortnight are told.

    Raises: NotFoundError for a client they do not know.
    """
    practitioner = people.practitioner(db, practitioner_id)
    client = services.client(db, client_id, of=practitioner_id)
    last = sessions.latest(db, practitioner_id, client_id)
    like = last or sessions.latest(db, practitioner_id)
    length = like.when.span.duration if like else USUAL_LENGTH
    zone = zone_named(practitioner.zone)
    span = span_of(day, day, zone) if day is not None else None
    free = availability(
        db,
        policy,
        practitioner,
        span or Span.of(instant(now), _AHEAD),
        length=length,
        now=now,
        zone=client.zone,
        step=STEP if span else 2 * STEP,
    )
    if span is None and last is not None:
        near = suggest(
            search_for(practitioner, free.hours, free.taken, length),
            last.when,
            client_zone=zone_named(client.zone),
            earliest=instant(now) + timedelta(minutes=1),
            count=_TIMES,
        )
        times = [one.when for one in near if one.when.span.end <= free.span.end]
    else:
        every = (When.of(Span.of(start, length), zone=practitioner.zone) for start in free.starts)
        times = list(_apart(every, practitioner, most_a_day=_TIMES_OF_A_DAY if span else MOST_A_DAY))
    return BookingPage(
        practitioner=practitioner,
        client=client,
        last=last,
        like=like,
        times=tuple(sorted(times[: _TIMES_OF_A_DAY if span else _TIMES], key=lambda when: when.span)),
        day=day,
        blind=free.taken.blind,
    )


def _apart(times: Iterable[When], practitioner: Practitioner, *, most_a_day: int) -> Iterator[When]:
    """Yield times of which none overlaps another, so many a day at most, their gaps kept."""
    last: When | None = None
    on_day = 0
    for when in times:
        is_same_day = last is not None and last.local.date() == when.local.date()
        on_day = on_day if is_same_day else 0
        if on_day == most_a_day or (last is not None and last.span.padded(practitioner.buffer).overlaps(when.span)):
            continue
        yield when
        last, on_day = when, on_day + 1
