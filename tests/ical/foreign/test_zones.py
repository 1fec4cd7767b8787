"""Which clock is meant by the name of a zone."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from threading import Barrier
from zoneinfo import ZoneInfo

import pytest

from connector.domain.unreadable import Unreadable
from connector.ical.foreign import brought, zones
from connector.ical.foreign.clock import UNIVERSAL, Known
from tests.ical.foreign.objects import HOUR, ONCE, START, calendar, event, read, taken, timezone

JULY = datetime(2027, 7, 1)
BERLIN, NEW_YORK = Known(ZoneInfo("Europe/Berlin")), ZoneInfo("America/New_York")


def at_nine(name: str) -> str:
    return event(f"DTSTART;TZID={name}:20270317T090000", HOUR)


@pytest.mark.parametrize(
    "name",
    [
        "Europe/Berlin",
        "europe/BERLIN",
        '"Europe/Berlin"',
        "W. Europe Standard Time",
        "/mozilla.org/20050126_1/Europe/Berlin",
        "GMT+0100",
        "UTC+01:00",
    ],
)
def test_a_zone_is_known_by_each_of_its_spellings(name: str) -> None:
    assert taken(f"DTSTART;TZID={name}:20270317T090000", HOUR, zone=NEW_YORK) == ["0317T0800-0900"]


@pytest.mark.parametrize(
    "name",
    ["(UTC+01:00) Somewhere", "Europe:...", "Europe/..", "x" * 300, "../etc/passwd", "localtime", "GMT+9900", "\x00"],
)
def test_a_zone_that_nobody_knows_is_the_practitioners(name: str) -> None:
    assert taken(f"DTSTART;TZID={name}:20270317T090000", HOUR, zone=NEW_YORK) == ["0317T1300-1400"]


def test_a_time_without_a_zone_is_the_practitioners() -> None:
    assert taken("DTSTART:20270317T090000", HOUR, zone=NEW_YORK) == ["0317T1300-1400"]


def test_a_zone_that_an_object_brings_along_is_what_it_says() -> None:
    for name in ("Customized Time Zone", "(UTC+05:00) Somewhere"):
        text = calendar(timezone(name, winter="-0500", summer="-0400"), at_nine(name))
        assert read(text) == (["0317T1400-1500"], None)


def test_one_name_means_in_each_object_what_that_object_says() -> None:
    texts = [calendar(timezone("Mine", winter=f"-0{n}00", summer=f"-0{n}00"), at_nine("Mine")) for n in range(1, 9)]
    barrier = Barrier(8)

    def look(number: int) -> set[str]:
        barrier.wait(60)
        return {time for _ in range(20) for time in read(texts[number])[0]}

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(look, range(8)))
    assert answers == [{f"0317T{10 + n:02}00-{11 + n:02}00"} for n in range(8)]


def test_a_zone_of_a_stranger_is_nobody_elses() -> None:
    read(calendar(timezone("Mine", winter="-0500"), at_nine("Mine")))
    assert read(calendar(at_nine("Mine"))) == (["0317T0900-1000"], None)


@pytest.mark.parametrize(
    "text",
    [
        timezone("Mine", rule="SECONDLY"),
        timezone("Mine", rule="YEARLY;INTERVAL=0"),
        timezone("Mine", onset="long ago"),
        "BEGIN:VTIMEZONE\r\nTZID:Mine\r\nEND:VTIMEZONE\r\n",
        "BEGIN:VTIMEZONE\r\nEND:VTIMEZONE\r\n",
        timezone("Yours"),
        timezone("Mine").replace("BYDAY=-1SU", "BYDAY=MO,TU,WE,TH,FR,SA,SU;BYHOUR=1,2,3,4,5,6,7,8,9,10;BYMINUTE=1,2,3"),
        timezone("Mine").replace("TZID:Mine", "TZID:Mine" + f"\r\nTZID:{'x' * (brought.LONGEST // 2)}" * 2),
    ],
    ids=["every second", "never", "no onset", "nothing", "no name", "another name", "all the time", "too long"],
)
def test_a_zone_that_makes_no_sense_is_told_and_the_practitioners_is_taken_for_it(text: str) -> None:
    assert read(calendar(text, at_nine("Mine")), zone=NEW_YORK) == (["0317T1300-1400"], Unreadable.ZONE)


def test_a_zone_that_makes_no_sense_is_told_only_of_what_takes_time_by_it() -> None:
    broken = timezone("Mine", rule="SECONDLY")
    free = event("DTSTART;TZID=Mine:20270317T090000", HOUR, "TRANSP:TRANSPARENT")
    assert read(calendar(broken, free, event(START, HOUR, uid="b"))) == (ONCE, None)
    excluded = event(START, HOUR, "RRULE:FREQ=DAILY;COUNT=1", "EXDATE;TZID=Mine:20270317T100000")
    assert read(calendar(broken, excluded))[1] is Unreadable.ZONE


def test_a_broken_zone_whose_name_others_know_is_theirs() -> None:
    name = "W. Europe Standard Time"
    assert read(calendar(timezone(name, rule="SECONDLY"), at_nine(name)), zone=NEW_YORK) == (["0317T0800-0900"], None)


def test_a_part_of_a_zone_that_makes_no_sense_leaves_the_others_and_is_told() -> None:
    broken = timezone("Mine", winter="-0500", summer="-0400").replace("BYMONTH=3", "BYMONTH=13")
    assert read(calendar(broken, at_nine("Mine"))) == (["0317T1400-1500"], Unreadable.ZONE)


@pytest.mark.parametrize(
    "lines",
    [
        ("DTSTART:19700101T000000", "TZOFFSETFROM:-05:00", "TZOFFSETTO:-05:00"),
        ("DTSTART:19700101T000000", "TZOFFSETTO:-0500"),
        ("TZOFFSETFROM:-0400", "TZOFFSETTO:-0500"),
        ("DTSTART:19700101T000000", "TZOFFSETTO:-0500", "RRULE:FREQ=SECONDLY"),
    ],
    ids=["with colons", "not since what", "not since when", "always the same"],
)
def test_a_clock_that_never_changes_need_not_make_sense_otherwise(lines: Sequence[str]) -> None:
    part = "\r\n".join(("BEGIN:STANDARD", *lines, "END:STANDARD"))
    text = f"BEGIN:VTIMEZONE\r\nTZID:Mine\r\n{part}\r\nEND:VTIMEZONE\r\n"
    assert read(calendar(text, at_nine("Mine"))) == (["0317T1400-1500"], None)


@pytest.mark.parametrize(
    ("described", "used"),
    [
        ("(UTC-05:00) Here\\, There", '"(UTC-05:00) Here, There"'),
        ("(UTC-05:00) Here, There", '"(UTC-05:00) Here\\, There"'),
        ("(UTC-05:00) Here", "(UTC-05:00) Here"),
        ('"My Zone"', '"My Zone"'),
        ("my zone ", "My Zone"),
    ],
)
def test_a_zone_is_found_however_its_name_is_written(described: str, used: str) -> None:
    text = calendar(timezone(described, winter="-0500", summer="-0400"), at_nine(used))
    assert read(text) == (["0317T1400-1500"], None)


def test_a_zone_may_name_its_changes_one_by_one() -> None:
    part = "BEGIN:{0}\r\nDTSTART:{1}\r\nRDATE:{2}\r\nTZOFFSETFROM:{3}\r\nTZOFFSETTO:{4}\r\nEND:{0}\r\n"
    summer = part.format("DAYLIGHT", "20260329T020000", "20270328T020000", "+0100", "+0200")
    winter = part.format("STANDARD", "20251026T030000", "20261025T030000", "+0200", "+0100")
    zone = f"BEGIN:VTIMEZONE\r\nTZID:Mine\r\n{summer}{winter}END:VTIMEZONE\r\n"
    daily = event("DTSTART;TZID=Mine:20270327T090000", HOUR, "RRULE:FREQ=DAILY;COUNT=2")
    assert read(calendar(zone, daily)) == (["0327T0800-0900", "0328T0700-0800"], None)


# Where times are meant that name no zone


def test_a_collection_tells_its_zone_by_its_id() -> None:
    assert zones.home(NEW_YORK, zone_id="Europe/Berlin") == BERLIN


@pytest.mark.parametrize("name", ["Europe/Berlin", "W. Europe Standard Time", "Customized Time Zone"])
def test_a_collection_tells_its_zone_by_the_name_of_a_whole_object(name: str) -> None:
    whole = timezone(name, winter="+0100", summer="+0200")
    assert zones.home(NEW_YORK, timezone=calendar(whole)).offset(JULY) == BERLIN.offset(JULY)


@pytest.mark.parametrize(
    "name", [" Europe/Berlin\n", "W. Europe Standard Time", "/freeassociation.sf.net/Europe/Berlin"]
)
def test_a_collection_tells_its_zone_by_a_mere_name(name: str) -> None:
    assert zones.home(NEW_YORK, timezone=name) == BERLIN


@pytest.mark.parametrize("said", ["", "Nowhere", "BEGIN:VCALENDAR\nEND:VCALENDAR", "BEGIN:VTIMEZONE\nTZID:Nowhere\n"])
def test_a_collection_that_tells_nothing_is_in_the_practitioners_zone(said: str) -> None:
    assert zones.home(NEW_YORK, zone_id=said[:7], timezone=said) == Known(NEW_YORK)


def test_utc_is_never_ahead_of_itself() -> None:
    for name in ("UTC", "utc", "Etc/UTC", "GMT", "tzone://Microsoft/Utc"):
        assert zones.Zones({}, BERLIN).named(name).offset(JULY) == UNIVERSAL.ahead
