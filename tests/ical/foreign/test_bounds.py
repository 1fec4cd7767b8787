"""Whatever an object asks for, reading it ends within its steps and its memory, and raises nothing."""

from __future__ import annotations

import sys
import tracemalloc
from collections.abc import Callable, Sequence
from collections.abc import Set as AbstractSet
from datetime import datetime, timedelta
from types import FrameType

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connector.domain.unreadable import Unreadable
from connector.ical.foreign import brought, lines
from tests.ical.foreign.objects import HOUR, ONCE, START, calendar, event, read, timezone

UNTIL_END = "0317T1000-0430T0000"  # from the first time to the end of what is asked about
EVERY = {name: ",".join(map(str, range(size))) for name, size in (("HOUR", 24), ("MINUTE", 60), ("SECOND", 60))}
WEEKDAYS = ",".join(f"{n}{day}" for n in range(-53, 54) for day in ("MO", "TU", "WE", "TH", "FR", "SA", "SU") if n)
MOST_CALLS = 1_000_000  # of our own functions: far below a second
MOST_ZONES = 80  # of the largest there are, which together are more than what is kept
MOST_MEMORY = 64 * 1024 * 1024  # bytes beyond the object itself


def calls(act: Callable[[], object], *, of: AbstractSet[str] = frozenset({"call"})) -> int:
    """Return how many functions written in Python were called meanwhile: the same on every machine."""
    number = 0

    def count(_: FrameType, what: str, __: object) -> None:
        nonlocal number
        number += what in of

    sys.setprofile(count)
    try:
        act()
    finally:
        sys.setprofile(None)
    return number


def series(rule: str, *more: str) -> str:
    return calendar(event(START, HOUR, f"RRULE:{rule}", *more))


def minutes(number: int) -> list[str]:
    return [f"{datetime(2027, 3, 1) + timedelta(minutes=n):%Y%m%dT%H%M%SZ}" for n in range(number)]


def onwards(number: int, *lines: str) -> list[str]:
    """Return as many events that say how a series goes on."""
    instants = (datetime(2027, 1, 1) + timedelta(hours=n) for n in range(number))
    return [event(f"RECURRENCE-ID;RANGE=THISANDFUTURE:{one:%Y%m%dT%H%M%SZ}", START, *lines) for one in instants]


def dates(name: str, number: int, *, a_line: int = 3_000) -> list[str]:
    """Return lines with so many times, all of them near."""
    times = minutes(number)
    return [f"{name}:{','.join(times[place : place + a_line])}" for place in range(0, number, a_line)]


