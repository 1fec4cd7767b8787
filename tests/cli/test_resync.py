"""The plan that is shown is the plan that is carried out, call by call."""

from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa

from connector.domain.reconcile import Action, Put
from connector.errors import RefusedError, TransientError
from connector.storage.database import Database
from connector.storage.due import due
from connector.storage.ledger import Kind, Urgency
from providers.memory.provider import MemoryCalendar
from tests.cli.keyboard import Cli, ahead


def listen(calendar: MemoryCalendar) -> list[tuple[str, str]]:
    """Note every write the calendar is asked for."""
    calls: list[tuple[str, str]] = []

    def on_write(moment: str, action: Action) -> None:
        if moment == "before":
            calls.append(("put" if isinstance(action, Put) else "remove", action.ref.name))

    calendar.on_write = on_write
    return calls


def planned(shown: Any) -> list[tuple[str, str]]:
    [plan] = shown
    return [("remove" if action["do"] == "remove" else "put", action["remote_name"]) for action in plan["actions"]]


def test_a_dry_run_shows_the_very_calls_of_the_real_run(practice: Cli, calendar: MemoryCalendar) -> None:
    session = practice.book()
    practice.offer(session, ahead(8), ahead(9))
    practice.ok("resync", "--wait")
    practice.ok("sessions", "answer", session, "--support", "Robin", "--reason", "on the phone", "--accept", "1")
    practice.book(14)
    calls = listen(calendar)
    plan = practice.json("resync", "--dry-run")
    assert calls == []
    practice.ok("resync", "--wait")
    assert calls == planned(plan)
    assert [kind for kind, _ in calls] == ["put", "put", "remove", "remove"]


def test_the_plan_tells_what_the_calendar_will_show(practice: Cli, calendar: MemoryCalendar) -> None:
    practice.offer(practice.book(), ahead(8))
    [plan] = practice.json("resync", "--dry-run")
    told = [(action["do"], action["title"], action["shown_as"]) for action in plan["actions"]]
    assert told == [("write", "Session: A. O.", "busy"), ("write", "Hold: A. O.", "tentative")]
    table = practice.ok("resync", "--dry-run")
    assert "Session: A. O." in table
    assert plan["actions"][0]["remote_name"] in table
    assert calendar.requests["put"] == 0


def test_running_it_twice_changes_nothing_the_second_time(practice: Cli, calendar: MemoryCalendar) -> None:
    practice.book()
    assert "shows what it should" in practice.ok("resync", "--wait")
    calls = listen(calendar)
    assert "nothing to do" in practice.ok("resync", "--wait")
    assert calls == []


def test_without_waiting_the_calendars_are_only_made_due(practice: Cli, calendar: MemoryCalendar) -> None:
    practice.book()
    assert "within a second" in practice.ok("resync")
    assert calendar.shown() == []


@pytest.mark.usefixtures("calendar")
def test_calendars_made_due_by_hand_go_before_every_poll(practice: Cli, sqlite_url: str) -> None:
    practice.ok("resync", "--wait")
    practice.ok("resync")
    database = Database(sqlite_url)
    with database.read() as db:
        found = db.execute(sa.select(due.c.urgency).where(due.c.kind == Kind.PULL)).scalars().all()
    database.dispose()
    assert found == [Urgency.LOOK]


def test_one_practitioners_calendars_can_be_named(practice: Cli, calendar: MemoryCalendar) -> None:
    practice.ok("practitioners", "add", "--name", "Lou", "--email", "lou@example.org", "--zone", "Europe/Paris")
    assert "No calendar is connected" in practice.ok("resync", "--dry-run", "--practitioner", "lou@example.org")
    [plan] = practice.json("resync", "--dry-run", "--practitioner", "kim@example.org")
    assert plan["calendar"] == calendar.info.name


# What is refused is tried again at once, after a look at the calendar.
@pytest.mark.parametrize(
    ("error", "times"), [(RefusedError("the quota is used up"), 2), (TransientError("not now"), 1)]
)
def test_a_calendar_that_cannot_be_brought_there_is_named_with_its_reason(
    practice: Cli, calendar: MemoryCalendar, error: RefusedError | TransientError, times: int
) -> None:
    practice.book()
    calendar.fail(error, on="put", times=times)
    said = practice.refused("resync", "--wait")
    assert "“work”" in said
    assert str(error) in said
    practice.ok("resync", "--wait")
    assert len(calendar.shown()) == 1


def test_waiting_and_only_looking_exclude_each_other(practice: Cli) -> None:
    assert "one of" in practice.refused("resync", "--dry-run", "--wait", code=2)
