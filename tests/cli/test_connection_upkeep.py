"""A stopped calendar goes on, entries go to another calendar, and what happened to a connection is told."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from connector.errors import MissingError
from providers.memory.provider import MemoryCalendar, MemoryStore
from tests.cli.keyboard import Cli
from tests.cli.worker import probe, pull


@pytest.fixture
def paused(practice: Cli, calendar: MemoryCalendar) -> Cli:
    """A practice whose calendar was emptied at once."""
    for day in range(7, 12):
        practice.book(day)
    practice.ok("resync", "--wait")
    pull(practice)
    calendar.wipe()
    pull(practice)
    return practice


def connection(cli: Cli) -> Any:
    [found] = cli.json("connections", "list")
    return found


def test_a_paused_calendar_is_told_with_the_reason(paused: Cli) -> None:
    found = connection(paused)["calendar"]
    assert (found["stopped"], found["stopped_count"]) == ("emptied", 5)
    assert "STOPPED: nothing of ours stands in it any more (5 gone)" in paused.ok("connections", "list")
    said = paused.refused("connections", "test", connection(paused)["id"])
    assert "pencilled connections resume" in said


def test_it_goes_on_and_everything_is_put_back(paused: Cli, calendar: MemoryCalendar) -> None:
    assert "put back" in paused.ok("connections", "resume", connection(paused)["id"][:8])
    assert connection(paused)["calendar"]["stopped"] is None
    paused.ok("resync", "--wait")
    assert len(calendar.shown()) == 5
    assert "is not stopped" in paused.refused("connections", "resume", connection(paused)["id"])


def test_meant_deletions_are_asked_about_one_by_one(paused: Cli, calendar: MemoryCalendar) -> None:
    said = paused.ok("connections", "resume", connection(paused)["id"], "--accept-deletions")
    assert "asked about each session" in said
    pull(paused, later=timedelta(seconds=61))
    assert paused.ok("sessions", "list").count("DELETED IN THE CALENDAR: THE PRACTITIONER IS ASKED") == 5
    [first, *_] = paused.json("sessions", "list")
    shown = paused.json("sessions", "show", first["id"])
    assert (shown["state"], shown["question"]["kind"]) == ("booked", "deleted")
    assert "its practitioner is asked" in paused.ok("sessions", "show", first["id"])
    assert calendar.shown() == []


def test_deletions_nobody_could_see_are_not_accepted(practice: Cli, calendar: MemoryCalendar) -> None:
    practice.book()
    practice.ok("resync", "--wait")
    calendar.offline = MissingError("gone")
    pull(practice)
    pull(practice, later=timedelta(minutes=2))
    named = connection(practice)["id"]
    assert "could not be read" in practice.refused("connections", "resume", named, "--accept-deletions")
    assert connection(practice)["calendar"]["stopped"] == "missing"
    calendar.offline = None
    assert "tried again" in practice.ok("connections", "resume", named)


def test_a_dry_run_leaves_a_stopped_calendar_alone_and_says_why(paused: Cli) -> None:
    [plan] = paused.json("resync", "--dry-run")
    assert (plan["stopped"], plan["actions"]) == ("emptied", [])
    assert "stopped, so nothing is done: nothing of ours stands in it any more" in paused.ok("resync", "--dry-run")
    said = paused.refused("resync", "--wait")
    assert "“work”: stopped: nothing of ours stands in it any more" in said


def test_entries_go_to_another_calendar(practice: Cli, calendar: MemoryCalendar, store: MemoryStore) -> None:
    practice.book()
    practice.ok("resync", "--wait")
    other, named = store.calendar("practice"), connection(practice)["id"]
    store.calendar("holidays", writable=False)
    refused = practice.refused("connections", "target", named, "--calendar", "holidays")
    assert "Choose one of these: work and practice." in refused
    assert "instead of “work”" in practice.ok("connections", "target", named, "--calendar", "practice")
    assert len(calendar.shown()) == 1
    practice.ok("resync", "--wait")
    assert len(other.shown()) == 1
    assert connection(practice)["calendar"]["name"] == "practice"
    again = practice.json("connections", "target", named, "--calendar", "practice")
    assert again["changed"] is False


@pytest.mark.usefixtures("calendar")
def test_a_target_has_to_be_named(practice: Cli) -> None:
    practice.refused("connections", "target", connection(practice)["id"], code=2)


def test_what_happened_to_a_connection_is_told_oldest_first(paused: Cli) -> None:
    named = connection(paused)["id"]
    paused.ok("connections", "resume", named)
    told = [one["what"] for one in paused.json("connections", "history", named)]
    assert told[0] == "Calendar connected: work"
    assert told[-1] == "Calendar “work” goes on: everything is put back"
    assert "stopped: nothing of ours stands in it any more (5 entries)" in paused.ok("connections", "history", named)
    assert "is no id of a connection" in paused.refused("connections", "history", "nothing")


def test_how_holds_are_shown_is_listed(practice: Cli, calendar: MemoryCalendar) -> None:
    assert "not tried out yet" in practice.ok("connections", "list")
    probe(practice)
    assert "tentative " in practice.ok("connections", "list")
    calendar.tentative_is_free = True
    probe(practice, times=2)
    assert "busy: tentative reads as free" in practice.ok("connections", "list")
    found = connection(practice)["calendar"]
    assert found["firm_holds"] is True
    assert found["probed_at"]
