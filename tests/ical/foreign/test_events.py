"""What of an event counts: objects as real programs and careless ones write them."""

from __future__ import annotations

from collections.abc import Sequence
from zoneinfo import ZoneInfo

import pytest

from connector.domain.unreadable import Unreadable
from connector.ical.foreign import lines
from tests.ical.foreign.objects import HOUR, ONCE, START, calendar, event, read, taken, timezone

LOS_ANGELES = ZoneInfo("America/Los_Angeles")
PLAIN = calendar(event(START, HOUR))

# What is odd, and yet no doubt


def test_blanks_behind_a_value_do_not_count() -> None:
    assert taken(f"{START}  ", f"{HOUR}\t", "STATUS:CONFIRMED ") == ONCE


def test_a_byte_order_mark_does_not_count() -> None:
    assert read(b"\xef\xbb\xbf" + PLAIN.encode()) == (ONCE, None)


@pytest.mark.parametrize("ending", ["\n", "\r", "\r\r\n", "\n\n"])
def test_lines_may_end_in_any_way(ending: str) -> None:
    assert read(PLAIN.replace("\r\n", ending)) == (ONCE, None)


def test_a_fold_inside_a_character_or_a_word_is_none() -> None:
    folded = PLAIN.encode().replace(b"DTSTART", b"SUMMARY:\xc3\r\n \xa9\r\nDTS\r\n TART")
    assert read(folded) == (ONCE, None)


def test_words_may_be_written_in_any_case() -> None:
    assert read(PLAIN.lower()) == (ONCE, None)


@pytest.mark.parametrize(
    "line",
    ["UID:b", "SEQUENCE:abc", "EXDATE:", "EXDATE:yesterday", "X-ANYTHING;A=:;;", "GEO:here", "COLOR", "DTSTAMP:never"],
)
def test_what_does_not_matter_may_make_no_sense(line: str) -> None:
    assert taken(START, HOUR, line) == ONCE


def test_a_zone_that_is_broken_and_unused_does_not_count() -> None:
    broken = (
        "BEGIN:VTIMEZONE\r\nTZID:Mine\r\nBEGIN:STANDARD\r\nTZOFFSETTO:one hour\r\nEND:STANDARD\r\nEND:VTIMEZONE\r\n"
    )
    assert read(calendar(broken, event(START, HOUR))) == (ONCE, None)


def test_what_follows_the_end_does_not_count() -> None:
    assert read(f"{PLAIN}\r\nSent from my telephone\r\n") == (ONCE, None)


def test_two_objects_in_one_both_count() -> None:
    other = calendar(event("DTSTART:20270318T100000Z", HOUR))
    assert read(PLAIN + other) == ([*ONCE, "0318T1000-1100"], None)


def test_events_with_uids_of_their_own_are_no_series() -> None:
    other = event("DTSTART:20270318T100000Z", HOUR, uid="b")
    assert read(calendar(event(START, HOUR), other)) == ([*ONCE, "0318T1000-1100"], None)


def test_alarms_have_lines_of_their_own() -> None:
    alarm = "BEGIN:VALARM\r\nDURATION:PT15M\r\nUID:alarm\r\nTRIGGER:-PT5M\r\nEND:VALARM\r\n".strip()
    assert taken(alarm, START, HOUR) == ONCE


def test_tasks_take_no_time() -> None:
    assert read(PLAIN.replace("VEVENT", "VTODO")) == ([], None)


def test_kept_lines_say_what_the_object_said() -> None:
    kept = lines.filtered(calendar(timezone("Mine"), event("DTSTART;TZID=Mine:20270317T100000", HOUR)).encode())
    assert lines.filtered(kept) == kept
    assert read(kept) == (["0317T0900-1000"], None)


# What cannot be read is told, and whatever can be counts


@pytest.mark.parametrize("start", ["20270317T240000Z", "tomorrow", "20270229", "00000101T000000Z", ""])
def test_a_start_that_makes_no_sense_is_told(start: str) -> None:
    other = event("DTSTART:20270318T100000Z", HOUR, uid="b")
    assert read(calendar(event(f"DTSTART:{start}", HOUR), other)) == (["0318T1000-1100"], Unreadable.START)


