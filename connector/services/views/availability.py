"""When a practitioner is free, and when not and why; and which times to suggest in place of a session's.

Everything is answered from what is stored, in the same number of statements whatever there is of it: what stands in
calendars is as old as their last reading, which is said. Nothing tells what an event is about.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from enum import StrEnum
from hashlib import blake2s
from uuid import UUID
from zoneinfo import ZoneInfo

import msgspec
from sqlalchemy import Connection

from connector.domain.free_times import (
    STEP,
    WEEKS,
    Search,
    Suggestion,
    free,
    merged,
    starts,
    suggest,
    window,
)
from connector.domain.people import Practitioner
from connector.domain.session import Session, check_stands
from connector.domain.span import LONGEST, SHORTEST, Span, instant, zone_named
from connector.errors import NotFoundError, RuleError
from connector.services import working_hours
from connector.services.policy import Policy
from connector.services.sync.free_busy import FRESH_IDLE
from connector.services.working_hours import CurrentHours
from connector.storage import busy, occupancy, people, sessions, unread
from connector.storage.busy import BlindSpot

LONGEST_ASKED = timedelta(days=60)
FEWEST_MINUTES, MOST_MINUTES = 5, 24 * 60  # between two starts
MOST_SUGGESTIONS = 30
_MINUTE = timedelta(minutes=1)


class Reason(StrEnum):
    """Why a practitioner is not free."""

    SESSION = "session"
    HOLD = "hold"  # a time that is kept for whoever was offered it
    OUTSIDE_EVENT = "outside_event"  # something in a calendar of theirs that is not ours
    BLIND_SPOT = "blind_spot"  # nobody has read what stands there


@dataclass(frozen=True, slots=True, kw_only=True)
class Busy:
    """A time at which a practitioner is not free; of ours the buffer is in it, and which it is is said."""

    span: Span
    reason: Reason
    session_id: UUID | None = None
    offer_id: UUID | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """What is known of a practitioner's time.

    Attributes:
        as_of: Since when it may have changed in a calendar: when the one that was read longest ago was; None if one
            never was.
        blind: The calendars of which not all is known, or not by now.
        busy: In order; time outside is merged to one where it touches.
    """

    as_of: datetime | None
    blind: tuple[BlindSpot, ...]
    busy: tuple[Busy, ...]

    @property
    def complete(self) -> bool:
        """Whether everything is known, and was lately."""
        return not self.blind

    def besides(self, session_id: UUID) -> list[Span]:
        """Return when they are not free for a session: neither it nor what is offered for it is in its own way."""
        return [one.span for one in self.busy if one.session_id != session_id]


@dataclass(frozen=True, slots=True, kw_only=True)
class Unknown:
    """Of which time nobody knows what stands in a practitioner's calendars; `as_of` and `blind` as of `Taken`."""

    as_of: datetime | None
    blind: tuple[BlindSpot, ...]
    spans: tuple[Span, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Availability:
    """When a practitioner is free for a session of a length.

    Attributes:
        zone: On whose clock whoever asks reads it.
        free: Where such a session may lie wherever it likes, its buffer kept; but none that has begun.
        starts: Those of its starts at which the practitioner's clock shows a round time that comes once.
    """

    practitioner: Practitioner
    hours: CurrentHours
    zone: ZoneInfo
    span: Span
    length: timedelta
    taken: Taken
    free: tuple[Span, ...]
    starts: tuple[datetime, ...]

    @property
    def etag(self) -> str:
        """A digest that is the same exactly while all of it is, and as of the same instant."""
        said = (self.hours, self.zone.key, self.span, self.length, self.taken, self.free, self.starts)
        buffer = self.practitioner.buffer
        return blake2s(msgspec.json.encode((said, buffer)), digest_size=16).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class Suggestions:
    """Times in place of a session's, the best first."""

    session: Session
    practitioner: Practitioner
    hours: CurrentHours
    taken: Taken
    times: tuple[Suggestion, ...]


def availability(
    db: Connection,
    policy: Policy,
    practitioner: Practitioner,
    span: Span,
    *,
    length: timedelta,
    now: datetime,
    zone: str = "",
    step: int = STEP,
    for_session: UUID | None = None,
) -> Availability:
    """Return when a practitioner is free.

    Args:
        db: Where.
        policy: The installation's.
        practitioner: Who.
        span: In which time; 60 days at most. What lies before now is not free.
        length: Of the session; its buffer comes on top.
        now: Aware UTC.
        zone: On whose clock it is read; the practitioner's if left out.
        step: Minutes between two starts.
        for_session: One that shall move: neither it nor what is offered for it is in its own way.

    Raises: RuleError for what cannot be asked; NotFoundError for a session that is not theirs.
    """
    check(span, length=length, step=step)
    if for_session is not None and sessions.get(db, for_session).practitioner_id != practitioner.id:
        raise NotFoundError("There is no such session.", code="session_not_found")
    clock, reader = zone_named(practitioner.zone), zone_named(zone or practitioner.zone)
    hours = working_hours.current(db, practitioner, now=now)
    taken = taken_of(db, policy, practitioner, span, now=now, besides=for_session)
    coming = _coming(span, now)
    search = search_for(practitioner, hours, taken, length)
    found = free(search, coming) if coming is not None and not practitioner.retired else ()
    return Availability(
        practitioner=practitioner,
        hours=hours,
        zone=reader,
        span=span,
        length=length,
        taken=taken,
        free=tuple(one.stretch(length) for one in found),
        starts=tuple(starts(found, clock, step=step, readers=[reader])),
    )


def suggestions(
    db: Connection, policy: Policy, session: Session, *, now: datetime, count: int = 9, step: int = STEP
) -> Suggestions:
    """Return times in place of a session's own: none begins before its client had as long to answer as they have.

    Raises: RuleError for a session that does not stand, or for what cannot be asked.
    """
    check_stands(session)
    if not 1 <= count <= MOST_SUGGESTIONS:
        raise RuleError(
            "Ask for between 1 and %(most)s suggestions.",
            code="suggestions_out_of_range",
            field="count",
            most=MOST_SUGGESTIONS,
        )
    _check_step(step)
    practitioner, client = people.practitioner(db, session.practitioner_id), people.client(db, session.client_id)
    hours = working_hours.current(db, practitioner, now=now)
    earliest = now + policy.window
    span = widest(session, policy, now=now)
    taken = taken_of(db, policy, practitioner, span, now=now, besides=session.id)
    times = suggest(
        search_for(practitioner, hours, taken, session.when.span.duration),
        session.when,
        client_zone=zone_named(client.zone),
        earliest=earliest,
        count=count,
        step=step,
    )
    return Suggestions(session=session, practitioner=practitioner, hours=hours, taken=taken, times=times)


def widest(session: Session, policy: Policy, *, now: datetime) -> Span:
    """Return in which time, at most, is looked for others in place of a session's."""
    return window(session.when, earliest=instant(now + policy.window), weeks=WEEKS[-1])


def check(span: Span, *, length: timedelta, step: int) -> None:
    """Raise RuleError for what cannot be asked."""
    if span.duration > LONGEST_ASKED:
        raise RuleError(
            "Ask for at most %(most)s days at once.", code="span_too_long", field="to", most=LONGEST_ASKED.days
        )
    if not SHORTEST <= length <= LONGEST:
        raise RuleError(
            "A session lasts between 1 minute and 24 hours. Choose a length in between.",
            code="session_length_out_of_range",
            field="minutes",
        )
    _check_step(step)


def _check_step(step: int) -> None:
    if not FEWEST_MINUTES <= step <= MOST_MINUTES:
        raise RuleError(
            "Between two starts lie %(fewest)s to %(most)s minutes. Choose a step in between.",
            code="step_out_of_range",
            field="step",
            fewest=FEWEST_MINUTES,
            most=MOST_MINUTES,
        )


def search_for(practitioner: Practitioner, hours: CurrentHours, taken: Taken, length: timedelta) -> Search:
    """Say who is asked for times of a length, and what is known of their time."""
    return Search(
        hours=hours.hours,
        zone=zone_named(practitioner.zone),
        taken=[one.span for one in taken.busy],
        length=length,
        buffer=practitioner.buffer,
    )


def _coming(span: Span, now: datetime) -> Span | None:
    """Return the part of a span in which a session can still begin: from the next minute on."""
    first = instant(now).replace(second=0) + _MINUTE
    return Span(start=max(span.start, first), end=span.end) if first < span.end else None


def taken_of(
    db: Connection,
    policy: Policy,
    practitioner: Practitioner,
    span: Span,
    *,
    now: datetime,
    besides: UUID | None = None,
) -> Taken:
    """Return what is known of a practitioner's time; but nothing of the session `besides` and its offer."""
    wide = span.padded(practitioner.buffer)  # a session may end with it, and its buffer runs past
    ours = [
        Busy(
            span=Span(start=one.start, end=one.end),
            reason=Reason.HOLD if one.is_hold else Reason.SESSION,
            session_id=one.session_id,
            offer_id=one.offer_id,
        )
        for one in occupancy.within(db, practitioner.id, wide, now=now, besides=besides)
    ]
    outside = [one.span for one in busy.overlapping(db, practitioner.id, wide)]
    unread_time = unknown(db, policy, practitioner, span, now=now, wide=wide)
    every = [
        *ours,
        *(Busy(span=one, reason=Reason.OUTSIDE_EVENT) for one in merged(outside)),
        *(Busy(span=one, reason=Reason.BLIND_SPOT) for one in unread_time.spans),
    ]
    return Taken(
        as_of=unread_time.as_of,
        blind=unread_time.blind,
        busy=tuple(sorted(every, key=lambda one: (one.span, one.reason))),
    )


def unknown(
    db: Connection,
    policy: Policy,
    practitioner: Practitioner,
    span: Span,
    *,
    now: datetime,
    wide: Span | None = None,
) -> Unknown:
    """Return of which part of a span nobody knows what stands in a practitioner's calendars; in three statements.

    `wide`: the span with the gap behind it, where that matters, too.
    """
    wide = wide or span
    known = busy.known(db, practitioner.id)
    read_since = now - FRESH_IDLE * policy.poll_idle
    blind = tuple(busy.blind_spots(db, practitioner.id, read_since=read_since, until=max(span.end, instant(now))))
    unreadable = unread.of_calendars(db, [one.calendar_id for one in blind if one.events])
    broken = [start for found in unreadable.values() for one in found for start in one.starts]
    ages = [one.at for one in known]
    return Unknown(
        as_of=None if None in ages else min((at for at in ages if at is not None), default=instant(now)),
        blind=blind,
        spans=merged([*_unread(wide, [one.until for one in known], now), *_rest_of_day(broken, wide, practitioner)]),
    )


def _unread(span: Span, read_until: Sequence[datetime | None], now: datetime) -> Iterator[Span]:
    """Yield the part of a span, from now on, that nobody has read of some calendar."""
    for until in read_until:
        begin = max(span.start, instant(now), instant(until) if until is not None else span.start)
        if begin < span.end:
            yield Span(start=begin, end=span.end)


def _rest_of_day(begins: Sequence[datetime], span: Span, practitioner: Practitioner) -> Iterator[Span]:
    """Yield from when to when an event may last of which only the beginning could be read: till its day ends."""
    zone = zone_named(practitioner.zone)
    for begin in map(instant, begins):
        midnight = datetime.combine(begin.astimezone(zone).date() + timedelta(days=1), time(), tzinfo=zone)
        until = max(instant(midnight), begin + _MINUTE)
        if begin < span.end and until > span.start:
            yield Span(start=begin, end=until)
