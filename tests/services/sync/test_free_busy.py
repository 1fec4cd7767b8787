"""Conflicts: other things in a practitioner's calendars, told with their age, and never taken for ours."""

from __future__ import annotations

from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
import sqlalchemy as sa
from structlog.testing import capture_logs

from connector.domain.connection import Calendar, ConnectionState
from connector.domain.unreadable import Unreadable
from connector.errors import AccessLostError, RefusedError, TransientError
from connector.ports import Busy, UnreadEvent
from connector.services import standstill
from connector.services.accounts.connect import note_access_lost, reauthorize
from connector.services.sync import free_busy
from connector.storage import busy, calendars, ledger, needs
from connector.storage.ledger import Key, Kind
from tests.counting import statements
from tests.domain.examples import KIM, when
from tests.services.connected import (
    book_and_show,
    conflicts,
    connect,
    converge,
    href_at,
    is_due,
    on_sqlite,
    open_question,
    push,
    read_free_busy,
    remote,
    retarget,
    settle,
    work,
)
from tests.services.practice import SEAL, Practice

EVERYTHING = (Kind.CALENDAR, Kind.PULL, Kind.BUSY, Kind.PROBE)


def test_our_own_entries_are_no_conflict(practice: Practice, calendar: Calendar) -> None:
    booked = practice.book(48)
    practice.offer(booked, 72, 96)
    work(practice, calendar)
    read_free_busy(practice, calendar)
    assert conflicts(practice, 48) == conflicts(practice, 72) == ()


def test_something_under_our_own_hold_is_a_conflict_all_the_same(practice: Practice, calendar: Calendar) -> None:
    booked = practice.book(48)
    practice.offer(booked, 72)
    work(practice, calendar)
    remote(practice).add_foreign(when(72, minutes=20).span)
    read_free_busy(practice, calendar)
    assert conflicts(practice, 72) == (calendar.name,)


def test_a_hold_that_stands_but_is_not_recorded_yet_is_no_conflict(practice: Practice, calendar: Calendar) -> None:
    """Found by the demo: killed after the write and read before its record, a hold was in conflict with itself."""
    booked = practice.book(48)
    practice.offer(booked, 72)
    remote(practice).fail(TransientError("no answer"), on="put", times=2, answer_lost=True)
    with pytest.raises(TransientError):
        converge(practice, calendar)
    assert len(remote(practice).events) == 2
    read_free_busy(practice, calendar)
    assert conflicts(practice, 72) == ()
    assert practice.kinds_told(booked, client=False) == []


def test_what_leaves_the_time_free_is_no_conflict(practice: Practice, private: Calendar) -> None:
    practice.offer(practice.book(48), 72)
    remote(practice, "private").add_foreign(when(72).span, busy=False)
    read_free_busy(practice, private)
    assert conflicts(practice, 72) == ()


def test_days_in_a_calendar_are_those_of_its_practitioner(practice: Practice, private: Calendar) -> None:
    """Kim is in Berlin: her day begins an hour before that of UTC, in winter."""
    day = when(72).local.date()
    remote(practice, "private").days.append(day)
    practice.offer(practice.book(48), 72)
    read_free_busy(practice, private)
    with practice.database.read() as db:
        (taken,) = busy.overlapping(db, private.practitioner_id, when(72).span)
    assert taken.span.start.astimezone(ZoneInfo(when(72).zone)) == datetime.combine(
        day, time(), ZoneInfo(when(72).zone)
    )


def test_events_that_could_not_be_read_are_logged_without_a_name(practice: Practice, private: Calendar) -> None:
    practice.offer(practice.book(48), 72)
    reasons = (Unreadable.RULE, Unreadable.RULE, Unreadable.START)
    remote(practice, "private").unreadable += [UnreadEvent(href=f"/{n}", reason=one) for n, one in enumerate(reasons)]
    with capture_logs() as logs:
        read_free_busy(practice, private)
    (line,) = [one for one in logs if one["event"] == "events_not_read"]
    assert line == {
        "event": "events_not_read",
        "log_level": "warning",
        "calendar": str(private.id),
        "events": 3,
        "reasons": {"rule": 2, "start": 1},
    }


