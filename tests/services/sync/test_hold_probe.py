"""How holds must be shown is proved by trying, once a calendar and day, and leaves nothing behind."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime, timedelta, tzinfo

import pytest

from connector.domain.connection import Calendar
from connector.domain.entry import Showing
from connector.domain.facts import HoldsProved
from connector.domain.notice import PauseReason
from connector.domain.people import Level
from connector.domain.reconcile import Put
from connector.domain.span import Span
from connector.errors import MissingError, TransientError
from connector.ports import BusyReading
from connector.services.people import change_practitioner
from connector.services.sync import breaker, hold_probe
from connector.storage import calendars, timeline
from connector.storage.ledger import Key, Kind
from tests.domain.examples import KIM
from tests.services.connected import connect, converge, is_due, look, on_sqlite, push, remote, retarget, work
from tests.services.crashes import POINTS, CrashError, MortalDatabase
from tests.services.fences import OURS
from tests.services.practice import Practice

pytestmark = on_sqlite


def probe(practice: Practice, calendar: Calendar) -> datetime | None:
    return hold_probe.probe(
        practice.database, practice.policy, calendar.id, remote(practice), fence=OURS, now=practice.now
    )


def stored(practice: Practice, calendar: Calendar) -> Calendar:
    with practice.database.read() as db:
        return calendars.calendar(db, calendar.id)


def holds(practice: Practice) -> set[Showing]:
    return {content.showing for content in remote(practice).shown() if content.title.startswith("Hold")}


def test_where_tentative_keeps_the_time_busy_holds_stay_soft(practice: Practice, calendar: Calendar) -> None:
    assert probe(practice, calendar) == practice.now + timedelta(days=1)
    assert not stored(practice, calendar).disclosure.firm_holds
    assert stored(practice, calendar).probed_at == practice.now
    assert remote(practice).events == {}
    with practice.database.read() as db:
        facts = timeline.of_connection(db, calendar.connection_id)
    assert [fact.firm for fact in facts if isinstance(fact, HoldsProved)] == [False]


def test_where_tentative_reads_as_free_holds_are_firm_and_those_that_stand_are_rewritten(
    practice: Practice, calendar: Calendar
) -> None:
    practice.offer(practice.book(48), 72)
    work(practice, calendar)
    assert holds(practice) == {Showing.TENTATIVE}
    remote(practice).tentative_is_free = True
    assert probe(practice, calendar) == practice.now + hold_probe.LAG, "free/busy may lag: it is read once more"
    practice.wait(seconds=30)
    assert probe(practice, calendar) == practice.now + timedelta(days=1)
    assert stored(practice, calendar).disclosure.firm_holds
    work(practice, calendar)
    assert holds(practice) == {Showing.FIRM}
    push(practice, calendar)
    assert converge(practice, calendar) == 0
    assert len(remote(practice).events) == 2


def test_a_service_that_learns_better_gets_soft_holds_again(practice: Practice, calendar: Calendar) -> None:
    remote(practice).tentative_is_free = True
    for _ in range(2):
        probe(practice, calendar)
        practice.wait(minutes=1)
    remote(practice).tentative_is_free = False
    practice.wait(days=1)
    probe(practice, calendar)
    assert not stored(practice, calendar).disclosure.firm_holds


@pytest.mark.parametrize("n", range(5))
@pytest.mark.parametrize("point", POINTS)
def test_a_crash_while_it_is_tried_leaves_no_probe(database_url: str, point: str, n: int) -> None:
    database = MortalDatabase(database_url)
    practice = Practice(database)
    calendar = connect(practice)
    remote(practice).on_write = database.on_write
    database.die_at(point, n)
    with suppress(CrashError):
        probe(practice, calendar)
    database.revive()
    probe(practice, calendar)
    assert remote(practice).events == {}
    assert stored(practice, calendar).probed_at == practice.now
    database.dispose()


@pytest.mark.parametrize("verb", ["put", "busy", "remove"])
def test_a_fault_while_it_is_tried_is_tried_again(practice: Practice, calendar: Calendar, verb: str) -> None:
    remote(practice).fail(TransientError("down"), on=verb)  # type: ignore[arg-type]
    with pytest.raises(TransientError):
        probe(practice, calendar)
    probe(practice, calendar)
    assert remote(practice).events == {}
    assert stored(practice, calendar).probed_at == practice.now


def test_the_probe_is_no_entry_and_nothing_that_is_told(practice: Practice, calendar: Calendar) -> None:
    booked = practice.book(48)
    work(practice, calendar)
    push(practice, calendar)
    remote(practice).tentative_is_free = True
    probe(practice, calendar)
    assert len(remote(practice).events) == 2
    push(practice, calendar)
    assert converge(practice, calendar) == 0
    assert practice.kinds_told(booked, client=False) == []


def test_a_paused_calendar_is_not_tried(practice: Practice, calendar: Calendar) -> None:
    with practice.database.begin() as db:
        breaker.pause(db, practice.policy, calendar, PauseReason.MISSING, now=practice.now)
    remote(practice).requests.clear()
    assert probe(practice, calendar) == practice.now + timedelta(days=1)
    assert not remote(practice).requests


def test_where_no_night_is_free_it_is_tried_another_day(practice: Practice, calendar: Calendar) -> None:
    start = practice.now + timedelta(days=189)
    remote(practice).add_foreign(Span.of(start, timedelta(days=9)))
    assert probe(practice, calendar) == practice.now + timedelta(days=1)
    assert remote(practice).requests["put"] == 0
    assert stored(practice, calendar).probed_at is None


def test_a_probe_left_by_a_change_of_target_goes(practice: Practice, calendar: Calendar) -> None:
    remote(practice).tentative_is_free = True
    practice.wait(minutes=1)
    practice.carry_out(Kind.PROBE)
    assert remote(practice).events
    second = retarget(practice, calendar, "second")
    for place in (second, calendar, second, calendar):
        work(practice, place)
    practice.wait(minutes=1)
    practice.carry_out(Kind.PROBE)
    assert remote(practice).events == {}


def test_a_lagging_free_busy_is_not_taken_for_free(practice: Practice, calendar: Calendar) -> None:
    """Free/busy shows an event five seconds after it was written."""
    there = remote(practice)
    written_at: dict[Span, datetime] = {}
    busy = there.busy

    def on_write(moment: str, _action: object) -> None:
        if moment == "after":
            for event in there.events.values():
                written_at.setdefault(event.span, practice.now)

    there.on_write = on_write

    def late(span: Span, *, zone: tzinfo = UTC) -> BusyReading:
        times = busy(span, zone=zone).times
        return BusyReading(times=[one for one in times if practice.now - written_at[one.span] >= timedelta(seconds=5)])

    there.busy = late  # type: ignore[method-assign]  # the service's own answer, some seconds behind
    practice.wait(minutes=1)
    for _ in range(3):
        practice.carry_out(Kind.PROBE)
        practice.wait(seconds=30)
    with practice.database.read() as db:
        assert not calendars.calendar(db, calendar.id).disclosure.firm_holds


@pytest.mark.parametrize(
    ("level", "locale", "title"),
    [
        (Level.BUSY, "en", "Busy"),
        (Level.FULL, "en", "Hold"),
        (Level.BUSY, "de", "Belegt"),
        (Level.FULL, "de", "Reserviert"),
    ],
)
def test_a_probe_shows_no_more_than_its_calendar_may_in_its_practitioners_language(
    practice: Practice, level: Level, locale: str, title: str
) -> None:
    with practice.database.begin() as db:
        change_practitioner(db, practice.kim.id, {"locale": locale}, by=KIM, now=practice.now)
    calendar = connect(practice, level=level)
    titles = []
    remote(practice).on_write = lambda _, action: (
        titles.append(action.entry.content.title) if isinstance(action, Put) else None
    )
    probe(practice, calendar)
    assert set(titles) == {title}


def test_proving_goes_on_once_a_calendar_is_there_again(practice: Practice, calendar: Calendar) -> None:
    key = Key(Kind.PROBE, str(calendar.id))
    remote(practice).offline = MissingError("gone")
    practice.wait(minutes=2)
    assert [ending.how for ending in practice.carry_out(Kind.PROBE)] == ["refused"]
    look(practice, calendar)
    remote(practice).offline = None
    practice.wait(minutes=10)
    look(practice, calendar)
    with practice.database.read() as db:
        assert calendars.calendar(db, calendar.id).paused is None
    assert is_due(practice, key)