@pytest.mark.parametrize(
    "rule",
    [
        "FREQ=WEEKLY;UNTIL=tomorrow",
        "FREQ=NEVER",
        "WEEKLY",
        "FREQ=DAILY;INTERVAL=0",
        "FREQ=DAILY;COUNT=-1",
        "FREQ=MONTHLY;BYDAY=XX",
        "FREQ=MONTHLY;BYMONTHDAY=32",
        "RSCALE=CHINESE;FREQ=YEARLY",
        "FREQ=YEARLY;BYEASTER=0",
        "FREQ=WEEKLY;BYDAY=MO;BYDAY=TU",
        "FREQ=DAILY;BYHOUR=" + ",".join(["1"] * 9000),
    ],
)
def test_a_rule_that_makes_no_sense_is_told_and_the_first_time_counts(rule: str) -> None:
    assert read(calendar(event(START, HOUR, f"RRULE:{rule}"))) == (ONCE, Unreadable.RULE)


@pytest.mark.parametrize("end", ["DTEND:later", "DTEND:20270317T090000Z", "DURATION:PT", "DURATION:-PT1H", "DTEND:"])
def test_an_end_that_makes_no_sense_is_told_and_an_hour_counts(end: str) -> None:
    assert read(calendar(event(START, end))) == (ONCE, Unreadable.END)


def test_a_further_date_that_makes_no_sense_is_told() -> None:
    assert read(calendar(event(START, HOUR, "RDATE:20270318T100000Z,soon"))) == (
        [*ONCE, "0318T1000-1100"],
        Unreadable.START,
    )


def test_what_does_not_end_is_told_and_counts() -> None:
    cut = PLAIN.replace("END:VEVENT\r\n", "")
    assert read(cut) == (ONCE, Unreadable.NOT_WHOLE)
    following = event("DTSTART:20270318T100000Z", HOUR, uid="b")
    assert read(cut.replace("END:VCALENDAR", f"{following}END:VCALENDAR")) == (
        [*ONCE, "0318T1000-1100"],
        Unreadable.NOT_WHOLE,
    )


def test_what_does_not_begin_is_told() -> None:
    other = event("DTSTART:20270318T100000Z", HOUR, uid="b")
    for lost in ("BEGIN:VEVENT\r\n", "BEGIN:VEVENT\r\nUID:a\r\n"):
        assert read(PLAIN.replace(lost, "")) == ([], Unreadable.NOT_WHOLE)
        assert read(calendar(event(START, HOUR), other).replace(lost, "", 1))[1] is Unreadable.NOT_WHOLE
    assert read(PLAIN.replace("BEGIN:VEVENT", "BEGIN:VEVNT")) == ([], Unreadable.NOT_WHOLE)
    assert read(calendar(f"{START}\r\n{HOUR}\r\n")) == ([], Unreadable.NOT_WHOLE)


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        ((f"{START}:20270318T100000Z", HOUR), Unreadable.START),
        (("DTSTART;TZID=Europe/Berlin:20270317T100000:20270318T100000", HOUR), Unreadable.START),
        ((f"{START}\r\n DTEND:20270317T110000Z",), Unreadable.START),
        ((START, "DURATION:PT9H:PT0S"), Unreadable.END),
        ((START, "DTEND;X=1:20270317T110000Z:20270317T100000Z"), Unreadable.END),
    ],
)
def test_what_follows_a_value_is_no_better_value(lines: Sequence[str], reason: Unreadable) -> None:
    assert read(calendar(event(*lines)))[1] is reason


def test_only_what_a_line_says_as_a_whole_makes_it_free() -> None:
    assert taken(START, HOUR, "TRANSP:OPAQUE:TRANSPARENT", "STATUS:CONFIRMED:CANCELLED") == ONCE


def test_a_zone_may_have_colons_in_its_name() -> None:
    for name in ("(UTC+01:00) Somewhere", '"(UTC+01:00) Somewhere"'):
        assert taken(f"DTSTART;TZID={name}:20270317T100000", HOUR) == ONCE


def test_an_alarm_that_does_not_end_leaves_its_event_in_doubt() -> None:
    text = calendar(event(START, "BEGIN:VALARM", "TRIGGER:-PT5M", HOUR))
    assert read(text) == ([], Unreadable.NOT_WHOLE)


@pytest.mark.parametrize("content", [b"", b"nonsense", b"<html>", b"\x00\xff" * 100])
def test_what_is_no_calendar_is_told(content: bytes) -> None:
    assert read(content) == ([], Unreadable.NO_CALENDAR)


def test_what_leaves_time_free_need_make_no_sense() -> None:
    assert taken("TRANSP:TRANSPARENT", "DTSTART:soon") == []
    assert taken(START, "STATUS:CANCELLED", "RRULE:FREQ=NEVER", "DTEND:never") == []


# What is free


