"""When a practitioner is free, and which of those times to suggest in place of another; no clock, no database.

A start is free if the whole session lies in the working hours, and it touches nothing that is taken with the buffer
behind it. The buffer itself may run past the hours. What is taken is whatever the callers say, each with the gap kept
after it already in it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, time, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

from connector.domain.next_letter import DAY
from connector.domain.span import Span, When, zone_named
from connector.domain.working_hours import WorkingHours
from connector.sentence import Sentence

STEP = 15  # minutes between two starts, on the wall clock, where nobody says otherwise
WEEKS = (2, 4, 8)  # how far is looked: as far as is needed
MOST_A_DAY = 3  # suggestions
_SECOND = timedelta(seconds=1)
_DAY = timedelta(days=1)
_LOOK = timedelta(hours=6)  # clocks are not changed twice in so short a time
_OTHER_WEEKDAY = 1.5  # as far away as so many days


@dataclass(frozen=True, slots=True, kw_only=True)
class Starts:
    """Free starts without a gap, both ends among them: whole seconds, aware UTC."""

    first: datetime
    last: datetime

    def stretch(self, length: timedelta) -> Span:
        """Return the time in which a session of that length may lie wherever it likes."""
        return Span(start=self.first, end=self.last + length)


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """Who is asked, and for what.

    Attributes:
        zone: The practitioner's.
        taken: When they are not free, in any order.
        buffer: The gap that they keep after each session.
        length: How long the session lasts.
    """

    hours: WorkingHours
    zone: ZoneInfo
    taken: Sequence[Span]
    length: timedelta
    buffer: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class Suggestion:
    """A time in place of another, and how it differs from it."""

    when: When
    reason: Sentence


def at_work(hours: WorkingHours, zone: ZoneInfo, span: Span) -> tuple[Span, ...]:
    """Return when the wall clock shows working hours, within a span; what touches is one."""
    found: list[Span] = []
    for part, offset in _stretches(zone, span):
        begin, end = (at.replace(tzinfo=None) + offset for at in (part.start, part.end))
        day = begin.date()
        while day <= end.date():
            midnight = datetime.combine(day, time())
            for hour in hours.on(day):
                opens = max(begin, midnight + timedelta(minutes=hour.start))
                closes = min(end, midnight + timedelta(minutes=hour.end))
                if opens < closes:
                    found.append(Span(start=_utc(opens - offset), end=_utc(closes - offset)))
            day += timedelta(days=1)
    return merged(found)


def free(search: Search, span: Span) -> tuple[Starts, ...]:
    """Return every free start of a session that begins and ends within a span, earliest first."""
    forbidden = merged(
        Span(start=one.start - search.length - search.buffer + _SECOND, end=one.end) for one in search.taken
    )
    found: list[Starts] = []
    for hours in at_work(search.hours, search.zone, span):
        first, latest = hours.start, hours.end - search.length
        for one in forbidden:
            if one.end <= first:
                continue
            if one.start > latest or first > latest:
                break
            if one.start > first:
                found.append(Starts(first=first, last=one.start - _SECOND))
            first = one.end
        if first <= latest:
            found.append(Starts(first=first, last=latest))
    return tuple(found)


def starts(
    among: Iterable[Starts],
    zone: ZoneInfo,
    *,
    step: int = STEP,
    anchor: int = 0,
    readers: Iterable[ZoneInfo] = (),
) -> Iterator[datetime]:
    """Yield the free starts at which a clock shows a round time; none whose wall time comes twice.

    Args:
        among: The free ones.
        zone: Whose clock.
        step: Minutes from one to the next, counted from each midnight.
        anchor: Minutes after midnight at which the first is.
        readers: Further clocks on which no start may come twice: somebody is told it there.
    """
    among = tuple(among)
    changing = [reader for reader in {zone, *readers} if among and _changes_near(reader, among)]
    for one in among:
        for part, offset in _stretches(zone, Span(start=one.first, end=one.last + _SECOND)):
            begin, end = (at.replace(tzinfo=None) + offset for at in (part.start, part.end))
            for local in _round_times(begin, end, step, anchor % step):
                start = _utc(local - offset)
                if not any(comes_twice(start, reader) for reader in changing):
                    yield start


def suggest(
    search: Search, old: When, *, client_zone: ZoneInfo, earliest: datetime, count: int, step: int = STEP
) -> tuple[Suggestion, ...]:
    """Return times in place of a session's own, the best first.

    Each overlaps neither the old time nor another one of them, buffers included, and is not at night for the client
    unless the old one is. There are at most `MOST_A_DAY` a day, and the best of each day come before the second best of
    any. It is looked around the old time, or from `earliest` on; farther if there are not enough.
    """
    found: tuple[Suggestion, ...] = ()
    ranked: list[_Ranked] = []
    for farther in _ever_wider(search, old, client_zone, earliest, step):
        ranked = sorted([*ranked, *farther])
        found = _best([one.span for one in ranked], old, search.buffer, count)
        if len(found) >= count:
            break
    return found


def ever_wider(
    search: Search, old: When, *, client_zone: ZoneInfo, earliest: datetime, step: int = STEP
) -> Iterator[list[Span]]:
    """Yield the free times in place of a session's own, the best first; then those that there are farther away.

    None overlaps the old time, or is at night for the client unless the old one is; but they overlap each other.
    """
    for farther in _ever_wider(search, old, client_zone, earliest, step):
        yield [one.span for one in farther]


def _ever_wider(
    search: Search, old: When, client_zone: ZoneInfo, earliest: datetime, step: int
) -> Iterator[list[_Ranked]]:
    search = replace(search, taken=(*search.taken, old.span))
    known: set[datetime] = set()
    for weeks in WEEKS:
        every = _free_starts(search, old, window(old, earliest=earliest, weeks=weeks), client_zone, step)
        yield sorted(_ranked(search, old, every - known, client_zone))
        known |= every


def window(old: When, *, earliest: datetime, weeks: int) -> Span:
    """Return where times in place of an old one are looked for: around it, but not before `earliest`."""
    begin = max(earliest, old.span.start - timedelta(weeks=weeks) / 2)
    return Span.of(begin, timedelta(weeks=weeks))


def at_night(span: Span, zone: ZoneInfo) -> bool:
    """Whether a time begins or ends early or late on somebody's clock."""
    morning, evening = DAY
    start, end = span.start.astimezone(zone), span.end.astimezone(zone)
    return start.time() < morning or start.date() != end.date() or end.time() > evening


