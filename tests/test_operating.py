"""The page for operators is tried out: its units, its containers, its back-up; `test_proxies` has its proxies."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from tests.cli.keyboard import Cli
from tests.operating_page import BLOCKS, program

UNITS = [name for name in BLOCKS if name.endswith(".service")]


@pytest.mark.parametrize("name", UNITS)
def test_systemd_takes_the_units(name: str, tmp_path: Path) -> None:
    stand_in = tmp_path / "pencilled"
    stand_in.write_text("#!/bin/sh\n")
    stand_in.chmod(0o755)
    text = BLOCKS[name].replace("/opt/pencilled/bin/pencilled", str(stand_in)).replace("User=pencilled\n", "")
    others = [unit for unit in UNITS if unit != name]
    for unit in (name, *others):
        (tmp_path / unit).write_text(
            text if unit == name else BLOCKS[unit].replace("/opt/pencilled/bin", str(tmp_path))
        )
    done = subprocess.run(
        [program("systemd-analyze"), "verify", tmp_path / name], capture_output=True, text=True, check=False
    )
    assert [line for line in done.stderr.splitlines() if name in line] == []


def shell(name: str, **environment: str) -> None:
    done = subprocess.run(
        ["sh", "-eu", "-c", BLOCKS[name]],
        env={"PATH": "/usr/local/bin:/usr/bin:/bin", **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_a_sqlite_back_up_can_be_restored(tmp_path: Path) -> None:
    program("sqlite3")
    database, backup = tmp_path / "pencilled.sqlite3", tmp_path / "backup"
    backup.mkdir()
    cli = Cli({"CONNECTOR_DATABASE_URL": f"sqlite:///{database}"})
    cli.ok("migrate")
    add = ("clients", "add", "--email", "alex@example.org", "--zone", "Europe/London")
    cli.ok(*add, "--name", "Alex Okoro")
    places = {"DATABASE": str(database), "BACKUP": str(backup)}
    shell("backup-sqlite", **places)
    key = database.with_name("pencilled.sqlite3.key").read_text()
    for path in tmp_path.glob("pencilled.sqlite3*"):
        path.unlink()
    shell("restore-sqlite", **places)
    assert [client["name"] for client in cli.json("clients", "list")] == ["Alex Okoro"]
    assert database.with_name("pencilled.sqlite3.key").read_text() == key


@pytest.mark.postgresql
def test_a_postgresql_back_up_can_be_restored(postgresql_url: str, tmp_path: Path) -> None:
    program("pg_dump")
    settings = {
        "CONNECTOR_DATABASE_URL": postgresql_url,
        "CONNECTOR_BROKER_URL": "redis://127.0.0.1:1/0",
        "CONNECTOR_SECRET_KEYS": "k" * 32,
    }
    cli = Cli(settings)
    add = ("clients", "add", "--zone", "Europe/London")
    cli.ok(*add, "--name", "Alex Okoro", "--email", "alex@example.org")
    places = {"DATABASE_URL": postgresql_url, "BACKUP": str(tmp_path)}
    shell("backup-postgresql", **places)
    cli.ok(*add, "--name", "Later", "--email", "later@example.org")
    shell("restore-postgresql", **places)
    listed = json.loads(cli.ok("clients", "list", "--json"))
    assert [client["name"] for client in listed] == ["Alex Okoro"]
