"""When a collection is not free, as its servers tell it: in pieces, with odd characters, from many programs."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from connector.domain.span import Span
from connector.domain.unreadable import Unreadable
from connector.errors import RefusedError, TransientError
from connector.lately import Lately
from connector.ports import UnreadEvent
from providers._wire import LARGEST, Answer, TooLargeError
from providers.caldav import dav
from tests.fakes.caldav_proxy import Reply, Request, Script, says
from tests.ical.foreign.objects import calendar as whole
from tests.ical.foreign.objects import event, timezone
from tests.providers.conftest import Setting
from tests.providers.contract import DAY, content, creation, written

Forward = Callable[[], Reply]
NOON = "DTSTART:20261203T120000Z"
HOUR = "DURATION:PT1H"
FOREIGN = "DTSTAMP:20261101T000000Z"
LOS_ANGELES = ZoneInfo("America/Los_Angeles")
CUT = (
    b'<d:multistatus xmlns:d="DAV:"><d:response><d:href>/x/</d:href>'
    b"<d:status>HTTP/1.1 507 Insufficient Storage</d:status></d:response></d:multistatus>"
)
TIMES = [Span.of(datetime(2026, 12, 3, 12, tzinfo=UTC), timedelta(hours=1))]


def odd(*lines: str, uid: str = "odd") -> str:
    return whole("PRODID:x\r\n", event(FOREIGN, *lines, uid=uid))


def spans(setting: Setting, **options: ZoneInfo) -> list[Span]:
    return [one.span for one in setting.calendar.busy(DAY, **options).times]


def edited(*edits: tuple[bytes, bytes]) -> Script:
    """Pass on, and change the answer."""

    def script(_: Request, forward: Forward) -> Reply:
        reply = forward()
        body = reply.body
        for old, new in edits:
            assert old in body
            body = body.replace(old, new)
        headers = {name: value for name, value in reply.headers.items() if name.lower() != "content-length"}
        return replace(reply, body=body, headers=headers)

    return script


def halved(_: Request, forward: Forward) -> Reply:
    reply = forward()
    return Reply(reply.status, {"Content-Type": "application/xml"}, reply.body[: len(reply.body) // 2])


# In pieces, and only what is new


def test_only_what_is_new_is_fetched(setting: Setting) -> None:
    hrefs = [setting.owner.add(content(hours=n).span) for n in range(3)]
    assert len(spans(setting)) == 3
    assert setting.proxy.methods() == ["REPORT", "REPORT"]
    setting.proxy.forget()
    assert len(spans(setting)) == 3
    assert setting.proxy.methods() == ["REPORT"]
    setting.proxy.forget()
    setting.owner.move(hrefs[0], content(hours=5).span)
    setting.owner.delete(hrefs[1])
    assert spans(setting) == [content(hours=2).span, content(hours=5).span]
    assert setting.proxy.methods() == ["REPORT", "GET"]


def test_what_was_fetched_is_fetched_again_on_another_day(setting: Setting) -> None:
    """A server that counts its ETags, and is set back, gives an old one to other content."""
    setting.owner.add(content().span)
    for day in (DAY, Span.of(DAY.start - timedelta(days=1), DAY.end)):
        assert [one.span for one in setting.calendar.busy(day).times] == [content().span]
    assert setting.proxy.methods() == ["REPORT", "GET"] * 2


def test_what_we_have_written_ourselves_is_not_fetched(setting: Setting) -> None:
    written(setting.calendar.apply([creation()]))
    setting.proxy.forget()
    assert spans(setting) == [content().span]
    assert setting.proxy.methods() == ["REPORT"]


def test_many_events_come_a_hundred_at_a_time(setting: Setting) -> None:
    for n in range(101):
        setting.owner.add_text(odd(NOON, HOUR, uid=f"odd {n}"))
    assert len(spans(setting)) == 101
    assert setting.proxy.methods() == ["REPORT", "REPORT", "GET"]


def test_an_answer_cut_in_half_is_not_taken_for_the_whole(setting: Setting) -> None:
    for n in range(4):
        setting.owner.add(content(hours=n).span)
    setting.proxy.once("REPORT", lambda _, forward: forward())
    setting.proxy.once("REPORT", halved)
    assert len(spans(setting)) == 4
    assert setting.proxy.methods() == ["REPORT"] * 4


def test_an_answer_that_one_event_breaks_hides_no_other(setting: Setting) -> None:
    puts = [creation(content(hours=n)) for n in range(2)]
    refs = [outcome.ref for outcome in written(setting.calendar.apply(puts))]
    setting.proxy.once("REPORT", halved, times=2)
    assert all(setting.calendar.read(refs).values())
    assert len(setting.calendar.listing(DAY.start)) == 2
    assert setting.proxy.methods()[2:] == ["REPORT", "GET", "GET", "REPORT", "REPORT", "REPORT"]


def test_a_list_cut_in_half_is_refused(setting: Setting) -> None:
    setting.owner.add(content().span)
    setting.proxy.once("REPORT", halved)
    with pytest.raises(RefusedError):
        setting.calendar.busy(DAY)


@pytest.mark.parametrize("too_much", [b" " * (LARGEST + 1), CUT])
def test_a_list_that_is_too_much_for_one_answer_is_asked_for_in_halves_of_its_time(
    setting: Setting, too_much: bytes
) -> None:
    """Neither here nor where all of ours is listed has a collection a largest size."""
    days = Span.of(DAY.start, DAY.start + timedelta(days=40))
    times = [content(hours=24 * n).span for n in range(0, 40, 8)]
    for time in times:
        setting.owner.add(time)
    setting.owner.add_text(odd(NOON, HOUR, "RRULE:FREQ=WEEKLY", uid="weekly"))
    expected = setting.calendar.busy(days)
    assert set(times) <= {one.span for one in expected.times}
    puts = written(setting.calendar.apply([creation()]))
    setting.proxy.gate = no_more_than(timedelta(days=20), too_much)
    assert [one for one in setting.calendar.busy(days).times if one.name is None] == list(expected.times)
    assert [one.sighting.href for one in setting.calendar.listing(DAY.start)] == [one.ref.href for one in puts]


def test_a_list_that_is_never_told_to_its_end_is_asked_for_again_later(setting: Setting) -> None:
    setting.owner.add(content().span)
    setting.proxy.always("REPORT", says(207, CUT))
    with pytest.raises(TransientError):
        setting.calendar.busy(DAY)
    assert setting.proxy.count() <= 4, "not once for each window"


def no_more_than(most: timedelta, answer: bytes) -> Script:
    """Answer so to whoever asks for more time, as events are many."""

    def script(request: Request, forward: Forward) -> Reply:
        ends = re.search(rb'time-range start="(\w+)"(?: end="(\w+)")?', request.body)
        if ends is None:
            return forward()
        start = datetime.strptime(ends[1].decode(), "%Y%m%dT%H%M%S%z")
        end = datetime.strptime(ends[2].decode(), "%Y%m%dT%H%M%S%z") if ends[2] else None
        is_far = start > DAY.end + timedelta(days=365)
        return forward() if is_far or (end and end - start <= most) else Reply(207, {}, answer)

    return script


@pytest.mark.parametrize("status", [403, 501])
def test_a_server_that_tells_one_at_a_time_is_asked_one_at_a_time(setting: Setting, status: int) -> None:
    for n in range(3):
        setting.owner.add(content(hours=n).span)
    setting.proxy.once("REPORT", lambda _, forward: forward())
    setting.proxy.once("REPORT", says(status))
    assert len(spans(setting)) == 3
    assert setting.proxy.methods() == ["REPORT", "REPORT", "GET", "GET", "GET"]


def test_an_event_that_is_not_handed_out_is_told(setting: Setting) -> None:
    href = setting.owner.add(content().span)
    setting.proxy.once("GET", says(403))
    reading = setting.calendar.busy(DAY)
    assert reading.times == []
    assert reading.unreadable == (UnreadEvent(href=href, reason=Unreadable.WITHHELD),)


def refusing(setting: Setting, href: str, status: int) -> Script:
    """Pass on, and have the answer refuse one event, as the server says of it in a row."""

    def script(_: Request, forward: Forward) -> Reply:
        body = forward().body
        rows = re.findall(rb"<response>.*?</response>", body, re.DOTALL)
        [row] = [row for row in rows if f"<href>{href}</href>".encode() in row]
        told = f"<response><href>{href}</href><status>HTTP/1.1 {status} No</status></response>"
        return Reply(207, {"Content-Type": "application/xml"}, body.replace(row, told.encode()))

    assert href.startswith("/")
    setting.proxy.forget()
    return script


ROWS = [401, 403, 404, 410, 423, 429, 500]


@pytest.mark.parametrize("status", ROWS)
def test_an_event_that_a_list_names_and_refuses_is_asked_for_by_itself(setting: Setting, status: int) -> None:
    hrefs = [setting.owner.add(content(hours=n).span) for n in range(3)]
    setting.proxy.once("REPORT", refusing(setting, hrefs[1], status))
    assert spans(setting) == [content(hours=n).span for n in range(3)]


@pytest.mark.parametrize("status", ROWS)
def test_an_only_event_that_a_list_refuses_is_no_refusal_of_the_calendar(setting: Setting, status: int) -> None:
    href = setting.owner.add(content().span)
    setting.proxy.once("REPORT", refusing(setting, href, status))
    assert spans(setting) == [content().span]
    assert setting.proxy.methods() == ["REPORT", "GET"]


@pytest.mark.parametrize("status", ROWS)
def test_an_event_refused_among_others_is_asked_for_by_itself(setting: Setting, status: int) -> None:
    hrefs = [setting.owner.add(content(hours=n).span) for n in range(3)]
    setting.proxy.once("REPORT", lambda _, forward: forward())
    setting.proxy.once("REPORT", refusing(setting, hrefs[1], status))
    assert spans(setting) == [content(hours=n).span for n in range(3)]
    assert setting.proxy.methods() == ["REPORT", "REPORT", "GET"]


def test_an_event_that_is_refused_wherever_it_is_asked_for_is_told(setting: Setting) -> None:
    hrefs = [setting.owner.add(content(hours=n).span) for n in range(2)]
    setting.proxy.once("REPORT", refusing(setting, hrefs[0], 403))
    setting.proxy.once("REPORT", refusing(setting, hrefs[0], 403))
    setting.proxy.once("GET", says(403))
    reading = setting.calendar.busy(DAY)
    assert [one.span for one in reading.times] == [content(hours=1).span]
    assert reading.unreadable == (UnreadEvent(href=hrefs[0], reason=Unreadable.WITHHELD),)


def test_ours_that_is_told_to_be_gone_among_others_is_looked_for_before_it_is_called_absent(setting: Setting) -> None:
    puts = [creation(content(hours=n)) for n in range(2)]
    hrefs = [outcome.ref.href or "" for outcome in written(setting.calendar.apply(puts))]
    setting.proxy.once("REPORT", halved)
    setting.proxy.once("REPORT", lambda _, forward: forward())
    setting.proxy.once("REPORT", refusing(setting, hrefs[0], 404))
    assert len(setting.calendar.listing(DAY.start)) == 2


def test_what_goes_while_it_is_read_is_gone(setting: Setting) -> None:
    setting.owner.add(content().span)
    setting.proxy.once("GET", says(404))
    reading = setting.calendar.busy(DAY)
    assert (list(reading.times), reading.unreadable) == ([], ())


def test_values_that_were_not_asked_for_the_longest_are_forgotten_first() -> None:
    kept = Lately[bytes](most=2000)
    for name in ("a", "b", "c"):
        kept.put(name, b"x", size=1)
        kept.get("a")
    kept.put("d", b"x", size=400)
    assert [name for name in "abcd" if kept.get(name)] == ["a", "c", "d"]
    kept.put("d", b"x", size=1)
    kept.put("e", b"x", size=1)
    assert [name for name in "acde" if kept.get(name)] == ["c", "d", "e"]


# Characters that XML forbids


@pytest.mark.parametrize("character", ["\ufffe", "\uffff"])
def test_a_forbidden_character_in_a_note_hides_nothing(setting: Setting, character: str) -> None:
    """Radicale passes them on as they are."""
    setting.owner.add_text(odd(NOON, HOUR, f"DESCRIPTION:a{character}b"))
    setting.owner.add(content(hours=3).span)
    assert spans(setting) == [*TIMES, content(hours=3).span]
    assert list(setting.calendar.listing(DAY.start)) == []


@pytest.mark.parametrize(
    "character", [b"\x0b", b"\x00", b"&#11;", b"&#x1F;", b"&#xD800;", b"&#65534;", b"\xed\xa0\x80", b"&#99999999;"]
)
def test_no_forbidden_character_hides_anything(setting: Setting, character: bytes) -> None:
    for n in range(2):
        setting.owner.add_text(odd(NOON, HOUR, "DESCRIPTION:left-right", uid=f"odd {n}"))
    setting.proxy.once("REPORT", lambda _, forward: forward())
    setting.proxy.once("REPORT", edited((b"left-right", b"left" + character + b"right")))
    assert spans(setting) == TIMES * 2
    assert setting.proxy.methods() == ["REPORT", "REPORT"]


MANY = 700_000


@pytest.mark.parametrize(
    "rows",
    [b"<response/>" * MANY, b"<response><a " + b"".join(b"a%d='' " % n for n in range(MANY)) + b"/></response>"],
    ids=["elements", "attributes"],
)
def test_an_answer_of_more_elements_than_are_held_at_once_is_asked_for_in_pieces(setting: Setting, rows: bytes) -> None:
    answer = b'<multistatus xmlns="DAV:">' + rows + b"</multistatus>"
    with pytest.raises(TooLargeError):
        dav.multistatus(Answer(207, {}, answer, setting.proxy.url))
    hrefs = [setting.owner.add(content(hours=n).span) for n in range(2)]
    setting.proxy.once("REPORT", lambda _, forward: forward())
    setting.proxy.once("REPORT", says(207, answer))
    assert [one.href for one in setting.calendar.busy(DAY).times] == hrefs
    assert setting.proxy.methods() == ["REPORT", "REPORT", "GET", "GET"]


def test_an_answer_of_many_events_is_read() -> None:
    row = "<response><href>/{}.ics</href><propstat><prop><getetag>&quot;{}&quot;</getetag></prop></propstat></response>"
    rows = "".join(row.format(n, n) for n in range(50_000))
    body = f'<multistatus xmlns="DAV:">{rows}</multistatus>'.encode()
    assert len(dav.multistatus(Answer(207, {}, body, "http://x.example/")).rows) == 50_000


@pytest.mark.parametrize("reference", [b"&#9;", b"&#xE4;", b"&#128512;"])
def test_what_xml_allows_is_kept(reference: bytes) -> None:
    assert len(dav.parse(b"<a>\x0b" + reference + b"</a>").text) == 1


# Whose days, whose zone


def test_days_are_the_practitioners_where_the_collection_tells_no_zone(setting: Setting) -> None:
    setting.owner.add_text(odd("DTSTART;VALUE=DATE:20261203"))
    assert spans(setting, zone=LOS_ANGELES) == [Span.of(datetime(2026, 12, 3, 8, tzinfo=UTC), timedelta(days=1))]


def test_a_day_at_the_edge_of_what_is_asked_about_is_found(setting: Setting) -> None:
    """Radicale reckons days in UTC."""
    setting.owner.add_text(odd("DTSTART;VALUE=DATE:20261202"))
    morning = Span.of(datetime(2026, 12, 3, 5, tzinfo=UTC), timedelta(hours=2))
    times = setting.calendar.busy(morning, zone=LOS_ANGELES).times
    assert [one.span.end for one in times] == [datetime(2026, 12, 3, 8, tzinfo=UTC)]


@pytest.mark.parametrize(
    "prop",
    [
        "<C:calendar-timezone-id>Europe/Berlin</C:calendar-timezone-id>",
        f"<C:calendar-timezone>{whole(timezone('Customized Time Zone'))}</C:calendar-timezone>",
    ],
)
def test_times_without_a_known_zone_are_the_collections(setting: Setting, prop: str) -> None:
    setting.owner.add_text(odd("DTSTART;TZID=Somewhere:20261203T130000", HOUR))
    setting.proxy.once("PROPFIND", _about(setting, prop))
    assert spans(setting, zone=LOS_ANGELES) == TIMES
    assert setting.proxy.methods() == ["REPORT", "GET", "PROPFIND"]


def test_a_strangers_zone_of_the_same_name_changes_nothing(setting: Setting) -> None:
    name = "Customized Time Zone"
    for n, offset in enumerate(("-0500", "+0100")):
        zone = timezone(name, winter=offset, summer=offset)
        setting.owner.add_text(
            whole("PRODID:x\r\n", zone, event(FOREIGN, f"DTSTART;TZID={name}:20261203T120000", HOUR, uid=f"{n}"))
        )
    assert [span.start.hour for span in spans(setting)] == [11, 17]


# Who has declined


def test_what_the_owner_has_declined_is_free(setting: Setting) -> None:
    addresses = "<C:calendar-user-address-set><D:href>mailto:Kim@example.org</D:href></C:calendar-user-address-set>"
    declined = "ORGANIZER:mailto:alex@example.org", "ATTENDEE;PARTSTAT=DECLINED:mailto:kim@example.org"
    setting.owner.add_text(odd(NOON, HOUR, *declined))
    setting.owner.add_text(odd(NOON, HOUR, "ATTENDEE;PARTSTAT=DECLINED:mailto:alex@example.org", uid="theirs"))
    setting.proxy.once("PROPFIND", _about(setting, addresses))
    assert spans(setting) == TIMES
    assert spans(setting) == TIMES
    assert setting.proxy.methods() == ["REPORT", "REPORT", "PROPFIND", "REPORT"]


def test_a_server_that_does_not_tell_who_its_owner_is_has_all_of_it_busy(setting: Setting) -> None:
    setting.owner.add_text(odd(NOON, HOUR, "ATTENDEE;PARTSTAT=DECLINED:mailto:kim@example.org"))
    setting.proxy.once("PROPFIND", says(500))
    assert spans(setting) == TIMES


# What cannot be read, beside what can


def test_what_cannot_be_read_is_told_and_hides_nothing(setting: Setting) -> None:
    setting.owner.add(content(hours=3).span)
    texts = {
        Unreadable.TOO_DENSE: odd(NOON, HOUR, "RRULE:FREQ=SECONDLY", uid="dense"),
        Unreadable.RULE: odd(NOON, HOUR, "RRULE:FREQ=DAILY;INTERVAL=0", uid="never"),
        Unreadable.NOT_WHOLE: odd(NOON, HOUR, uid="cut").replace("END:VCALENDAR", ""),
    }
    setting.proxy.once("REPORT", _tells(setting, *texts.values()))
    reading = setting.calendar.busy(DAY)
    assert {one.reason for one in reading.unreadable} == texts.keys()
    assert {one.href for one in reading.unreadable} == {f"{_path(setting)}{n}.ics" for n in range(3)}
    assert TIMES[0] in {one.span for one in reading.times}
    assert {one.starts_at for one in reading.unreadable if one.reason is not Unreadable.NOT_WHOLE} == {TIMES[0].start}


def test_an_event_that_asks_for_more_than_it_is_worth_holds_up_no_other(setting: Setting) -> None:
    times = ",".join(["20261203T120000Z"] * 20_000)
    setting.owner.add_text(odd(NOON, HOUR, "RRULE:FREQ=DAILY", f'EXDATE;X-A="{"b" * 700_000}":{times}', uid="bomb"))
    other = setting.owner.add(content(hours=5).span)
    reading = setting.calendar.busy(DAY)
    assert other in {busy.href for busy in reading.times}
    assert [event.reason for event in reading.unreadable] == [Unreadable.TOO_LONG]


def _path(setting: Setting) -> str:
    return setting.owner.url.removeprefix(setting.owner.server.url.rstrip("/"))


def _tells(setting: Setting, *texts: str) -> Script:
    rows = "".join(
        f"<D:response><D:href>{_path(setting)}{n}.ics</D:href><D:propstat><D:prop><C:calendar-data>{text}"
        "</C:calendar-data></D:prop><D:status>HTTP/1.1 200 OK</D:status></D:propstat></D:response>"
        for n, text in enumerate(texts)
    )
    return says(
        207, f'<D:multistatus xmlns:D="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav">{rows}</D:multistatus>'.encode()
    )


def _about(setting: Setting, prop: str) -> Script:
    row = (
        f"<D:response><D:href>{_path(setting)}</D:href><D:propstat><D:prop>{prop}</D:prop>"
        "<D:status>HTTP/1.1 200 OK</D:status></D:propstat></D:response>"
    )
    return says(
        207, f'<D:multistatus xmlns:D="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav">{row}</D:multistatus>'.encode()
    )
