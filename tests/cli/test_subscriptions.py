"""Support sees which calendar subscriptions are open, and ends one for whoever asks."""

from __future__ import annotations

from datetime import UTC, datetime

from connector.domain.people import CLOCK, Level
from connector.services import publishing
from connector.storage import people
from connector.storage.database import Database
from connector.storage.seal import Seal
from tests.cli.keyboard import Cli
from tests.cli.test_personal import alex

SEAL = Seal(["a test key of at least thirty-two characters"])


def test_a_subscription_is_listed_without_its_address_and_ended_once(practice: Cli) -> None:
    assert practice.ok("subscriptions", "list") == "Nobody has a calendar subscription.\n"
    database = Database(practice.settings["CONNECTOR_DATABASE_URL"])
    now = datetime.now(UTC)  # noqa: TID251 - the commands live in real time
    with database.begin() as db:
        [kim] = people.all_practitioners(db)
        client = people.clients_by_email(db, "alex@example.org")[0]
        own = publishing.open_for_client(db, SEAL, client.id, by=CLOCK, now=now)
        publishing.open_for_practitioner(
            db, SEAL, kim.id, session_level=Level.BUSY, hold_level=Level.BUSY, by=CLOCK, now=now
        )
    database.dispose()
    session = practice.book(7)
    listed = practice.json("subscriptions", "list")
    assert {(one["name"], one["of"]) for one in listed} == {("Alex Okoro", "client"), ("Kim Berg", "practitioner")}
    assert publishing.token_of(SEAL, own) not in practice.ok("subscriptions", "list")
    assert alex(practice) == str(client.id)
    changed = practice.run("clients", "change", str(client.id), "--email", "alexa@example.org")
    assert "calendar subscription has ended" in changed.stderr
    assert "no calendar subscription of that id" in practice.refused("subscriptions", "revoke", str(own.id))
    with database.begin() as db:
        anew = publishing.open_for_client(db, SEAL, client.id, by=CLOCK, now=now)
    database.dispose()
    said = practice.ok("subscriptions", "revoke", str(anew.id))
    assert "invited again" in said
    assert "no calendar subscription of that id" in practice.refused("subscriptions", "revoke", str(anew.id))
    assert "calendar subscription ended" in practice.ok("sessions", "show", session)
    for one in practice.json("subscriptions", "list"):
        practice.ok("subscriptions", "revoke", one["id"])
    assert practice.json("subscriptions", "list") == []


def test_an_address_with_busy_times_is_shown_when_it_is_made_and_listed_by_its_name(practice: Cli) -> None:
    made = practice.json("subscriptions", "busy", "--name", "Our booking page")
    assert "/feed/" in made["address"]
    said = practice.ok("subscriptions", "busy", "--name", "Another page")
    assert "learns when Kim Berg is not free" in said
    listed = practice.json("subscriptions", "list")
    assert [(one["of"], one["busy_only_for"]) for one in listed] == [
        ("practitioner", "Our booking page"),
        ("practitioner", "Another page"),
    ]
    shown = practice.ok("subscriptions", "list")
    assert "Our booking page" in shown
    assert "/feed/" not in shown
    practice.ok("subscriptions", "revoke", made["id"])
    assert [one["busy_only_for"] for one in practice.json("subscriptions", "list")] == ["Another page"]
    assert "must not be empty" in practice.refused("subscriptions", "busy", "--name", " ")