MINE = event("DTSTART;TZID=Mine:20270317T100000", HOUR)
CHANGE = (
    "BEGIN:STANDARD\r\nDTSTART:19700101T000000\r\nRRULE:FREQ=YEARLY\r\n"
    "TZOFFSETFROM:+0100\r\nTZOFFSETTO:+0200\r\nEND:STANDARD\r\n"
)
DAWN = "DTSTART:00010101T000000Z"
WEEKS = ",".join(map(str, range(1, 54)))
ALWAYS = f"BYHOUR={EVERY['HOUR']};BYMINUTE={EVERY['MINUTE']};BYSECOND={EVERY['SECOND']}"
BOMBS = {
    "no step at all": series("FREQ=DAILY;INTERVAL=0"),
    "a day there never is": series("FREQ=HOURLY;BYMONTH=2;BYMONTHDAY=30"),
    "a day there never is, counted": series("FREQ=SECONDLY;BYMONTH=2;BYMONTHDAY=30;COUNT=9999999"),
    "every second of a year": series(f"FREQ=YEARLY;{ALWAYS}"),
    "every second": series("FREQ=SECONDLY"),
    "months since there are any": calendar(event(DAWN, HOUR, f"RRULE:FREQ=MONTHLY;COUNT=999999;BYDAY={WEEKDAYS}")),
    "weeks since there are any": calendar(event(DAWN, HOUR, f"RRULE:FREQ=DAILY;COUNT=999999;BYWEEKNO={WEEKS}")),
    "ten thousand years": calendar(event(DAWN, "DURATION:P3650000D", "RRULE:FREQ=HOURLY;BYMINUTE=1,2,3")),
    "a clock that changes every second": calendar(timezone("Mine", rule="SECONDLY"), MINE),
    "thousands of dates": calendar(event(START, HOUR, f"RDATE:{','.join(minutes(30_000))}")),
    "a zone for years": calendar(
        "BEGIN:VTIMEZONE\r\nTZID:Mine\r\n",
        *(CHANGE.replace("YEARLY", f"YEARLY;BYMONTH={n % 12 + 1}").replace("+0200", f"+01{n}") for n in range(10, 60)),
        "END:VTIMEZONE\r\n",
        *(event(f"DTSTART;TZID=Mine:{year:04}0301T100000", HOUR, uid=str(year)) for year in range(1, 9999, 12)),
    ),
    "many zones": calendar(
        *(timezone(f"{n}", onset="00010101T020000", rule=f"YEARLY;COUNT={300 + n}") for n in range(500)),
        *(event(f"DTSTART;TZID={n}:20270317T100000", HOUR, uid=str(n)) for n in range(500)),
    ),
    "a long parameter before many times": calendar(
        event(
            START,
            HOUR,
            "RRULE:FREQ=DAILY",
            *(line.replace("EXDATE", f'EXDATE;X="{"a" * 14_000}"') for line in dates("EXDATE", 20_000)),
        )
    ),
    "many parameters before many times": calendar(
        event(
            START,
            HOUR,
            "RRULE:FREQ=DAILY",
            *(line.replace("EXDATE", "EXDATE" + ";X=a" * 3_500) for line in dates("EXDATE", 20_000)),
        )
    ),
    "parts and dates": calendar(event(START, HOUR, *dates("RDATE", 9_000)), *onwards(1_000, HOUR)),
    "parts and rules": calendar(
        event(START, HOUR, *["RRULE:FREQ=DAILY;UNTIL=20200101T000000Z"] * 800), *onwards(800, HOUR)
    ),
    "series and what has become of them": calendar(event(START, HOUR) * 900, *onwards(900, HOUR)),
    "dates long ago": calendar(event(START, HOUR, *["RDATE:" + ",".join(["20200101T000000Z"] * 3_000)] * 60)),
    "rules of many numbers": series("FREQ=DAILY", *["RRULE:FREQ=DAILY;BYHOUR=" + ",".join(["1"] * 3_900)] * 500),
    "weekdays of every month": calendar(
        event(DAWN, HOUR, f"RRULE:FREQ=YEARLY;COUNT=999999;BYMONTH={WEEKS[:26]};BYDAY={WEEKDAYS}")
    ),
    "rules long over of what lasts": calendar(
        event("DTSTART:15000101T100000Z", "DURATION:P900000D", *["RRULE:FREQ=DAILY;COUNT=2"] * 24),
        *onwards(700, "DURATION:P900000D"),
    ),
    "thousands of rules": calendar(event(START, HOUR, *["RRULE:FREQ=HOURLY"] * 5_000)),
}
HEAVY = {
    "dates": calendar(event(START, HOUR, f"RDATE:{','.join(minutes(500_000))}")),
    "exceptions": series("FREQ=DAILY", *(f"EXDATE:{one}" for one in minutes(100_000))),
    "properties": calendar(event(START, HOUR, *["X-A:x"] * 300_000)),
    "events": calendar(event(START, HOUR) * 100_000),
    "components": "BEGIN:VCALENDAR\n" + "BEGIN:A\nEND:B\n" * 500_000,
    "changes of a clock": calendar(f"BEGIN:VTIMEZONE\r\nTZID:Mine\r\n{CHANGE * 30_000}END:VTIMEZONE\r\n", MINE),
    "short lines": "BEGIN:VCALENDAR\nBEGIN:VEVENT\n" + "UID:\n" * 2_200_000,
    "empty lines": "BEGIN:VCALENDAR\nBEGIN:VEVENT\n" + "\n" * 11_000_000,
    "folds": calendar(event(START, HOUR, "DESCRIPTION:" + "\n ".join(["ab"] * 2_900_000))),
    "a long name": calendar(event("UID:\U0001f600" + "a" * 11_000_000, START, HOUR)),
    "long names": calendar(*(event("UID:\U0001f600" + "a" * 60_000, START, HOUR) for _ in range(180))),
    "commas": calendar(event(START, HOUR, "RDATE:" + "," * 11_000_000)),
    "lines of commas": calendar(event(START, HOUR, *["RDATE:" + "," * 60_000] * 180)),
    "quotes": "BEGIN:VCALENDAR\nBEGIN:VEVENT\nDTSTART;" + '"' * 11_000_000,
    "a note": calendar(event(START, HOUR, "DESCRIPTION:" + "\r\n ".join(["x" * 72] * 145_000))),
}


@pytest.mark.parametrize("text", BOMBS.values(), ids=BOMBS.keys())
def test_no_object_takes_more_than_its_steps(text: str) -> None:
    assert calls(lambda: read(text)) < MOST_CALLS


def test_the_parameters_of_a_line_are_read_once_however_many_values_it_has() -> None:
    line = "EXDATE" + ";X=a" * 3_500 + f":{','.join(minutes(1_000))}"
    assert calls(lambda: read(series("FREQ=DAILY", line)), of={"call", "c_call"}) < MOST_CALLS


