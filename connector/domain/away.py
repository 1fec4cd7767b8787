"""Who gets which other times when a practitioner cannot keep several sessions; no clock, no database.

What one of them is offered, no other one is, the gap kept after each included. Nobody gets a second time before
everybody has a first; and in each round whoever has the fewest left to choose from goes first.
"""

from __future__ import annotations

from collections import Counter, defaultdict, deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from connector.domain.offer import Offer
from connector.domain.session import Session, SessionState
from connector.domain.span import Span, instant
from connector.errors import PastSpanError, RuleError

MOST_TIMES = 3  # that are suggested for one session
MOST_SESSIONS = 25  # that are asked about in one act
LONGEST_DAYS = 60
_HOUR = 3600.0  # seconds


def days(first: date, last: date, zone: ZoneInfo, *, now: datetime) -> Span:
    """Return the time from the first day to the end of the last one, on the clock of `zone`.

    Raises: RuleError for days that cannot be meant.
    """
    if last < first:
        raise RuleError(
            "The last day lies before the first one. Choose a later one, or the same.",
            code="last_day_before_first",
            field="to",
        )
    if (last - first).days >= LONGEST_DAYS:
        raise RuleError(
            "Choose at most %(most)s days at once. Come back for the others once these are settled.",
            code="away_too_long",
            field="to",
            most=LONGEST_DAYS,
        )
    after = datetime.combine(last + timedelta(days=1), time(), tzinfo=zone)
    span = Span.of(datetime.combine(first, time(), tzinfo=zone), instant(after))
    if span.end <= now:
        raise PastSpanError("These days are over. Choose a last day that is not.", code="away_is_over", field="to")
    return span


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """How a session stood when its practitioner chose other times for it.

    `offer_id`: its offer that was open then, and ends with the new one.
    """

    span: Span
    offer_id: UUID | None = None


@dataclass(slots=True, eq=False)
class _Candidate:
    """A time that one session could have; `begin` and `end`, with the gap after it, are compared very often."""

    seeker: _Seeker
    rank: int
    span: Span
    day: date
    begin: float
    end: float
    is_free: bool = True

    def lose(self) -> None:
        """Note that it is given to somebody."""
        self.is_free = False
        self.seeker.left -= 1


class _Diary:
    """What has been given, and what could be: looked up by the hours that a time touches, not by going through all."""

    def __init__(self) -> None:
        self._given: dict[int, list[tuple[float, float]]] = defaultdict(list)
        self._candidates: dict[int, list[_Candidate]] = defaultdict(list)

    def add(self, candidate: _Candidate) -> None:
        """Note a time that could be given."""
        for hour in _hours(candidate.begin, candidate.end):
            self._candidates[hour].append(candidate)

    def give(self, begin: float, end: float) -> None:
        """Note a time that is given: what runs into it is lost, whoever it was for."""
        for hour in _hours(begin, end):
            self._given[hour].append((begin, end))
            kept = []
            for one in self._candidates[hour]:
                if one.is_free and begin < one.end and one.begin < end:
                    one.lose()
                if one.is_free:
                    kept.append(one)
            self._candidates[hour] = kept

    def is_free(self, begin: float, end: float) -> bool:
        """Whether a time runs into nothing that is given."""
        for hour in _hours(begin, end):
            for other_begin, other_end in self._given[hour]:
                if begin < other_end and other_begin < end:
                    return False
        return True