@pytest.mark.parametrize("error", [TransientError("down"), RefusedError("not for you"), AccessLostError("no")])
def test_a_calendar_that_cannot_be_read_is_a_blind_spot_with_its_age(
    practice: Practice, private: Calendar, error: Exception
) -> None:
    offer = practice.offer(practice.book(48), 72)
    remote(practice, "private").add_foreign(when(72).span)
    read_free_busy(practice, private)
    read_at = practice.now
    practice.wait(minutes=1)
    remote(practice, "private").offline = error  # type: ignore[assignment]
    if isinstance(error, RefusedError):
        assert read_free_busy(practice, private) == practice.now + practice.policy.poll_idle
    else:
        with pytest.raises(type(error)):
            read_free_busy(practice, private)
    with practice.database.read() as db:
        spots = free_busy.blind_spots(db, practice.policy, practice.kim.id, offer.alternatives, now=practice.now)
    (spot,) = [spot for spot in spots if spot.calendar == "Private"]
    assert (spot.since, spot.unreadable) == (read_at, True)
    assert conflicts(practice, 72) == ("Private",), "what was known stays, growing older"
    assert "so nobody knows" in str(free_busy.blindness(spot))


def test_a_time_beyond_what_was_looked_at_is_a_blind_spot(practice: Practice, private: Calendar) -> None:
    read_free_busy(practice, private)
    offer = practice.draft(practice.book(48), 24 * 80)
    with practice.database.read() as db:
        spots = free_busy.blind_spots(db, practice.policy, practice.kim.id, offer.alternatives, now=practice.now)
    assert "Private" in [spot.calendar for spot in spots]
    read_free_busy(practice, private)
    with practice.database.read() as db:
        spots = free_busy.blind_spots(db, practice.policy, practice.kim.id, offer.alternatives, now=practice.now)
    assert "Private" not in [spot.calendar for spot in spots]


def test_a_draft_asks_no_calendar_and_a_sent_offer_asks_each(practice: Practice, calendar: Calendar) -> None:
    booked = practice.book(48)
    with practice.database.begin() as db:
        ledger.forget(db, busy_key(calendar))
    draft = practice.draft(booked, 72)
    assert busy_key(calendar) not in ledger.due_keys(practice.database, practice.now)
    practice.send(draft)
    assert busy_key(calendar) in ledger.due_keys(practice.database, practice.now)


def test_watched_calendars_are_polled_while_an_offer_is_open_and_rarely_while_a_session_is_to_come(
    practice: Practice, private: Calendar
) -> None:
    assert read_free_busy(practice, private) is None
    offer = practice.offer(practice.book(48), 72)
    assert read_free_busy(practice, private) == practice.now + practice.policy.poll_open
    practice.withdraw(offer)
    assert read_free_busy(practice, private) == practice.now + practice.policy.poll_idle


def test_something_new_in_a_calendar_that_is_read_has_it_looked_at_again(
    practice: Practice, calendar: Calendar
) -> None:
    practice.offer(practice.book(48), 72)
    work(practice, calendar)
    push(practice, calendar)
    assert read_free_busy(practice, calendar) is None
    with practice.database.begin() as db:
        ledger.forget(db, busy_key(calendar))
    practice.wait(minutes=1)
    push(practice, calendar)
    assert busy_key(calendar) not in ledger.due_keys(practice.database, practice.now)
    with practice.database.read() as db:
        assert calendars.calendar(db, calendar.id).busy_at == practice.now, "the feed says that nothing has changed"
    remote(practice).add_foreign(when(72).span)
    push(practice, calendar)
    assert busy_key(calendar) in ledger.due_keys(practice.database, practice.now)


