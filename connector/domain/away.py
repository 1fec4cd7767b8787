"""Who gets which other times when a practitioner cannot keep several sessions; no clock, no database.

What one of them is offered, no other one is, the gap kept after each included. Nobody gets a second time before
everybody has a first; and in each round whoever has the fewest left to choose from goes first.
"""

from __future__ import annotations

from collections import Counter
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


@dataclass(slots=True)
class _Seeker:
    """A session that needs other times; `left` are the candidates that nobody has been given, the best first."""

    wider: Iterator[Sequence[Span]]
    zone: ZoneInfo
    has: list[Span]
    left: list[tuple[float, float, Span]] = field(default_factory=list)
    days: Counter[date] = field(default_factory=Counter)

    def take_best(self) -> Span:
        """Take the best on a day of which it has the fewest."""
        _begin, _end, best = min(self.left, key=lambda one: self.days[self._day(one[2])])  # the first of those
        self.days[self._day(best)] += 1
        self.has.append(best)
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
    given = given or {}
    taken = [_occupied(span, buffer) for spans in given.values() for span in spans]
    seekers = {key: _Seeker(wider, zone, list(given.get(key, ()))) for key, wider in candidates.items()}
    for seeker in seekers.values():
        seeker.days.update(span.start.astimezone(zone).date() for span in seeker.has)
    for nth in range(most):
        waiting = {key: seeker for key, seeker in seekers.items() if len(seeker.has) <= nth}
        while waiting:
            for seeker in waiting.values():
                _widen(seeker, taken, buffer)
            scarcest = min(waiting, key=lambda key: len(waiting[key].left))
            seeker = waiting.pop(scarcest)
            if not seeker.left:
                continue
            begin, end = _occupied(seeker.take_best(), buffer)
            taken.append((begin, end))
            for other in seekers.values():
                other.left = [one for one in other.left if one[0] >= end or one[1] <= begin]
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


def _widen(seeker: _Seeker, taken: Sequence[tuple[float, float]], buffer: timedelta) -> None:
    """Look farther away for whoever has nothing left to choose from, as far as there is anything."""
    while not seeker.left:
        wider = next(seeker.wider, None)
        if wider is None:
            return
        found = ((*_occupied(span, buffer), span) for span in wider)
        seeker.left = [one for one in found if all(one[0] >= end or one[1] <= begin for begin, end in taken)]


def _occupied(span: Span, buffer: timedelta) -> tuple[float, float]:
    """Return from when to when a time is kept, as numbers: they are compared very often."""
    return span.start.timestamp(), (span.end + buffer).timestamp()
