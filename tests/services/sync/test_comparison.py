"""A whole calendar is compared with what is believed of it; entries are known by their names wherever they stand."""

from __future__ import annotations

from dataclasses import replace

import pytest

from connector.domain.connection import Calendar
from connector.domain.facts import CalendarPutRight, Deviation
from connector.domain.notice import PauseReason
from connector.domain.offer import Offer
from connector.domain.people import CLOCK
from connector.domain.reconcile import Put
from connector.errors import MissingError, RefusedError, TransientError
from connector.services.sync import breaker
from connector.services.sync.breaker import How
from connector.services.sync.pull import foreseen
from connector.services.views.phrases import DEVIATIONS as REASONS
from connector.services.views.timeline import line_of
from connector.services.views.troubles import of_calendar
from connector.storage import busy, calendars, ledger, timeline, unknown_entries
from connector.storage.ledger import Key, Kind
from connector.storage.unknown_entries import Fate
from providers.memory.events import Event
from tests.domain.examples import when
from tests.services.connected import (
    book_and_show,
    connect,
    href_at,
    look,
    offer_and_show,
    on_sqlite,
    push,
    question_or_none,
    remote,
    settle,
    times,
    work,
)
from tests.services.practice import KeptLetters, Practice
from tests.services.telling import ENGLISH

pytestmark = on_sqlite


def stored(practice: Practice, calendar: Calendar) -> Calendar:
    with practice.database.read() as db:
        return calendars.calendar(db, calendar.id)


def compare(practice: Practice, calendar: Calendar, *, repair: bool = False) -> None:
    """Have it compared as a whole now, and do what follows."""
    with practice.database.begin() as db:
        calendars.ask_for_comparison(db, calendar.id, repair=repair)
    push(practice, calendar)
    practice.carry_out(Kind.CALENDAR, of=[calendar])


def decide(practice: Practice, calendar: Calendar, how: How) -> None:
    with practice.database.begin() as db:
        breaker.resume(db, calendar.id, how, by=CLOCK, now=practice.now)
    look(practice, calendar)
    practice.carry_out(Kind.CALENDAR, Kind.PULL, of=[calendar])


def told(practice: Practice) -> list[str]:
    """What everybody was told, letter by letter."""
    sender = practice.runtime.sender
    assert isinstance(sender, KeptLetters)
    return [letter.notice.kind.value for letter in sender.letters]


def put_right(practice: Practice, calendar: Calendar) -> list[str]:
    """What the timeline of its connection tells of what was put right."""
    with practice.database.read() as db:
        facts = timeline.of_connection(db, calendar.connection_id)
    return [line_of(fact, ENGLISH).what for fact in facts if isinstance(fact, CalendarPutRight)]


def set_back(practice: Practice, saved: dict[str, Event]) -> None:
    """Bring yesterday's back-up of the calendar back, ETags and all; its feed tells nothing of it."""
    there = remote(practice)
    there.events.clear()
    there.events.update(saved)


def stranger(practice: Practice, name: str = "5e0f94e4-33a4-5c9e-8d0e-0242ac130003") -> Event:
    """Put an entry there that bears our mark, and that nobody knows."""
    there = remote(practice)
    href = there.add_foreign(when(90).span, "Session: X. Y.")
    there.events[href] = replace(there.events[href], name=name)
    return there.events[href]


def test_a_nightly_comparison_costs_one_listing(practice: Practice, calendar: Calendar) -> None:
    offer_and_show(practice, calendar, 72, 96)
    remote(practice).requests.clear()
    push(practice, calendar)
    assert remote(practice).requests == {"changes": 1}
    practice.wait(hours=25)
    remote(practice).requests.clear()
    look(practice, calendar)
    assert remote(practice).requests == {"changes": 1, "listing": 1}
    assert stored(practice, calendar).compared_at == practice.now
    push(practice, calendar)
    assert remote(practice).requests == {"changes": 2, "listing": 1}


