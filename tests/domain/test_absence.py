"""Which events are an absence, and what becomes of the question: by examples, and by histories of a calendar."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connector.domain import absence as rules
from connector.domain.absence import (
    REWRITTEN,
    SETTLING,
    Absence,
    AbsenceState,
    Concerned,
    History,
    Part,
    PartKey,
    Place,
)
from connector.domain.facts import AbsenceAnswer, AbsenceEnd
from connector.domain.span import Span
from connector.domain.standing import Nature, Standing, nature_of
from connector.errors import QuestionClosedError

BERLIN = ZoneInfo("Europe/Berlin")
WORK, HOME = UUID(int=1), UUID(int=2)
KIM = UUID(int=3)
NOW = datetime(2026, 11, 23, 9, tzinfo=UTC)
MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)


def day(n: int, *, zone: ZoneInfo = BERLIN) -> datetime:
    """The midnight `n` days after that of NOW, on a wall."""
    return datetime(2026, 11, 23, tzinfo=zone).astimezone(UTC) + n * DAY


def part(span: Span, nature: Nature = Nature.OUT_OF_OFFICE, *, href: str = "/a", in_series: bool = False) -> Part:
    history = History(seen_at=NOW - DAY, since=NOW - DAY)
    return Part(key=PartKey(WORK, href, None), span=span, nature=nature, in_series=in_series, history=history)


@pytest.mark.parametrize(
    ("span", "zone", "covers"),
    [
        (Span(start=day(1), end=day(2)), BERLIN, True),
        (Span(start=day(1) - MINUTE, end=day(2) + MINUTE), BERLIN, True),
        (Span(start=day(1) + MINUTE, end=day(2)), BERLIN, False),
        (Span(start=day(1), end=day(2) - MINUTE), BERLIN, False),
        (Span(start=day(1), end=day(2)), ZoneInfo("America/New_York"), False),
        # a day of 23 hours, and one of 25 of which 24 are not all
        (Span(start=datetime(2027, 3, 27, 23, tzinfo=UTC), end=datetime(2027, 3, 28, 22, tzinfo=UTC)), BERLIN, True),
        (Span(start=datetime(2026, 10, 24, 22, tzinfo=UTC), end=datetime(2026, 10, 25, 22, tzinfo=UTC)), BERLIN, False),
        # Samoa had no 30 December 2011
        (
            Span(start=datetime(2011, 12, 30, 9, tzinfo=UTC), end=datetime(2011, 12, 30, 11, tzinfo=UTC)),
            ZoneInfo("Pacific/Apia"),
            False,
        ),
        (Span(start=datetime(1, 1, 1, tzinfo=UTC), end=day(1)), ZoneInfo("America/New_York"), True),
    ],
)
def test_a_whole_day_is_one_on_the_wall_of_the_practitioner(span: Span, zone: ZoneInfo, *, covers: bool) -> None:
    assert rules.is_absence(part(span, Nature.ORDINARY), zone) is covers


def test_what_an_event_says_tells_whether_it_may_be_an_absence() -> None:
    assert nature_of([Standing.BUSY, Standing.OUT_OF_OFFICE]) is Nature.OUT_OF_OFFICE
    assert nature_of([Standing.OUT_OF_OFFICE, Standing.FOCUS]) is Nature.NEVER
    assert nature_of([Standing.ELSEWHERE]) is Nature.NEVER
    assert nature_of([Standing.TENTATIVE]) is nature_of([]) is Nature.ORDINARY


def test_what_touches_or_overlaps_is_one_absence_over_all_calendars() -> None:
    first, second = part(Span(start=day(1), end=day(2))), part(Span(start=day(2), end=day(3)), href="/b")
    inside, apart = part(Span.of(day(1), timedelta(hours=2)), href="/c"), part(Span.of(day(3) + MINUTE, DAY), href="/d")
    at_home = replace(second, key=PartKey(HOME, "/b", None))
    groups = rules.united([apart, at_home, first, inside], BERLIN)
    assert [{one.key.href for one in group} for group in groups] == [{"/a", "/b", "/c"}, {"/d"}]


def test_an_answer_after_the_end_is_refused() -> None:
    absence = Absence(
        id=UUID(int=9), practitioner_id=KIM, span=Span.of(NOW, DAY), keys=frozenset(), places=frozenset(), asked_at=NOW
    )
    answered = rules.answer(absence, AbsenceAnswer.KEEP, now=NOW)
    ended = replace(absence, state=AbsenceState.ENDED, ended=AbsenceEnd.GONE)
    for closed in (answered, ended):
        with pytest.raises(QuestionClosedError):
            rules.answer(closed, AbsenceAnswer.KEEP, now=NOW)


def test_what_was_said_of_a_calendar_says_nothing_of_the_same_days_in_another_one() -> None:
    """A holiday that a subscribed calendar knows, which concerns no sessions; then their owner takes it off."""
    span = Span.of(day(1), DAY)
    session = Concerned(
        session_id=KIM, span=Span.of(span.start + timedelta(hours=12), timedelta(hours=1)), placed_at=NOW - 9 * DAY
    )
    unrelated = Absence(
        id=UUID(int=9),
        practitioner_id=KIM,
        span=span,
        keys=frozenset({PartKey(HOME, "/holiday", None)}),
        places=frozenset({session.place}),
        asked_at=NOW - DAY,
        state=AbsenceState.ANSWERED,
        answer=AbsenceAnswer.UNRELATED,
        ended_at=NOW - DAY,
    )
    told = replace(session, told_by=frozenset({unrelated.id}))
    [verdict] = rules.decide(KIM, [[part(span)]], [told], [unrelated], read_at={WORK: NOW}, now=NOW).verdicts
    assert verdict.new
    assert verdict.added == {session.place}


def test_an_absence_that_is_back_with_other_edges_is_asked_about_with_those() -> None:
    model = Model()
    model.book("s", 1)
    model.book("t", 3)
    for stands in ({"a": Span.of(day(1), DAY)}, {}, {"a": Span.of(day(1), 3 * DAY)}):
        model.settle(stands)
    [absence] = model.open_ones()
    assert (absence.span, len(absence.places)) == (Span.of(day(1), 3 * DAY), 2)


def test_of_one_absence_that_is_back_as_two_each_has_a_question_and_no_letter() -> None:
    model = Model()
    model.book("s", 1)
    model.book("t", 2)
    apart = {"a": Span.of(day(1), DAY), "b": Span.of(day(2) + timedelta(hours=9), timedelta(hours=9))}
    for stands in ({"a": Span.of(day(1), DAY), "b": Span.of(day(2), DAY)}, {}, apart):
        model.settle(stands)
    assert sorted(one.span for one in model.open_ones()) == sorted(apart.values())
    assert sorted(len(one.places) for one in model.open_ones()) == [1, 1]
    assert len(model.mailed) == len(model.sessions), "each was named once"


# Histories: an event appears, grows, shrinks, goes, comes back; sessions are booked before and after; somebody answers.


@dataclass
class Model:
    """A calendar, its sessions, what is known of both, and what its practitioner was told."""

    now: datetime = NOW
    events: dict[str, Span] = field(default_factory=dict)
    parts: dict[str, Part] = field(default_factory=dict)
    sessions: dict[UUID, Concerned] = field(default_factory=dict)
    absences: dict[UUID, Absence] = field(default_factory=dict)
    mailed: list[tuple[frozenset[PartKey], Place]] = field(default_factory=list)
    gone_at: dict[Span, datetime] = field(default_factory=dict)  # when a question last ended since nothing stood there
    told: dict[Place, set[UUID]] = field(default_factory=dict)
    mailed_at: dict[tuple[Span, Place], datetime] = field(default_factory=dict)
    read_at: datetime | None = None

    def read(self) -> None:
        """Keep what stands in the calendar, as the storage does."""
        seen: dict[str, Part] = {}
        for href, span in self.events.items():
            known = self.parts.get(href)
            if known is None:
                history = History(seen_at=self.now, since=self.now)
            else:
                history = known.history if known.span == span else known.history.moved(known.span, now=self.now)
            seen[href] = replace(part(span, href=href), history=history)
        self.parts, self.read_at = seen, self.now

    def book(self, name: str, at: int) -> None:
        span = Span.of(day(at) + timedelta(hours=12), timedelta(minutes=50))
        session_id = UUID(int=ord(name))
        self.sessions[session_id] = Concerned(session_id=session_id, span=span, placed_at=self.now)

    def settle(self, stands: dict[str, Span]) -> None:
        """Have these events stand, and be looked at until nothing is waited for."""
        self.events = stands
        self.now += MINUTE
        self.read()
        self.look()
        self.now += SETTLING
        self.look()

    def look(self) -> None:
        """Decide, and hold what has to hold of every decision."""
        for _ in range(2):
            groups = rules.united([one for one in self.parts.values() if one.span.end > self.now], BERLIN)
            outlook = rules.decide(
                KIM,
                groups,
                [replace(one, told_by=self.told_by(one)) for one in self.sessions.values()],
                list(self.absences.values()),
                read_at={WORK: self.read_at},
                now=self.now,
            )
            for verdict in outlook.verdicts:
                self.take(verdict)
            if not outlook.unconfirmed:
                return
            self.read()
        raise AssertionError("a reading confirms nothing")

    def take(self, verdict: rules.Verdict) -> None:
        absence = verdict.absence
        assert verdict.new != (absence.id in self.absences)
        if not verdict.new:
            before = self.absences[absence.id]
            assert before.is_open or (verdict.again and before.ended is AbsenceEnd.GONE)
        self.absences[absence.id] = absence
        if absence.ended is AbsenceEnd.GONE:
            self.gone_at[absence.span] = self.now
        assert verdict.added <= absence.places
        if not absence.is_open:
            assert not verdict.added
            return
        kept = {place for one in self.absences.values() if one.answer is AbsenceAnswer.KEEP for place in one.places}
        assert absence.places
        assert not absence.places & kept
        own = [self.parts[key.href].span for key in absence.keys]
        assert absence.span == Span(start=min(one.start for one in own), end=max(one.end for one in own))
        for key in absence.keys:
            assert self.parts[key.href].history.since + SETTLING <= self.now
        for place in absence.places:
            session = self.sessions[place.session_id]
            assert session.span.start > self.now
            assert session.span.overlaps(absence.span)
        for place in verdict.added:
            assert not any(place == other and keys & absence.keys for keys, other in self.mailed)
            self.mailed.append((absence.keys, place))
            self.told.setdefault(place, set()).add(absence.id)
            last, gone_at = self.mailed_at.get((absence.span, place)), self.gone_at.get(absence.span)
            if last is not None:  # about the same time only where it was gone for more than a while
                assert gone_at is not None
                assert last <= gone_at < self.now - REWRITTEN
            self.mailed_at[absence.span, place] = self.now

    def told_by(self, session: Concerned) -> frozenset[UUID]:
        return frozenset(self.told.get(session.place, ()))

    def rename(self, name: str, *, is_seen: bool) -> None:
        """Have a program put an event elsewhere; it may be looked at in between."""
        span = self.events.pop(name, None)
        if is_seen:
            self.read()
            self.look()
        if span is not None:
            self.events[next(one for one in "abcde" if one not in self.events and one != name)] = span

    def keep(self) -> None:
        """Answer all that is asked: the sessions take place."""
        for one in self.open_ones():
            self.absences[one.id] = rules.answer(one, AbsenceAnswer.KEEP, now=self.now)

    def open_ones(self) -> Sequence[Absence]:
        return [one for one in self.absences.values() if one.is_open]


_STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("put"), st.sampled_from("abc"), st.integers(0, 6), st.integers(1, 4)),
        st.tuples(st.just("rename"), st.sampled_from("abcde"), st.integers(0, 1), st.just(0)),
        st.tuples(st.just("drop"), st.sampled_from("abcde"), st.just(0), st.just(0)),
        st.tuples(st.just("book"), st.sampled_from("stuv"), st.integers(0, 9), st.just(0)),
        st.tuples(st.just("cancel"), st.sampled_from("stuv"), st.just(0), st.just(0)),
        st.tuples(st.just("keep"), st.just(""), st.just(0), st.just(0)),
        st.tuples(st.just("wait"), st.just(""), st.sampled_from((1, 6, 11, 60 * 20)), st.just(0)),
    ),
    max_size=25,
)


def run(steps: Sequence[tuple[str, str, int, int]]) -> None:
    model = Model()
    for what, name, at, length in steps:
        session_id = UUID(int=ord(name)) if name else KIM
        match what:
            case "put":
                model.events[name] = Span.of(day(at), length * DAY)
            case "rename":
                model.rename(name, is_seen=at == 1)
            case "drop":
                model.events.pop(name, None)
            case "book":
                model.book(name, at)
            case "cancel":
                model.sessions.pop(session_id, None)
            case "keep":
                model.keep()
            case _:
                model.now += at * MINUTE
        if what in ("put", "rename", "drop"):
            model.now += timedelta(seconds=1)
            model.read()
        model.look()
    for _ in range(2):  # in the end all has settled: what is asked is what stands, and nothing is asked twice
        model.now += SETTLING
        model.read()
        model.look()
    owed = model.open_ones()
    found = {key for one in owed for key in one.keys}
    assert found <= {one.key for one in model.parts.values()}
    assert len({key for one in owed for key in one.keys}) == sum(len(one.keys) for one in owed)
    before = dict(model.absences)
    model.look()
    assert model.absences == before


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(_STEPS)
def test_whatever_happens_in_a_calendar_is_asked_about_once_and_only_while_it_stands(
    steps: list[tuple[str, str, int, int]],
) -> None:
    run(steps)


@pytest.mark.long
@settings(max_examples=600, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(_STEPS)
def test_of_many_histories_none_is_asked_about_twice(steps: list[tuple[str, str, int, int]]) -> None:
    run(steps)
