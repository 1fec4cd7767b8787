"""What services call their calendars is cleaned where it comes in, once for all adapters."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.ports import LONGEST_NAME, RemoteCalendarInfo


def called(name: str) -> str:
    return RemoteCalendarInfo(remote_id="https://dav.example/work/", name=name, writable=True).name


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("Arbeit", "Arbeit"),
        ("a\x9b31mred\x1b[0m", "a 31mred [0m"),
        ("pay\u202efdp.exe", "payfdp.exe"),
        ("\u2066work\u2069", "work"),
        ("two\r\nlines\x00", "two lines"),
        ("Zo\u200cra", "Zo\u200cra"),
        ("\ud800broken", "broken"),
        ("x" * 5000, "x" * (LONGEST_NAME - 1) + "…"),
        ("", "https://dav.example/work/"),
        ("\u202e", "https://dav.example/work/"),
        ("\u3164\ufe0f", "https://dav.example/work/"),
        ("\u200d", "https://dav.example/work/"),
    ],
)
def test_a_calendars_name_is_shown_without_what_cannot_be_seen(name: str, shown: str) -> None:
    assert called(name) == shown


@given(st.text(max_size=600))
def test_whatever_a_service_calls_it_is_one_short_line_that_can_be_stored(name: str) -> None:
    shown = called(name)
    assert 0 < len(shown) <= LONGEST_NAME
    assert shown.replace("\u200c", "").replace("\u200d", "").isprintable()
    assert shown.encode().decode() == shown
