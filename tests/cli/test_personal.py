"""What is stored about a client is exported and erased by command."""

from __future__ import annotations

import json
import stat
from pathlib import Path

from tests.cli.keyboard import Cli

PRIVATE = 0o600


def alex(practice: Cli) -> str:
    [found] = practice.json("clients", "list")
    return str(found["id"])


def test_an_export_is_whole_or_not_there_and_its_owner_alone_can_read_it(practice: Cli, tmp_path: Path) -> None:
    session = practice.book(7)
    client = alex(practice)
    written = tmp_path / "alex.json"
    practice.ok("clients", "export", client, "--output", str(written))
    assert stat.S_IMODE(written.stat().st_mode) == PRIVATE
    sections = json.loads(written.read_text(encoding="utf-8"))
    assert (sections["client"]["name"], [one["id"] for one in sections["sessions"]]) == ("Alex Okoro", [session])
    printed = json.loads(practice.ok("clients", "export", client))
    assert printed | {"exported_at": ""} == sections | {"exported_at": ""}
    before = sorted(tmp_path.iterdir())
    assert "Nothing was written" in practice.refused("clients", "export", client, "--output", f"{tmp_path}/no/a.json")
    assert sorted(tmp_path.iterdir()) == before
    assert "no such client" in practice.refused("clients", "export", session)


def test_nobody_is_erased_unasked_or_while_something_stands(practice: Cli) -> None:
    session = practice.book(7)
    client = alex(practice)
    assert session[:8] in practice.refused("clients", "erase", client, "--yes")
    practice.ok("sessions", "cancel", session, "--yes")
    practice.refused("clients", "erase", client, stdin="n\n")
    assert practice.json("clients", "list")[0]["name"] == "Alex Okoro"
    said = practice.ok("clients", "erase", client, stdin="y\n")
    assert "Back-ups made before today still hold it" in said
    assert practice.json("clients", "list") == []
    [erased] = practice.json("clients", "list", "--all")
    assert (erased["id"], erased["name"], erased["email"], erased["channels"]) == (client, "Erased client", "", [])


def test_pages_and_lists_of_an_erased_client_name_nobody_and_erasing_again_does_no_harm(
    practice: Cli, sqlite_url: str
) -> None:
    session = practice.book(7)
    client = alex(practice)
    practice.ok("sessions", "cancel", session, "--yes")
    practice.ok("clients", "erase", client, "--yes")
    shown = [
        practice.ok("sessions", "list"),
        practice.ok("sessions", "show", session),
        practice.ok("clients", "list", "--all"),
        practice.ok("clients", "export", client),
    ]
    assert all("Alex" not in text and "alex@" not in text for text in shown)
    assert "Erased client" in shown[1]
    assert "was erased before" in practice.ok("clients", "erase", client, "--yes")
    file = Path(sqlite_url.removeprefix("sqlite:///"))
    for one in (file, *file.parent.glob(f"{file.name}-*")):
        assert b"Okoro" not in one.read_bytes()
    assert "erased" in practice.refused("clients", "unretire", client)
    assert "erased" in practice.refused("clients", "change", client, "--name", "Alex Okoro")


def test_a_name_that_somebody_else_has_too_is_said_to_be_left_where_others_are_told_of(practice: Cli) -> None:
    first = alex(practice)
    other = (
        "clients",
        "add",
        "--name",
        "alex okoro",
        "--email",
        "okoro@example.net",
        "--zone",
        "UTC",
        "--despite-duplicate",
    )
    second = json.loads(practice.ok(*other, "--json"))["id"]
    left = "Somebody else goes by the same name"
    assert left in practice.run("clients", "erase", first, "--yes").stderr
    assert left not in practice.run("clients", "erase", second, "--yes").stderr


def test_who_was_retired_can_be_taken_back(practice: Cli) -> None:
    client = alex(practice)
    practice.ok("clients", "retire", client)
    practice.ok("practitioners", "retire", "kim@example.org")
    practice.ok("clients", "unretire", client)
    practice.ok("practitioners", "unretire", "kim@example.org")
    assert practice.book(7)
    practice.ok("clients", "unretire", client)
