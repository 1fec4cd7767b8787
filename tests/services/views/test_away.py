"""Other times for the sessions of some days: whatever is suggested for them can be offered, all of it at once."""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta
from itertools import combinations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connector.domain.away import Shown, collide
from connector.domain.session import Session
from connector.domain.span import Span
from connector.errors import RuleError, TimeTakenError
from connector.services.scheduling import away
from connector.services.scheduling.away import Wanted
from connector.services.views.away import AwayPlan, plan
from connector.storage import occupancy
from connector.storage.database import Database
from tests.domain.examples import KIM
from tests.services.connected import connect, on_sqlite, read_free_busy, remote
from tests.services.practice import Practice

MINUTE = timedelta(minutes=1)

Case = tuple[int, list[int], list[tuple[int, int]], list[tuple[int, int]]]


@st.composite
def weeks(draw: st.DrawFn) -> Case:
    """A buffer, when sessions begin, what is offered for which of them, and what stands elsewhere: in minutes."""
    begins = draw(st.lists(st.integers(60, 4 * 1440), min_size=1, max_size=8, unique=True))
    held = st.lists(st.tuples(st.integers(0, 7), st.integers(60, 10 * 1440)), max_size=4)
    outside = st.lists(st.tuples(st.integers(60, 10 * 1440), st.integers(5, 600)), max_size=4)
    return draw(st.integers(0, 40)), begins, draw(held), draw(outside)


def look(practice: Practice, *, days: int) -> AwayPlan:
    today = practice.now.date()
    with practice.database.read() as db:
        return plan(db, practice.policy, practice.kim.id, today, today + timedelta(days=days), now=practice.now)


def check_that_all_of_it_can_be_sent(database: Database, case: Case) -> None:
    """Fill some weeks; then what is suggested collides with nothing that is kept, and is sent in one act."""
    buffer, begins, held, outside = case
    practice = Practice(database, prompt=False, buffer=buffer)
    calendar = connect(practice)
    booked: list[Session] = []
    for begin in begins:
        with suppress(TimeTakenError):
            booked.append(practice.book(begin / 60))
    for n, begin in held:
        with suppress(RuleError):  # its own time, or another's
            practice.offer(booked[n % len(booked)], begin / 60)
    for begin, lasts in outside:
        remote(practice).add_foreign(Span.of(practice.now + begin * MINUTE, lasts * MINUTE))
    read_free_busy(practice, calendar)
    found = look(practice, days=4)
    assert {one.session.id for one in found.sessions} == {one.id for one in booked}
    suggested = [(one.session.id, when.span) for one in found.sessions for when in one.suggested]
    gap = practice.kim.buffer
    assert not any(collide(one, other, gap) for (_, one), (_, other) in combinations(suggested, 2))
    assert not any(span.overlaps(found.span) for _, span in suggested)
    with database.read() as db:
        for session_id, span in suggested:
            assert not occupancy.taken(db, practice.kim.id, span.padded(gap), besides=session_id)
    wanted = [
        Wanted(
            session_id=one.session.id,
            times=one.suggested,
            shown=Shown(span=one.session.when.span, offer_id=one.open.id if one.open else None),
        )
        for one in found.sessions
        if one.suggested
    ]
    if wanted:
        with database.begin() as db:
            sent = away.send(db, practice.policy, practice.kim.id, wanted, by=KIM, now=practice.now)
        assert [[a.when for a in one.offer.standing] for one in sent] == [[*one.times] for one in wanted]


@on_sqlite
@settings(max_examples=3, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(case=weeks())
def test_all_that_is_suggested_can_be_offered_at_once(database: Database, case: Case) -> None:
    check_that_all_of_it_can_be_sent(database, case)


@pytest.mark.long
@on_sqlite
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(case=weeks())
def test_all_that_is_suggested_can_be_offered_at_once_week_after_week(database: Database, case: Case) -> None:
    check_that_all_of_it_can_be_sent(database, case)


@on_sqlite
def test_what_another_offer_holds_is_nobody_elses_though_it_is_replaced_in_the_same_act(practice: Practice) -> None:
    first, second = practice.book(48), practice.book(50)
    former = practice.offer(first, 72)
    found = look(practice, days=3)
    by_session = {one.session.id: one for one in found.sessions}
    assert by_session[first.id].open == former
    held = former.standing[0].when.span
    assert not any(when.span.overlaps(held) for when in by_session[second.id].suggested)