def test_a_series_too_dense_to_count_takes_its_time_from_first_to_last_and_is_told() -> None:
    assert read(series("FREQ=SECONDLY")) == ([ONCE[0], UNTIL_END], Unreadable.TOO_DENSE)
    until = series("FREQ=SECONDLY;UNTIL=20270318T000000Z")
    assert read(until) == ([ONCE[0], "0317T1000-0320T0100"], Unreadable.TOO_DENSE)


@pytest.mark.parametrize("end", ["COUNT=1", "UNTIL=20270317T100000Z"])
def test_a_dense_rule_that_ends_at_once_is_one_time(end: str) -> None:
    assert read(series(f"FREQ=SECONDLY;{end}")) == (ONCE, None)


def test_a_dense_rule_that_is_long_over_is_free() -> None:
    for end in ("COUNT=1000", "UNTIL=20200201T000000Z"):
        text = calendar(event("DTSTART:20200101T000000Z", HOUR, f"RRULE:FREQ=SECONDLY;{end}"))
        assert read(text) == ([], None)


def test_a_dense_series_hides_nothing_beside_it() -> None:
    other = event("DTSTART:20270301T100000Z", HOUR, uid="b")
    times, unreadable = read(calendar(event(START, HOUR, "RRULE:FREQ=SECONDLY"), other))
    assert times[0] == "0301T1000-1100"
    assert unreadable is Unreadable.TOO_DENSE


def test_what_is_too_long_is_told_and_its_beginning_counts() -> None:
    long = calendar(event(START, HOUR), "X-NOTE:" + "x" * lines.LONGEST + "\r\n", event(START, uid="b"))
    assert read(long) == (ONCE, Unreadable.TOO_LONG)
    assert read(calendar(event(START, HOUR), event(START, *["EXDATE:x"] * lines.MOST))) == (ONCE, Unreadable.TOO_LONG)


def peak(content: bytes) -> int:
    """Return how much memory reading takes beyond the object itself."""
    tracemalloc.start()
    try:
        read(content)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_a_long_note_takes_no_more_than_its_memory() -> None:
    assert peak(HEAVY["a note"].encode()) < MOST_MEMORY


def test_events_beside_what_is_too_dense_to_be_read_are_busy() -> None:
    rules = ["RRULE:FREQ=DAILY;BYHOUR=" + ",".join(["1"] * 3_900)] * 100
    other = event("DTSTART:20270318T100000Z", HOUR, uid="b")
    times, unreadable = read(calendar(event(START, HOUR, *rules), other))
    assert times == [UNTIL_END, "0318T1000-1100"]
    assert unreadable is Unreadable.TOO_DENSE


def test_a_line_that_is_too_long_is_left_out_and_told() -> None:
    note = f"UID:{'x' * lines.LONGEST_LINE}"
    assert read(calendar(event(START, HOUR, note))) == (ONCE, Unreadable.TOO_LONG)
    assert read(calendar(event(START, HOUR), *(event(note[:-9], uid=str(n)) for n in range(70)))) == (
        ONCE,
        Unreadable.TOO_LONG,
    )


def test_clocks_that_cannot_be_paid_for_are_told_and_their_times_are_busy() -> None:
    near = event("DTSTART;TZID=Mine:20270317T100000", HOUR, uid="near")
    times, unreadable = read(BOMBS["a zone for years"].replace("END:VCALENDAR", near + "END:VCALENDAR"))
    assert unreadable is Unreadable.TOO_DENSE
    assert [time[:5] for time in times] == ["0317T"]


def test_an_object_is_read_the_same_however_much_is_kept() -> None:
    text = BOMBS["a zone for years"]
    assert read(text) == read(text)


@pytest.mark.long
def test_what_is_kept_of_zones_is_bounded_by_bytes() -> None:
    """Each of these brings another zone, of the longest there is."""
    tracemalloc.start()
    try:
        for number in range(MOST_ZONES):
            dates = "\r\nRDATE:" + ",".join(["20200101T000000"] * 2_500)
            zone = timezone(f"Zone {number}").replace("\r\nRRULE", f"{dates}\r\nRRULE", 1)
            read(calendar(zone, event(f"DTSTART;TZID=Zone {number}:20270317T100000", HOUR)))
        assert tracemalloc.get_traced_memory()[0] < 2 * brought.LARGEST
    finally:
        tracemalloc.stop()


@pytest.mark.long
@pytest.mark.parametrize("text", HEAVY.values(), ids=HEAVY.keys())
def test_no_object_takes_more_than_its_steps_and_its_memory(text: str) -> None:
    assert calls(lambda: read(text)) < MOST_CALLS
    assert peak(text.encode()) < MOST_MEMORY


# Any object at all