def comes_twice(instant: datetime, zone: ZoneInfo) -> bool:
    """Whether what a clock shows at an instant it shows a second time, because it is put back."""
    local = instant.astimezone(zone)
    return local.replace(fold=1 - local.fold).utcoffset() != local.utcoffset()


def merged(spans: Iterable[Span]) -> tuple[Span, ...]:
    """Return the same time as few spans, in order: what overlaps or touches is one."""
    found: list[Span] = []
    for span in sorted(spans):
        if found and span.start <= found[-1].end:
            found[-1] = Span(start=found[-1].start, end=max(found[-1].end, span.end))
        else:
            found.append(span)
    return tuple(found)


class _Ranked(NamedTuple):
    """A free time, in the order of how near it is to the old one: rather later than earlier."""

    distance: float
    is_earlier: bool
    span: Span


def _free_starts(search: Search, old: When, span: Span, client_zone: ZoneInfo, step: int) -> set[datetime]:
    """Return every round start that is free, on the practitioner's clock or as many minutes past as the old one."""
    among = free(search, span)
    local = old.span.start.astimezone(search.zone)
    anchors = {0, (local.hour * 60 + local.minute) % step}
    readers = (zone_named(old.zone), client_zone)
    return {at for anchor in anchors for at in starts(among, search.zone, step=step, anchor=anchor, readers=readers)}


def _ranked(search: Search, old: When, among: Iterable[datetime], client_zone: ZoneInfo) -> Iterator[_Ranked]:
    zone = zone_named(old.zone)
    before = old.span.start.astimezone(zone)
    night_is_fine = at_night(old.span, client_zone)
    for start in among:
        span = Span(start=start, end=start + search.length)
        if night_is_fine or not at_night(span, client_zone):
            yield _Ranked(_distance(before, start.astimezone(zone)), start < old.span.start, span)


def _best(candidates: Sequence[Span], old: When, buffer: timedelta, count: int) -> tuple[Suggestion, ...]:
    """Choose in rounds: each takes another one of every day, in the order in which they come."""
    zone = zone_named(old.zone)
    chosen: list[Span] = []
    days: Counter[object] = Counter()
    for most in range(1, MOST_A_DAY + 1):
        for one in candidates:
            if len(chosen) == count:
                break
            day = one.start.astimezone(zone).date()
            is_apart = not any(one.padded(buffer).overlaps(other.padded(buffer)) for other in chosen)
            if days[day] < most and is_apart:
                chosen.append(one)
                days[day] += 1
    return tuple(Suggestion(when=When.of(one, zone=old.zone), reason=_reason(old, one, zone)) for one in chosen)


