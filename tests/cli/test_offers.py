"""Offer other times: a draft is inert, sending is explicit, and what stands can be taken back."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from tests.cli.keyboard import Cli, ahead


def test_a_draft_says_plainly_that_nothing_was_sent(practice: Cli) -> None:
    session = practice.book()
    said = practice.ok("offers", "draft", session, "--at", ahead(8), "--at", ahead(9, "16:30"))
    assert "Nothing has been sent and nothing is held" in said
    [draft] = practice.json("offers", "show", session)
    assert draft["state"] == "draft"
    assert [one["number"] for one in draft["alternatives"]] == [1, 2]
    assert draft["alternatives"][1]["local"].endswith("T16:30:00")
    assert len(practice.json("sessions", "show", session)["messages"]) == 1


def test_a_draft_may_have_its_own_window_length_and_place(practice: Cli) -> None:
    session = practice.book()
    more = ("--window", "2h", "--minutes", "30", "--online", "https://meet.example.org/kim")
    draft = practice.json("offers", "draft", session, "--at", ahead(8), *more)
    [one] = draft["alternatives"]
    assert draft["window_seconds"] == 7200
    assert one["location"]["kind"] == "online"
    assert datetime.fromisoformat(one["end"]) - datetime.fromisoformat(one["start"]) == timedelta(minutes=30)


def test_sending_starts_the_clock_and_warns_where_nobody_will_see_it(practice: Cli) -> None:
    session = practice.book()
    practice.ok("offers", "draft", session, "--at", ahead(8), "--window", "24h")
    result = practice.run("offers", "send", session)
    assert "1 time is held" in result.stdout
    assert "No calendar is connected" in result.stderr
    assert "Open: the client can answer until" in practice.ok("offers", "show", session)
    assert "1 offered until" in practice.ok("sessions", "list")


def test_a_program_gets_the_warnings_and_the_deadline(practice: Cli) -> None:
    sent = practice.offer(practice.book(), ahead(8))
    assert sent["state"] == "open"
    assert any("No calendar is connected" in warning for warning in sent["warnings"])
    window = datetime.fromisoformat(sent["expires_at"]) - datetime.fromisoformat(sent["sent_at"])
    assert window == timedelta(hours=24)


@pytest.mark.usefixtures("calendar")
def test_a_connected_calendar_needs_no_warning(practice: Cli) -> None:
    assert practice.offer(practice.book(), ahead(8))["warnings"] == []


def test_a_held_time_is_kept_from_everybody_else(practice: Cli) -> None:
    practice.offer(practice.book(), ahead(8))
    booking = ("sessions", "book", "--client", "alex@example.org", "--at", ahead(8, "10:20"), "--phone", "Kim calls")
    assert "kept free" in practice.refused(*booking)


def test_a_client_nobody_can_reach_is_not_offered_anything(practice: Cli) -> None:
    practice.ok("clients", "add", "--name", "Sam", "--phone", "+4930123456", "--zone", "Europe/Berlin")
    sam = next(client["id"] for client in practice.json("clients", "list") if client["name"] == "Sam")
    booking = ("sessions", "book", "--client", sam, "--at", ahead(7), "--phone", "Kim calls")
    session = practice.json(*booking)["sessions"][0]["id"]
    practice.ok("offers", "draft", session, "--at", ahead(8))
    assert "No time is held" in practice.refused("offers", "send", session)


def test_what_is_not_there_cannot_be_sent_shown_or_taken_back(practice: Cli) -> None:
    session = practice.book()
    for words in (("send",), ("show",), ("withdraw",)):
        assert "Draft one: pencilled offers draft" in practice.refused("offers", *words, session)


def test_the_session_s_own_time_is_no_alternative(practice: Cli) -> None:
    assert "own time" in practice.refused("offers", "draft", practice.book(), "--at", ahead(7))


def test_an_offer_is_taken_back_and_its_times_are_free(practice: Cli) -> None:
    session = practice.book()
    practice.offer(session, ahead(8))
    practice.ok("offers", "withdraw", session, "--why", "Kim can make it after all")
    assert practice.json("offers", "show", session)[0]["state"] == "withdrawn"
    practice.book(8)


def test_one_alternative_is_taken_back_by_its_number(practice: Cli) -> None:
    session = practice.book()
    practice.offer(session, ahead(8), ahead(9))
    assert "numbered from 1" in practice.refused("offers", "withdraw", session, "--number", "3")
    assert "1 still offered" in practice.ok("offers", "withdraw", session, "--number", "1")
    assert "taken back" in practice.ok("offers", "show", session)
    assert "the offer has ended" in practice.ok("offers", "withdraw", session, "--number", "2")
    assert practice.json("offers", "show", session)[0]["state"] == "withdrawn"


def test_withdrawing_a_draft_throws_it_away(practice: Cli) -> None:
    session = practice.book()
    practice.ok("offers", "draft", session, "--at", ahead(8))
    assert "Nobody knew" in practice.ok("offers", "withdraw", session)


def test_sending_again_replaces_what_stands(practice: Cli) -> None:
    session = practice.book()
    practice.offer(session, ahead(8))
    practice.ok("offers", "draft", session, "--at", ahead(9))
    draft, standing = practice.json("offers", "show", session)
    assert (draft["state"], standing["state"]) == ("draft", "open")
    practice.ok("offers", "send", session)
    assert practice.json("offers", "show", session)[0]["alternatives"][0]["local"].startswith(ahead(9)[:10])
    assert [offer["state"] for offer in practice.json("sessions", "show", session)["past_offers"]] == ["replaced"]
