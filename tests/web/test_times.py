# ruff: noqa: RUF001 - pages write stretches of time with an en dash
from __future__ import annotations

from datetime import datetime, timedelta
from typing import Literal

import pytest

from connector.domain.span import When
from connector.web.times import Reader, length

HOUR = timedelta(hours=1)


def at(*local: int, zone: str = "Europe/Berlin", fold: Literal[0, 1] | None = None, duration: timedelta = HOUR) -> When:
    year, month, day, hour, minute = local
    return When.at(datetime(year, month, day, hour, minute), zone=zone, duration=duration, fold=fold)


@pytest.mark.parametrize(
    ("zone", "locale", "line"),
    [
        ("Europe/Berlin", "en", "Tuesday, 24 November 2026, 15:00 – 16:00 Central European Time (Berlin)"),
        ("Europe/Berlin", "de-AT", "Dienstag, 24. November 2026, 15:00 – 16:00 Uhr Mitteleuropäische Zeit (Berlin)"),
        ("America/New_York", "en_US", "Tuesday, November 24, 2026, 9:00 AM – 10:00 AM Eastern Time (New York)"),
        ("Pacific/Auckland", "en-GB", "Wednesday, 25 November 2026, 03:00 – 04:00 New Zealand Time (Auckland)"),
        ("Asia/Kolkata", "de", "Dienstag, 24. November 2026, 19:30 – 20:30 Uhr Ortszeit (Kolkata)"),
        ("UTC", "en", "Tuesday, 24 November 2026, 14:00 – 15:00 Coordinated Universal Time"),
        ("Europe/Berlin", "fr_FR", "Tuesday, 24 November 2026, 15:00 – 16:00 Central European Time (Berlin)"),
        ("Europe/Berlin", "../x", "Tuesday, 24 November 2026, 15:00 – 16:00 Central European Time (Berlin)"),
        ("Europe/Berlin", "en_nowhere", "Tuesday, 24 November 2026, 15:00 – 16:00 Central European Time (Berlin)"),
    ],
)
def test_a_time_is_told_on_the_readers_clock_with_its_zone(zone: str, locale: str, line: str) -> None:
    assert Reader(zone=zone, locale=locale).line(at(2026, 11, 24, 15, 0)).replace("\u00a0", " ") == line


def test_the_other_clock_is_told_only_where_it_shows_another_time() -> None:
    assert Reader(zone="Europe/Paris", locale="en").time(at(2026, 11, 24, 15, 0)).elsewhere == ""
    text = Reader(zone="Pacific/Auckland", locale="en").time(at(2026, 11, 24, 15, 0))
    assert text.elsewhere == "Tue, 24 Nov, 15:00 – 16:00 Central European Time (Berlin)"


def test_a_time_that_comes_twice_in_berlin_is_told_exactly() -> None:
    reader = Reader(zone="Europe/Berlin", locale="en")
    first, second = (reader.line(at(2026, 10, 25, 2, 0, fold=fold, duration=HOUR / 2)) for fold in (0, 1))
    assert first == "Sunday, 25 October 2026, 02:00 – 02:30 Central European Summer Time (Berlin)"
    assert second == "Sunday, 25 October 2026, 02:00 – 02:30 Central European Standard Time (Berlin)"


def test_a_session_during_which_the_clocks_turn_names_both_offsets() -> None:
    text = Reader(zone="Europe/Berlin", locale="en").time(at(2026, 10, 25, 2, 30, fold=0))
    assert text.hours == "02:30 [UTC+02:00] – 02:30 [UTC+01:00]"
    assert text.zone == "Central European Time (Berlin)"


def test_a_session_over_midnight_names_the_day_it_ends() -> None:
    assert (
        Reader(zone="Europe/Berlin", locale="en").time(at(2026, 11, 24, 23, 30)).hours == "23:30 – 00:30 (Wed, 25 Nov)"
    )


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (timedelta(hours=24), "24 hours"),
        (timedelta(hours=48), "2 days"),
        (timedelta(hours=1), "1 hour"),
        (timedelta(minutes=90), "90 minutes"),
        (timedelta(seconds=1), "1 second"),
    ],
)
def test_a_length_is_told_in_the_unit_that_fits(value: timedelta, text: str) -> None:
    assert length(value) == text