def test_a_deletion_that_the_feed_never_tells_is_found_at_night(practice: Practice, calendar: Calendar) -> None:
    booked = book_and_show(practice, calendar)
    del remote(practice).events[href_at(practice, 48)]
    push(practice, calendar)
    assert question_or_none(practice, booked) is None
    practice.wait(hours=25)
    settle(practice, calendar)
    assert practice.kinds_told(booked, client=False) == ["delete_asked"]


def test_a_hold_that_is_deleted_and_written_at_another_address_was_moved(
    practice: Practice, calendar: Calendar
) -> None:
    booked, offer = offer_and_show(practice, calendar, 72, 96)
    before = practice.kinds_told(booked, client=True)
    remote(practice).readdress(href_at(practice, 72), "written-anew", when(80).span)
    settle(practice, calendar)
    assert [one.when.span for one in practice.offer_now(offer).standing] == [when(80).span, when(96).span]
    assert times(practice) == [when(48).span, when(80).span, when(96).span]
    assert set(practice.kinds_told(booked, client=True)) - set(before) <= {"offer_changed"}
    assert remote(practice).events["written-anew"].span == when(80).span


def test_an_event_at_another_address_is_no_deletion_whenever_that_is_told(
    practice: Practice, calendar: Calendar
) -> None:
    booked, _ = offer_and_show(practice, calendar, 72)
    href = href_at(practice, 48)
    event = remote(practice).events[href]
    remote(practice).delete(href)
    push(practice, calendar)
    remote(practice).copy(event, "written-later")
    settle(practice, calendar)
    assert question_or_none(practice, booked) is None
    assert times(practice) == [when(48).span, when(72).span]


@pytest.mark.parametrize("marked", [True, False])
def test_a_copy_of_ours_is_no_conflict(practice: Practice, calendar: Calendar, *, marked: bool) -> None:
    watched = connect(practice, name="family")
    offer_and_show(practice, calendar, 72)
    event = remote(practice).events[href_at(practice, 72)]
    remote(practice, "family").copy(event, "a-copy", marked=marked)
    with practice.database.begin() as db:
        ledger.touch(db, Key(Kind.BUSY, str(watched.id)), due_at=practice.now, lane=watched.lane)
    practice.carry_out(Kind.BUSY, of=[watched])
    with practice.database.read() as db:
        assert list(busy.overlapping(db, practice.kim.id, when(72).span)) == []


def test_a_copy_beside_the_original_changes_nothing(practice: Practice, calendar: Calendar) -> None:
    _, offer = offer_and_show(practice, calendar, 72)
    event = remote(practice).events[href_at(practice, 72)]
    remote(practice).copy(replace(event, shown=replace(event.shown, span=when(73).span)), "a-copy")
    practice.wait(hours=25)
    settle(practice, calendar)
    assert stored(practice, calendar).paused is None
    assert practice.offer_now(offer).standing[0].when.span == when(72).span


def test_a_calendar_that_was_set_back_is_put_right_and_nobody_is_told(practice: Practice, calendar: Calendar) -> None:
    booked, offer = offer_and_show(practice, calendar, 72, 96)
    saved = dict(remote(practice).events)
    practice.accept(offer, 1)
    work(practice, calendar)
    push(practice, calendar)
    other = practice.book(60)
    work(practice, calendar)
    push(practice, calendar)
    right = times(practice)
    letters = told(practice)
    set_back(practice, saved)
    assert times(practice) != right
    practice.wait(hours=25)
    settle(practice, calendar)
    assert times(practice) == right == [when(60).span, when(96).span]
    assert put_right(practice, calendar) == [
        f"In the calendar “{calendar.name}” 2 entries are put right: {REASONS[Deviation.SET_BACK]}"
    ]
    assert told(practice) == letters
    assert question_or_none(practice, booked) is None
    assert question_or_none(practice, other) is None


