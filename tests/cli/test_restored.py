"""The operator's one decision after the database was restored from a back-up."""

from __future__ import annotations

from pathlib import Path

from connector.errors import RefusedError, TransientError
from connector.storage import installation
from connector.storage.database import Database
from providers.memory.provider import MemoryCalendar, MemoryStore
from tests.cli.keyboard import Cli, ahead
from tests.services.backups import Backup


def set_back(practice: Cli, *, witnessed: bool = True) -> tuple[str, str]:
    """Set the database back to before a session was cancelled and another booked; return the ids of the two."""
    url = practice.settings["CONNECTOR_DATABASE_URL"]
    session = practice.book()
    practice.ok("resync", "--wait")
    backup = Backup(url)
    practice.ok("sessions", "cancel", session, "--yes")
    newer = practice.book(14)
    practice.ok("resync", "--wait")  # and with it the witness learns of both
    database = Database(url)
    backup.restore(database)
    database.dispose()
    if not witnessed:
        Path(url.removeprefix("sqlite:///") + ".witness").unlink()
    return session, newer


def test_a_restore_is_noticed_by_the_next_command_and_told_by_every_door(
    practice: Cli, calendar: MemoryCalendar
) -> None:
    set_back(practice)
    stands = len(calendar.events)
    assert "nothing is lost" in practice.refused("sessions", "book", "--client", "alex@example.org", *at())
    assert "restored from a back-up" in practice.run("doctor").stdout
    assert "pencilled restored" in practice.run("doctor").stdout
    practice.refused("resync", "--wait")
    assert len(calendar.events) == stands


def test_what_differs_is_listed_and_one_decision_puts_it_right(practice: Cli, calendar: MemoryCalendar) -> None:
    session, _newer = set_back(practice)
    listed = practice.ok("restored")
    assert "gone" in listed
    assert "unknown" in listed
    assert "--follow calendars" in listed

    practice.ok("restored", "--follow", "calendars", "--yes")
    practice.ok("resync", "--wait")

    assert len(calendar.events) == 2  # the cancelled one is back and flagged; the newer is the practitioner's own
    assert "a restore left it uncertain" in practice.ok("sessions", "show", session)
    assert "nothing to do" in practice.ok("resync", "--dry-run")


def test_following_the_database_removes_what_nobody_knows(practice: Cli, calendar: MemoryCalendar) -> None:
    set_back(practice)
    practice.ok("restored", "--follow", "database", "--yes")
    practice.ok("resync", "--wait")
    assert len(calendar.events) == 1


def test_without_a_witness_the_command_itself_says_that_the_database_was_restored(
    practice: Cli, calendar: MemoryCalendar
) -> None:
    set_back(practice, witnessed=False)
    assert calendar.events
    assert "restored" not in practice.run("doctor").stdout
    practice.refused("restored", stdin="n\n")
    assert "restored from a back-up" not in practice.run("doctor").stdout
    practice.ok("restored", stdin="y\n")
    assert "restored from a back-up" in practice.run("doctor").stdout


def test_a_calendar_that_cannot_be_read_is_decided_about_only_if_that_is_said(
    practice: Cli, calendar: MemoryCalendar
) -> None:
    set_back(practice)
    with_fault = TransientError("the service is down")
    calendar.offline = with_fault
    assert "cannot be read" in practice.refused("restored", "--follow", "calendars", "--yes")
    practice.ok("restored", "--follow", "calendars", "--leave-unread", "--yes")
    calendar.offline = None
    assert "stopped" in practice.ok("resync", "--dry-run")
    assert "--follow calendars --continue" in practice.ok("restored", "--continue")
    practice.ok("restored", "--follow", "calendars", "--continue", "--yes")
    assert "stopped" not in practice.ok("resync", "--dry-run")
    assert "no calendar waits" in practice.refused("restored", "--follow", "calendars", "--continue", "--yes")
    assert epoch(practice) == 1


def epoch(practice: Cli) -> int:
    """How often the database was restored, as far as it knows."""
    database = Database(practice.settings["CONNECTOR_DATABASE_URL"])
    with database.read() as db:
        stored = installation.get(db)
    database.dispose()
    return stored.epoch


def move_elsewhere(practice: Cli, backup: Backup) -> None:
    """Restore a back-up on a machine that has no witness."""
    url = practice.settings["CONNECTOR_DATABASE_URL"]
    set_back_to(backup, url)
    Path(url.removeprefix("sqlite:///") + ".witness").unlink(missing_ok=True)


def test_a_back_up_made_while_one_calendar_waited_counts_as_restored_again(
    practice: Cli, calendar: MemoryCalendar
) -> None:
    set_back(practice)
    calendar.offline = TransientError("the service is down")
    practice.ok("restored", "--follow", "calendars", "--leave-unread", "--yes")
    calendar.offline = None
    backup = Backup(practice.settings["CONNECTOR_DATABASE_URL"])
    practice.book(21)
    move_elsewhere(practice, backup)

    practice.ok("restored", "--follow", "database", "--yes")

    assert epoch(practice) == 2


