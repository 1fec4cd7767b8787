"""Events that could not be read: kept with their calendar and their age, noted once, never taken for free time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
import sqlalchemy as sa

from connector.domain.connection import Calendar
from connector.domain.unreadable import Unread, Unreadable
from connector.errors import ConflictError, TransientError
from connector.ports import UnreadEvent
from connector.services.scheduling import conflicts as scheduling
from connector.services.scheduling.conflicts import NOT_ASKED, Consent
from connector.services.sync import free_busy
from connector.services.sync.unread import FEW
from connector.services.views.timeline import line_of
from connector.services.views.unread import WHY, of_calendars
from connector.storage import calendars, tables, timeline, unread
from connector.storage.busy import BlindSpot
from tests.domain.examples import when
from tests.services.connected import on_sqlite, read_free_busy, remote
from tests.services.practice import Practice
from tests.services.telling import ENGLISH

BROKEN = UnreadEvent(href="/dentist-for-alex.ics", reason=Unreadable.RULE, starts_at=when(24).span.start)

TOLD = "In the calendar “Private” 2 events could not be read; nobody knows when they are"


@pytest.fixture
def broken(practice: Practice, private: Calendar) -> Calendar:
    """A watched calendar with two events that cannot be read, as it was read just now."""
    remote(practice, "private").unreadable = [BROKEN, UnreadEvent(href="/2.ics", reason=Unreadable.START)]
    read_free_busy(practice, private)
    return private


def stored(practice: Practice, calendar: Calendar) -> Sequence[Unread]:
    with practice.database.read() as db:
        return unread.of_calendar(db, calendar.id)


def told(practice: Practice, calendar: Calendar) -> list[str]:
    with practice.database.read() as db:
        lines = [line_of(fact, ENGLISH) for fact in timeline.of_connection(db, calendar.connection_id)]
        return [line.what for line in lines if "read" in line.what]


def spots(practice: Practice) -> Sequence[BlindSpot]:
    with practice.database.read() as db:
        return free_busy.blind_until(db, practice.policy, practice.kim.id, when(72).span.end, now=practice.now)


def test_what_could_not_be_read_is_kept_with_its_reason_its_first_day_and_its_age(
    practice: Practice, broken: Calendar
) -> None:
    began = practice.now
    practice.wait(minutes=30)
    remote(practice, "private").unreadable.append(UnreadEvent(href="/3.ics", reason=Unreadable.END))
    read_free_busy(practice, broken)
    assert {one.reason: one for one in stored(practice, broken)} == {
        Unreadable.RULE: Unread(reason=Unreadable.RULE, events=1, since=began, starts=(when(24).span.start,)),
        Unreadable.START: Unread(reason=Unreadable.START, events=1, since=began),
        Unreadable.END: Unread(reason=Unreadable.END, events=1, since=practice.now),
    }


@on_sqlite
@pytest.mark.usefixtures("broken")
def test_nothing_that_names_an_event_is_kept(practice: Practice) -> None:
    with practice.database.read() as db:
        rows = [row._asdict() for row in db.execute(sa.select(tables.unread_events))]
    assert len(rows) == 2
    assert "alex" not in str(rows)


@on_sqlite
def test_of_many_events_a_few_beginnings_are_kept_and_all_are_counted(practice: Practice, private: Calendar) -> None:
    starts = [when(hours).span.start for hours in range(24, 24 + 500)]
    remote(practice, "private").unreadable = [
        UnreadEvent(href=f"/{uuid4()}", reason=Unreadable.RULE, starts_at=start) for start in reversed(starts)
    ]
    read_free_busy(practice, private)
    (one,) = stored(practice, private)
    assert (one.events, one.starts) == (500, tuple(starts[:FEW]))


@on_sqlite
def test_a_beginning_in_no_time_of_ours_is_counted_and_not_kept(practice: Practice, private: Calendar) -> None:
    """A page that wrote it in its reader's zone would fail: there is no such day."""
    ends = (datetime.min.replace(tzinfo=UTC), datetime.max.replace(microsecond=0, tzinfo=UTC))
    remote(practice, "private").unreadable = [replace(BROKEN, starts_at=end) for end in ends]
    read_free_busy(practice, private)
    (one,) = stored(practice, private)
    assert (one.events, one.starts) == (2, ())