def test_a_calendar_that_was_made_again_is_filled_again(practice: Practice, calendar: Calendar) -> None:
    booked, offer = offer_and_show(practice, calendar, 72, 96)
    there, letters = remote(practice), told(practice)
    there.offline = MissingError("there is no such calendar")
    for _ in range(3):
        push(practice, calendar)
        practice.wait(seconds=61)
    assert stored(practice, calendar).paused == PauseReason.MISSING
    practice.mail()
    there.events.clear()
    there.offline = None
    practice.wait(minutes=10)
    settle(practice, calendar)
    assert times(practice) == [when(48).span, when(72).span, when(96).span]
    assert put_right(practice, calendar) == [
        f"In the calendar “{calendar.name}” 3 entries are put right: {REASONS[Deviation.MADE_AGAIN]}"
    ]
    assert stored(practice, calendar).paused is None
    assert told(practice)[len(letters) :] == ["calendar_stopped"]
    assert len(practice.offer_now(offer).standing) == 2
    assert question_or_none(practice, booked) is None


def test_an_entry_of_ours_that_nobody_knows_stops_the_calendar(practice: Practice, calendar: Calendar) -> None:
    offer_and_show(practice, calendar, 72)
    event = stranger(practice)
    practice.wait(hours=25)
    settle(practice, calendar)
    assert (stored(practice, calendar).paused, stored(practice, calendar).paused_count) == (PauseReason.UNKNOWN, 1)
    with practice.database.read() as db:
        (asked,) = unknown_entries.of_calendar(db, calendar.id, Fate.ASKED)
    assert (asked.href, asked.starts_at) == (event.href, event.span.start)


def test_what_nobody_knows_is_removed_on_one_decision(practice: Practice, calendar: Calendar) -> None:
    offer_and_show(practice, calendar, 72)
    event = stranger(practice)
    compare(practice, calendar)
    decide(practice, calendar, How.REVERT)
    assert event.href not in remote(practice).events
    assert stored(practice, calendar).paused is None
    assert times(practice) == [when(48).span, when(72).span]


def test_what_nobody_knows_can_be_kept_and_counts_as_the_practitioners_own(
    practice: Practice, calendar: Calendar
) -> None:
    offer_and_show(practice, calendar, 72)
    event = stranger(practice)
    compare(practice, calendar)
    decide(practice, calendar, How.ACCEPT)
    compare(practice, calendar)
    assert stored(practice, calendar).paused is None
    assert event.href in remote(practice).events
    with practice.database.begin() as db:
        ledger.touch(db, Key(Kind.BUSY, str(calendar.id)), due_at=practice.now, lane=calendar.lane)
    practice.carry_out(Kind.BUSY, of=[calendar])
    with practice.database.read() as db:
        assert [found.span for found in busy.overlapping(db, practice.kim.id, event.span)] == [event.span]


def test_what_nobody_knows_and_somebody_takes_away_lets_the_calendar_go_on(
    practice: Practice, calendar: Calendar
) -> None:
    offer_and_show(practice, calendar, 72)
    event = stranger(practice)
    compare(practice, calendar)
    remote(practice).delete(event.href)
    push(practice, calendar)
    assert stored(practice, calendar).paused is None


def lose_all_but_a_stranger(practice: Practice, calendar: Calendar) -> Offer:
    """Have a calendar lose everything, and an entry stand there that nobody knows; each asks a question of its own."""
    _, offer = offer_and_show(practice, calendar, 72, 96)
    practice.book(60, of=practice.another_client())
    work(practice, calendar)
    push(practice, calendar)
    remote(practice).wipe()
    stranger(practice)
    compare(practice, calendar)
    assert stored(practice, calendar).paused == PauseReason.UNKNOWN
    practice.wait(minutes=5)
    look(practice, calendar)
    return offer