def test_a_calendar_connected_while_an_offer_is_open_is_looked_at_like_any_other(practice: Practice) -> None:
    booked = practice.book(48)
    practice.offer(booked, 72)
    practice.carry_out(Kind.BUSY)
    remote(practice, "second").add_foreign(when(72).span)
    other = connect(practice, name="second")
    practice.carry_out(Kind.BUSY)
    (message,) = practice.told(booked, client=False)
    assert (message.kind.value, message.notice.about) == ("clash_found", other.name)


def test_whoever_chooses_times_has_their_calendars_looked_at(practice: Practice, calendar: Calendar) -> None:
    free_busy.refresh(practice.database, practice.policy, practice.kim.id, now=practice.now)
    assert busy_key(calendar) in ledger.due_keys(practice.database, practice.now)
    read_free_busy(practice, calendar)
    with practice.database.begin() as db:
        ledger.forget(db, busy_key(calendar))
    free_busy.refresh(practice.database, practice.policy, practice.kim.id, now=practice.now)
    assert busy_key(calendar) not in ledger.due_keys(practice.database, practice.now)


def test_sending_warns_of_conflicts_and_of_calendars_that_cannot_be_read(practice: Practice, private: Calendar) -> None:
    remote(practice, "private").add_foreign(when(72).span)
    read_free_busy(practice, private)
    draft = practice.draft(practice.book(48), 72)
    remote(practice, "private").offline = TransientError("down")
    with pytest.raises(TransientError):
        read_free_busy(practice, private)
    sending = practice.send(draft)
    assert any("in Private" in str(warning) for warning in sending.warnings)
    assert any("“Private” cannot be read at the moment" in str(warning) for warning in sending.warnings)


def test_free_busy_without_events_has_our_own_taken_out(practice: Practice, calendar: Calendar) -> None:
    """Some services tell only when, and join what touches."""
    booked = practice.book(48)
    practice.offer(booked, 72)
    work(practice, calendar)
    foreign = when(72.5, minutes=60).span
    joined = when(72, minutes=90).span
    with practice.database.begin() as db:
        stored_calendar = calendars.calendar(db, calendar.id)
        busy_times = [Busy(span=joined), Busy(span=when(48).span)]
        found = list(free_busy._foreign(db, practice.policy, stored_calendar, busy_times, practice.now))
        busy.keep(db, calendar.id, found, now=practice.now, until=practice.now + timedelta(days=9))
    assert [one.span.end for one in found] == [foreign.end]
    assert found[0].span.start == when(72).span.end


def reconnect(practice: Practice, calendar: Calendar) -> None:
    credentials = {"store": str(practice.kim.id), "password": "secret"}
    with practice.database.begin() as db:
        reauthorize(db, SEAL, calendar.connection_id, credentials, by=KIM, now=practice.now)


def busy_key(calendar: Calendar) -> Key:
    return Key(Kind.BUSY, str(calendar.id))


@on_sqlite
def test_watched_calendars_are_looked_at_again_after_reconnecting(
    practice: Practice, calendar: Calendar, private: Calendar
) -> None:
    practice.offer(practice.book(48), 72)
    with practice.database.begin() as db:
        note_access_lost(db, calendar.connection_id, now=practice.now)
    practice.wait(minutes=1)
    practice.carry_out(*EVERYTHING)  # each is claimed meanwhile and finds the access lost
    assert not is_due(practice, Key(Kind.BUSY, str(private.id)))
    reconnect(practice, calendar)
    assert is_due(practice, Key(Kind.BUSY, str(private.id)))


@on_sqlite
def test_the_old_target_is_still_looked_at_while_an_offer_is_open(practice: Practice, calendar: Calendar) -> None:
    practice.offer(practice.book(48), 72)
    work(practice, calendar)
    push(practice, calendar)
    key = Key(Kind.BUSY, str(calendar.id))
    practice.carry_out(Kind.BUSY)
    assert not is_due(practice, key)
    second = retarget(practice, calendar, "second")
    work(practice, second)
    work(practice, calendar)
    assert is_due(practice, key)


