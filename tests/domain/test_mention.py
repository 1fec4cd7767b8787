"""Texts about others tell of a client where they have a word in them that means nobody else."""

from __future__ import annotations

import pytest

from connector.domain.mention import Words, words


def known(*names: str, contacts: tuple[str, ...] = (), others: tuple[str, ...] = ()) -> Words:
    return words(names, contacts, other_clients=others, everybody_else=others)


@pytest.mark.parametrize(
    "text",
    [
        "swapped with max muster, they say",
        "MAX  MUSTER's place",
        "(Max Muster)",
        "write to MM@A.example.",
        "or call +4930123456!",
    ],
)
def test_whole_words_are_found_in_upper_and_lower_case(text: str) -> None:
    its_words = known("Max Muster", contacts=("mm@a.example", "+4930123456"))
    assert its_words.mean(text)
    assert "erased" in its_words.replaced(text, "erased")
    assert any(part.lower() in text.lower() for part in its_words.parts)


@pytest.mark.parametrize(
    "text",
    [
        "Max Mustermann",
        "Climax Muster",
        "Max and Muster",
        "mm@a.example.org",
        "not.mm@a.example",
        "mm@a.example-and-sons.org",
        "+493012345678",
        "Max",
        "M. M.",
    ],
)
def test_what_is_part_of_another_word_means_somebody_else(text: str) -> None:
    its_words = known("Max Muster", contacts=("mm@a.example", "+4930123456"))
    assert its_words.replaced(text, "erased") == text


def test_letters_that_are_not_ascii_have_two_cases_too() -> None:
    assert known("Özlem Ümit").replaced("für ÖZLEM ÜMIT", "erased") == "für erased"
    assert known("Özlem Ümit").parts <= {"zlem", "mit"}


@pytest.mark.parametrize(
    "title",
    [
        "Session: M. M.",
        "Hold: Max",
        "session: max muster",
        "Max Muster",
        "Termin: M. M.",
        "枠: Max",
        "RDV : Max  Muster",
    ],
)
def test_a_title_tells_of_a_client_if_nobody_else_would_have_it(title: str) -> None:
    assert known("Max Muster", others=("Zoe Adams",)).mean(title)
    assert not known("Max Muster", others=("Mia Moll", "Max Adams", "max muster")).mean(title)


def test_a_client_with_a_colon_in_their_name_is_known_by_all_of_it() -> None:
    its_words = known("Max: Muster")
    assert its_words.mean("Termin: Max: Muster")
    assert not its_words.mean("Termin: Max: Adams")


@pytest.mark.parametrize("title", ["Termin", "Belegt", "Max", "M. M.", "Termin:", "Termin: Max und Mia", "um 10:00"])
def test_a_title_that_shows_no_name_or_more_than_one_tells_of_nobody(title: str) -> None:
    assert not known("Max Muster").mean(title)


@pytest.mark.parametrize("other", ["max muster", "Max Muster-Maier", "Dr. Max Muster"])
def test_a_name_that_somebody_elses_has_in_it_means_nobody(other: str) -> None:
    assert not known("Max Muster", others=(other,)).spelled


def test_a_name_that_has_somebody_elses_in_it_means_its_own() -> None:
    its_words = known("Ann Lee Moss", others=("Ann Lee", "Joann Leeson"))
    assert its_words.replaced("Ann Lee, Ann Lee Moss", "erased") == "Ann Lee, erased"


def test_an_address_that_two_share_is_neithers() -> None:
    its_words = known("Max Muster", contacts=("home@a.example",), others=("Home@A.example",))
    assert its_words.spelled == {"Max Muster"}
    assert its_words.shared
    assert not known("Max Muster", contacts=("home@a.example",), others=("Mia Moll",)).shared


def test_who_was_erased_is_known_by_nothing() -> None:
    nothing = known("Erased client", contacts=("",))
    assert not nothing.mean("Erased client")
    assert not nothing.mean("Session")
    assert nothing.replaced("Erased client", "x") == "Erased client"