@pytest.mark.parametrize("how", [How.ACCEPT, How.REVERT])
def test_what_becomes_of_unknown_entries_decides_about_no_deletion(
    practice: Practice, calendar: Calendar, how: How
) -> None:
    offer = lose_all_but_a_stranger(practice, calendar)
    letters = told(practice)
    decide(practice, calendar, how)
    settle(practice, calendar)
    assert stored(practice, calendar).paused == PauseReason.EMPTIED
    assert len(practice.offer_now(offer).standing) == 2
    assert times(practice) == ([when(90).span] if how is How.ACCEPT else []), "nothing was put back unasked"
    practice.mail()
    assert set(told(practice)[len(letters) :]) == {"calendar_stopped"}
    decide(practice, calendar, How.REVERT)
    kept = [when(90).span] if how is How.ACCEPT else []
    assert sorted(times(practice)) == sorted([when(h).span for h in (48, 60, 72, 96)] + kept)


def test_unknown_entries_that_are_taken_away_leave_what_is_gone_to_be_asked_about(
    practice: Practice, calendar: Calendar
) -> None:
    offer = lose_all_but_a_stranger(practice, calendar)
    there = remote(practice)
    there.delete(next(iter(there.events)))
    push(practice, calendar)
    assert stored(practice, calendar).paused == PauseReason.EMPTIED
    assert len(practice.offer_now(offer).standing) == 2


def test_one_deletion_does_not_keep_a_calendar_stopped_for_entries_that_are_gone(
    practice: Practice, calendar: Calendar
) -> None:
    booked, _ = offer_and_show(practice, calendar, 72)
    event = stranger(practice)
    compare(practice, calendar)
    remote(practice).delete(href_at(practice, 48))
    remote(practice).delete(event.href)
    settle(practice, calendar)
    assert stored(practice, calendar).paused is None
    assert question_or_none(practice, booked) is not None


def test_accepted_deletions_decide_nothing_about_unknown_entries(practice: Practice, calendar: Calendar) -> None:
    offer_and_show(practice, calendar, 72, 96)
    remote(practice).wipe()
    push(practice, calendar)
    assert stored(practice, calendar).paused == PauseReason.EMPTIED
    stranger(practice)
    compare(practice, calendar)
    decide(practice, calendar, How.ACCEPT)
    compare(practice, calendar)
    assert stored(practice, calendar).paused == PauseReason.UNKNOWN


def test_a_calendar_that_can_be_read_again_and_is_empty_asks_about_that(practice: Practice, calendar: Calendar) -> None:
    offer_and_show(practice, calendar, 72, 96)
    there = remote(practice)
    there.offline = RefusedError("forbidden")
    for _ in range(3):
        push(practice, calendar)
        practice.wait(seconds=61)
    assert stored(practice, calendar).paused == PauseReason.REFUSED
    there.offline = None
    there.wipe()
    practice.wait(minutes=10)
    look(practice, calendar)
    assert stored(practice, calendar).paused == PauseReason.EMPTIED


def test_a_repair_puts_right_what_no_feed_has_told(practice: Practice, calendar: Calendar) -> None:
    booked, offer = offer_and_show(practice, calendar, 72, 96)
    there, letters = remote(practice), told(practice)
    del there.events[href_at(practice, 96)]
    moved = href_at(practice, 48)
    there.events[moved] = replace(there.events[moved], shown=replace(there.events[moved].shown, span=when(50).span))
    plan = foreseen(practice.database, practice.policy, calendar.id, there, now=practice.now)
    assert sorted(isinstance(action, Put) and action.entry.content.span for action in plan) == [
        when(48).span,
        when(96).span,
    ]
    compare(practice, calendar, repair=True)
    assert times(practice) == [when(48).span, when(72).span, when(96).span]
    assert put_right(practice, calendar) == [
        f"In the calendar “{calendar.name}” 2 entries are put right: {REASONS[Deviation.UNTOLD]}"
    ]
    assert told(practice) == letters
    assert len(practice.offer_now(offer).standing) == 2
    assert question_or_none(practice, booked) is None


