"""`pencilled import`: a table or a calendar is shown first, then brought in; what is refused is told with its line."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.keyboard import Cli, ahead

HEAD = "external_id;start;minutes;client_external_id;client_name;client_email;location"


def written(tmp_path: Path, *lines: str, head: str = HEAD, encoding: str = "utf-8", name: str = "old.csv") -> str:
    path = tmp_path / name
    path.write_bytes("\r\n".join((head, *lines)).encode(encoding))
    return str(path)


def line(number: int, days: int) -> str:
    return f"s{number};{ahead(days)};50;c{number};Zoë {number};zoe{number}@client.example;Linden Street {number}"


def test_it_is_shown_first_then_brought_in_and_then_there(practice: Cli, tmp_path: Path) -> None:
    path = written(tmp_path, line(1, 7), line(2, 8), encoding="cp1252")
    said = practice.ok("import", path)
    assert "line 2: s1: would be booked" in said
    assert "Zoë 1 (new client)" in said
    assert "2 new, 0 changed, 0 unchanged, 0 past, 0 refused; 2 new clients" in said
    assert practice.json("sessions", "list") == []
    assert "Done: 2 new" in practice.ok("import", path, "--apply")
    assert "2 unchanged" in practice.ok("import", path, "--apply")
    assert len(practice.json("sessions", "list")) == 2


def test_what_is_refused_is_told_with_its_line_and_the_exit_code(practice: Cli, tmp_path: Path) -> None:
    path = written(tmp_path, line(1, 7), "s2;tomorrow;50;c2;Bo;;Linden Street")
    result = practice.run("import", path, "--apply")
    assert result.exit_code == 1
    assert "line 3: s2: refused. “tomorrow” is no date and time." in result.stderr
    assert "1 new, 0 changed, 0 unchanged, 0 past, 1 refused" in result.stdout


def test_programs_get_each_row_with_what_became_of_it(practice: Cli, tmp_path: Path) -> None:
    path = written(tmp_path, line(1, 7))
    report = practice.json("import", path)
    assert (report["applied"], report["counts"]["new"]) == (False, 1)
    [row] = practice.json("import", path, "--apply")["rows"]
    assert (row["line"], row["external_id"], row["outcome"], row["new_client"]) == (2, "s1", "new", True)
    assert row["session_id"]


def test_a_long_file_shows_how_far_it_is(practice: Cli, tmp_path: Path) -> None:
    path = written(tmp_path, *(line(number, 7 + number) for number in range(60)))
    assert "60/60" in practice.run("import", path).stderr


def test_a_calendar_is_brought_in_as_well(practice: Cli, tmp_path: Path) -> None:
    start = ahead(7).replace("-", "").replace(":", "").replace(" ", "T")
    event = (
        "BEGIN:VEVENT",
        "UID:old-1",
        f"DTSTART;TZID=Europe/Berlin:{start}00",
        "DURATION:PT50M",
        "LOCATION:Linden Street 4\\, Berlin",
        "ORGANIZER:mailto:kim@elsewhere.example",
        "ATTENDEE;CN=Nina Berg:mailto:nina@client.example",
        "END:VEVENT",
    )
    path = written(tmp_path, *event, "END:VCALENDAR", head="BEGIN:VCALENDAR", name="old.ics")
    assert "line 2: old-1: booked" in practice.ok("import", path, "--apply")
    assert "1 unchanged" in practice.ok("import", path, "--apply")
    [session] = practice.json("sessions", "list")
    assert session["client_name"] == "Nina Berg"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "none called external_id and start"),
        (b"external_id,strat,start\n", "Nobody knows what these columns mean: strat"),
        (b"external_id,start,start\n", "twice: start"),
        (b"\x00\x01\x02\x03", "no text that can be read"),
        (b"PK\x03\x04 a spreadsheet \x00\x00", "no text that can be read"),
        (b"<html><body>external_id</body>", "none called"),
        (b"a" * 200_000, "cannot be parted"),
    ],
)
def test_a_file_that_is_no_such_table_is_refused_as_a_whole(
    practice: Cli, tmp_path: Path, content: bytes, words: str
) -> None:
    path = tmp_path / "file.csv"
    path.write_bytes(content)
    assert words in practice.refused("import", str(path))


def test_a_column_can_be_left_out_and_both_wishes_at_once_make_no_sense(practice: Cli, tmp_path: Path) -> None:
    path = written(tmp_path, f"{line(1, 7)};500", head=f"{HEAD};Price")
    assert "Price" not in practice.ok("import", path, "--ignore-column", "Price")
    assert "not both" in practice.refused("import", path, "--apply", "--dry-run", code=2)
    assert "does not exist" in practice.refused("import", "nowhere.csv", code=2)
