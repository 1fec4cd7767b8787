"""A refusal is not the end: it is tried again, and one person is told."""

from __future__ import annotations

from dataclasses import replace

import pytest

from connector.domain.connection import Calendar
from connector.domain.notice import NoticeKind
from connector.errors import InstallationError, MissingError, ProviderError, RefusedError, RuleError, TransientError
from connector.services.views.timeline import line_of
from connector.storage import calendars, conversations, ledger, tables, timeline
from connector.storage.ledger import Kind
from providers.memory.provider import MemoryCalendar
from tests.domain.examples import when
from tests.services.connected import look, on_sqlite, push, remote, times, work
from tests.services.practice import Practice
from tests.services.telling import ENGLISH

pytestmark = on_sqlite

OURS = (Kind.CALENDAR, Kind.PULL)


def letters(practice: Practice) -> list[NoticeKind]:
    """What was told of calendars, to whomever."""
    troubles = (
        NoticeKind.ENTRIES_REFUSED,
        NoticeKind.CALENDAR_UNREACHABLE,
        NoticeKind.INSTALLATION_REFUSED,
        NoticeKind.CALENDAR_PAUSED,
        NoticeKind.ACCESS_LOST,
    )
    practice.mail()
    sent = practice.runtime.sender.letters  # type: ignore[attr-defined]
    return [letter.notice.kind for letter in sent if letter.notice.kind in troubles]


def stored(practice: Practice, calendar: Calendar) -> Calendar:
    with practice.database.read() as db:
        return calendars.calendar(db, calendar.id)


def told(practice: Practice, calendar: Calendar) -> list[tuple[str, str]]:
    """What the timeline of its connection tells, and why."""
    with practice.database.read() as db:
        lines = [line_of(fact, ENGLISH) for fact in timeline.of_connection(db, calendar.connection_id)]
    return [(line.what, line.why) for line in lines]


def refuse_writes(there: MemoryCalendar, error: ProviderError, *, times: int = 1000) -> None:
    there.fail(error, on="put", times=times)


def test_d1_what_was_refused_is_tried_again_and_told_once(practice: Practice, calendar: Calendar) -> None:
    booked = practice.book(48)
    work(practice, calendar)
    push(practice, calendar)
    refuse_writes(remote(practice), RefusedError("you may only read it"))
    practice.offer(booked, 72, 96)
    for _ in range(5):
        practice.carry_out(*OURS, of=[calendar])
        practice.wait(minutes=20)
    assert letters(practice) == [NoticeKind.ENTRIES_REFUSED]
    with pytest.raises(RuleError, match="takes no entries"):
        practice.offer(practice.book(60, of=practice.another_client()), 100)
    remote(practice)._faults.clear()
    practice.wait(minutes=10)
    practice.carry_out(*OURS, of=[calendar])
    assert {when(72).span, when(96).span} <= set(times(practice))
    assert stored(practice, calendar).refused_at is None
    assert ledger.refused(practice.database) == []
    assert letters(practice) == [NoticeKind.ENTRIES_REFUSED]
    assert told(practice, calendar)[-2:] == [
        (f"Calendar “{calendar.name}” can be read, but takes no entries; we keep trying", "you may only read it"),
        (f"Calendar “{calendar.name}” takes entries again, and shows all that it should", ""),
    ]


def test_d2_one_refusal_among_others_changes_nothing_but_time(practice: Practice, calendar: Calendar) -> None:
    booked = practice.book(48)
    work(practice, calendar)
    push(practice, calendar)
    refuse_writes(remote(practice), RefusedError("bad request"), times=1)
    practice.offer(booked, 72, 96, 120)
    practice.carry_out(*OURS, of=[calendar])
    assert {when(hours).span for hours in (72, 96, 120)} <= set(times(practice))
    assert letters(practice) == []