def test_a_repair_leaves_what_the_feed_tells_to_its_practitioner(practice: Practice, calendar: Calendar) -> None:
    booked, _ = offer_and_show(practice, calendar, 72)
    remote(practice).move(href_at(practice, 48), when(50).span)
    compare(practice, calendar, repair=True)
    assert times(practice) == [when(50).span, when(72).span]
    settle(practice, calendar)
    assert question_or_none(practice, booked) is not None


def never_list(practice: Practice, error: RefusedError | TransientError) -> None:
    """Have its server answer everything but the listing of the whole calendar."""
    remote(practice).fail(error, on="listing", times=100_000)


def troubles(practice: Practice, calendar: Calendar) -> list[str]:
    """What everybody is shown of what does not go through."""
    with practice.database.read() as db:
        return [trouble.phrase for trouble in of_calendar(db, calendars.calendar(db, calendar.id))]


@pytest.mark.parametrize("error", [TransientError("not all of it"), RefusedError("an answer of more than 9 bytes")])
def test_a_calendar_that_cannot_be_listed_works_all_the_same_and_says_so(
    practice: Practice, calendar: Calendar, error: RefusedError | TransientError
) -> None:
    booked = book_and_show(practice, calendar)
    never_list(practice, error)
    practice.now = stored(practice, calendar).compare_at or practice.now
    other = practice.book(100)
    settle(practice, calendar)
    remote(practice).move(href_at(practice, 100), when(110).span)
    settle(practice, calendar)
    assert question_or_none(practice, other) is not None
    assert question_or_none(practice, booked) is None
    assert stored(practice, calendar).paused is None
    assert stored(practice, calendar).read_fault is None
    assert troubles(practice, calendar) == ["cannot be compared as a whole"]
    remote(practice).recover()
    practice.wait(hours=1)
    look(practice, calendar)
    assert troubles(practice, calendar) == []


def test_a_listing_that_fails_is_tried_ever_more_rarely(practice: Practice, calendar: Calendar) -> None:
    offer_and_show(practice, calendar, 172)
    never_list(practice, RefusedError("no"))
    practice.now = stored(practice, calendar).compare_at or practice.now
    before = remote(practice).requests.get("listing", 0)
    for _ in range(300):
        look(practice, calendar)
        practice.wait(minutes=1)
    assert 5 < remote(practice).requests["listing"] - before < 15, "in five hours"
    with practice.database.begin() as db:
        calendars.ask_for_comparison(db, calendar.id, repair=True)
    tries = remote(practice).requests["listing"]
    push(practice, calendar)
    assert remote(practice).requests["listing"] == tries + 1, "whoever asks for it need not wait"


def test_an_absence_waits_an_hour_for_a_comparison_that_fails(practice: Practice, calendar: Calendar) -> None:
    _, offer = offer_and_show(practice, calendar, 72, 96)
    never_list(practice, RefusedError("no"))
    remote(practice).delete(href_at(practice, 72))
    settle(practice, calendar)
    assert len(practice.offer_now(offer).standing) == 2, "it may stand at another address"
    for _ in range(90):
        look(practice, calendar)
        practice.wait(minutes=1)
    assert [one.when.span for one in practice.offer_now(offer).standing] == [when(96).span]


def test_what_was_moved_to_another_address_is_found_once_the_listing_works_again(
    practice: Practice, calendar: Calendar
) -> None:
    _, offer = offer_and_show(practice, calendar, 72, 96)
    never_list(practice, RefusedError("no"))
    remote(practice).readdress(href_at(practice, 72), "written-anew", when(80).span)
    settle(practice, calendar)
    remote(practice).recover()
    practice.wait(minutes=10)
    settle(practice, calendar)
    assert [one.when.span for one in practice.offer_now(offer).standing] == [when(80).span, when(96).span]