@on_sqlite
def test_it_goes_when_it_can_be_read(practice: Practice, broken: Calendar) -> None:
    remote(practice, "private").unreadable.clear()
    practice.wait(minutes=1)
    read_free_busy(practice, broken)
    assert stored(practice, broken) == ()
    assert [spot.calendar for spot in spots(practice) if spot.events] == []


@on_sqlite
def test_a_calendar_that_cannot_be_read_at_all_keeps_what_was_known_with_its_age(
    practice: Practice, broken: Calendar
) -> None:
    before, read_at = stored(practice, broken), practice.now
    practice.wait(minutes=30)
    remote(practice, "private").offline = TransientError("down")
    with pytest.raises(TransientError):
        read_free_busy(practice, broken)
    assert stored(practice, broken) == before
    with practice.database.read() as db:
        (view,) = of_calendars(db, [calendars.calendar(db, broken.id)])
    assert (view.read_at, view.events) == (read_at, 2)
    assert told(practice, broken) == [
        "In the calendar “Private” 2 events could not be read; nobody knows when they are"
    ]


def test_the_timeline_tells_once_that_events_cannot_be_read_and_once_that_all_can(
    practice: Practice, broken: Calendar
) -> None:
    there = remote(practice, "private")
    for events in ([BROKEN], [BROKEN] * 3, [], [], [BROKEN]):
        practice.wait(minutes=1)
        there.unreadable = list(events)
        read_free_busy(practice, broken)
    assert told(practice, broken) == [
        TOLD,
        "In the calendar “Private” every event can be read again",
        "In the calendar “Private” 1 event could not be read; nobody knows when it is",
    ]


@pytest.mark.usefixtures("broken")
def test_a_calendar_with_an_event_that_could_not_be_read_is_a_blind_spot_however_fresh(practice: Practice) -> None:
    (spot,) = [spot for spot in spots(practice) if spot.calendar == "Private"]
    assert (spot.events, spot.stale, spot.unreadable, spot.since) == (2, False, False, practice.now)
    assert "“Private” holds 2 events that could not be read, so nobody knows" in str(free_busy.blindness(spot))


@on_sqlite
@pytest.mark.usefixtures("broken")
def test_an_old_reading_with_unread_events_says_both(practice: Practice) -> None:
    practice.wait(minutes=24 * 60)
    (spot,) = [spot for spot in spots(practice) if spot.calendar == "Private"]
    assert (spot.events, spot.stale) == (2, True)
    words = str(free_busy.blindness(spot))
    assert "holds 2 events" in words
    assert "was last read on" in words


@on_sqlite
@pytest.mark.usefixtures("broken")
def test_an_offer_is_sent_in_spite_of_it_and_says_so(practice: Practice) -> None:
    sent = practice.send(practice.draft(practice.book(48), 72))
    assert [warning for warning in sent.warnings if "2 events that could not be read" in str(warning)]


@on_sqlite
def test_a_time_is_saved_only_knowing_of_it_and_of_each_that_comes_after(practice: Practice, broken: Calendar) -> None:
    def check(consent: Consent) -> str:
        with practice.database.read() as db:
            try:
                scheduling.check(db, practice.policy, practice.kim.id, [when(72)], consent=consent, now=practice.now)
            except ConflictError as error:
                return error.key
        return ""

    key = check(Consent())
    assert key
    assert check(Consent(shown=key)) == check(NOT_ASKED) == ""
    remote(practice, "private").unreadable.append(BROKEN)
    read_free_busy(practice, broken)
    assert check(Consent(shown=key)) not in {"", key}


@on_sqlite
def test_who_is_about_to_save_a_time_learns_it_from_the_reading_made_for_them(
    practice: Practice, private: Calendar
) -> None:
    there = remote(practice, "private")
    there.unreadable = [BROKEN]
    free_busy.read_now(
        practice.database,
        practice.policy,
        lambda calendar_id: there if calendar_id == private.id else remote(practice),
        practice.kim.id,
        _in_a_month(practice),
        clock=lambda: practice.now,
        patience=timedelta(seconds=60),
    )
    assert [one.events for one in stored(practice, private)] == [1]


def _in_a_month(practice: Practice) -> datetime:
    return practice.now + timedelta(days=30)


def test_every_reason_has_its_words() -> None:
    assert WHY.keys() == set(Unreadable)
    assert all(why and advice.endswith(".") for why, advice in WHY.values())