@pytest.mark.parametrize("error", [MissingError("gone"), RefusedError("not for you")])
def test_d3_one_look_at_a_missing_or_forbidden_calendar_stops_nothing(
    practice: Practice, calendar: Calendar, error: ProviderError
) -> None:
    practice.book(48)
    work(practice, calendar)
    push(practice, calendar)
    remote(practice).fail(error, on="changes")
    push(practice, calendar)
    assert stored(practice, calendar).read_trouble is not None
    practice.wait(seconds=60)
    look(practice, calendar)
    assert stored(practice, calendar).read_trouble is None
    remote(practice).fail(error, on="changes", times=3)
    for _ in range(2):
        push(practice, calendar)
    assert letters(practice) == [], "twice in a row, but within the settling time"
    practice.wait(seconds=60)
    look(practice, calendar)
    assert letters(practice) == [NoticeKind.CALENDAR_PAUSED]


def test_d4_a_refused_installation_is_told_to_its_operator_alone_and_once(
    practice: Practice, calendar: Calendar
) -> None:
    practice.policy = replace(practice.policy, operator="operator@pencilled.example", operator_locale="de")
    practice.book(48)
    remote(practice).offline = InstallationError("accessNotConfigured")
    for _ in range(6):
        practice.carry_out(*OURS, of=[calendar])
        practice.wait(hours=1)
    assert letters(practice) == [NoticeKind.INSTALLATION_REFUSED]
    assert practice.runtime.sender.letters[-1].notice.to.locale == "de"  # type: ignore[attr-defined]
    remote(practice).offline = None
    practice.carry_out(*OURS, of=[calendar])
    assert times(practice) == [when(48).span]
    assert letters(practice) == [NoticeKind.INSTALLATION_REFUSED]
    with practice.database.read() as db:
        (fault,) = db.execute(tables.registration_faults.select()).all()
        assert fault.ended_at is not None
        assert not conversations.refuses_mail(db, practice.kim.id)


def test_an_outage_of_an_hour_is_told_once_if_something_is_to_come(practice: Practice, calendar: Calendar) -> None:
    remote(practice).offline = TransientError("the server does not answer")
    push(practice, calendar)
    practice.wait(hours=2)
    look(practice, calendar)
    assert letters(practice) == [], "nothing is to come"
    practice.book(48)
    for _ in range(4):
        practice.wait(minutes=30)
        practice.carry_out(*OURS, of=[calendar])
    assert letters(practice) == [NoticeKind.CALENDAR_UNREACHABLE]


def test_after_an_outage_longer_than_a_polling_interval_everything_is_read(
    practice: Practice, calendar: Calendar
) -> None:
    practice.book(48)
    work(practice, calendar)
    push(practice, calendar)
    remote(practice).fail(TransientError("the server does not answer"), on="changes")
    push(practice, calendar)
    remote(practice).delete(next(iter(remote(practice).events)))
    remote(practice)._tombstones.clear()  # its feed has forgotten
    practice.wait(minutes=11)
    push(practice, calendar)
    with practice.database.read() as db:
        assert db.execute(tables.remote_changes.select()).all() != []


def test_what_is_refused_for_hours_is_written_after_the_next_good_look_and_a_look_hastens_nothing_else(
    practice: Practice, calendar: Calendar
) -> None:
    practice.offer(practice.book(200), 220)
    refuse_writes(remote(practice), RefusedError("no"), times=100_000)
    for _ in range(6):
        practice.carry_out(*OURS, Kind.PROBE, of=[calendar])
        practice.wait(hours=1)
    practice.carry_out(*OURS, Kind.PROBE, of=[calendar])
    before = remote(practice).requests["put"]
    practice.wait(minutes=1)
    practice.carry_out(*OURS, Kind.PROBE, of=[calendar])
    assert remote(practice).requests["put"] - before <= 2, "session and hold, and no probe beside them"
    remote(practice)._faults.clear()
    practice.wait(minutes=1)
    practice.carry_out(*OURS, of=[calendar])
    assert {when(200).span, when(220).span} <= set(times(practice))
