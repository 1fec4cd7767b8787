"""An absence: a practitioner is away, as their calendars tell; which sessions it concerns, and what becomes of it.

It is known by its parts, the events that say so, and asked about as a question of its own: one for all its sessions,
without a default answer. Nothing is done to any session until its practitioner does it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta, tzinfo
from enum import StrEnum
from typing import NamedTuple
from uuid import UUID, uuid4

from connector.domain.facts import AbsenceAnswer, AbsenceEnd
from connector.domain.span import Span, midnight
from connector.domain.standing import Nature
from connector.errors import QuestionClosedError

SETTLING = timedelta(minutes=10)  # so long every part must have kept its edges
REWRITTEN = timedelta(hours=1)  # what is gone and back where it was within it was written anew, not taken back
SHORTEST_DAY = timedelta(hours=20)  # what lasts less takes no whole day, however clocks are changed in it
_DAY = timedelta(days=1)
_EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)  # of what began before, the days since then tell as much


class AbsenceState(StrEnum):
    """Where the question about an absence stands; only one that ended since its absence was gone is asked again."""

    OPEN = "open"
    ANSWERED = "answered"
    ENDED = "ended"  # by itself: see AbsenceEnd


class PartKey(NamedTuple):
    """What an event of an absence is known by, wherever it is moved to."""

    calendar_id: UUID
    href: str
    occurrence: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """Since when an event is known, and where it stood before.

    Attributes:
        seen_at: When it was first seen.
        since: Since when it has its present edges.
        settled: The edges that it had before, if it had kept them; None if those of today are its first.
    """

    seen_at: datetime
    since: datetime
    settled: Span | None = None

    def moved(self, old: Span, *, now: datetime) -> History:
        """Return the history of an event that has other edges now than it had."""
        settled = old if now - self.since >= SETTLING else self.settled
        return History(seen_at=self.seen_at, since=now, settled=settled)


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """An event, one occurrence of a series, that takes time in a calendar of a practitioner's."""

    key: PartKey
    span: Span
    nature: Nature
    in_series: bool
    history: History

    def was_booked_before(self, session: Concerned) -> bool:
        """Whether a session was put where it is before this was seen to stand there."""
        settled = self.history.settled
        if settled is not None and settled.overlaps(session.span):
            return session.placed_at < self.history.seen_at
        return session.placed_at < self.history.since


@dataclass(frozen=True, slots=True, kw_only=True)
class Concerned:
    """A session that stands, as far as an absence has to do with it.

    Attributes:
        placed_at: When it was booked, or last moved, to where it is.
        asked: Whether its client is being asked to choose another time.
        told_by: The questions that have named it since it is there, even if they do not any more.
    """

    session_id: UUID
    span: Span
    placed_at: datetime
    asked: bool = False
    told_by: frozenset[UUID] = frozenset()

    @property
    def place(self) -> Place:
        """What is asked about: moved to another time, it is another matter."""
        return Place(self.session_id, self.span.start)


