"""Connect calendars, look whether they work, and reconnect them."""

from __future__ import annotations

from pathlib import Path

import pytest

from connector.cli.connections import add, reconnect
from connector.errors import AccessLostError, MissingError
from providers.memory.provider import MemoryCalendar, MemoryStore
from tests.cli.keyboard import Cli


def connect(cli: Cli, store: MemoryStore, *more: str, password: str = "secret", code: int = 0) -> str:
    words = ("connections", "add", "--provider", "memory", "--address", store.id, "--password-stdin", *more)
    result = cli.run(*words, stdin=f"{password}\n")
    assert result.exit_code == code, result.output
    return result.stdout if code == 0 else result.stderr


def test_the_only_calendar_is_taken_without_asking(practice: Cli, store: MemoryStore) -> None:
    store.calendar("work")
    assert "Connected “work” of Kim Berg" in connect(practice, store, "--label", "Practice")
    [found] = practice.json("connections", "list")
    assert (found["label"], found["state"], found["calendar"]["name"]) == ("Practice", "ok", "work")
    assert "Practice" in practice.ok("connections", "list", "--practitioner", "kim@example.org")


def test_several_calendars_are_named_to_choose_from(practice: Cli, store: MemoryStore) -> None:
    store.calendar("work")
    store.calendar("private")
    store.calendar("holidays", writable=False)
    said = connect(practice, store, code=1)
    assert "work and private" in said
    assert "holidays" not in said
    assert "“private”" in connect(practice, store, "--calendar", "private")


def test_levels_are_the_practitioners_unless_given(practice: Cli, store: MemoryStore) -> None:
    store.calendar("work")
    store.calendar("other")
    connect(practice, store, "--calendar", "work", "--session-level", "4", "--hold-level", "0")
    connect(practice, store, "--calendar", "other")
    levels = [
        (c["calendar"]["session_level"], c["calendar"]["hold_level"]) for c in practice.json("connections", "list")
    ]
    assert levels == [(4, 0), (2, 2)]


def test_the_levels_are_explained_where_they_are_chosen(practice: Cli) -> None:
    shown = " ".join(practice.ok("connections", "add", "--help").split())
    assert "0 “Busy”; 1 “Session” or “Hold”; 2 initials; 3 first name; 4 full name and place" in shown


def test_a_refused_password_keeps_nothing(practice: Cli, store: MemoryStore) -> None:
    store.calendar("work")
    assert "not accepted" in connect(practice, store, password="wrong", code=1)
    assert practice.json("connections", "list") == []


def test_a_password_never_is_an_argument() -> None:
    for command in (add, reconnect):
        assert not {"--password"} & {name for option in command.params for name in option.opts}


def test_a_password_is_asked_for_without_being_shown(practice: Cli, store: MemoryStore) -> None:
    store.calendar("work")
    words = ("connections", "add", "--provider", "memory", "--address", store.id)
    result = practice.run(*words, stdin="secret\n")
    assert result.exit_code == 0
    assert "Password" in result.stderr
    assert "secret" not in result.output


def test_a_password_comes_from_one_place(practice: Cli, store: MemoryStore, tmp_path: Path) -> None:
    (tmp_path / "password").write_text("secret\n")
    both = ("--password-file", str(tmp_path / "password"), "--password-stdin")
    words = ("connections", "add", "--provider", "memory", "--address", store.id)
    assert "once" in practice.refused(*words, *both, code=2)


def test_a_service_that_is_not_in_use_is_named(practice: Cli) -> None:
    words = ("connections", "add", "--provider", "google", "--address", "kim@example.org", "--password-stdin")
    assert "These are: memory and caldav" in practice.refused(*words, stdin="x")


@pytest.mark.usefixtures("calendar")
def test_a_working_connection_tests_well(practice: Cli) -> None:
    [found] = practice.json("connections", "list")
    assert practice.ok("connections", "test", found["id"][:8]).startswith("ok  work:")


def test_a_calendar_that_is_gone_tests_badly(practice: Cli, calendar: MemoryCalendar, store: MemoryStore) -> None:
    [found] = practice.json("connections", "list")
    del store.calendars[calendar.info.remote_id]
    assert "no longer there" in practice.refused("connections", "test", found["id"])
    store.calendar(calendar.info.remote_id, writable=False)
    assert "no longer be written to" in practice.refused("connections", "test", found["id"])


def test_lost_access_is_named_and_regained_by_reconnecting(
    practice: Cli, calendar: MemoryCalendar, store: MemoryStore
) -> None:
    [found] = practice.json("connections", "list")
    practice.book()
    store.change_password("fresh")
    assert "reconnect" in practice.refused("connections", "test", found["id"])
    assert "reconnect" in practice.refused("resync", "--wait")
    assert "access lost: reconnect" in practice.ok("connections", "list")
    words = ("connections", "reconnect", found["id"], "--address", store.id, "--password-stdin")
    assert "not accepted" in practice.refused(*words, stdin="secret\n")
    practice.ok(*words, stdin="fresh\n")
    practice.ok("resync", "--wait")
    assert [content.title for content in calendar.shown()] == ["Session: A. O."]


def test_trouble_of_a_calendar_is_shown(practice: Cli, calendar: MemoryCalendar) -> None:
    practice.book()
    calendar.offline = MissingError("gone")
    practice.refused("resync", "--wait")
    [found] = practice.json("connections", "list")
    assert found["calendar"]["trouble"]
    assert "takes no entries (since" in practice.refused("connections", "test", found["id"])


def test_a_service_that_loses_its_mind_is_told_in_its_words(practice: Cli, calendar: MemoryCalendar) -> None:
    practice.book()
    calendar.fail(AccessLostError("the token was revoked"), on="put")
    assert "no longer accepted" in practice.refused("resync", "--wait")


@pytest.mark.parametrize(("slug", "label"), [("google", "Google Calendar"), ("outlook", "Outlook")])
def test_a_service_people_sign_in_to_names_its_page(practice: Cli, slug: str, label: str) -> None:
    cli = Cli({**practice.settings, "CONNECTOR_PROVIDERS": f"caldav,{slug}"})
    said = cli.refused("connections", "add", "--provider", slug)
    assert f"{label} is connected by its practitioner" in said
    assert "http://127.0.0.1:8080/calendars" in said


def test_an_address_is_needed_where_access_is_typed_in(practice: Cli) -> None:
    assert "--address" in practice.refused("connections", "add", "--provider", "memory", code=2)


def test_a_calendar_is_disconnected_by_the_worker(practice: Cli, calendar: MemoryCalendar) -> None:
    [found] = practice.json("connections", "list")
    assert "being disconnected" in practice.ok("connections", "disconnect", found["id"])
    assert "being disconnected" in practice.ok("connections", "list")
    assert "being disconnected" in practice.ok("connections", "test", found["id"])
    assert not practice.json("connections", "disconnect", found["id"])["disconnected"]
    assert practice.json("connections", "disconnect", found["id"], "--leave-entries")["disconnected"]
    assert practice.json("connections", "list") == []
    assert calendar.shown() == []


def test_lost_access_is_disconnected_at_once(practice: Cli, calendar: MemoryCalendar, store: MemoryStore) -> None:
    practice.book()
    practice.ok("resync", "--wait")
    store.change_password("fresh")
    practice.book(9, "--despite-conflict")
    practice.refused("resync", "--wait")
    [found] = practice.json("connections", "list")
    assert "stay there" in practice.ok("connections", "disconnect", found["id"])
    assert practice.json("connections", "list") == []
    assert len(calendar.shown()) == 1