@on_sqlite
def test_a_reconnected_target_is_no_blind_spot(practice: Practice, calendar: Calendar) -> None:
    offer = practice.offer(practice.book(48), 72)
    work(practice, calendar)
    push(practice, calendar)
    remote(practice).offline = AccessLostError("no")
    practice.carry_out(*EVERYTHING)
    with practice.database.read() as db:
        assert calendars.connection(db, calendar.connection_id).state is ConnectionState.ACCESS_LOST
    remote(practice).offline = None
    reconnect(practice, calendar)
    practice.carry_out(*EVERYTHING)
    with practice.database.read() as db:
        assert not free_busy.blind_spots(db, practice.policy, practice.kim.id, offer.alternatives, now=practice.now)


@on_sqlite
def test_the_last_of_several_times_decides_whether_it_is_known(practice: Practice, private: Calendar) -> None:
    read_free_busy(practice, private)
    offer = practice.draft(practice.book(48), 72, 24 * 80)
    with practice.database.read() as db:
        spots = free_busy.blind_spots(db, practice.policy, practice.kim.id, offer.alternatives, now=practice.now)
    assert "Private" in [spot.calendar for spot in spots]


@on_sqlite
def test_one_calendar_not_read_lately_has_them_looked_at_for_whoever_chooses_times(
    practice: Practice, calendar: Calendar, private: Calendar
) -> None:
    read_free_busy(practice, private)
    with practice.database.begin() as db:
        ledger.forget(db, busy_key(calendar))
    free_busy.refresh(practice.database, practice.policy, practice.kim.id, now=practice.now)
    assert is_due(practice, busy_key(calendar))


@on_sqlite
def test_free_busy_is_read_while_a_deletion_is_asked_about(practice: Practice, calendar: Calendar) -> None:
    """That question is about no time."""
    booked = book_and_show(practice, calendar)
    remote(practice).delete(href_at(practice, 48))
    settle(practice, calendar)
    assert open_question(practice, booked).moved_to is None
    remote(practice).add_foreign(when(72).span)
    read_free_busy(practice, calendar)
    assert conflicts(practice, 72) == (calendar.name,)


@on_sqlite
@pytest.mark.parametrize("name", ["calendar", "private"])
def test_a_copy_of_ours_at_another_time_is_an_appointment_of_its_own(
    practice: Practice, calendar: Calendar, private: Calendar, name: str
) -> None:
    book_and_show(practice, calendar)
    event, there = remote(practice).events[href_at(practice, 48)], remote(practice, name)
    there.copy(event, "a-copy")
    there.move("a-copy", when(100).span)
    there.retitle("a-copy", "Dentist")
    there.copy(event, "another-copy")
    push(practice, calendar)
    for one in (calendar, private):
        read_free_busy(practice, one)
    assert [one.lower() for one in conflicts(practice, 100)] == [name]
    assert conflicts(practice, 48) == ()


@on_sqlite
def test_a_copy_that_follows_a_moved_entry_is_no_conflict(
    practice: Practice, calendar: Calendar, private: Calendar
) -> None:
    book_and_show(practice, calendar)
    href = href_at(practice, 48)
    remote(practice).move(href, when(60).span)
    push(practice, calendar)
    remote(practice, "private").copy(remote(practice).events[href], "a-copy")
    read_free_busy(practice, private)
    assert conflicts(practice, 60) == ()


def asks(practice: Practice, *, days: float = 7) -> None:
    """Have somebody ask when Kim is free."""
    free_busy.ask(
        practice.database, practice.policy, practice.kim.id, practice.now + timedelta(days=days), now=practice.now
    )


def read_at(practice: Practice, calendar: Calendar) -> datetime | None:
    with practice.database.read() as db:
        return calendars.calendar(db, calendar.id).busy_at


def read_until(practice: Practice, calendar: Calendar) -> datetime | None:
    with practice.database.read() as db:
        return calendars.calendar(db, calendar.id).busy_until


@on_sqlite
def test_whoever_asks_when_somebody_is_free_has_all_calendars_read(
    practice: Practice, calendar: Calendar, private: Calendar
) -> None:
    practice.carry_out(*EVERYTHING)
    assert read_at(practice, private) is None
    asks(practice)
    practice.carry_out(Kind.BUSY)
    assert read_at(practice, calendar) == read_at(practice, private) == practice.now


