"""Other times shared out among several sessions: nothing collides, nobody is passed over; beside a slow oracle."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from itertools import combinations, product
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connector.domain.away import LONGEST_DAYS, collide, days, shared_out
from connector.domain.span import Span
from connector.errors import PastSpanError, RuleError
from tests.counting import steps

BERLIN = ZoneInfo("Europe/Berlin")
NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)

Wishes = dict[UUID, list[list[Span]]]  # what is free for each session, ever wider


def key(n: int) -> UUID:
    return UUID(int=n)


def at(hours: float, minutes: int = 50) -> Span:
    return Span.of(NOW + hours * HOUR, timedelta(minutes=minutes))


def share(wishes: Wishes, *, buffer: int = 0, most: int = 3, **more: object) -> dict[UUID, tuple[Span, ...]]:
    candidates: dict[UUID, Iterator[Sequence[Span]]] = {one: iter(wider) for one, wider in wishes.items()}
    return shared_out(candidates, buffer=timedelta(minutes=buffer), zone=BERLIN, most=most, **more)  # type: ignore[arg-type]


def spans(found: dict[UUID, tuple[Span, ...]]) -> list[Span]:
    return [span for its in found.values() for span in its]


quarters = st.integers(min_value=0, max_value=40)
some_times = st.lists(
    st.builds(lambda n, length: at(n / 4, length), quarters, st.sampled_from([15, 50, 90])), max_size=8
)
some_wishes = st.lists(st.lists(some_times, min_size=1, max_size=2), min_size=1, max_size=5).map(
    lambda every: {key(n): wider for n, wider in enumerate(every)}
)
buffers = st.sampled_from([0, 5, 10, 30])


def hold(wishes: Wishes, buffer: int) -> None:
    """What must be true of anything that is shared out."""
    found, gap = share(wishes, buffer=buffer), timedelta(minutes=buffer)
    assert found.keys() == wishes.keys()
    assert not any(collide(one, other, gap) for one, other in combinations(spans(found), 2))
    for one, its in found.items():
        assert set(its) <= {span for wider in wishes[one] for span in wider}
        assert len(its) <= 3
    firsts = {one: its[0] for one, its in found.items() if its}
    for one, wider in wishes.items():
        if one not in firsts:  # then nothing is left for it once everybody else has only a first
            left = [
                span for every in wider for span in every if not any(collide(span, x, gap) for x in firsts.values())
            ]
            assert not left


@settings(max_examples=60, deadline=None)
@given(some_wishes, buffers)
def test_nothing_collides_and_nobody_is_passed_over_for_a_second_time_of_another(wishes: Wishes, buffer: int) -> None:
    hold(wishes, buffer)


@pytest.mark.long
@settings(max_examples=1000, deadline=None)
@given(some_wishes, buffers)
def test_nothing_ever_collides(wishes: Wishes, buffer: int) -> None:
    hold(wishes, buffer)


def most_with_one(wishes: Wishes) -> int:
    """How many sessions can have a time at the very most: every choice is tried."""
    choices = [[None, *{span for wider in every for span in wider}] for every in wishes.values()]
    fitting = (
        [span for span in choice if span is not None]
        for choice in product(*choices)
        if not any(collide(a, b, timedelta()) for a, b in combinations([x for x in choice if x is not None], 2))
    )
    return max(len(chosen) for chosen in fitting)


few_times = st.lists(quarters.map(lambda n: at(n // 4)), max_size=3)
few_wishes = st.lists(few_times, min_size=1, max_size=4).map(
    lambda every: {key(n): [its] for n, its in enumerate(every)}
)


@settings(max_examples=60, deadline=None)
@given(few_wishes)
def test_as_many_have_a_time_as_an_oracle_finds_or_at_most_one_fewer(wishes: Wishes) -> None:
    found = sum(bool(its) for its in share(wishes).values())
    assert most_with_one(wishes) - 1 <= found <= most_with_one(wishes)


def test_whoever_has_the_fewest_to_choose_from_goes_first() -> None:
    found = share({key(1): [[at(1), at(2), at(3)]], key(2): [[at(1)]], key(3): [[at(2), at(1)]]})
    assert (found[key(2)], found[key(3)], found[key(1)]) == ((at(1),), (at(2),), (at(3),))


def test_everybody_has_a_first_before_anybody_has_a_second() -> None:
    both = [at(1), at(2)]
    assert [len(its) for its in share({key(1): [both], key(2): [both]}).values()] == [1, 1]


def test_nothing_is_looked_for_farther_away_while_something_near_is_left() -> None:
    asked = []

    def wider() -> Iterator[list[Span]]:
        for hours in (1, 200):
            asked.append(hours)
            yield [at(hours), at(hours + 1)]

    assert shared_out({key(1): wider()}, buffer=timedelta(), zone=BERLIN, most=2)[key(1)] == (at(1), at(2))
    assert asked == [1]
    assert shared_out({key(1): wider()}, buffer=timedelta(), zone=BERLIN, most=3)[key(1)] == (at(1), at(2), at(200))


def test_the_times_of_a_session_lie_on_different_days_if_they_can() -> None:
    assert share({key(1): [[at(1), at(2), at(25), at(49)]]})[key(1)] == (at(1), at(25), at(49))


def test_what_a_session_has_already_counts_and_is_nobody_elses() -> None:
    wishes: Wishes = {key(1): [[at(1), at(2), at(3)]], key(2): [[at(1), at(2)]]}
    found = share(wishes, given={key(1): [at(2), at(5)]})
    assert found == {key(1): (at(3),), key(2): (at(1),)}


def test_what_is_given_already_makes_no_time_cost_more() -> None:
    def cost(sessions: int) -> int:
        many = [[at(hours / 2) for hours in range(60)]]
        wishes: Wishes = {key(n): many for n in range(sessions)}
        given_times = {key(n): [at(1000 + 3 * n + hours) for hours in range(2)] for n in range(sessions)}
        return steps(lambda: share(wishes, given=given_times))

    assert cost(40) < 2.5 * cost(20)  # both at once: sessions, and what they were given


def test_the_gap_after_each_is_kept() -> None:
    found = share({key(1): [[at(1, 60), at(2, 60), at(2.5, 60)]]}, buffer=30)
    assert found[key(1)] == (at(1, 60), at(2.5, 60))


def test_days_are_those_of_the_practitioners_clock_and_end_with_the_last() -> None:
    assert days(date(2027, 3, 28), date(2027, 3, 28), BERLIN, now=NOW).duration == 23 * HOUR
    span = days(date(2026, 11, 23), date(2026, 11, 24), BERLIN, now=NOW)
    assert (span.start, span.end) == (NOW.replace(hour=23) - 24 * HOUR, NOW.replace(hour=23) + 24 * HOUR)


@pytest.mark.parametrize(
    ("first", "last", "refusal"),
    [(24, 23, RuleError), (21, 22, PastSpanError)],
)
def test_days_that_cannot_be_meant_are_refused(first: int, last: int, refusal: type[RuleError]) -> None:
    with pytest.raises(refusal):
        days(date(2026, 11, first), date(2026, 11, last), BERLIN, now=NOW)


def test_at_most_sixty_days_are_looked_at_at_once() -> None:
    first = date(2026, 11, 23)
    days(first, first + timedelta(days=LONGEST_DAYS - 1), BERLIN, now=NOW)
    with pytest.raises(RuleError, match="at most 60 days"):
        days(first, first + timedelta(days=LONGEST_DAYS), BERLIN, now=NOW)
