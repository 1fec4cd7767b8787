"""A sentence that was stored is said later, in the language of whoever reads it."""

from datetime import UTC, date, datetime, time

import pytest

from connector.language.offered import Languages
from connector.sentence import Paragraph, Sentence
from connector.storage.sentences import read, written

GERMAN = Languages().of("de")
SLOW = Sentence("“%(host)s” did not answer in time", host="dav.example")


@pytest.mark.parametrize(
    "sentence",
    [
        Sentence("the mailbox is full"),
        SLOW,
        Sentence("%(n)s time", plural="%(n)s times", n=3),
        Sentence("%(host)s: %(reason)s (HTTP %(status)s)", host="dav.example", reason=SLOW, status=503),
        Sentence.of("%(refusal)s", {"refusal": Paragraph((SLOW, Sentence("Please wait.")))}),
        Sentence.of(
            "%(at)s %(day)s %(clock)s %(names)s",
            {
                "at": datetime(2026, 3, 9, 14, tzinfo=UTC),
                "day": date(2026, 3, 9),
                "clock": time(14),
                "names": ("work", "home"),
            },
        ),
        Sentence('{"words":"100 %%"}'),
        Sentence("100 %% full"),
        Sentence.quoted("100 % full, %(host)s"),
    ],
)
def test_sentence_comes_back_as_it_was_stored(sentence: Sentence) -> None:
    assert read(written(sentence)) == sentence


def test_what_is_stored_is_said_in_the_readers_language() -> None:
    assert GERMAN.sentence(read(written(SLOW))) == "„dav.example“ hat nicht rechtzeitig geantwortet"


def test_sentence_without_values_is_stored_as_it_always_was() -> None:
    assert written(Sentence("the mailbox is full")) == "the mailbox is full"


def test_what_was_stored_before_is_said_in_the_readers_language_if_it_is_a_message() -> None:
    assert GERMAN.sentence(read("the mailbox is full")) == "Das Postfach ist voll"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "dav.example: the server is busy (HTTP 503)",
        "100 % full, %(host)s",
        '{"error": "quota"}',
        '{"words":"%(host)s","values":{"host":{"words":7}}}',
        '{"words":"%d","values":{"host":"x"}}',
        '{"words":"%(host)s","values":{"host":null}}',
        '{"words":' * 5000,
        '{"words":"half',
    ],
)
def test_whatever_else_stands_there_is_said_as_it_stands(text: str) -> None:
    assert GERMAN.sentence(read(text)) == text
    assert str(read(text)) == text
