"""Who may ask for what is a table, and an installation answers as it says; a route without a row fails."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from connector import app
from connector.storage.database import Database
from tests.authorization import KEYS, ROLES, every_route, world
from tests.conftest import Clock
from tests.web.stage import Stage, stage_of

TABLE = Path(__file__).parent / "data" / "authorization.csv"
WORDS = {"open", "signin", "401", "403", "404", "405", "ended", "malformed"}


@pytest.fixture
def installed(sqlite_database: Database, sqlite_url: str, clock: Clock) -> Stage:
    stage = stage_of(sqlite_database, sqlite_url, clock, api_rate=1_000_000)
    stage.app = app.create_app(stage.runtime)
    return stage


def table() -> dict[str, dict[str, str]]:
    """Return what each role is answered, by route."""
    with TABLE.open(encoding="utf-8", newline="") as file:
        return {row.pop("route"): row for row in csv.DictReader(file)}


def test_each_route_has_its_row_and_each_row_its_route(installed: Stage) -> None:
    routes = [str(asked) for asked in every_route(installed)]
    assert len(set(routes)) == len(routes)
    assert list(table()) == routes


def test_each_row_says_of_everybody_how_they_are_answered() -> None:
    for route, row in table().items():
        assert tuple(row) == ROLES, route
        assert set(row.values()) <= WORDS, route


def test_whoever_is_not_named_is_let_in_nowhere() -> None:
    """What the API does takes a key that is in use, and what is Ada's no other key; no key opens a page."""
    for route, row in table().items():
        method, _, path = route.partition(" ")
        if not path.startswith("/api/v1/"):
            assert {row[key] for key in KEYS} == {row["anonymous"]}, route
        elif path.count("/") > 3 and "<" in path and method != "GET":
            assert row["theirs"] != "open" or "external_id" in path, route


@pytest.mark.parametrize("door", ["pages", "api"])
def test_everybody_is_answered_as_the_table_says(installed: Stage, door: str) -> None:
    said = table()
    with world(installed) as everything:
        routes = [asked for asked in every_route(installed) if asked.is_api is (door == "api")]
        found = {str(asked): {role: everything.answer(asked, role) for role in ROLES} for asked in routes}
    wrong = [
        f"{route}: {role} is answered {word}, not {said.get(route, {}).get(role, 'as nobody says')}"
        for route, row in found.items()
        for role, word in row.items()
        if said.get(route, {}).get(role) != word
    ]
    assert not wrong, "\n".join(wrong)
    assert len(found) > 30
