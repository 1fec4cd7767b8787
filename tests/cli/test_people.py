"""Practitioners and clients, and the ways to name them."""

from __future__ import annotations

from tests.cli.keyboard import Cli, ahead


def test_a_practitioner_is_added_and_listed(cli: Cli) -> None:
    words = ("--name", "Kim Berg", "--email", "Kim@example.org", "--zone", "Europe/Berlin", "--buffer", "10")
    cli.ok("practitioners", "add", *words, "--session-level", "4", "--hold-level", "1", "--locale", "de")
    [kim] = cli.json("practitioners", "list")
    assert (kim["name"], kim["email"], kim["zone"], kim["locale"]) == (
        "Kim Berg",
        "kim@example.org",
        "Europe/Berlin",
        "de",
    )
    assert (kim["buffer_minutes"], kim["session_level"], kim["hold_level"]) == (10, 4, 1)
    assert "kim@example.org" in cli.ok("practitioners", "list")


def test_an_address_signs_in_one_practitioner_only(practice: Cli) -> None:
    words = ("--name", "Other", "--email", "KIM@example.org", "--zone", "Europe/Berlin")
    assert "already" in practice.refused("practitioners", "add", *words)


def test_mistakes_about_people_are_told_in_words(cli: Cli) -> None:
    start = ("practitioners", "add", "--name", "Kim")
    assert "not a time zone" in cli.refused(*start, "--email", "kim@example.org", "--zone", "Mars/Base")
    assert "not an e-mail" in cli.refused(*start, "--email", "kim at home", "--zone", "UTC")
    assert "en_GB" in cli.refused(*start, "--email", "kim@example.org", "--zone", "UTC", "--locale", "English", code=2)
    assert "--zone" in cli.refused(*start, "--email", "kim@example.org", code=2)


def test_names_and_addresses_are_taken_as_people_write_them_or_told_what_is_wrong(cli: Cli) -> None:
    add = ("clients", "add", "--zone", "UTC")
    cli.ok(*add, "--name", "Zo\u200cra", "--email", "jo@müller.example")
    [zora] = cli.json("clients", "list")
    assert (zora["name"], zora["email"]) == ("Zo\u200cra", "jo@xn--mller-kva.example")
    cli.ok("clients", "readdress", zora["id"], "--email", "zora@bücher.example")
    assert cli.json("clients", "list")[0]["email"] == "zora@xn--bcher-kva.example"
    refused = cli.refused(*add, "--name", "Z\u202eora", "--email", "jo@example.org")
    assert "an invisible character (U+202E, right-to-left override), which stands there as character 2" in refused
    assert "“ö” (U+00F6) cannot stand before the @" in cli.refused(*add, "--name", "Jö", "--email", "jö@example.org")


def test_empty_lists_say_what_to_do_next(cli: Cli) -> None:
    assert "practitioners add" in cli.ok("practitioners", "list")
    assert "clients add" in cli.ok("clients", "list")
    assert "connections add" in cli.ok("connections", "list")
    assert "practitioners add" in cli.refused("sessions", "list")


def test_a_client_nobody_can_reach_is_pointed_out(cli: Cli) -> None:
    result = cli.run("clients", "add", "--name", "Sam", "--phone", "+4930123456", "--zone", "Europe/Berlin")
    assert result.exit_code == 0
    assert "no offer can be sent" in result.stderr


def test_clients_who_share_an_address_are_told_apart_by_id(practice: Cli) -> None:
    kit = ("--name", "Kit Okoro", "--email", "alex@example.org", "--zone", "Europe/London")
    practice.ok("clients", "add", *kit, "--despite-duplicate")
    booking = ("sessions", "book", "--at", ahead(7), "--phone", "Kim calls", "--client")
    said = practice.refused(*booking, "alex@example.org")
    assert "Alex Okoro" in said
    assert "Kit Okoro" in said
    kit = next(client["id"] for client in practice.json("clients", "list") if client["name"] == "Kit Okoro")
    assert "Kit Okoro" in practice.ok(*booking, kit[:8])


def test_two_practitioners_have_to_be_told_apart(practice: Cli) -> None:
    practice.ok("practitioners", "add", "--name", "Lou", "--email", "lou@example.org", "--zone", "Europe/Paris")
    assert "kim@example.org" in practice.refused("sessions", "list")
    assert practice.json("sessions", "list", "--practitioner", "LOU@example.org") == []
    lou = next(one["id"] for one in practice.json("practitioners", "list") if one["name"] == "Lou")
    assert practice.json("sessions", "list", "--practitioner", lou[:6]) == []


def test_what_is_not_there_is_told_with_where_to_look(practice: Cli) -> None:
    assert "sessions list" in practice.refused("sessions", "show", "00000000")
    assert "first 4 characters" in practice.refused("sessions", "show", "abc")
    assert "is no id of a session" in practice.refused("sessions", "show", "tomorrow")
    assert "practitioners list" in practice.refused("sessions", "list", "--practitioner", "no@example.org")


def test_an_id_needs_no_more_than_its_beginning(practice: Cli) -> None:
    session = practice.book()
    for named in (session, session[:8], session[:8].upper(), session.replace("-", "")[:12], session[:11]):
        assert practice.json("sessions", "show", named)["id"] == session
