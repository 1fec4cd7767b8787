"""Keys can be changed without anybody having to reconnect."""

from __future__ import annotations

from dataclasses import replace

import pytest

from connector.storage import calendars
from connector.storage.database import Database
from connector.storage.seal import Seal
from tests.cli.keyboard import Cli

OLD, NEW = "old-" * 8, "new-" * 8


@pytest.fixture
def cli(cli: Cli) -> Cli:
    return with_keys(cli, OLD)


def with_keys(cli: Cli, *keys: str) -> Cli:
    return replace(cli, settings={**cli.settings, "CONNECTOR_SECRET_KEYS": ",".join(keys)})


@pytest.mark.usefixtures("calendar")
def test_after_rotating_the_old_key_can_be_taken_away(practice: Cli, sqlite_url: str) -> None:
    assert "of 1 connection are sealed" in with_keys(practice, NEW, OLD).ok("keys", "rotate")
    database = Database(sqlite_url)
    with database.read() as db:
        [connection] = calendars.connections_of(db)
    database.dispose()
    assert Seal([NEW]).open(connection.credentials)["password"] == "secret"


@pytest.mark.usefixtures("calendar")
def test_rotating_twice_is_harmless(practice: Cli) -> None:
    rotating = with_keys(practice, NEW, OLD)
    rotating.ok("keys", "rotate")
    rotating.ok("keys", "rotate")


@pytest.mark.usefixtures("calendar")
def test_a_key_that_opens_nothing_is_a_fault_of_the_settings(practice: Cli) -> None:
    lost = with_keys(practice, NEW)
    assert "Add the former key at the end" in lost.refused("keys", "rotate", code=2)
    assert "Add the former key" in lost.run("doctor").output
