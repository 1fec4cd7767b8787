"""A refusal is told in words; with --json programs are told its code, too."""

import json
from typing import Any

import pytest

from tests.cli.keyboard import Cli, ahead


def told(cli: Cli, *words: str, exit_code: int = 1) -> Any:
    """Return what a program is told, once a person is told the same."""
    result = cli.run(*words, "--json")
    assert result.exit_code == exit_code, result.output
    error = json.loads(result.stdout)["error"]
    assert error["message"] in result.stderr
    return error


def test_a_program_is_told_the_code_the_field_and_the_values(practice: Cli) -> None:
    past = ahead(-1, "09:30")
    words = ("sessions", "book", "--client", "alex@example.org", "--at", past, "--phone", "Kim calls")
    error = told(practice, *words)
    assert (error["code"], error["field"]) == ("time_passed", "when")
    assert error["values"] == {"when": f"{past.replace(' ', 'T')}:00", "zone": "Europe/Berlin"}
    assert error["message"].endswith("(Europe/Berlin) has already passed. Choose a time in the future.")


def test_a_list_stays_a_list(practice: Cli) -> None:
    two = ("--name", "Alex Two", "--email", "alex@example.org", "--zone", "Europe/London", "--despite-duplicate")
    practice.ok("clients", "add", *two)
    words = ("sessions", "book", "--client", "alex@example.org", "--at", ahead(7), "--phone", "Kim calls")
    error = told(practice, *words)
    assert error["code"] == "client_address_shared"
    assert [name.partition(" (")[0] for name in error["values"]["clients"]] == ["Alex Okoro", "Alex Two"]


def test_what_is_no_refusal_of_the_domain_has_a_code(cli: Cli, tmp_path: Any) -> None:
    missing = Cli({**cli.settings, "CONNECTOR_DATABASE_URL": f"sqlite:///{tmp_path}/none.sqlite3"})
    assert told(missing, "clients", "list")["code"] == "database_file_missing"
    wrong = Cli({**cli.settings, "CONNECTOR_LOG_LEVEL": "loud"})
    error = told(wrong, "clients", "list", exit_code=2)
    assert error["code"] == "settings_unusable"
    assert ["CONNECTOR_LOG_LEVEL" in fault for fault in error["values"]["faults"]] == [True]


@pytest.mark.parametrize(
    ("words", "field"),
    [
        (("sessions", "book", "--client", "alex@example.org", "--at", "tomorrow", "--phone", "Kim calls"), "at"),
        (("sessions", "book", "--at", "2027-12-01 14:00"), "client"),
        (("clients", "list", "--coloured"), None),
        (("clients", "invite"), None),
        (("invite",), None),
    ],
)
def test_a_command_that_cannot_be_understood_has_a_code_too(practice: Cli, words: tuple[str, ...], field: str) -> None:
    error = told(practice, *words, exit_code=2)
    assert (error["code"], error["field"]) == ("usage_wrong", field)


def test_what_fills_in_the_words_of_a_command_is_told_apart_from_them(cli: Cli, tmp_path: Any) -> None:
    missing = Cli({**cli.settings, "CONNECTOR_DATABASE_URL": f"sqlite:///{tmp_path}/none.sqlite3"})
    assert told(missing, "clients", "list")["values"] == {"path": f"{tmp_path}/none.sqlite3"}


@pytest.mark.parametrize("words", [("sessions", "show", "tomorrow"), ("connections", "add", "--provider", "google")])
def test_without_json_nothing_but_words_is_printed(practice: Cli, words: tuple[str, ...]) -> None:
    result = practice.run(*words)
    assert result.exit_code
    assert not result.stdout
    assert "{" not in result.stderr
