"""Events as text: what we write, what we keep, what we read."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.domain.entry import Content, EntryLink, Showing
from connector.domain.span import Span
from connector.ical import vevent
from tests.ical.foreign.objects import timezone as timezone_of

DATA = Path(__file__).parent.parent / "data" / "vevent"
NAME = "6f0c0d5e-2a4b-5c1d-8e9f-0a1b2c3d4e5f"
STAMP = datetime(2026, 11, 22, 20, tzinfo=UTC)
LATER = datetime(2026, 11, 23, 9, 30, tzinfo=UTC)
START = datetime(2026, 12, 3, 13, tzinfo=UTC)

HOLD = Content(
    span=Span.of(START, timedelta(minutes=50)),
    title="Hold: K. Ö.",
    location="Praxis, 2. Stock; rechts",
    showing=Showing.TENTATIVE,
)
SESSION = replace(HOLD, title="Session: K. Ö.", location="", showing=Showing.CONFIRMED)
FIRM = replace(HOLD, showing=Showing.FIRM)


def golden(name: str) -> bytes:
    """Return a file a person has read, with the line ends that belong on the wire."""
    return (DATA / name).read_bytes().replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")


def text(data: bytes) -> str:
    return re.sub(r"\r?\n[ \t]", "", data.decode())


def edited(data: bytes, pattern: str, replacement: str) -> bytes:
    changed = re.sub(pattern, replacement, data.decode().replace("\r\n", "\n"), count=1)
    return changed.replace("\n", "\r\n").encode()


@pytest.mark.parametrize(
    ("name", "content"), [("hold.ics", HOLD), ("session.ics", SESSION), ("firm-hold.ics", FIRM)], ids=str
)
def test_events_are_written_as_a_person_has_read_them(name: str, content: Content) -> None:
    assert vevent.build(NAME, content, stamp=STAMP) == golden(name)


def test_a_touched_event_is_changed_only_in_what_is_ours() -> None:
    moved = replace(SESSION, span=Span.of(START + timedelta(days=1), timedelta(minutes=50)))
    assert vevent.merge(golden("touched.ics"), moved, name=NAME, stamp=LATER) == golden("touched-merged.ics")


def test_an_event_holds_nobody_and_rings_nobody() -> None:
    written = vevent.build(NAME, HOLD, stamp=STAMP).decode()
    for word in ("ORGANIZER", "ATTENDEE", "METHOD", "VALARM", "DESCRIPTION"):
        assert word not in written


@pytest.mark.parametrize("content", [HOLD, SESSION, FIRM])
def test_what_was_written_reads_back(content: Content) -> None:
    data = vevent.build(NAME, content, stamp=STAMP)
    assert vevent.read(data) == content
    assert vevent.uid(data) == NAME


words = st.text(st.characters(exclude_categories=("Cs", "Cc")), max_size=120)
contents = st.builds(
    Content,
    span=st.builds(
        Span.of,
        st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1)).map(
            lambda value: value.replace(tzinfo=UTC, microsecond=0)
        ),
        st.integers(1, 86_400).map(lambda seconds: timedelta(seconds=seconds)),
    ),
    title=words,
    location=words,
    showing=st.sampled_from(Showing),
)


@given(contents)
def test_any_content_reads_back_with_an_equal_fingerprint(content: Content) -> None:
    read = vevent.read(vevent.build(NAME, content, stamp=STAMP))
    assert read is not None
    assert read.fingerprint == content.fingerprint


@given(contents, contents)
def test_any_content_merged_into_any_other_reads_back(old: Content, new: Content) -> None:
    merged = vevent.merge(vevent.build(NAME, old, stamp=STAMP), new, name=NAME, stamp=LATER)
    assert vevent.read(merged) == new
    assert vevent.uid(merged) == NAME


@given(contents)
def test_no_line_is_longer_than_the_standard_allows(content: Content) -> None:
    data = vevent.build(NAME, content, stamp=STAMP)
    assert max(len(line) for line in data.split(b"\r\n")) <= 75
    data.decode()


@given(st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_garbage_is_unreadable_and_nothing_worse(garbage: bytes) -> None:
    assert vevent.read(garbage) is None
    with pytest.raises(vevent.UnreadableError):
        vevent.merge(garbage, HOLD, name=NAME, stamp=STAMP)


@given(st.data())
def test_a_damaged_event_is_read_merged_or_refused_and_nothing_worse(data: st.DataObject) -> None:
    whole = golden("touched.ics")
    cut = data.draw(st.integers(0, len(whole)))
    damaged = whole[:cut] + data.draw(st.binary(max_size=8)) + whole[cut + data.draw(st.integers(0, 60)) :]
    vevent.read(damaged)
    try:
        vevent.merge(damaged, HOLD, name=NAME, stamp=STAMP)
    except vevent.UnreadableError:
        return


def test_control_characters_cannot_break_out_of_a_line() -> None:
    data = vevent.build(NAME, replace(HOLD, title="a\r\nATTENDEE:mailto:x@example.org\x00\x0b"), stamp=STAMP)
    assert b"\nATTENDEE" not in data
    assert b"\x00" not in data


# Where an event leads

SESSION_ID = UUID("0b6f3c1e-7a52-4d3e-9f10-2f6a4f1c9d77")
LINK = EntryLink(url=f"https://pencilled.example/sessions/{SESSION_ID}", title="Pencilled")


def merged_with(data: bytes, link: EntryLink | None) -> list[str]:
    """Return the lines of URL after our next write."""
    merged = vevent.merge(data, SESSION, name=NAME, stamp=LATER, session_id=SESSION_ID, link=link)
    assert vevent.read(merged) == SESSION
    return [line for line in text(merged).splitlines() if line.upper().startswith("URL")]


def test_a_new_event_leads_to_its_session_and_nothing_is_read_of_that() -> None:
    data = vevent.build(NAME, HOLD, stamp=STAMP, link=LINK)
    assert f"URL:{LINK.url}" in text(data).splitlines()
    assert vevent.read(data) == HOLD
    assert max(map(len, data.splitlines())) <= 75


@pytest.mark.parametrize(
    ("before", "link", "after"),
    [
        ("", LINK, [f"URL:{LINK.url}"]),
        ("", None, []),
        (f"URL:http://localhost:8000/sessions/{SESSION_ID}\n", LINK, [f"URL:{LINK.url}"]),
        (f"URL;VALUE=URI:{LINK.url}\n", None, []),
        ("URL:https://meet.example/room\n", LINK, ["URL:https://meet.example/room"]),
        ("URL:https://meet.example/room\n", None, ["URL:https://meet.example/room"]),
    ],
    ids=["one that stood without", "none wanted", "of a former address", "shown no more", "somebody's own", "theirs"],
)
def test_the_link_comes_and_goes_with_our_writes_and_somebodys_own_stays(
    before: str, link: EntryLink | None, after: list[str]
) -> None:
    data = edited(golden("hold.ics"), "END:VEVENT", f"{before}END:VEVENT")
    assert merged_with(data, link) == after


def test_an_address_cannot_break_out_of_its_line() -> None:
    with pytest.raises(ValueError, match="no address"):
        vevent.build(NAME, HOLD, stamp=STAMP, link=EntryLink(url="https://x.example/\nATTENDEE:x", title="x"))


# What others have written stays as it was, to the byte

ODD = (
    b"DESCRIPTION:one \xff\r\n  two\r\n\tthree\r\n"
    b"X-ODD ; A = 1 :  \xe2\x80\xa8 \x0b\r\n"
    b"COMMENT\r\n"
    b"\r\n"
    b"X-LONG:" + b"a" * 300 + b"\r\n"
)


def with_lines(data: bytes, extra: bytes) -> bytes:
    return data.replace(b"END:VEVENT", extra + b"END:VEVENT")


@pytest.mark.parametrize("extra", [ODD, b"DESCRIPTION:" + b"\r\n ".join([b"n" * 73] * 4800) + b"\r\n"])
def test_every_byte_of_others_stays_as_it_was(extra: bytes) -> None:
    data = with_lines(golden("hold.ics"), extra)
    assert vevent.read(data) == HOLD
    merged = vevent.merge(data, SESSION, name=NAME, stamp=LATER)
    assert extra in merged
    assert vevent.read(merged) == SESSION


def test_lines_end_as_they_did() -> None:
    data = golden("touched.ics").replace(b"\r\n", b"\n")
    merged = vevent.merge(data, HOLD, name=NAME, stamp=LATER)
    assert b"\r" not in merged
    assert vevent.read(merged) == HOLD


def test_a_property_of_ours_is_known_however_it_is_folded() -> None:
    data = edited(golden("hold.ics"), "SUMMARY:Hold", "SUM\n MARY:Ho\n ld")
    merged = vevent.merge(data, SESSION, name=NAME, stamp=LATER)
    assert vevent.read(merged) == SESSION
    assert b"SUM\r\n" not in merged


@pytest.mark.parametrize(
    ("pattern", "replacement"),
    [
        ("END:VEVENT", "END:VALARM"),
        ("END:VEVENT\n", ""),
        ("END:VCALENDAR\n", ""),
        ("END:VEVENT", "END:VEVENT\nBEGIN:VEVENT\nUID:other\nEND:VEVENT"),
        ("(?s)BEGIN:VEVENT.*END:VEVENT\n", ""),
    ],
)
def test_what_cannot_be_changed_without_loss_is_refused(pattern: str, replacement: str) -> None:
    with pytest.raises(vevent.UnreadableError):
        vevent.merge(edited(golden("hold.ics"), pattern, replacement), HOLD, name=NAME, stamp=STAMP)


@pytest.mark.parametrize("line", ["DTSTART", "DTEND", "SUMMARY", "UID", "X-PENCILLED", "BEGIN", "END"])
@pytest.mark.parametrize("name", ["{} ", "{}\t", "{};X=1", "{};X=1 "])
def test_a_name_is_the_same_to_whoever_reads_and_whoever_merges(line: str, name: str) -> None:
    data = edited(golden("hold.ics"), f"(?<=\n){line}(?=[:;])", name.format(line))
    moved = replace(SESSION, span=Span.of(START + timedelta(days=1), timedelta(minutes=50)))
    merged = vevent.merge(data, moved, name=NAME, stamp=LATER)
    assert vevent.read(merged) == moved
    assert merged.count(b"\nDTSTART") == 1


@pytest.mark.parametrize("name", ["X-PENCILLED", "X-PENCILLED-ENTRY", "UID"])
def test_a_name_is_the_same_to_whoever_asks_whose_it_is(name: str) -> None:
    line = next(line for line in golden("hold.ics").decode().split("\r\n") if line.startswith(f"{name}:"))
    whose = vevent.identity(line)
    assert whose
    assert vevent.identity(line.replace(":", " :")) == whose


def test_what_would_not_be_read_as_it_was_written_is_refused() -> None:
    nested = b"BEGIN:X-OLD\r\nBEGIN:VEVENT\r\nDTSTART:20200101T000000Z\r\nEND:VEVENT\r\nEND:X-OLD\r\n"
    for extra in (nested, b"X-NOTE:a\rDTSTART:20200101T000000Z\r\n"):
        data = golden("hold.ics").replace(b"DTSTAMP:", extra + b"DTSTAMP:")
        with pytest.raises(vevent.UnreadableError):
            vevent.merge(data, SESSION, name=NAME, stamp=LATER)


@given(st.lists(st.sampled_from([*ODD.split(b"\r\n")[:4], b"BEGIN:VALARM\r\nUID:x\r\nEND:VALARM"]), max_size=6))
def test_lines_of_others_stay_in_their_order(lines: list[bytes]) -> None:
    extra = b"".join(b"X-FIRST:1\r\n" if line[:1].isspace() else line + b"\r\n" for line in lines)
    data = with_lines(golden("hold.ics"), extra)
    assert extra in vevent.merge(data, SESSION, name=NAME, stamp=LATER)


# Zones and hours as foreign objects have them


def at(start: str, end: str, zone: str = "") -> bytes:
    data = edited(golden("session.ics"), "DTSTART:.*", f"DTSTART;{start}")
    data = edited(data, "DTEND:.*", f"DTEND;{end}")
    return data.replace(b"BEGIN:VEVENT", zone.encode() + b"BEGIN:VEVENT")


def test_an_hour_that_does_not_exist_is_read() -> None:
    data = at("TZID=Europe/Berlin:20270328T020000", "TZID=Europe/Berlin:20270328T030000")
    assert vevent.read(data) == replace(SESSION, span=Span.of(datetime(2027, 3, 28, 1, tzinfo=UTC), timedelta(hours=1)))


@pytest.mark.parametrize("name", ["Europe:...", "x" * 300, "../../etc/passwd", "localtime"])
def test_a_zone_that_nobody_knows_tells_no_instant(name: str) -> None:
    assert vevent.read(at(f"TZID={name}:20261203T140000", f"TZID={name}:20261203T145000")) is None


def test_a_strangers_zone_of_the_same_name_moves_nothing() -> None:
    name = "Customized Time Zone"
    for offset, hour in (("-0500", "08"), ("+0100", "14"), ("-0500", "08")):
        zone = timezone_of(name, winter=offset, summer=offset)
        data = at(f"TZID={name}:20261203T{hour}0000", f"TZID={name}:20261203T{hour}5000", zone)
        assert vevent.read(data) == SESSION
        assert f"DTSTART;TZID={name}" in text(vevent.merge(data, SESSION, name=NAME, stamp=LATER))


# What the practitioner may have made of it


@pytest.mark.parametrize(
    ("pattern", "replacement"),
    [
        (r"DTSTART:\d{8}T\d{6}Z", "DTSTART;VALUE=DATE:20261203"),
        (r"END:VEVENT", "RRULE:FREQ=WEEKLY;COUNT=3\nEND:VEVENT"),
        (r"END:VEVENT", "RDATE:20261210T130000Z\nEND:VEVENT"),
        (r"DTSTART:(\d{8}T\d{6})Z", r"DTSTART:\1"),
        (r"DTSTART:(\d{8}T\d{6})Z", r"DTSTART;TZID=Nowhere/Land:\1"),
        (r"DTEND:.*", "DTEND:20261203T120000Z"),
        (r"DTEND:.*\n", ""),
        (r"DTSTART:.*", "DTSTART:tomorrow"),
        (r"STATUS:.*", "STATUS:CANCELLED"),
        (r"TRANSP:.*", "TRANSP:TRANSPARENT"),
        (r"(?s)BEGIN:VEVENT.*END:VEVENT", "BEGIN:VTODO\nUID:x\nEND:VTODO"),
    ],
)
def test_what_we_never_write_is_read_as_nothing_of_ours(pattern: str, replacement: str) -> None:
    assert vevent.read(edited(golden("session.ics"), pattern, replacement)) is None


@pytest.mark.parametrize("name", ["allday.ics", "series.ics"])
def test_an_event_made_something_else_is_restored_with_its_notes(name: str) -> None:
    merged = vevent.merge(golden(name), SESSION, name=NAME, stamp=LATER)
    assert vevent.read(merged) == SESSION
    assert "DESCRIPTION:Blue folder" in text(merged)
    assert text(merged).count("BEGIN:VEVENT") == 1


def test_another_zone_with_the_same_instant_is_no_change() -> None:
    data = golden("zoned.ics")
    assert vevent.read(data) == SESSION
    merged = vevent.merge(data, SESSION, name=NAME, stamp=LATER)
    assert "DTSTART;TZID=Praxiszeit:20261203T140000" in text(merged)
    assert "SEQUENCE:4" in text(merged)


def test_a_moved_event_in_another_zone_is_put_back_in_utc() -> None:
    moved = replace(SESSION, span=Span.of(START + timedelta(hours=2), timedelta(minutes=50)))
    merged = vevent.merge(golden("zoned.ics"), moved, name=NAME, stamp=LATER)
    assert vevent.read(merged) == moved
    assert "SEQUENCE:5" in text(merged)


@pytest.mark.parametrize(("status", "content"), [("TENTATIVE", SESSION), ("CONFIRMED", HOLD), ("TENTATIVE", FIRM)])
def test_a_status_changed_by_hand_is_seen(status: str, content: Content) -> None:
    changed = vevent.read(edited(vevent.build(NAME, content, stamp=STAMP), "STATUS:.*", f"STATUS:{status}"))
    assert changed is not None
    assert changed.fingerprint != content.fingerprint


def test_a_duration_is_as_good_as_an_end() -> None:
    data = edited(golden("session.ics"), "DTEND:.*", "DURATION:PT50M")
    assert vevent.read(data) == SESSION
    merged = vevent.merge(data, replace(SESSION, span=Span.of(START, timedelta(hours=1))), name=NAME, stamp=LATER)
    assert "DURATION" not in text(merged)


@pytest.mark.parametrize(
    ("content", "sequence"),
    [
        (HOLD, 0),
        (replace(HOLD, title="Other"), 0),
        (replace(HOLD, location="Other"), 0),
        (replace(HOLD, showing=Showing.FIRM), 1),
        (replace(HOLD, span=Span.of(START, timedelta(hours=1))), 1),
    ],
)
def test_sequence_rises_with_time_and_status_only(content: Content, sequence: int) -> None:
    assert f"SEQUENCE:{sequence}\n" in text(vevent.merge(golden("hold.ics"), content, name=NAME, stamp=LATER)).replace(
        "\r", ""
    )


def test_a_sequence_that_is_no_number_begins_anew() -> None:
    data = edited(golden("hold.ics"), "SEQUENCE:0", "SEQUENCE:many")
    assert "SEQUENCE:1" in text(vevent.merge(data, SESSION, name=NAME, stamp=LATER))


def test_a_property_that_appears_twice_is_there_once_afterwards() -> None:
    data = edited(golden("hold.ics"), "DTSTAMP:.*", "DTSTAMP:20260101T000000Z\nDTSTAMP:20260102T000000Z")
    assert text(vevent.merge(data, HOLD, name=NAME, stamp=LATER)).count("DTSTAMP") == 1


def test_a_location_that_is_no_longer_shown_goes() -> None:
    assert "LOCATION" not in text(vevent.merge(golden("hold.ics"), replace(HOLD, location=""), name=NAME, stamp=LATER))


def test_a_method_never_stays_in_a_stored_event() -> None:
    data = edited(golden("hold.ics"), "BEGIN:VEVENT", "METHOD:REQUEST\nBEGIN:VEVENT")
    assert "METHOD" not in text(vevent.merge(data, HOLD, name=NAME, stamp=LATER))


def test_merging_again_changes_nothing() -> None:
    once = vevent.merge(golden("touched.ics"), HOLD, name=NAME, stamp=LATER)
    assert vevent.merge(once, HOLD, name=NAME, stamp=LATER) == once


def test_only_utc_may_be_a_stamp() -> None:
    with pytest.raises(ValueError, match="UTC"):
        vevent.build(NAME, HOLD, stamp=STAMP.astimezone(timezone(timedelta(hours=1))))
