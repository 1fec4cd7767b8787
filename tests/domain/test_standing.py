"""What an event says of its time is decided in one table."""

from __future__ import annotations

import pytest

from connector.domain.standing import Standing, of_exchange


def test_every_standing_is_decided() -> None:
    assert {standing for standing in Standing if not standing.takes_time} == {
        Standing.ELSEWHERE,
        Standing.FREE,
        Standing.DECLINED,
        Standing.CANCELLED,
    }


@pytest.mark.parametrize("word", ["WORKINGELSEWHERE", "workingElsewhere"])
def test_exchange_writes_its_words_in_two_ways(word: str) -> None:
    assert of_exchange(word) is Standing.ELSEWHERE


@pytest.mark.parametrize("word", ["", None, "unknown", "something new"])
def test_a_word_that_nobody_knows_takes_time(word: object) -> None:
    assert of_exchange(word).takes_time
