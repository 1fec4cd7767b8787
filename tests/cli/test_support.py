"""Whoever runs the installation names the people who help clients, and sees what they have looked at and done."""

from __future__ import annotations

from tests.cli.keyboard import Cli, ahead

ROBIN = ("Robin Hale", "robin@example.org")


def test_somebody_is_named_listed_and_removed(cli: Cli) -> None:
    assert "They sign in at http://127.0.0.1:8080/support" in cli.ok("support", "add", *ROBIN, "--locale", "de")
    assert cli.json("support", "list") == [{"name": "Robin Hale", "email": "robin@example.org", "locale": "de"}]
    assert "Robin Hale" in cli.ok("support", "list")
    assert "signed out everywhere" in cli.ok("support", "remove", "ROBIN@example.org")
    assert "Nobody is named" in cli.ok("support", "list")


def test_mistakes_are_told_in_words(cli: Cli) -> None:
    cli.ok("support", "add", *ROBIN)
    assert "Somebody of support has the address" in cli.refused("support", "add", "Other", "Robin@example.org")
    taken = cli.refused("support", "add", "robin HALE", "other@example.org")
    assert "Somebody of support is called robin HALE already." in taken
    assert [one["email"] for one in cli.json("support", "list")] == [ROBIN[1]]
    assert "no @" in cli.refused("support", "add", "Robin", "robin")
    assert "pencilled support list" in cli.refused("support", "remove", "sam@example.org")


def test_what_support_has_done_is_shown_with_who_and_why(practice: Cli) -> None:
    assert "Support has looked at nothing and done nothing." in practice.ok("support", "log")
    session = practice.book()
    practice.offer(session, ahead(9))
    practice.ok("sessions", "answer", session, "--cancel", "--support", "Robin Hale", "--reason", "called, is ill")
    lines = practice.json("support", "log")
    assert {(line["who"], line["why"], line["session"]) for line in lines} == {
        ("Robin Hale", "called, is ill", session)
    }
    assert any("cancelled" in line["what"].lower() for line in lines)
    shown = practice.ok("support", "log", "--days", "1")
    assert "there is more" not in shown
    assert "Robin Hale" in shown
    assert session[:8] in shown
    second = practice.book(8)
    practice.offer(second, ahead(10))
    practice.ok("sessions", "answer", second, "--cancel", "--support", "Robin Hale", "--reason", "called, is ill")
    few = practice.run("support", "log", "--most", "1")
    assert few.exit_code == 0
    assert (second[:8] in few.stdout, session[:8] in few.stdout) == (True, False)
    assert "There is more, before that: raise --most (now 1), or name fewer --days." in " ".join(few.output.split())
    assert "Alex" not in shown