def _distance(before: datetime, after: datetime) -> float:
    """Return how far a time is from the old one, on one clock: days, and an hour of the day is as far as a day."""
    days = abs((after.date() - before.date()).days)
    hours = abs((after.hour * 60 + after.minute) - (before.hour * 60 + before.minute)) / 60
    return days + hours + (0 if days % 7 == 0 else _OTHER_WEEKDAY)


def _reason(old: When, new: Span, zone: ZoneInfo) -> Sentence:
    """Say how a time differs from the old one."""
    before, after = old.span.start.astimezone(zone), new.start.astimezone(zone)
    days = (after.date() - before.date()).days
    if days == 0:
        return Sentence("On the same day, at another time.")
    at_same_time = after.time() == before.time()
    weeks, rest = divmod(abs(days), 7)
    if rest == 0:
        return _weeks(weeks, later=days > 0, at_same_time=at_same_time)
    return _days(abs(days), later=days > 0, at_same_time=at_same_time)


def _weeks(n: int, *, later: bool, at_same_time: bool) -> Sentence:
    match later, at_same_time:
        case True, True:
            return Sentence("A week later, at the same time.", plural="%(n)s weeks later, at the same time.", n=n)
        case False, True:
            return Sentence("A week earlier, at the same time.", plural="%(n)s weeks earlier, at the same time.", n=n)
        case True, False:
            return Sentence(
                "On the same weekday a week later, at another time.",
                plural="On the same weekday %(n)s weeks later, at another time.",
                n=n,
            )
        case _:
            return Sentence(
                "On the same weekday a week earlier, at another time.",
                plural="On the same weekday %(n)s weeks earlier, at another time.",
                n=n,
            )


def _days(n: int, *, later: bool, at_same_time: bool) -> Sentence:
    match later, at_same_time:
        case True, True:
            return Sentence("A day later, at the same time.", plural="%(n)s days later, at the same time.", n=n)
        case False, True:
            return Sentence("A day earlier, at the same time.", plural="%(n)s days earlier, at the same time.", n=n)
        case True, False:
            return Sentence("A day later, at another time.", plural="%(n)s days later, at another time.", n=n)
        case _:
            return Sentence("A day earlier, at another time.", plural="%(n)s days earlier, at another time.", n=n)


def _round_times(begin: datetime, end: datetime, step: int, anchor: int) -> Iterator[datetime]:
    """Yield the wall times in `[begin, end)` that are whole steps after their midnight, and `anchor` minutes more."""
    day = begin.date()
    while day <= end.date():
        local = midnight = datetime.combine(day, time()) + timedelta(minutes=anchor)
        if begin > midnight:
            local += -((midnight - begin) // timedelta(minutes=step)) * timedelta(minutes=step)
        while local < end and local.date() == day:
            yield local
            local += timedelta(minutes=step)
        day += timedelta(days=1)


def _stretches(zone: ZoneInfo, span: Span) -> Iterator[tuple[Span, timedelta]]:
    """Cut a span where the clocks of a zone are changed: each part with how far they are ahead of UTC in it."""
    begin = span.start
    offset = _offset(begin, zone)
    at = begin
    while at < span.end:
        then = min(at + _LOOK, span.end)
        if _offset(then, zone) != offset:
            changed = _change(at, then, zone, offset)
            yield Span(start=begin, end=changed), offset
            begin, offset, then = changed, _offset(changed, zone), changed
        at = then
    if begin < span.end:
        yield Span(start=begin, end=span.end), offset


def _changes_near(zone: ZoneInfo, among: Sequence[Starts]) -> bool:
    """Whether a clock is changed while something is free, or within a day of it: only then a time may come twice."""
    hull = Span(start=min(one.first for one in among) - _DAY, end=max(one.last for one in among) + _DAY)
    return len(list(_stretches(zone, hull))) > 1


def _change(before: datetime, after: datetime, zone: ZoneInfo, offset: timedelta) -> datetime:
    """Return the first second at which a clock no longer is as far ahead as it was before."""
    while after - before > _SECOND:
        middle = before + (after - before) // 2
        middle = middle.replace(microsecond=0)
        before, after = (middle, after) if _offset(middle, zone) == offset else (before, middle)
    return after


def _offset(instant: datetime, zone: ZoneInfo) -> timedelta:
    offset = instant.astimezone(zone).utcoffset()
    if offset is None:
        raise AssertionError("an aware datetime has an offset")
    return offset


def _utc(naive: datetime) -> datetime:
    return naive.replace(tzinfo=UTC)
