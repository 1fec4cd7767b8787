"""How long a service wants to be left alone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from providers._retry_after import retry_after, sent_at

AT = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)


def wait(value: str, *, since: datetime | None = AT) -> timedelta | None:
    return retry_after({"retry-after": value}, since=since, longest=HOUR)


@pytest.mark.parametrize(("value", "seconds"), [("0", 0), ("7", 7), (" 120 ", 120), ("007", 7), ("3600", 3600)])
def test_seconds_need_no_clock(value: str, seconds: int) -> None:
    assert wait(value) == wait(value, since=None) == timedelta(seconds=seconds)


@pytest.mark.parametrize(
    "value",
    ["Sun, 22 Nov 2026 10:01:30 GMT", "Sunday, 22-Nov-26 10:01:30 GMT", "Sun Nov 22 10:01:30 2026"],
    ids=["current", "rfc850", "asctime"],
)
def test_a_date_in_each_of_its_three_forms_is_measured_from_the_clock_given(value: str) -> None:
    assert wait(value) == timedelta(seconds=90)
    assert wait(value, since=AT + timedelta(seconds=60)) == timedelta(seconds=30)


def test_a_date_says_nothing_without_a_clock() -> None:
    assert wait("Sun, 22 Nov 2026 10:01:30 GMT", since=None) is None


def test_a_date_in_the_past_is_no_wait() -> None:
    assert wait("Sun, 22 Nov 2026 09:00:00 GMT") == timedelta()


@pytest.mark.parametrize(
    "value",
    ["3601", "99999999999999999999", "9" * 5000, "Mon, 23 Nov 2026 10:00:00 GMT", "Fri, 31 Dec 9999 23:59:59 GMT"],
)
def test_a_wait_longer_than_the_longest_is_cut_to_it(value: str) -> None:
    assert wait(value) == HOUR


@pytest.mark.parametrize("value", ["", "  ", "soon", "-5", "+5", "1.5", "1e3", "²", "Sun, 99 Nov 2026 10:00:00 GMT"])
def test_what_makes_no_sense_is_no_answer(value: str) -> None:
    assert wait(value) is None


def test_an_answer_without_it_asks_for_nothing() -> None:
    assert retry_after({"date": "Sun, 22 Nov 2026 10:00:00 GMT"}, since=AT, longest=HOUR) is None


def test_the_services_clock_is_its_date_header() -> None:
    assert sent_at({"date": "Sun, 22 Nov 2026 10:00:00 GMT"}) == AT
    assert sent_at({"date": "Sun, 22 Nov 2026 12:00:00 +0200"}) == AT
    assert sent_at({"date": "yesterday"}) is None
    assert sent_at({}) is None