@pytest.mark.parametrize("line", ["STATUS:CANCELLED", "TRANSP:TRANSPARENT", "X-MICROSOFT-CDO-BUSYSTATUS:FREE"])
def test_what_says_that_it_is_free_is_free_however_often_it_repeats(line: str) -> None:
    assert taken(START, HOUR, "RRULE:FREQ=SECONDLY", line) == []


@pytest.mark.parametrize("status", ["BUSY", "TENTATIVE", "OOF", "SOMETHING"])
def test_exchanges_other_words_take_time(status: str) -> None:
    assert taken(START, HOUR, f"X-MICROSOFT-CDO-BUSYSTATUS:{status}") == ONCE


def test_working_elsewhere_takes_no_time() -> None:
    assert taken(START, HOUR, "X-MICROSOFT-CDO-BUSYSTATUS:WORKINGELSEWHERE") == []


def test_the_standards_own_word_goes_before_exchanges() -> None:
    assert taken(START, HOUR, "TRANSP:OPAQUE", "X-MICROSOFT-CDO-BUSYSTATUS:FREE") == ONCE


@pytest.mark.parametrize(
    "attendee",
    [
        "ATTENDEE;PARTSTAT=DECLINED:mailto:Kim@Example.org",
        'ATTENDEE;CN="Kim: who; else";PARTSTAT="DECLINED":MAILTO:kim@example.org',
        "ATTENDEE;EMAIL=kim@example.org;PARTSTAT=DECLINED:/principals/7/",
    ],
)
def test_what_the_owner_has_declined_is_free(attendee: str) -> None:
    assert taken(START, HOUR, attendee, owner=frozenset({"kim@example.org"})) == []


@pytest.mark.parametrize(
    "attendee",
    [
        "ATTENDEE;PARTSTAT=DECLINED:mailto:alex@example.org",
        "ATTENDEE;PARTSTAT=ACCEPTED:mailto:kim@example.org",
        'ATTENDEE;CN="PARTSTAT=DECLINED":mailto:kim@example.org',
    ],
)
def test_what_others_have_declined_takes_time(attendee: str) -> None:
    assert taken(START, HOUR, attendee, owner=frozenset({"kim@example.org"})) == ONCE


# Days


def test_days_are_the_practitioners() -> None:
    assert taken("DTSTART;VALUE=DATE:20270317", zone=LOS_ANGELES) == ["0317T0700-0318T0700"]


@pytest.mark.parametrize("end", ["DTEND;VALUE=DATE:20270317", "DTEND;VALUE=DATE:20270318", "DURATION:P1D"])
def test_a_day_takes_itself_even_if_it_ends_where_it_starts(end: str) -> None:
    assert taken("DTSTART;VALUE=DATE:20270317", end) == ["0317T0000-0318T0000"]


def test_a_day_may_be_known_by_its_value_or_its_parameter_alone() -> None:
    assert taken("DTSTART:20270317", "DTEND:20270319") == ["0317T0000-0319T0000"]
    assert taken("DTSTART;VALUE=DATE:20270317T000000") == ["0317T0000-0318T0000"]


def test_a_day_on_which_the_clock_goes_forward_is_shorter() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    assert taken("DTSTART;VALUE=DATE:20270328", zone=berlin) == ["0327T2300-0328T2200"]
    assert taken("DTSTART;TZID=Europe/Berlin:20270327T120000", "DURATION:P1D") == ["0327T1100-0328T1000"]
    assert taken("DTSTART;TZID=Europe/Berlin:20270327T120000", "DURATION:PT24H") == ["0327T1100-0328T1100"]


def test_what_takes_no_time_is_free() -> None:
    assert taken(START) == []
    assert taken(START, "DTEND:20270317T100000Z") == []


def test_only_what_reaches_into_the_span_counts() -> None:
    assert taken("DTSTART:20270301T000000Z", "DURATION:PT1M") == ["0301T0000-0001"]
    assert taken("DTSTART:20270228T230000Z", HOUR) == []
    assert taken("DTSTART:20270228T230000Z", "DURATION:PT61M") == ["0228T2300-0301T0001"]
    assert taken("DTSTART:20270430T000000Z", HOUR) == []


@pytest.mark.parametrize("year", ["0001", "9999"])
def test_the_ends_of_the_calendar_are_no_trouble(year: str) -> None:
    times = taken(f"DTSTART;TZID=Asia/Tokyo:{year}0101T000000", "DURATION:P400D", "RRULE:FREQ=YEARLY")
    assert len(times) == (1 if year == "0001" else 0)
