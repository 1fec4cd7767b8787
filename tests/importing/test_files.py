"""Odd files: each row of a table, and each event of a calendar, is a session or refused with why, and nothing hangs."""

from __future__ import annotations

import io
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

import pytest

from connector.domain.session import LocationKind
from connector.errors import RuleError
from connector.importing import calendar, table
from connector.importing.rows import Read, Refused, Row

NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
HEAD = "external_id,start,minutes,zone,client_external_id,location"
WHO = "ATTENDEE;CN=Nina Berg:mailto:nina@client.example"


def read(content: bytes) -> list[Read]:
    file = io.BytesIO(content)
    return list(table.read(file, table.sniffed(file), zone="Europe/Berlin"))


def told(found: Iterable[Read]) -> list[str]:
    return [one.error.code if isinstance(one, Refused) else one.external_id for one in found]


def events(*lines: str, more: str = "") -> list[Read]:
    event = "\r\n".join(("BEGIN:VEVENT", *lines, "END:VEVENT"))
    text = f"BEGIN:VCALENDAR\r\nVERSION:2.0\r\n{event}\r\n{more}END:VCALENDAR\r\n"
    return list(calendar.read(text.encode(), owner={"kim@example.org"}, zone="Europe/Berlin", now=NOW))


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252", "utf-16"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_however_a_spreadsheet_writes_it_the_same_is_read(encoding: str, delimiter: str) -> None:
    head = HEAD.replace(",", delimiter).replace("external_id", "\u00a0External ID ", 1)
    row = delimiter.join(("s1", "2026-12-01 14:00", "50", "", "c1", '"Mühlenstr. 3\r\nBerlin"'))
    [one] = read(f"{head}\r\n\r\n{row}\r\n".encode(encoding))
    assert isinstance(one, Row)
    assert (one.line, one.when.span.start) == (3, datetime(2026, 12, 1, 13, 0, tzinfo=UTC))
    assert one.location is not None
    assert one.location.text == "Mühlenstr. 3, Berlin"


@pytest.mark.parametrize("declared", ["sep=;", '"sep=;"', "sep=;;;;;;"])
def test_a_line_for_excel_alone_is_taken_for_what_it_is(declared: str) -> None:
    rows = "s1;2026-12-01 14:00;50;;c1;Linden\r\ns2;soon;50;;c1;Linden"
    first, second = read(f"{declared}\r\n{HEAD.replace(',', ';')}\r\n{rows}\r\n".encode())
    assert isinstance(first, Row)
    assert isinstance(second, Refused)
    assert (first.line, first.external_id, second.line) == (3, "s1", 4)


def test_whoever_reads_no_further_may_close_the_file() -> None:
    with io.BytesIO(f"{HEAD}\r\ns1,2026-12-01 14:00,50,,c1,Linden\r\n".encode()) as file:
        rows = table.read(file, table.sniffed(file), zone="Europe/Berlin")
        assert isinstance(next(rows), Row)
    del rows  # what is wrong with that is a warning, and so a failure


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be"])
def test_a_calendar_of_windows_is_read(encoding: str) -> None:
    lines = ("UID:a", "DTSTART:20261201T090000Z", "DURATION:PT50M", "LOCATION:Mühlenstr. 3", WHO)
    text = "\r\n".join(("BEGIN:VCALENDAR", "BEGIN:VEVENT", *lines, "END:VEVENT", "END:VCALENDAR", ""))
    content = text.encode(encoding)
    assert calendar.is_calendar(content[:40])
    [one] = calendar.read(content, owner={"kim@example.org"}, zone="Europe/Berlin", now=NOW)
    assert isinstance(one, Row)
    assert one.location is not None
    assert (one.line, one.location.text) == (2, "Mühlenstr. 3")


@pytest.mark.parametrize(
    ("start", "zone", "expected"),
    [
        ("2026-12-01T14:00+01:00", "", datetime(2026, 12, 1, 13, tzinfo=UTC)),
        ("2026-12-01T13:00:00Z", "", datetime(2026, 12, 1, 13, tzinfo=UTC)),
        ("2026-12-01 14:00", "Europe/London", datetime(2026, 12, 1, 14, tzinfo=UTC)),
        ("2027-10-31T02:30+02:00", "", datetime(2027, 10, 31, 0, 30, tzinfo=UTC)),
        ("2027-10-31T02:30+01:00", "", datetime(2027, 10, 31, 1, 30, tzinfo=UTC)),
        ("2026-12-01T14:00+02:00", "", "import_offset_wrong"),
        ("2027-03-28T02:30+01:00", "", "import_offset_wrong"),
        ("2027-10-31 02:30", "", "time_comes_twice"),
        ("2027-03-28 02:30", "", "time_does_not_exist"),
        ("0001-01-01T00:00+14:00", "", "import_time_malformed"),
        ("9999-12-31 23:59", "", "import_time_malformed"),
        ("2026-13-01 14:00", "", "import_time_malformed"),
        ("01.12.2026 14:00", "", "import_time_malformed"),
        ("2026-W49-2", "", "import_time_malformed"),
        ("2026-12-01 14:00", "localtime", "zone_unknown"),
        ("2026-12-01 14:00", "../etc/passwd", "zone_unknown"),
    ],
)
def test_a_time_is_an_instant_or_refused(start: str, zone: str, expected: datetime | str) -> None:
    [one] = read(f"{HEAD}\ns1,{start},50,{zone},c1,Linden\n".encode())
    assert (one.when.span.start if isinstance(one, Row) else one.error.code) == expected


