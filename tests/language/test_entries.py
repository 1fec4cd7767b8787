"""What entries are called in a calendar: a word for each kind, in every language."""

from __future__ import annotations

from pathlib import Path

import pytest

from connector.domain.entry import EntryWords
from connector.language.entries import entry_words
from connector.language.offered import ENGLISH, Languages
from tests.messages.pseudo import OPENS, write_catalogue


def test_english_is_what_the_domain_says() -> None:
    assert entry_words(Languages().of("en")) == EntryWords()


@pytest.mark.parametrize("tag", [ENGLISH, *Languages().tags])
def test_a_session_a_hold_and_what_is_neither_are_told_apart_at_a_glance(tag: str) -> None:
    words = entry_words(Languages().of(tag))
    said = [words.session, words.hold, words.busy]
    assert len(set(said)) == len(said)
    assert all(word == " ".join(word.split()) and ":" not in word for word in said)


def test_every_word_comes_from_the_catalogue(tmp_path: Path) -> None:
    write_catalogue(tmp_path, "ar")
    words = entry_words(Languages(("ar",), tmp_path).of("ar"))
    assert all(word.startswith(OPENS) for word in (words.session, words.hold, words.busy))
