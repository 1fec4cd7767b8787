"""The operator looks after endpoints, and after what became of outcomes."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from uuid import UUID

import sqlalchemy as sa

from connector.sentence import Sentence
from connector.services.outcomes import endpoints
from connector.storage import tables
from connector.storage.database import Database
from tests.cli.keyboard import Cli

URL = "https://host.example/outcomes?key=42"


def test_an_endpoint_is_added_tested_disabled_and_removed(practice: Cli) -> None:
    assert "No host is told" in practice.ok("endpoints", "list")
    assert "https://" in practice.refused("endpoints", "add", "http://host.example/")
    made = practice.json("endpoints", "add", "https://host.example/outcomes", "--type", "session.booked")
    assert made["secret"].startswith("whsec_")
    assert practice.json("endpoints", "rotate-secret", made["id"])["secret"] != made["secret"]
    practice.book(7)
    assert "on its way to host.example" in practice.ok("endpoints", "test", made["id"])
    waiting = practice.json("deliveries", "list", "--state", "pending")
    assert sorted(one["type"] for one in waiting) == ["endpoint.test", "session.booked"]
    assert "1 delivery is" in practice.ok("deliveries", "replay", "--since", "2020-01-01T00:00+00:00")
    assert "1 delivery is" in practice.ok("deliveries", "replay", waiting[0]["id"])
    assert practice.run("deliveries", "replay").exit_code == 2
    practice.ok("endpoints", "disable", made["id"])
    assert "disabled" in practice.refused("deliveries", "replay", waiting[0]["id"])
    practice.ok("endpoints", "enable", made["id"])
    [listed] = practice.json("endpoints", "list")
    assert (listed["state"], listed["pending"]) == ("enabled", 2)
    practice.ok("endpoints", "remove", made["id"], "--yes")
    assert practice.json("deliveries", "list") == []


def test_a_link_to_the_page_of_deliveries_is_made_for_an_hour(practice: Cli) -> None:
    made = practice.json("endpoints", "add", URL)
    one = practice.json("deliveries", "page", "--endpoint", made["id"])
    assert "/deliveries/" in one["address"]
    assert one["endpoint_id"] == made["id"]
    left = datetime.fromisoformat(one["until"]) - datetime.now(UTC)  # noqa: TID251 - commands live in real time
    assert timedelta(minutes=50) < left <= timedelta(hours=1)
    assert "/deliveries/" in practice.ok("deliveries", "page").splitlines()[-1]
    assert "no endpoint" in practice.refused("deliveries", "page", "--endpoint", str(UUID(int=7)))


def told(practice: Cli, name: str) -> tuple[bool, str]:
    """What the doctor says of an endpoint."""
    checks = json.loads(practice.run("doctor", "--json").stdout)["checks"]
    [(ok, words)] = [(one["ok"], one["words"]) for one in checks if name in one["name"]]
    return ok, words


def test_the_doctor_says_whether_outcomes_arrive_at_an_endpoint_and_what_to_do(practice: Cli) -> None:
    made = practice.json("endpoints", "add", URL, "--type", "session.booked")
    endpoint_id, name = UUID(made["id"]), f"endpoint {made['id'][:8]} host.example"
    database = Database(practice.settings["CONNECTOR_DATABASE_URL"])
    now = datetime.now(UTC)  # noqa: TID251 - commands live in real time

    def stored(table: sa.Table, **values: object) -> None:
        with database.begin() as db:
            db.execute(sa.update(table).values(values))

    assert told(practice, name) == (True, "takes outcomes, none has arrived yet; nothing waits")
    practice.book(7)
    assert told(practice, name) == (True, "takes outcomes, none has arrived yet; 1 outcome waits")
    stored(tables.outcomes, at=now - timedelta(hours=2))
    ok, words = told(practice, name)
    assert (ok, "1 outcome waits, the oldest since" in words, "pencilled deliveries page" in words) == (
        False,
        True,
        True,
    )
    stored(tables.deliveries, error=Sentence("it answers %(status)s", status=500), tried_at=now, attempts=3)
    stored(tables.endpoints, failing_since=now - timedelta(minutes=4))
    stored(tables.outcomes, at=now)
    assert told(practice, name)[0]
    stored(tables.endpoints, failing_since=now - timedelta(minutes=6))
    ok, words = told(practice, name)
    assert (ok, "UTC: it answers 500; 1 outcome waits." in words, "after three days" in words) == (False, True, True)
    for why, reason in (
        (endpoints.FAILING, "nothing arrived there for three days"),
        (endpoints.GONE, "it answered that it is gone (410)"),
        (endpoints.KEY_LOST, f"pencilled endpoints rotate-secret {endpoint_id}"),
        (endpoints.BY_HAND, "by hand; 1 outcome waits"),
    ):
        stored(tables.endpoints, disabled_at=now, disabled_why=why)
        ok, words = told(practice, name)
        assert ok == (why == endpoints.BY_HAND)
        assert reason in words
        assert f"`pencilled endpoints enable {endpoint_id}`" in words
    stored(tables.endpoints, disabled_at=None, disabled_why=None, failing_since=None)
    stored(tables.deliveries, state="failed")
    ok, words = told(practice, name)
    assert (ok, "some were given up" in words, "nothing waits" in words) == (True, True, True)
    stored(tables.deliveries, state="delivered", error=None)
    assert "the last arrived on" in told(practice, name)[1]
    database.dispose()