class Place(NamedTuple):
    """A session at the time at which it was asked about."""

    session_id: UUID
    starts_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Absence:
    """What a practitioner is asked, once for all the sessions in it.

    Attributes:
        span: From the first to the last moment of its parts.
        keys: Its parts.
        places: The sessions that it names.
        ended: What has ended it, unless it was answered.
    """

    id: UUID
    practitioner_id: UUID
    span: Span
    keys: frozenset[PartKey]
    places: frozenset[Place]
    asked_at: datetime
    state: AbsenceState = AbsenceState.OPEN
    answer: AbsenceAnswer | None = None
    ended: AbsenceEnd | None = None
    ended_at: datetime | None = None

    @property
    def is_open(self) -> bool:
        """Whether it waits for its practitioner."""
        return self.state is AbsenceState.OPEN


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What becomes of one absence.

    Attributes:
        absence: As it stands now.
        new: Whether it is asked about for the first time.
        again: Whether the question had ended, and stands again with all that it names.
        added: The sessions that nobody was asked about before: only they are worth a letter.
    """

    absence: Absence
    new: bool = False
    again: bool = False
    added: frozenset[Place] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlook:
    """What is to be done about a practitioner's absences.

    Attributes:
        verdicts: What has changed, endings first.
        unconfirmed: The calendars that must be read once more before anything is asked.
        again_at: When to look again though nothing happens; None for never.
    """

    verdicts: tuple[Verdict, ...] = ()
    unconfirmed: frozenset[UUID] = frozenset()
    again_at: datetime | None = None


def is_absence(part: Part, zone: tzinfo) -> bool:
    """Whether an event says that its owner is away.

    The service calls it so; or it leaves a whole day of theirs not free, and is not of a series.
    """
    match part.nature:
        case Nature.OUT_OF_OFFICE:
            return True
        case Nature.NEVER:
            return False
        case Nature.ORDINARY:
            return not part.in_series and _covers_day(part.span, zone)


def united(parts: Iterable[Part], zone: tzinfo) -> Sequence[Sequence[Part]]:
    """Return the absences among events, by time: those that touch or overlap are one."""
    groups: list[list[Part]] = []
    end: datetime | None = None
    for part in sorted((one for one in parts if is_absence(one, zone)), key=lambda one: one.span):
        if end is not None and part.span.start <= end:
            groups[-1].append(part)
        else:
            groups.append([part])
            end = None
        end = part.span.end if end is None else max(end, part.span.end)
    return groups


def decide(
    practitioner_id: UUID,
    groups: Iterable[Sequence[Part]],
    sessions: Collection[Concerned],
    known: Sequence[Absence],
    *,
    read_at: Mapping[UUID, datetime | None],
    now: datetime,
) -> Outlook:
    """Decide what becomes of a practitioner's absences, by what their calendars show and what was asked before.

    Args:
        practitioner_id: Whose.
        groups: The absences that stand, as `united` has them.
        sessions: Their sessions to come that stand.
        known: What was asked about lately, whatever became of it.
        read_at: When each calendar was last read itself.
        now: Aware UTC.
    """
    looking = _Looking(practitioner_id, sessions, known, read_at, now)
    return looking.at([group for group in groups if _hull(group).end > now])


def answer(absence: Absence, chosen: AbsenceAnswer, *, now: datetime) -> Absence:
    """Take an answer.

    Raises: QuestionClosedError if it has ended.
    """
    if absence.state is AbsenceState.ANSWERED:
        raise QuestionClosedError("This question has been answered already.", code="question_answered")
    if not absence.is_open:
        raise QuestionClosedError(
            "This question no longer stands: what it asked about has changed since.", code="absence_ended"
        )
    return replace(absence, state=AbsenceState.ANSWERED, answer=chosen, ended_at=now)


class _Looking:
    """One look at all absences of a practitioner."""

    def __init__(
        self,
        practitioner_id: UUID,
        sessions: Collection[Concerned],
        known: Sequence[Absence],
        read_at: Mapping[UUID, datetime | None],
        now: datetime,
    ) -> None:
        self._practitioner_id = practitioner_id
        self._sessions = [one for one in sessions if one.span.start > now and not one.asked]
        self._known = known
        self._kept = {place for one in known if one.answer is AbsenceAnswer.KEEP for place in one.places}
        self._read_at = read_at
        self._now = now
        self._endings: list[Verdict] = []
        self._others: list[Verdict] = []
        self._unconfirmed: set[UUID] = set()
        self._looks: list[datetime] = []
        self._reopened: set[UUID] = set()

    def at(self, groups: Sequence[Sequence[Part]]) -> Outlook:
        waiting = sorted((one for one in self._known if one.is_open), key=lambda one: (one.asked_at, one.id))
        standing = [one for one in waiting if one.span.end > self._now]
        for one in waiting:
            if one not in standing:
                self._end(one, AbsenceEnd.OVER)
        left = [one for one in standing if any(_is_about(one, group) for group in groups)]
        for one in standing:
            if one not in left:
                self._end(one, AbsenceEnd.GONE)
        for group in groups:
            own = [one for one in left if _is_about(one, group)]
            left = [one for one in left if one not in own]
            self._look(group, own)
        return Outlook(
            verdicts=(*self._endings, *self._others),
            unconfirmed=frozenset(self._unconfirmed),
            again_at=min(self._looks, default=None),
        )

    def _look(self, group: Sequence[Part], own: Sequence[Absence]) -> None:
        """Decide about one absence; `own` are the open questions about parts of it."""
        self._looks += [one.span.end for one in own]
        span, keys = _hull(group), frozenset(part.key for part in group)
        places = frozenset(one.place for one in self._sessions if _names(group, one)) - self._kept
        first = own[0] if own else None
        if first is not None and len(own) == 1 and (first.span, first.keys, first.places) == (span, keys, places):
            return
        if first is None and not places:
            return
        if not places:
            for one in own:
                self._end(one, AbsenceEnd.SETTLED)
            return
        settled_at = max(part.history.since for part in group) + SETTLING
        if settled_at > self._now:
            self._looks.append(settled_at)
            return
        unconfirmed = {part.key.calendar_id for part in group if not self._is_confirmed(part)}
        if unconfirmed:
            self._unconfirmed |= unconfirmed
            return
        for one in own[1:]:
            self._end(one, AbsenceEnd.UNITED)
        back = {one.id for one in self._known if _is_back(one, group)}
        named = {place for one in self._known if one.id in back for place in one.places}
        named |= {one.place for one in self._sessions if one.told_by & back}
        gone = next((one for one in self._known if one.ended is AbsenceEnd.GONE and one.id in back), None)
        if first is None and gone is not None and gone.id not in self._reopened:  # of two that it has become, one
            self._reopened.add(gone.id)
            again = replace(
                gone, span=span, keys=keys, places=places, state=AbsenceState.OPEN, ended=None, ended_at=None
            )
            self._others.append(Verdict(absence=again, again=True, added=places - named))
        elif first is None:
            first = Absence(
                id=uuid4(),
                practitioner_id=self._practitioner_id,
                span=span,
                keys=keys,
                places=places,
                asked_at=self._now,
            )
            self._others.append(Verdict(absence=first, new=True, added=places - named))
        else:
            changed = replace(first, span=span, keys=keys, places=places)
            self._others.append(Verdict(absence=changed, added=places - named))
        self._looks.append(span.end)

    def _is_confirmed(self, part: Part) -> bool:
        read_at = self._read_at.get(part.key.calendar_id)
        return read_at is not None and read_at >= part.history.since + SETTLING

    def _end(self, absence: Absence, cause: AbsenceEnd) -> None:
        ended = replace(absence, state=AbsenceState.ENDED, ended=cause, ended_at=self._now)
        self._endings.append(Verdict(absence=ended))


def _names(group: Sequence[Part], session: Concerned) -> bool:
    """Whether an absence names a session: it was there before what overlaps it was seen."""
    return any(part.span.overlaps(session.span) and part.was_booked_before(session) for part in group)


def _is_about(absence: Absence, group: Sequence[Part]) -> bool:
    """Whether a question is about an absence that stands: it shares an event with it, or has the very same edges."""
    return any(part.key in absence.keys for part in group) or absence.span == _hull(group)


def _is_back(absence: Absence, group: Sequence[Part]) -> bool:
    """Whether an absence that was asked about stands, though it may have been gone for a while.

    Programs delete what they put elsewhere: without an event of its own, it was gone for a short while only.
    """
    if any(part.key in absence.keys for part in group):
        return True
    if absence.answer is AbsenceAnswer.UNRELATED:
        return False  # that was said of a calendar, and not of this time
    if absence.ended is not AbsenceEnd.GONE or absence.ended_at is None:
        return absence.span == _hull(group)
    return absence.span == _hull(group) and max(part.history.since for part in group) - absence.ended_at <= REWRITTEN


def _hull(group: Sequence[Part]) -> Span:
    return Span(start=min(part.span.start for part in group), end=max(part.span.end for part in group))


def _covers_day(span: Span, zone: tzinfo) -> bool:
    """Whether a whole day on the wall lies in a span; a day that its zone skips is none."""
    start = max(span.start, _EARLIEST)
    day = start.astimezone(zone).date()
    if midnight(day, zone) < start:
        day += _DAY
    first, following = midnight(day, zone), midnight(day + _DAY, zone)
    return start <= first < following <= span.end
