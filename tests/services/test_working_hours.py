"""When somebody works: as was said, else as their sessions tell, else as is usual."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, timedelta

import pytest

from connector.domain.facts import PersonChanged
from connector.domain.people import Practitioner
from connector.domain.working_hours import ASSUMED, Stretch, WorkingHours
from connector.errors import StandstillError
from connector.services import standstill, working_hours
from connector.services.working_hours import CurrentHours, Source
from connector.storage import people, timeline
from tests.domain.examples import KIM, NOW
from tests.services.connected import on_sqlite
from tests.services.practice import Practice

MORNINGS = WorkingHours(
    weekly=((Stretch(start=480, end=720),),) * 5 + ((), (Stretch(start=0, end=1440),)),
    exceptions={date(2026, 12, 24): (), date(2026, 12, 31): (Stretch(start=600, end=660),)},
)


def current(practice: Practice) -> CurrentHours:
    with practice.database.read() as db:
        return working_hours.current(db, practice.kim, now=practice.now)


def change(practice: Practice, hours: WorkingHours) -> CurrentHours:
    with practice.database.begin() as db:
        return working_hours.change(db, practice.kim.id, hours, by=KIM, now=practice.now)


def changes(practice: Practice) -> int:
    with practice.database.read() as db:
        facts = timeline.of_kind(db, practice.kim.id, PersonChanged, since=NOW - timedelta(days=1))
    return sum(fact.changed == ("hours",) for fact in facts)


def test_hours_are_assumed_until_something_is_known(practice: Practice) -> None:
    found = current(practice)
    assert (found.hours, found.source, found.version, found.confirmed_at) == (ASSUMED, Source.ASSUMED, 0, None)


@on_sqlite
def test_hours_are_learnt_from_the_sessions_of_the_last_months_and_those_to_come(practice: Practice) -> None:
    booked = practice.book(8)  # Monday from six in the evening
    assert current(practice).source is Source.LEARNT
    assert current(practice).hours.weekly[0] == (Stretch(start=540, end=1140),)
    practice.wait(days=89)
    assert current(practice).source is Source.LEARNT
    practice.wait(days=2)
    assert current(practice).source is Source.ASSUMED
    practice.now = booked.created_at
    practice.cancel(booked)
    assert current(practice).source is Source.ASSUMED


def test_hours_that_were_said_are_kept_whatever_is_booked(practice: Practice) -> None:
    said = change(practice, MORNINGS)
    assert (said.hours, said.source, said.version, said.confirmed_at) == (
        MORNINGS,
        Source.CONFIRMED,
        1,
        practice.now,
    )
    practice.book(8)
    assert current(practice) == said


@on_sqlite
def test_saying_the_same_again_changes_nothing(practice: Practice) -> None:
    change(practice, MORNINGS)
    practice.wait(hours=1)
    assert change(practice, MORNINGS).version == 1
    assert changes(practice) == 1
    later = change(practice, ASSUMED)
    assert (later.version, later.confirmed_at) == (2, practice.now)
    assert changes(practice) == 2


@on_sqlite
def test_learnt_hours_stay_as_they_are_once_they_are_confirmed(practice: Practice) -> None:
    practice.book(8)
    shown = current(practice).hours
    with practice.database.begin() as db:
        confirmed = working_hours.confirm(db, practice.kim.id, by=KIM, now=practice.now)
    assert (confirmed.hours, confirmed.source, confirmed.version) == (shown, Source.CONFIRMED, 1)
    practice.book(24 * 5)
    assert current(practice) == confirmed


@on_sqlite
def test_whoever_has_seen_other_hours_changes_none(practice: Practice) -> None:
    def seen(before: CurrentHours) -> None:
        raise LookupError(before.version)

    with pytest.raises(LookupError, match="0"), practice.database.begin() as db:
        working_hours.change(db, practice.kim.id, MORNINGS, by=KIM, now=practice.now, seen=seen)
    assert current(practice).source is Source.ASSUMED


@on_sqlite
def test_nothing_is_said_while_a_restored_database_waits(practice: Practice) -> None:
    with practice.database.begin() as db:
        standstill.begin(db, practice.policy, by=KIM, now=practice.now)
    with pytest.raises(StandstillError):
        change(practice, MORNINGS)


@on_sqlite
def test_hours_are_those_of_the_practitioners_own_clock(practice: Practice) -> None:
    practice.book(8)
    elsewhere: Practitioner = replace(practice.kim, zone="Asia/Tokyo")
    with practice.database.begin() as db:
        people.save_practitioner(db, elsewhere)
    with practice.database.read() as db:
        found = working_hours.current(db, elsewhere, now=practice.now)
    assert found.zone == "Asia/Tokyo"
    assert found.hours.weekly[1] == (Stretch(start=120, end=1020),), "from two in the night of Tuesday"
    assert practice.now + timedelta(hours=8) == datetime.fromisoformat("2026-11-24T02:00+09:00")
