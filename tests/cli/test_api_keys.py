"""Keys of the API, made and revoked at the command line."""

from __future__ import annotations

from connector import app
from tests.cli.keyboard import Cli


def test_a_key_is_made_shown_once_and_revoked(practice: Cli) -> None:
    made = practice.ok("keys", "api", "add", "--name", "Booking site", "--scope", "read", "--scope", "sessions")
    secret = made.splitlines()[0]
    assert secret.startswith("pk_")
    [row] = practice.json("keys", "api", "list")
    assert secret.startswith(f"{row['prefix']}_")
    assert (row["name"], row["scopes"], row["practitioner_id"]) == ("Booking site", ["read", "sessions"], None)
    assert secret not in practice.ok("keys", "api", "list")
    practice.ok("keys", "api", "revoke", row["prefix"])
    [row] = practice.json("keys", "api", "list")
    assert row["revoked_at"]
    practice.ok("keys", "api", "revoke", row["prefix"])


def test_what_a_command_has_made_lets_a_program_in(practice: Cli) -> None:
    made = practice.json("keys", "api", "add", "--scope", "admin")
    runtime = app.build(app.read_settings(practice.settings))
    try:
        client = app.create_app(runtime).test_client()
        answer = client.get("/api/v1/keys", headers={"Authorization": f"Bearer {made['secret']}"})
        assert answer.status_code == 200
        answer.close()
    finally:
        runtime.database.dispose()


def test_a_key_can_be_one_practitioners(practice: Cli) -> None:
    made = practice.json("keys", "api", "add", "--scope", "read", "--practitioner", "kim@example.org")
    [kim] = practice.json("practitioners", "list")
    assert made["practitioner_id"] == kim["id"]


def test_what_cannot_be_is_refused_in_one_line(practice: Cli) -> None:
    assert "no such API key" in practice.refused("keys", "api", "revoke", "pk_00000000")
    assert "anything" in practice.refused("keys", "api", "add", "--scope", "anything", code=2)
    assert "nobody@example.org" in practice.refused(
        "keys", "api", "add", "--scope", "read", "--practitioner", "nobody@example.org"
    )