def test_a_back_up_made_in_a_standstill_counts_as_restored_again_whoever_looks_first(
    practice: Cli, calendar: MemoryCalendar
) -> None:
    set_back(practice)
    practice.ok("restored")
    backup = Backup(practice.settings["CONNECTOR_DATABASE_URL"])
    practice.ok("restored", "--follow", "calendars", "--yes")
    assert (epoch(practice), bool(calendar.events)) == (1, True)
    move_elsewhere(practice, backup)
    assert "restored from a back-up" in practice.run("doctor").stdout

    practice.ok("restored")
    practice.ok("restored")
    practice.ok("restored", "--follow", "calendars", "--yes")

    assert epoch(practice) == 2


def test_a_calendar_that_lets_nothing_be_removed_waits_alone(practice: Cli, calendar: MemoryCalendar) -> None:
    set_back(practice)
    calendar.fail(RefusedError("read-only"), on="remove")
    said = practice.run("restored", "--follow", "database", "--yes")
    assert said.exit_code == 0
    assert "“work” stays stopped: an event cannot be removed there: read-only." in said.stderr
    practice.book(20)  # all else goes on
    assert "stopped" in practice.ok("resync", "--dry-run")

    assert "stays stopped" not in practice.run("restored", "--follow", "database", "--continue", "--yes").stderr
    practice.ok("resync", "--wait")
    assert len(calendar.events) == 2  # what nobody knows is gone


def test_a_dry_run_lists_what_differs_before_anything_stands_still(practice: Cli, calendar: MemoryCalendar) -> None:
    set_back(practice, witnessed=False)
    assert calendar.events
    listed = practice.ok("restored", "--dry-run")
    assert "gone" in listed
    assert "unknown" in listed
    assert "restored from a back-up" not in practice.run("doctor").stdout
    assert practice.ok("restored", "--dry-run", "--continue") == ""


def test_a_target_that_was_changed_since_is_named_and_nothing_is_taken_to_be_gone(
    practice: Cli, calendar: MemoryCalendar, store: MemoryStore
) -> None:
    url = practice.settings["CONNECTOR_DATABASE_URL"]
    session = practice.book()
    practice.ok("resync", "--wait")
    backup = Backup(url)
    second = store.calendar("second")
    [connection] = practice.json("connections", "list")
    practice.ok("connections", "target", connection["id"], "--calendar", "second")
    practice.ok("resync", "--wait")
    calendar.wipe()  # as a running server does once all stands in the other
    assert len(second.events) == 1
    set_back_to(backup, url)

    assert "“second”, another calendar of the same account, holds 1 entries of ours" in practice.ok("restored")
    practice.ok("restored", "--follow", "calendars", "--yes")
    practice.ok("resync", "--wait")

    assert "a restore left it uncertain" not in practice.ok("sessions", "show", session)
    assert len(second.events) == 1


def at() -> tuple[str, ...]:
    return ("--at", ahead(20), "--phone", "Kim calls")


def test_who_was_erased_after_the_back_up_is_erased_again_by_the_decision(practice: Cli) -> None:
    url = practice.settings["CONNECTOR_DATABASE_URL"]
    [alex] = practice.json("clients", "list")
    cancelled = practice.book()
    practice.ok("sessions", "cancel", cancelled, "--yes")
    practice.ok("resync", "--wait")
    backup = Backup(url)
    practice.ok("clients", "erase", alex["id"], "--yes")
    set_back_to(backup, url)
    assert f"pencilled clients erase {alex['id']}" in practice.run("doctor").stdout
    assert "is erased again" in practice.ok("restored", "--follow", "calendars", "--yes")
    assert practice.json("clients", "list") == []
    assert "Alex Okoro" not in practice.ok("sessions", "show", cancelled)
    assert "erased client" not in practice.run("doctor").stdout


def test_who_was_erased_and_cannot_be_yet_is_named_with_what_to_do(practice: Cli) -> None:
    url = practice.settings["CONNECTOR_DATABASE_URL"]
    [alex] = practice.json("clients", "list")
    booked = practice.book()
    practice.ok("resync", "--wait")
    backup = Backup(url)
    practice.ok("sessions", "cancel", booked, "--yes")
    practice.ok("clients", "erase", alex["id"], "--yes")
    set_back_to(backup, url)
    said = practice.run("restored", "--follow", "calendars", "--yes").stderr
    assert booked[:8] in said
    assert f"Then: pencilled clients erase {alex['id']}" in said


def set_back_to(backup: Backup, url: str) -> None:
    database = Database(url)
    backup.restore(database)
    database.dispose()