@pytest.mark.parametrize(
    ("row", "code"),
    [
        ("s1,2026-12-01 14:00,0,,c1,Linden", "end_before_start"),
        ("s1,2026-12-01 14:00,5000,,c1,Linden", "session_length_out_of_range"),
        ("s1,2026-12-01 14:00,fifty,,c1,Linden", "import_minutes_malformed"),
        ("s1,2026-12-01 14:00,,,c1,Linden", "import_length_missing"),
        ("s1,2026-12-01 14:00,50,,,Linden", "import_client_missing"),
        ("s1,2026-12-01 14:00,50,,c1,Linden,more", "import_row_too_long"),
        (f"{'x' * 256},2026-12-01 14:00,50,,c1,Linden", "text_too_long"),
        ('s1,2026-12-01 14:00,50,,c1,"Linden', "import_line_broken"),
        ('s1,2026-12-01 14:00,50,,c1,"Lin"den', "import_line_broken"),
    ],
)
def test_a_row_that_makes_no_sense_is_refused_with_why(row: str, code: str) -> None:
    assert told(read(f"{HEAD}\n{row}\n".encode())) == [code]


def test_an_open_quotation_mark_takes_no_more_than_a_while() -> None:
    good = "s1,2026-12-01 14:00,50,,c1,Linden"
    broken = 's2,2026-12-01 14:00,50,,c1,"Linden\n' + "x,y\n" * 100_000
    assert told(read(f"{HEAD}\n{good}\n{broken}".encode())) == ["s1", "import_line_broken"]


def test_an_event_is_a_session_with_whom_is_invited() -> None:
    [one] = events(
        "UID:a",
        "DTSTART;TZID=America/New_York:20261201T090000",
        "DURATION:PT50M",
        "LOCATION:https://meet.example.org/kim",
        "ORGANIZER:mailto:practice@elsewhere.example",
        "ATTENDEE:mailto:KIM@example.org",
        "ATTENDEE;CUTYPE=ROOM:mailto:room@example.org",
        WHO,
    )
    assert isinstance(one, Row)
    assert (one.external_id, one.line, one.when.zone) == ("a", 3, "America/New_York")
    assert (one.client.name, one.client.email) == ("Nina Berg", "nina@client.example")
    assert one.location is not None
    assert one.location.kind is LocationKind.ONLINE


TIMES = ("DTSTART:20261201T090000Z", "DTEND:20261201T095000Z")


@pytest.mark.parametrize(
    ("lines", "code"),
    [
        (("UID:a", *TIMES), "import_event_alone"),
        (("UID:a", *TIMES, WHO, "ATTENDEE:mailto:bo@client.example"), "import_event_crowded"),
        (("UID:a", *TIMES, WHO.replace("CN", "PARTSTAT=DECLINED;CN")), "import_event_declined"),
        (("UID:a", *TIMES, WHO, "STATUS:CANCELLED"), "import_event_cancelled"),
        (("UID:a", *TIMES, WHO, "TRANSP:TRANSPARENT"), "import_event_free"),
        (("UID:a", *TIMES, WHO, "X-PENCILLED:1"), "import_event_ours"),
        ((*TIMES, WHO), "import_event_nameless"),
        (("UID:a", "DTSTART;VALUE=DATE:20261201", WHO), "import_event_days"),
        (("UID:a", "DTSTART:whenever", WHO), "import_event_unreadable"),
        (("UID:a", "DTSTART:20261201T090000Z", "DTEND:nonsense", WHO), "import_event_unreadable"),
        (("UID:a", "DTSTART;TZID=Nowhere/There:20261201T090000", "DURATION:PT50M", WHO), "import_event_unreadable"),
        (("UID:a", "DTSTART:20261202T090000Z", *TIMES, WHO), "import_event_unreadable"),
        (("UID:a", *TIMES, WHO, "RRULE:FREQ=HOURLY"), "import_series_dense"),
        (("UID:a", *TIMES, WHO, "RRULE:FREQ=SOMETIMES"), "import_event_unreadable"),
    ],
)
def test_an_event_that_is_no_session_is_refused_with_why(lines: tuple[str, ...], code: str) -> None:
    assert told(events(*lines)) == [code]


def test_a_series_is_its_sessions_to_come_and_a_moved_one_keeps_its_id() -> None:
    times = ("RECURRENCE-ID:20261208T090000Z", "DTSTART:20261209T100000Z", "DURATION:PT50M")
    moved = "\r\n".join(("BEGIN:VEVENT", "UID:a", *times, WHO))
    found = events("UID:a", *TIMES, WHO, "RRULE:FREQ=WEEKLY;COUNT=3", more=f"{moved}\r\nEND:VEVENT\r\n")
    starts = {one.external_id: one.when.span.start for one in found if isinstance(one, Row)}
    first = datetime(2026, 12, 1, 9, tzinfo=UTC)
    assert starts == {
        "a/20261201T090000Z": first,
        "a/20261208T090000Z": first + timedelta(days=8, hours=1),
        "a/20261215T090000Z": first + timedelta(days=14),
    }
    assert {one.series for one in found if isinstance(one, Row)} == {"a"}


def test_what_is_no_calendar_is_refused_as_a_whole() -> None:
    with pytest.raises(RuleError, match="no calendar"):
        list(calendar.read(b"BEGIN:VCARD\r\nEND:VCARD\r\n", owner=set(), zone="Europe/Berlin", now=NOW))
    assert not calendar.is_calendar(b"external_id,start\n")
    assert calendar.is_calendar(b"\xef\xbb\xbfbegin:vcalendar\r\n")