DIGITS = st.text("0123456789", min_size=1, max_size=5)
TIMES = st.one_of(
    st.datetimes().map("{:%Y%m%dT%H%M%S}".format),
    st.datetimes(datetime(2027, 2, 1), datetime(2027, 5, 1)).map("{:%Y%m%dT%H%M%SZ}".format),
    st.dates().map("{:%Y%m%d}".format),
    DIGITS,
)
NUMBERS = st.lists(st.integers(-400, 400).map(str), min_size=1, max_size=6).map(",".join)
DAYS = st.lists(st.sampled_from(["MO", "2TU", "-1FR", "53SU", "0MO", "XX"]), min_size=1).map(",".join)
PARTS = st.one_of(
    st.tuples(
        st.sampled_from(
            ("BYSECOND", "BYMINUTE", "BYHOUR", "BYMONTHDAY", "BYYEARDAY", "BYWEEKNO", "BYMONTH", "BYSETPOS", "COUNT")
        ),
        NUMBERS | st.integers(0, 10**12).map(str),
    ),
    st.tuples(st.just("BYDAY"), DAYS),
    st.tuples(st.just("UNTIL"), TIMES),
    st.tuples(st.just("INTERVAL"), DIGITS),
    st.tuples(st.just("WKST"), st.sampled_from(["SU", "MO", "TH", ""])),
).map("=".join)
FREQUENCIES = st.sampled_from(["YEARLY", "MONTHLY", "WEEKLY", "DAILY", "HOURLY", "MINUTELY", "SECONDLY", "NEVER"])
RULES = st.tuples(FREQUENCIES.map("FREQ={}".format), st.lists(PARTS, max_size=5).map(";".join)).map(";".join)
PARAMETERS = st.sampled_from(
    [
        "",
        ";VALUE=DATE",
        ";TZID=Europe/Berlin",
        ";TZID=Mine",
        ';TZID="x:y"',
        ";RANGE=THISANDFUTURE",
        ";VALUE=PERIOD",
        ";",
    ]
)
LENGTHS = st.tuples(st.sampled_from(["P", "PT", "-P", "P1DT"]), DIGITS, st.sampled_from("WDHMS")).map("".join)
EDGES = ["DTSTART", "DTEND", "RDATE", "EXDATE", "RECURRENCE-ID"]
PROPERTIES = st.one_of(
    st.tuples(st.sampled_from(EDGES), PARAMETERS, st.just(":"), TIMES),
    st.tuples(st.just("RDATE"), PARAMETERS, st.just(":"), st.tuples(TIMES, TIMES | LENGTHS).map("/".join)),
    st.tuples(st.just("RRULE:"), RULES),
    st.tuples(st.just("DURATION:"), LENGTHS),
    st.tuples(st.sampled_from(["SEQUENCE:", "STATUS:", "TRANSP:", "UID:"]), st.text(max_size=8)),
    st.tuples(st.sampled_from(["BEGIN:", "END:"]), st.sampled_from(["VEVENT", "VALARM", "VTIMEZONE", "VCALENDAR"])),
).map("".join)
ZONES = st.builds(
    timezone, st.just("Mine"), winter=st.sampled_from(["+0100", "-2359", "+9999"]), onset=TIMES, rule=RULES
)


@st.composite
def objects(draw: st.DrawFn) -> bytes:
    """Return an object by the grammar, with lines out of place, and with some of its bytes changed."""
    first = draw(TIMES)
    events = [
        event(f"DTSTART{draw(PARAMETERS)}:{first}", *draw(st.lists(PROPERTIES, max_size=6)))
        for _ in range(draw(st.integers(1, 3)))
    ]
    content = bytearray(calendar(draw(ZONES | st.just("")), *events).encode(errors="replace"))
    for place, byte in draw(st.lists(st.tuples(st.integers(0, len(content) - 1), st.integers(0, 255)), max_size=4)):
        content[place] = byte
    start, end = draw(st.sampled_from([(0, None), (0, len(content) // 2), (len(content) // 3, None)]))
    return bytes(content[start:end])  # fmt: skip


def _holds(content: bytes) -> None:
    """Reading it ends within the budget, and the time of what it says plainly is taken or told as unreadable."""
    answers: list[tuple[Sequence[str], Unreadable | None]] = []
    assert calls(lambda: answers.append(read(content))) < MOST_CALLS
    assert read(lines.filtered(content)) == answers[0]


@given(objects())
@settings(max_examples=40, deadline=None)
def test_any_object_is_read_within_its_steps(content: bytes) -> None:
    _holds(content)


@given(st.binary(max_size=300))
@settings(max_examples=40, deadline=None)
def test_any_bytes_are_read(content: bytes) -> None:
    _holds(content)


@pytest.mark.long
@given(objects())
@settings(max_examples=1_500, deadline=None)
def test_any_of_many_objects_is_read_within_its_steps(content: bytes) -> None:
    _holds(content)
