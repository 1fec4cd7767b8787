"""Practitioners and clients can be changed and retired by command."""

from __future__ import annotations

from tests.cli.keyboard import Cli, ahead


def _client(practice: Cli, *more: str) -> dict[str, object]:
    [found] = practice.json("clients", "list", *more)
    return dict(found)


def test_everything_about_a_client_can_be_changed(practice: Cli) -> None:
    alex = str(_client(practice)["id"])
    words = ("--name", "Sasha Okoro", "--email", "sasha@example.org", "--phone", "+4930123456", "--zone", "UTC")
    practice.ok("clients", "change", alex, *words, "--channel", "email", "--channel", "sms", "--locale", "de")
    client = _client(practice)
    assert (client["name"], client["email"], client["phone"], client["zone"], client["channels"]) == (
        "Sasha Okoro",
        "sasha@example.org",
        "+4930123456",
        "UTC",
        ["email", "sms"],
    )
    assert "Say what to change" in practice.refused("clients", "change", alex, code=2)
    assert "not an e-mail" in practice.refused("clients", "change", alex, "--email", "nobody")


def test_a_corrected_address_gets_at_once_what_is_still_true_and_the_command_says_so(practice: Cli) -> None:
    session = practice.book(7)
    alex = str(_client(practice)["id"])
    for command in ("change", "readdress"):
        said = practice.ok("clients", command, alex, "--email", f"{command}@example.org")
        assert "Alex Okoro will now get: booking confirmation (" in said
        assert f"at {command}@example.org" in said
    lines = [line["what"] for line in practice.json("sessions", "show", session)["timeline"]]
    assert "Changed about the client: e-mail address" in lines


def test_who_corrects_an_address_to_which_no_mail_goes_learns_that(practice: Cli) -> None:
    alex = str(_client(practice)["id"])
    practice.ok("clients", "change", alex, "--phone", "+447700900123", "--channel", "sms")

    result = practice.run("clients", "readdress", alex, "--email", "right@example.org")

    assert (result.exit_code, "told at" in result.stdout) == (0, False)
    assert "no mail goes there" in result.stderr


def test_everything_about_a_practitioner_can_be_changed_and_what_is_not_named_stays(practice: Cli) -> None:
    words = ("--name", "Kim Stone", "--email", "stone@example.org", "--zone", "Europe/Paris", "--locale", "de")
    said = practice.ok("practitioners", "change", "kim@example.org", *words, "--buffer", "15", "--session-level", "4")
    assert "told at stone@example.org from now on" in said
    assert "told at" not in practice.ok("practitioners", "change", "stone@example.org", "--replies")
    [kim] = practice.json("practitioners", "list")
    assert (kim["name"], kim["email"], kim["zone"], kim["locale"]) == (
        "Kim Stone",
        "stone@example.org",
        "Europe/Paris",
        "de",
    )
    assert (kim["buffer_minutes"], kim["session_level"], kim["hold_level"], kim["replies"]) == (15, 4, 2, True)
    practice.ok("practitioners", "add", "--name", "Lou", "--email", "lou@example.org", "--zone", "Europe/Paris")
    assert "already" in practice.refused("practitioners", "change", "lou@example.org", "--email", "Stone@example.org")


def test_a_buffer_by_which_sessions_would_collide_is_refused_and_names_them(practice: Cli) -> None:
    first = practice.book(7, at="10:00")
    practice.book(7, at="11:00")
    said = practice.refused("practitioners", "change", "kim@example.org", "--buffer", "30")
    assert first[:8] in said
    assert practice.json("practitioners", "list")[0]["buffer_minutes"] == 0
    practice.ok("practitioners", "change", "kim@example.org", "--buffer", "10")
    booking = ("sessions", "book", "--client", "alex@example.org", "--phone", "Kim calls", "--at")
    assert "taken" in practice.refused(*booking, ahead(7, "11:55")), "sessions booked before keep the new buffer, too"


def test_who_is_retired_takes_no_new_bookings_and_is_listed_only_on_request(practice: Cli) -> None:
    session = practice.book(7)
    alex = str(_client(practice)["id"])
    assert session[:8] in practice.refused("clients", "retire", alex)
    assert session[:8] in practice.refused("practitioners", "retire", "kim@example.org")
    practice.ok("sessions", "cancel", session, "--yes")
    practice.ok("clients", "retire", alex)
    assert practice.json("clients", "list") == []
    assert _client(practice, "--all")["id"] == alex
    booking = ("sessions", "book", "--phone", "Kim calls", "--at", ahead(8), "--client")
    assert "retired" in practice.refused(*booking, "alex@example.org")
    practice.ok("practitioners", "retire", "kim@example.org")
    assert practice.json("practitioners", "list") == []
    practice.ok("clients", "add", "--name", "Sam", "--email", "sam@example.org", "--zone", "UTC")
    assert "retired" in practice.refused(*booking, "sam@example.org")


def test_a_practitioner_is_retired_once_their_calendars_are_disconnected(practice: Cli, calendar: object) -> None:
    assert calendar
    assert "connections disconnect" in practice.refused("practitioners", "retire", "kim@example.org")


def test_a_number_is_stored_as_networks_have_it_and_nobody_is_texted_without_their_word(practice: Cli) -> None:
    words = ("--name", "Sam", "--phone", "+44 7700 900123", "--zone", "Europe/London", "--channel", "sms")
    assert "they get no texts until they have agreed" in practice.run("clients", "add", *words).output
    [sam] = [one for one in practice.json("clients", "list") if one["name"] == "Sam"]
    assert sam["phone"] == "+447700900123"

    def changed(*words: str) -> str:
        return practice.run("clients", "change", str(sam["id"]), *words).output

    assert "until they have agreed" not in changed("--texts-agreed")
    assert "until they have agreed" in changed("--no-texts")
    assert "in no range" in changed("--phone", "+15550100123")
    assert "too few or too many" in changed("--phone", "+1555")


def test_who_is_like_somebody_is_saved_only_on_request(practice: Cli) -> None:
    words = ("clients", "add", "--name", "alex okoro", "--email", "noa@example.org", "--zone", "UTC")
    said = practice.refused(*words)
    assert "There is another client called Alex Okoro." in said
    assert "--despite-duplicate" in said
    assert len(practice.json("clients", "list")) == 1
    practice.ok(*words, "--despite-duplicate")
    noa = next(str(one["id"]) for one in practice.json("clients", "list") if one["email"] == "noa@example.org")
    assert "same e-mail address" in practice.refused("clients", "change", noa, "--email", "ALEX@example.org")
    practice.ok("clients", "change", noa, "--email", "alex@example.org", "--despite-duplicate")
    practice.ok("clients", "change", noa, "--zone", "Europe/Paris")  # what stays as it was is not asked about again

    kim = ("practitioners", "add", "--name", "kim berg", "--email", "other@example.org", "--zone", "UTC")
    assert "There is another practitioner called" in practice.refused(*kim)
    practice.ok(*kim, "--despite-duplicate")
