"""The operator looks after endpoints, and after what became of outcomes."""

from __future__ import annotations

from tests.cli.keyboard import Cli


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
