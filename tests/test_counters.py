"""What is counted has words of closed lists, whatever is thrown at it."""

from __future__ import annotations

import pytest

from connector.counters import COUNTERS, KINDS, NOTIFICATIONS, OTHER, REQUESTS, TROUBLES, WORK_ENDED, Tally, request
from connector.domain.connection import TroubleKind
from connector.storage.ledger import Kind
from tests.counted import Counted


def test_every_kind_of_work_and_of_trouble_has_a_word() -> None:
    assert set(KINDS) == {kind.value for kind in Kind}
    assert set(TROUBLES) == set(TroubleKind)


def test_a_word_that_is_on_no_list_is_counted_as_another() -> None:
    tally = Tally()
    for word in ("Kim Noor", "kim@example.org", "https://cal.example/kim", "7a1c1f0e-5f0e-4b8e-9d8e-0c9f3f6f2a11", ""):
        tally.add(NOTIFICATIONS, provider=word, verdict=word)
        tally.add(WORK_ENDED, kind=word, how=word)
    assert {word for series in tally.counts() for _, word in series.labels} == {OTHER}
    assert sorted(tally.counts().values()) == [5, 5]


def test_what_is_not_counted_by_its_own_labels_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="kind, how"):
        Tally().add(WORK_ENDED, kind="pull")


def test_there_are_few_things_to_count() -> None:
    everything = [series for counter in COUNTERS for series in counter.every(("caldav", "google", "outlook"))]
    assert len(set(everything)) == len(everything) < 250


@pytest.mark.parametrize(
    ("status", "word"),
    [(200, "2xx"), (207, "2xx"), (302, "3xx"), (401, "401"), (418, "4xx"), (429, "429"), (500, "5xx"), (503, "503")],
)
def test_answers_are_told_apart_where_something_else_is_to_be_done(status: int, word: str) -> None:
    counted = Counted(REQUESTS)
    with request("caldav") as made:
        made.status = status
    assert counted() == {("caldav", word): 1}


@pytest.mark.parametrize(
    ("error", "word"), [(TimeoutError(), "timeout"), (KeyError(), "timeout"), (OSError(), "unreachable")]
)
def test_what_was_never_answered_is_counted_and_goes_on(error: Exception, word: str) -> None:
    counted = Counted(REQUESTS)
    with pytest.raises(type(error)), request("caldav", KeyError):
        raise error
    assert counted() == {("caldav", word): 1}
