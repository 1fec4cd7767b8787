"""One line of a plain object is damaged: no time of it is lost without a word."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.ical.foreign.objects import calendar, event, read, timezone

WHOLE = calendar(
    timezone("Mine", winter="-0500", summer="-0400"),
    event(
        "SEQUENCE:0",
        "DTSTART;TZID=Mine:20270303T100000",
        "DTEND;TZID=Mine:20270303T110000",
        "RRULE:FREQ=WEEKLY;COUNT=8;BYDAY=WE",
        "EXDATE;TZID=Mine:20270324T100000",
        "RDATE;TZID=Mine:20270402T100000",
        "TRANSP:OPAQUE",
        "STATUS:CONFIRMED",
        "BEGIN:VALARM\r\nTRIGGER:-PT15M\r\nEND:VALARM",
    ),
    event(
        "SEQUENCE:1", "RECURRENCE-ID;TZID=Mine:20270317T100000", "DTSTART;TZID=Mine:20270317T150000", "DURATION:PT1H"
    ),
)
DAMAGES: dict[str, Callable[[str, str, str], str]] = {
    "blank before the value's colon": lambda head, value, _: f"{head} :{value}",
    "blank after it": lambda head, value, _: f"{head}: {value}",
    "small letters": lambda _, __, line: line.lower(),
    "quotes": lambda head, value, _: f'{head}:"{value}"',
    "a semicolon more": lambda _, __, line: f"{line};",
    "a comma more": lambda _, __, line: f"{line},",
    "a digit more": lambda _, __, line: f"{line}0",
    "a letter more": lambda head, value, _: f"{head}:X{value}",
    "a sign more": lambda head, value, _: f"{head}:-{value}",
    "a backslash more": lambda head, value, _: f"{head}:\\{value}",
    "a line feed, escaped": lambda _, __, line: f"{line}\\n",
    "a NUL": lambda head, value, _: f"{head}:\0{value}",
    "a blank that is none": lambda head, value, _: f"{head}:\xa0{value}",
    "twice": lambda _, __, line: f"{line}\r\n{line}",
    "once more, and empty": lambda head, _, line: f"{head}:\r\n{line}",
    "a parameter": lambda head, value, _: f"{head};X=1:{value}",
    "a parameter that is none": lambda head, value, _: f"{head};X:{value}",
    "an open quote": lambda head, value, _: f'{head};X="a:{value}',
    "another zone": lambda _, __, line: line.replace("Mine", "Yours"),
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES.keys())
def test_a_damaged_line_hides_no_time_without_a_word(damage: Callable[[str, str, str], str]) -> None:
    lines, whole = WHOLE.split("\r\n"), set(read(WHOLE)[0])
    lost = []
    for number, line in enumerate(lines):
        head, _, value = line.partition(":")
        damaged = [*lines[:number], damage(head, value, line), *lines[number + 1 :]]
        times, unreadable = read("\r\n".join(damaged))
        if unreadable is None and not whole <= set(times):
            lost.append(line)
    assert not lost
    assert len(whole) == 8


@pytest.mark.parametrize("name", ["BEGIN", "END"])
def test_an_edge_that_is_missing_hides_no_time_without_a_word(name: str) -> None:
    lines, whole = WHOLE.split("\r\n"), set(read(WHOLE)[0])
    for number, line in enumerate(lines):
        if line.startswith(f"{name}:"):
            times, unreadable = read("\r\n".join([*lines[:number], *lines[number + 1 :]]))
            assert unreadable or whole <= set(times), line