@on_sqlite
def test_for_a_day_after_somebody_has_asked_watched_calendars_are_read_at_the_idle_pace(
    practice: Practice, private: Calendar
) -> None:
    asks(practice)
    practice.carry_out(*EVERYTHING)
    practice.wait(minutes=9)
    practice.carry_out(*EVERYTHING)
    assert read_at(practice, private) == practice.now - timedelta(minutes=9)
    practice.wait(minutes=1)
    practice.carry_out(*EVERYTHING)
    assert read_at(practice, private) == practice.now
    practice.wait(days=1)
    practice.carry_out(*EVERYTHING)
    last = practice.now
    practice.wait(hours=1)
    practice.carry_out(*EVERYTHING)
    assert read_at(practice, private) == last, "nobody has asked since"


@on_sqlite
def test_while_an_offer_is_open_that_pace_counts(practice: Practice, private: Calendar) -> None:
    practice.offer(practice.book(48), 72)
    asks(practice)
    assert read_free_busy(practice, private) == practice.now + practice.policy.poll_open


@on_sqlite
def test_what_a_feed_tells_of_is_read_for_whoever_has_asked(practice: Practice, calendar: Calendar) -> None:
    asks(practice)
    practice.carry_out(*EVERYTHING)
    remote(practice).add_foreign(when(72).span)
    practice.wait(minutes=10)
    practice.carry_out(*EVERYTHING)
    assert conflicts(practice, 72) == (calendar.name,)


@on_sqlite
def test_it_is_read_as_far_ahead_as_was_asked_and_a_day_farther(practice: Practice, calendar: Calendar) -> None:
    asks(practice)
    practice.carry_out(Kind.BUSY)
    assert read_until(practice, calendar) == practice.now + timedelta(days=60)
    practice.wait(minutes=1)
    asks(practice, days=90)
    practice.carry_out(Kind.BUSY)
    assert read_until(practice, calendar) == practice.now + timedelta(days=91)
    practice.wait(minutes=1)
    asks(practice, days=5000)
    practice.carry_out(Kind.BUSY)
    assert read_until(practice, calendar) == practice.now + timedelta(days=400)


@on_sqlite
def test_who_asks_again_and_again_causes_no_write(practice: Practice, calendar: Calendar) -> None:
    asks(practice)
    practice.carry_out(Kind.BUSY)
    practice.wait(minutes=5)
    with statements() as sent:
        asks(practice)
    assert not [one for one in sent if not one.startswith("SELECT")]
    assert not is_due(practice, Key(Kind.BUSY, str(calendar.id)))


@on_sqlite
@pytest.mark.usefixtures("calendar")
def test_a_calendar_that_does_not_answer_is_asked_for_no_more_often_than_while_offers_are_open(
    practice: Practice,
) -> None:
    asks(practice)
    with statements() as sent:
        asks(practice)
        practice.wait(seconds=29)
        asks(practice)
    assert not [one for one in sent if not one.startswith("SELECT")]
    practice.wait(seconds=2)
    with statements() as sent:
        asks(practice)
    assert [one for one in sent if not one.startswith("SELECT")]


@on_sqlite
def test_nothing_is_noted_of_who_asks_while_a_restored_database_waits(practice: Practice, calendar: Calendar) -> None:
    with practice.database.begin() as db:
        standstill.begin(db, practice.policy, by=KIM, now=practice.now)
    asks(practice)
    assert not is_due(practice, Key(Kind.BUSY, str(calendar.id)))


@on_sqlite
def test_what_was_asked_lately_is_read_though_the_ledger_has_lost_it(practice: Practice, private: Calendar) -> None:
    asks(practice)
    with practice.database.begin() as db:
        db.execute(sa.delete(ledger.due).where(ledger.due.c.kind == Kind.BUSY.value))
        needs.make_missing_due(db, now=practice.now)
    assert is_due(practice, Key(Kind.BUSY, str(private.id)))
