"""When somebody is free and why not; whatever is said to be free, or suggested, can be booked."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import uuid4
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connector.domain.connection import Calendar
from connector.domain.free_times import Search
from connector.domain.session import Edit, Session
from connector.domain.span import Span, When
from connector.domain.unreadable import Unreadable
from connector.errors import NotFoundError, RuleError, TimeTakenError, TransientError
from connector.ports import UnreadEvent
from connector.services import people as changing
from connector.services.scheduling import offers, sessions
from connector.services.scheduling.conflicts import Consent
from connector.services.views.availability import Availability, Reason, Suggestions, availability, suggestions
from connector.storage import people
from connector.storage.database import Database
from providers.memory import provider as memory
from tests.counting import statements
from tests.domain.examples import ATTESTED, KIM, PRACTICE, when
from tests.domain.oracle import MINUTE, free_minutes
from tests.services.connected import connect, notify, on_sqlite, read_free_busy, remote
from tests.services.practice import Practice

BERLIN = ZoneInfo("Europe/Berlin")
FIFTY = timedelta(minutes=50)
WEEK = timedelta(days=7)


def ask(
    practice: Practice,
    span: Span | None = None,
    *,
    length: timedelta = FIFTY,
    step: int = 15,
    zone: str = "",
    besides: Session | None = None,
) -> Availability:
    """Ask when Kim is free, from now on for a week."""
    with practice.database.read() as db:
        return availability(
            db,
            practice.policy,
            people.practitioner(db, practice.kim.id),
            span or Span.of(practice.now, WEEK),
            length=length,
            now=practice.now,
            step=step,
            zone=zone,
            for_session=besides.id if besides else None,
        )


def suggest(practice: Practice, session: Session, **choices: int) -> Suggestions:
    with practice.database.read() as db:
        return suggestions(db, practice.policy, practice.session(session), now=practice.now, **choices)


def reasons(found: Availability) -> list[tuple[Span, str]]:
    return [(one.span, one.reason.value) for one in found.taken.busy]


def buffered(practice: Practice, minutes: int) -> None:
    with practice.database.begin() as db:
        changes = {"buffer": timedelta(minutes=minutes)}
        practice.kim = changing.change_practitioner(db, practice.kim.id, changes, by=KIM, now=practice.now)


def test_sessions_and_holds_are_busy_with_their_buffer_and_say_whose_they_are(practice: Practice) -> None:
    buffered(practice, 10)
    booked = practice.book(48)
    offer = practice.offer(booked, 72)
    found = ask(practice)
    session, hold = found.taken.busy
    assert (session.span, session.reason) == (when(48, minutes=60).span, Reason.SESSION)
    assert (session.session_id, session.offer_id) == (booked.id, None)
    assert (hold.span, hold.reason) == (when(72, minutes=60).span, Reason.HOLD)
    assert (hold.session_id, hold.offer_id) == (booked.id, offer.id)


@on_sqlite
def test_a_session_that_shall_move_is_in_its_own_way_no_more_than_what_is_offered_for_it(practice: Practice) -> None:
    booked, other = practice.book(48), practice.book(50)
    practice.offer(booked, 72)
    assert [one.session_id for one in ask(practice, besides=booked).taken.busy] == [other.id]


@on_sqlite
def test_what_is_held_until_now_is_free_even_before_a_worker_has_ended_it(practice: Practice) -> None:
    practice.offer(practice.book(48), 72, window=timedelta(hours=2))
    practice.wait(hours=2)
    assert [one.reason for one in ask(practice).taken.busy] == [Reason.SESSION]


@on_sqlite
def test_what_stands_in_calendars_is_merged_and_says_nothing_of_what_it_is(
    practice: Practice, calendar: Calendar, private: Calendar
) -> None:
    remote(practice).add_foreign(when(48).span)
    remote(practice, "private").add_foreign(when(48.5).span)
    remote(practice, "private").add_foreign(when(60).span)
    for one in (calendar, private):
        read_free_busy(practice, one)
    found = ask(practice)
    both = Span(start=when(48).span.start, end=when(48.5).span.end)
    assert reasons(found) == [(both, "outside_event"), (when(60).span, "outside_event")]
    assert (found.taken.complete, found.taken.as_of) == (True, practice.now)


@on_sqlite
def test_as_of_is_that_of_the_calendar_that_was_read_longest_ago(
    practice: Practice, calendar: Calendar, private: Calendar
) -> None:
    read_free_busy(practice, calendar)
    first = practice.now
    practice.wait(minutes=5)
    read_free_busy(practice, private)
    assert ask(practice).taken.as_of == first


@on_sqlite
def test_a_calendar_last_read_two_idle_intervals_ago_is_not_complete_but_still_counts(
    practice: Practice, calendar: Calendar
) -> None:
    remote(practice).add_foreign(when(48).span)
    read_free_busy(practice, calendar)
    practice.wait(minutes=20)
    assert ask(practice).taken.complete
    practice.wait(seconds=1)
    found = ask(practice)
    assert not found.taken.complete
    assert [spot.calendar_id for spot in found.taken.blind] == [calendar.id]
    assert reasons(found) == [(when(48).span, "outside_event")]
    assert found.free


@on_sqlite
def test_what_nobody_has_read_is_never_free(practice: Practice, calendar: Calendar) -> None:
    never = ask(practice)
    assert (never.taken.as_of, never.taken.complete, never.free) == (None, False, ())
    assert reasons(never) == [(Span.of(practice.now, WEEK), "blind_spot")]
    read_free_busy(practice, calendar)
    far = ask(practice, Span.of(practice.now + timedelta(days=55), timedelta(days=10)))
    assert not far.taken.complete
    assert [reason for _span, reason in reasons(far)] == ["blind_spot"]
    assert far.free
    assert max(one.end for one in far.free) <= practice.now + timedelta(days=60)


@on_sqlite
def test_a_calendar_that_cannot_be_read_any_more_is_named(practice: Practice, private: Calendar) -> None:
    remote(practice, "private").add_foreign(when(48).span)
    read_free_busy(practice, private)
    remote(practice, "private").offline = TransientError("down")
    with pytest.raises(TransientError):
        read_free_busy(practice, private)
    found = ask(practice)
    (spot,) = [one for one in found.taken.blind if one.calendar_id == private.id]
    assert (found.taken.complete, spot.unreadable) == (False, True)
    assert (when(48).span, "outside_event") in reasons(found)


@on_sqlite
def test_an_event_of_which_only_the_beginning_could_be_read_takes_the_rest_of_its_day(
    practice: Practice, calendar: Calendar
) -> None:
    broken = UnreadEvent(href="/x", reason=Unreadable.END, starts_at=when(48).span.start)
    remote(practice).unreadable.append(broken)
    read_free_busy(practice, calendar)
    found = ask(practice)
    (spot,) = found.taken.blind
    midnight = datetime(2026, 11, 26, tzinfo=BERLIN).astimezone(UTC)
    assert (found.taken.complete, spot.events, spot.stale) == (False, 1, False)
    assert reasons(found) == [(Span(start=when(48).span.start, end=midnight), "blind_spot")]


@on_sqlite
def test_something_new_that_nobody_has_read_makes_what_is_known_old(practice: Practice, calendar: Calendar) -> None:
    """The next quiet look of the feed used to confirm what an unread change had made wrong."""
    practice.carry_out()
    read_free_busy(practice, calendar)
    assert ask(practice).taken.complete
    remote(practice).add_foreign(when(48).span)
    notify(practice, calendar)
    practice.carry_out()
    assert not ask(practice).taken.complete
    practice.wait(minutes=10)
    practice.carry_out()
    assert not ask(practice).taken.complete, "though the feed was quiet"


@on_sqlite
def test_a_whole_look_tells_of_no_change_and_may_hide_one_so_what_is_known_is_read_again(
    practice: Practice, calendar: Calendar
) -> None:
    practice.carry_out()
    read_free_busy(practice, calendar)
    remote(practice).add_foreign(when(48).span)
    remote(practice).expire_tokens()
    notify(practice, calendar)
    practice.carry_out()
    found = ask(practice)
    assert found.taken.complete
    assert (when(48).span, "outside_event") in reasons(found)


def test_nothing_is_free_that_has_begun_nor_for_somebody_who_takes_no_bookings(practice: Practice) -> None:
    today = Span.of(practice.now - timedelta(hours=5), timedelta(hours=12))  # it is 10:00
    practice.wait(minutes=2, seconds=30)
    found = ask(practice, today)
    assert found.free[0].start == practice.now.replace(second=0) + MINUTE
    assert [f"{at.astimezone(BERLIN):%H:%M}" for at in found.starts[:2]] == ["10:15", "10:30"]
    with practice.database.begin() as db:
        changing.retire_practitioner(db, practice.kim.id, by=KIM, now=practice.now)
    assert not ask(practice, today).free


def test_what_cannot_be_asked_is_refused(practice: Practice) -> None:
    cases = [
        ({"span": Span.of(practice.now, timedelta(days=60, seconds=1))}, "span_too_long"),
        ({"length": timedelta(days=2)}, "session_length_out_of_range"),
        ({"step": 4}, "step_out_of_range"),
        ({"zone": "Nowhere"}, "zone_unknown"),
    ]
    for choices, code in cases:
        with pytest.raises(RuleError) as caught:
            ask(practice, **choices)  # type: ignore[arg-type]
        assert caught.value.code == code
    booked = practice.book(48)
    with pytest.raises(RuleError) as caught:
        suggest(practice, booked, count=0)
    assert caught.value.code == "suggestions_out_of_range"
    practice.cancel(booked)
    with pytest.raises(RuleError) as caught:
        suggest(practice, booked)
    assert caught.value.code == "session_cancelled"
    with pytest.raises(NotFoundError):
        ask(practice, besides=replace(booked, id=uuid4()))


@on_sqlite
def test_the_etag_is_the_same_exactly_while_all_of_it_is(practice: Practice, calendar: Calendar) -> None:
    read_free_busy(practice, calendar)
    before = ask(practice)
    assert ask(practice).etag == before.etag
    assert ask(practice, zone="Asia/Tokyo").etag != before.etag
    practice.wait(seconds=5)
    span = before.span
    assert ask(practice, span).etag == before.etag, "nothing has changed"
    practice.book(48)
    booked = ask(practice, span)
    assert booked.etag != before.etag
    assert booked.taken.as_of == before.taken.as_of
    read_free_busy(practice, calendar)
    assert ask(practice, span).etag != booked.etag


@on_sqlite
def test_it_costs_the_same_however_much_there_is(practice: Practice, calendar: Calendar) -> None:
    def cost() -> tuple[int, int]:
        with statements() as asked:
            ask(practice)
        with statements() as suggested:
            suggest(practice, booked)
        return len(asked), len(suggested)

    booked = practice.book(48)
    practice.offer(booked, 72)
    remote(practice).add_foreign(when(60).span)
    read_free_busy(practice, calendar)
    before = cost()
    practice.prompt = False
    for hours in range(1, 20):
        practice.offer(practice.book(100 + hours * 2), 101 + hours * 2, 400 + hours)
        remote(practice).add_foreign(when(hours * 5).span)
    read_free_busy(practice, calendar)
    assert cost() == before
    assert max(before) <= 12


@on_sqlite
def test_suggestions_begin_once_the_client_had_as_long_to_answer_as_they_have(practice: Practice) -> None:
    booked = practice.book(26)
    found = suggest(practice, booked, count=5)
    assert len(found.times) == 5
    assert min(one.when.span.start for one in found.times) >= practice.now + practice.policy.window


@st.composite
def busy_weeks(draw: st.DrawFn) -> tuple[int, int, list[int], list[int], list[tuple[int, int]]]:
    """A buffer, a length, when sessions and holds begin, and when something stands in a calendar: in minutes."""
    starts = st.lists(st.integers(60, 6 * 1440), max_size=6, unique=True)
    outside = st.lists(st.tuples(st.integers(60, 6 * 1440), st.integers(5, 600)), max_size=5)
    return draw(st.integers(0, 40)), draw(st.integers(5, 120)), draw(starts), draw(starts), draw(outside)


Case = tuple[int, int, list[int], list[int], list[tuple[int, int]]]


class _Done(Exception):  # noqa: N818 - what goes well is no error
    """Undoes what could be done."""


def check_that_what_is_free_can_be_booked(database: Database, case: Case) -> None:
    """Fill a week; then all that is free by the oracle is found, and what is found and suggested is booked in turn."""
    buffer, minutes, booked, held, outside = case
    length = timedelta(minutes=minutes)
    practice = Practice(database, prompt=False)
    calendar = connect(practice)
    buffered(practice, buffer)
    standing: list[Session] = []
    for start in booked:
        with suppress(TimeTakenError):
            standing.append(practice.book(start / 60))
    for start in held if standing else ():
        with suppress(RuleError):  # its own time, or another's
            practice.offer(standing[-1], start / 60)
            break
    for begin, lasts in outside:
        remote(practice).add_foreign(Span.of(practice.now + begin * MINUTE, lasts * MINUTE))
    read_free_busy(practice, calendar)
    span = Span.of(practice.now + MINUTE, WEEK)
    found = ask(practice, span, length=length, step=5)
    assert found.taken.complete
    taken = [one.span for one in found.taken.busy]
    search = Search(hours=found.hours.hours, zone=BERLIN, taken=taken, length=length, buffer=practice.kim.buffer)
    ours = {at for one in found.free for at in _minutes(one.start, one.end - length)}
    assert ours == free_minutes(search, span)
    for at in found.starts[::9]:
        _book(practice, When.of(Span.of(at, length), zone="Europe/Berlin"))
    for one in suggest(practice, standing[-1]).times if standing else ():
        _move(practice, standing[-1], one.when)
    memory.forget(str(practice.kim.id))


def _minutes(first: datetime, last: datetime) -> list[datetime]:
    return [first + n * MINUTE for n in range((last - first) // MINUTE + 1)]


def _book(practice: Practice, time: When) -> None:
    """See that a time can be booked; nothing is accepted knowingly."""
    with suppress(_Done), practice.database.begin() as db:
        sessions.book(
            db,
            practice.policy,
            practitioner_id=practice.kim.id,
            client_id=practice.alex.id,
            when=time,
            location=PRACTICE,
            by=KIM,
            now=practice.now,
            consent=Consent(),
        )
        raise _Done


def _move(practice: Practice, session: Session, time: When) -> None:
    """See that a session can be moved there, and offered there."""
    edit = Edit(when=time, attestation=ATTESTED)
    with suppress(_Done), practice.database.begin() as db:
        sessions.edit(db, practice.policy, session.id, edit, by=KIM, now=practice.now, consent=Consent())
        raise _Done
    with suppress(_Done), practice.database.begin() as db:
        drafted = offers.draft(db, practice.policy, session.id, [(time, None)], by=KIM, now=practice.now)
        offers.send(db, practice.policy, drafted.id, by=KIM, now=practice.now, consent=Consent())
        raise _Done


@on_sqlite
@settings(max_examples=6, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(case=busy_weeks())
def test_whatever_is_free_is_found_and_can_be_booked(database: Database, case: Case) -> None:
    check_that_what_is_free_can_be_booked(database, case)


@pytest.mark.long
@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(case=busy_weeks())
def test_whatever_is_free_is_found_and_can_be_booked_week_after_week(database: Database, case: Case) -> None:
    check_that_what_is_free_can_be_booked(database, case)