@dataclass(slots=True, eq=False)
class _Seeker:
    """A session that needs other times; of `left` candidates that nobody has been given, the best come first."""

    wider: Iterator[Sequence[Span]]
    zone: ZoneInfo
    has: list[Span]
    days: Counter[date] = field(default_factory=Counter)
    left: int = 0
    ranked: dict[date, deque[_Candidate]] = field(default_factory=dict)

    def widen(self, diary: _Diary, buffer: timedelta) -> None:
        """Look farther away if nothing is left to choose from, as far as there is anything."""
        while not self.left:
            wider = next(self.wider, None)
            if wider is None:
                return
            self.ranked = {}
            for rank, span in enumerate(wider):
                begin, end = _occupied(span, buffer)
                if diary.is_free(begin, end):
                    one = _Candidate(self, rank, span, self._day(span), begin, end)
                    self.ranked.setdefault(one.day, deque()).append(one)
                    self.left += 1
                    diary.add(one)

    def take_best(self) -> _Candidate:
        """Take the best on a day of which it has the fewest."""
        best: _Candidate | None = None
        for day, ones in self.ranked.items():
            while ones and not ones[0].is_free:
                ones.popleft()
            if ones and (best is None or (self.days[day], ones[0].rank) < (self.days[best.day], best.rank)):
                best = ones[0]
        if best is None:
            raise AssertionError("nothing is left to choose from")
        self.days[best.day] += 1
        self.has.append(best.span)
        return best

    def _day(self, span: Span) -> date:
        return span.start.astimezone(self.zone).date()


def shared_out(
    candidates: Mapping[UUID, Iterator[Sequence[Span]]],
    *,
    buffer: timedelta,
    zone: ZoneInfo,
    given: Mapping[UUID, Sequence[Span]] | None = None,
    most: int = MOST_TIMES,
) -> dict[UUID, tuple[Span, ...]]:
    """Return for each session other times that collide with none of another's, the best first.

    Args:
        candidates: For each session the times that are free for it, the best first; then, as far as they are asked
            for, more of them from farther away.
        buffer: The gap that is kept after each.
        zone: On whose days they are spread out.
        given: What sessions have already, which counts and is nobody else's.
        most: How many each gets at most.
    """
    given, diary = given or {}, _Diary()
    for span in (span for spans in given.values() for span in spans):
        diary.give(*_occupied(span, buffer))
    seekers = {key: _Seeker(wider, zone, list(given.get(key, ()))) for key, wider in candidates.items()}
    for seeker in seekers.values():
        seeker.days.update(span.start.astimezone(zone).date() for span in seeker.has)
    for nth in range(most):
        waiting = {key: seeker for key, seeker in seekers.items() if len(seeker.has) <= nth}
        while waiting:
            for seeker in waiting.values():
                seeker.widen(diary, buffer)
            scarcest = min(waiting, key=lambda key: waiting[key].left)
            seeker = waiting.pop(scarcest)
            if seeker.left:
                best = seeker.take_best()
                diary.give(best.begin, best.end)
    return {key: tuple(seeker.has[len(given.get(key, ())) :]) for key, seeker in seekers.items()}


def changed_since(session: Session, open_offer: Offer | None, shown: Shown) -> RuleError | None:
    """Return what has become of a session since it was shown, as a refusal; None if it stands as it did."""
    if session.state is SessionState.CANCELLED:
        return RuleError("This session has been cancelled meanwhile.", code="away_session_cancelled")
    if session.when.span != shown.span:
        return RuleError(
            "This session has been moved meanwhile. It is at %(when)s now.",
            code="away_session_moved",
            when=session.when.local,
        )
    if open_offer is not None and open_offer.id != shown.offer_id:
        return RuleError("Other times have been offered for this session meanwhile.", code="away_session_offered")
    if open_offer is None and shown.offer_id is not None:
        return RuleError(
            "The offer that was open for this session has ended meanwhile: it was answered or taken back, or its time "
            "to answer has passed.",
            code="away_offer_ended",
        )
    return None


def collide(one: Span, other: Span, buffer: timedelta) -> bool:
    """Whether not both of two times can be kept, with the gap after each."""
    return one.padded(buffer).overlaps(other.padded(buffer))


def _occupied(span: Span, buffer: timedelta) -> tuple[float, float]:
    """Return from when to when a time is kept, as numbers: they are compared very often."""
    return span.start.timestamp(), (span.end + buffer).timestamp()


def _hours(begin: float, end: float) -> range:
    return range(int(begin // _HOUR), int(end // _HOUR) + 1)
