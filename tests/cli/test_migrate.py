"""The schema is brought up to date on purpose, and checked without changing anything."""

from __future__ import annotations

from pathlib import Path

import pytest

from connector.storage.locks import lock_embedded
from tests.cli.keyboard import Cli


@pytest.fixture
def fresh(tmp_path: Path) -> Cli:
    return Cli({"CONNECTOR_DATABASE_URL": f"sqlite:///{tmp_path}/new.sqlite3"})


def test_an_empty_place_becomes_a_database(fresh: Cli) -> None:
    assert "from nothing to step" in fresh.ok("migrate")
    assert fresh.json("clients", "list") == []
    assert "up to date" in fresh.ok("migrate")


def test_checking_changes_nothing(fresh: Cli, tmp_path: Path) -> None:
    assert "pencilled migrate" in fresh.refused("migrate", "--check")
    assert list(tmp_path.iterdir()) == []
    fresh.ok("migrate")
    assert "up to date" in fresh.ok("migrate", "--check")


def test_nobody_serves_from_a_schema_while_it_changes(fresh: Cli) -> None:
    lock = lock_embedded(fresh.settings["CONNECTOR_DATABASE_URL"])
    try:
        assert "another process" in fresh.refused("migrate", code=2)
    finally:
        lock.close()
