"""What comes back from Outlook: its change feed, free and busy, and the zones it names."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo, available_timezones

import pytest
from icalendar.timezone.windows_to_olson import WINDOWS_TO_OLSON

from connector.domain.reconcile import Ref
from connector.domain.span import Span
from connector.domain.standing import Nature
from connector.domain.unreadable import Unreadable
from connector.errors import (
    AccessLostError,
    MissingError,
    ProviderError,
    RefusedError,
    SyncTokenExpiredError,
    TransientError,
)
from connector.ports import UnreadEvent
from providers.outlook import zones
from providers.outlook.calendar import OutlookCalendar
from providers.outlook.feed import AHEAD, LEAST_AHEAD
from tests.fakes.graph import says
from tests.providers.contract import DAY, NOON, content, creation, written
from tests.providers.outlook.setting import Setting, outlook

DELTA = "/calendarView/delta$"


@pytest.fixture
def setting() -> Iterator[Setting]:
    with outlook() as setting:
        yield setting


@pytest.fixture
def work() -> Iterator[Setting]:
    with outlook(personal=False) as setting:
        yield setting


@pytest.fixture
def calendar(setting: Setting) -> OutlookCalendar:
    return setting.calendar()


def made(calendar: OutlookCalendar, count: int) -> list[Ref]:
    puts = [creation(content(hours=n)) for n in range(count)]
    refs = {outcome.key: outcome.ref for outcome in written(calendar.apply(puts))}
    return [refs[put.key] for put in puts]


# The change feed


def test_a_long_round_is_read_page_by_page_to_its_token(setting: Setting, calendar: OutlookCalendar) -> None:
    refs = made(calendar, 7)
    setting.mailbox.page_size = 3
    setting.graph.forget()
    feed = calendar.changes(None)
    assert {event.href for event in feed.changed} == {ref.href for ref in refs}
    assert setting.graph.methods() == ["GET"] * 3
    setting.graph.forget()
    assert calendar.changes(feed.token).changed == ()
    assert setting.graph.methods() == ["GET"]


def test_one_change_is_one_request(setting: Setting, calendar: OutlookCalendar) -> None:
    refs = made(calendar, 3)
    token = calendar.changes(None).token
    setting.hand.note(refs[1].href or "", "a note")
    setting.graph.forget()
    assert [event.href for event in calendar.changes(token).changed] == [refs[1].href]
    assert len(setting.graph.requests) == 1


def test_a_page_that_fails_leaves_the_old_token_good(setting: Setting, calendar: OutlookCalendar) -> None:
    token = calendar.changes(None).token
    refs = made(calendar, 5)
    setting.mailbox.page_size = 2
    setting.graph.once("GET", DELTA, lambda _, forward: forward())
    setting.graph.once("GET", DELTA, says(500, "ErrorInternalServerError"))
    with pytest.raises(TransientError):
        calendar.changes(token)
    assert {event.href for event in calendar.changes(token).changed} == {ref.href for ref in refs}


@pytest.mark.parametrize(
    "expired",
    [
        (410, "SyncStateNotFound"),
        (410, "resyncRequired"),
        (404, "syncStateInvalid"),
        (400, "SyncStateNotFound"),
        (400, "X"),
    ],
)
def test_a_token_that_is_not_known_any_more_is_told(
    setting: Setting, calendar: OutlookCalendar, expired: tuple[int, str]
) -> None:
    (ref,) = made(calendar, 1)
    token = calendar.changes(None).token
    setting.mailbox.expired = expired
    setting.mailbox.expire_tokens()
    with pytest.raises(SyncTokenExpiredError):
        calendar.changes(token)
    assert [event.href for event in calendar.changes(None).changed] == [ref.href]


@pytest.mark.parametrize("read_before", [True, False])
@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (404, "ErrorItemNotFound", MissingError),
        (404, "ErrorFolderNotFound", MissingError),
        (410, "ErrorItemNotFound", MissingError),
        (403, "ErrorAccessDenied", RefusedError),
        (401, "InvalidAuthenticationToken", AccessLostError),
    ],
)
def test_a_calendar_that_is_gone_or_closed_is_told_from_whatever_token(
    setting: Setting, calendar: OutlookCalendar, status: int, code: str, kind: type[ProviderError], *, read_before: bool
) -> None:
    token = calendar.changes(None).token if read_before else None
    setting.graph.once("GET", DELTA, says(status, code), times=2)
    with pytest.raises(kind):
        calendar.changes(token)


@pytest.mark.parametrize(
    "token", ["", "nonsense", "{}", '{"link": "x"}', '{"link": 1, "until": "never"}', "[]", '{"link": "x", "until": 3}']
)
def test_a_token_that_is_none_is_told(calendar: OutlookCalendar, token: str) -> None:
    with pytest.raises(SyncTokenExpiredError):
        calendar.changes(token)


def test_a_token_of_another_service_is_shown_to_nobody(setting: Setting, calendar: OutlookCalendar) -> None:
    found = json.loads(calendar.changes(None).token)
    setting.graph.forget()
    with pytest.raises(SyncTokenExpiredError):
        calendar.changes(json.dumps(found | {"link": "https://graph.example/v1.0/me?$deltatoken=1"}))
    assert setting.graph.requests == []


def test_a_page_link_to_another_host_is_not_followed(setting: Setting, calendar: OutlookCalendar) -> None:
    page = {"value": [], "@odata.nextLink": "http://127.0.0.1:9/v1.0/me/steal"}
    setting.graph.once("GET", DELTA, says(200, body=page))
    with pytest.raises(RefusedError, match="another host"):
        calendar.changes(None)


def test_an_event_that_left_the_window_is_named_gone_and_found_by_a_direct_read(
    setting: Setting, calendar: OutlookCalendar
) -> None:
    (ref,) = made(calendar, 1)
    token = calendar.changes(None).token
    far = Span.of(setting.clock.now + AHEAD + timedelta(days=5), timedelta(hours=1))
    setting.hand.move(ref.href or "", far)
    assert calendar.changes(token).gone == (ref.href,)
    sighting = calendar.read([ref])[ref.name]
    assert sighting
    assert sighting.content
    assert sighting.content.span == far


def test_a_deleted_event_that_can_still_be_read_by_its_id_is_not_there(
    setting: Setting, calendar: OutlookCalendar
) -> None:
    setting.mailbox.keeps_deleted = True
    ref, other = made(calendar, 2)
    token = calendar.changes(None).token
    setting.hand.delete(ref.href or "")
    assert calendar.changes(token).gone == (ref.href,)
    sightings = calendar.read([ref, other])
    assert sightings[ref.name] is None
    assert sightings[other.name]


def test_an_event_named_gone_although_it_stands_there_is_found(setting: Setting, calendar: OutlookCalendar) -> None:
    (ref,) = made(calendar, 1)
    token = calendar.changes(None).token
    page = {
        "value": [{"id": ref.href, "@removed": {"reason": "deleted"}}],
        "@odata.deltaLink": json.loads(token)["link"],
    }
    setting.graph.once("GET", DELTA, says(200, body=page))
    assert calendar.changes(token).gone == (ref.href,)
    assert calendar.read([ref])[ref.name]


def test_of_an_event_named_twice_the_last_word_counts(setting: Setting, calendar: OutlookCalendar) -> None:
    token = calendar.changes(None).token
    removed = {"@removed": {"reason": "deleted"}}
    page = {
        "value": [
            {"id": "a", "@odata.etag": "1"},
            {"id": "b"} | removed,
            {"id": "a"} | removed,
            {"id": "b", "@odata.etag": "2"},
            {"id": "c", "@odata.etag": "3"},
            {"id": "c", "@odata.etag": "4"},
        ],
        "@odata.deltaLink": json.loads(token)["link"],
    }
    setting.graph.once("GET", DELTA, says(200, body=page))
    feed = calendar.changes(token)
    assert [(event.href, event.etag) for event in feed.changed] == [("b", "2"), ("c", "4")]
    assert feed.gone == ("a",)


def test_as_time_goes_by_the_window_moves_on_with_a_full_round(setting: Setting, calendar: OutlookCalendar) -> None:
    late = Span.of(setting.clock.now + AHEAD + timedelta(days=10), timedelta(hours=1))
    href = setting.mailbox.add(setting.remote_id, late)
    feed = calendar.changes(None)
    assert feed.changed == ()
    setting.clock.advance(AHEAD - LEAST_AHEAD)
    assert not calendar.changes(feed.token).full
    setting.clock.advance(timedelta(days=1))
    moved = calendar.changes(feed.token)
    assert moved.full
    assert [event.href for event in moved.changed] == [href]
    assert not calendar.changes(moved.token).full


def test_a_full_round_forgotten_half_way_is_a_passing_outage(setting: Setting, calendar: OutlookCalendar) -> None:
    setting.graph.once("GET", DELTA, says(410, "SyncStateNotFound"))
    with pytest.raises(TransientError):
        calendar.changes(None)


# Free or busy


def test_a_work_account_is_asked_what_its_colleagues_are_told(work: Setting) -> None:
    calendar = work.calendar()
    made(calendar, 2)
    calendar.busy(DAY)
    work.graph.forget()
    events = calendar.busy(DAY).times
    assert [(event.span, event.href) for event in events] == [(content(hours=n).span, None) for n in range(2)]
    assert [request.path for request in work.graph.requests] == ["/me/calendar/getSchedule"]


def test_where_colleagues_are_told_nothing_the_calendar_itself_is_read(work: Setting) -> None:
    calendar = work.calendar()
    refs = made(calendar, 2)
    work.mailbox.schedule_error = {"responseCode": "5006"}
    assert [event.href for event in calendar.busy(DAY).times] == [ref.href for ref in refs]
    work.graph.once("POST", "/getSchedule$", says(403, "ErrorAccessDenied"))
    assert [event.href for event in calendar.busy(DAY).times] == [ref.href for ref in refs]


def test_a_throttled_question_is_not_asked_in_another_way(work: Setting) -> None:
    work.graph.once("POST", "/getSchedule$", says(429, "TooManyRequests", Retry_After="5"))
    with pytest.raises(TransientError):
        work.calendar().busy(DAY)


def test_of_another_calendar_than_the_default_one_colleagues_know_nothing(work: Setting) -> None:
    other = work.mailbox.add_calendar("Sessions")
    calendar = work.account().open(other["id"])
    refs = made(calendar, 2)
    assert [event.href for event in calendar.busy(DAY).times] == [ref.href for ref in refs]


def test_series_are_expanded_and_cancelled_events_leave_the_time_free(
    setting: Setting, calendar: OutlookCalendar
) -> None:
    start = NOON - timedelta(weeks=2)
    weekly = {"pattern": {"type": "weekly"}, "range": {"type": "noEnd"}}
    setting.mailbox.add(setting.remote_id, Span.of(start, timedelta(hours=1)), recurrence=weekly)
    setting.mailbox.add(setting.remote_id, content(hours=3).span, isCancelled=True)
    found = [event.span for event in calendar.busy(DAY).times]
    assert found == [Span.of(NOON, timedelta(hours=1))]


@pytest.mark.parametrize("showing", ["busy", "tentative", "oof", "unknown"])
def test_what_an_event_shows_takes_its_time(setting: Setting, calendar: OutlookCalendar, showing: str) -> None:
    setting.mailbox.add(setting.remote_id, content().span, showAs=showing)
    assert [event.span for event in calendar.list_busy(DAY).times] == [content().span]


@pytest.mark.parametrize(
    "event",
    [{"showAs": "free"}, {"showAs": "workingElsewhere"}, {"responseStatus": {"response": "declined"}}],
    ids=["free", "elsewhere", "declined"],
)
def test_where_somebody_works_and_what_they_have_declined_leave_the_time_free(
    setting: Setting, calendar: OutlookCalendar, event: dict[str, object]
) -> None:
    setting.mailbox.add(setting.remote_id, content().span, **event)
    assert calendar.list_busy(DAY).times == []


def test_working_elsewhere_is_free_to_colleagues_too(work: Setting) -> None:
    work.mailbox.add(work.remote_id, content().span, showAs="workingElsewhere")
    assert work.calendar().busy(DAY).times == []


@pytest.mark.parametrize(
    ("word", "nature"),
    [("oof", Nature.OUT_OF_OFFICE), ("busy", Nature.ORDINARY), ("tentative", Nature.ORDINARY)],
)
def test_what_outlook_calls_an_event_tells_whether_its_owner_is_away(
    setting: Setting, calendar: OutlookCalendar, word: str, nature: Nature
) -> None:
    setting.mailbox.add(setting.remote_id, content().span, showAs=word)
    [event] = calendar.list_busy(DAY).times
    assert (event.nature, event.in_series, event.occurrence) == (nature, False, None)


def test_an_occurrence_is_known_by_when_its_series_has_it(setting: Setting, calendar: OutlookCalendar) -> None:
    setting.mailbox.add(setting.remote_id, content().span, _weeks=2)
    events = calendar.list_busy(Span.of(DAY.start, timedelta(days=8))).times
    assert [event.in_series for event in events] == [True, True]
    assert [event.occurrence for event in events] == [event.span.start for event in events]


@pytest.mark.parametrize(
    ("zone", "start"),
    [
        ("W. Europe Standard Time", datetime(2026, 12, 2, 23, tzinfo=UTC)),
        ("Eastern Standard Time", datetime(2026, 12, 3, 5, tzinfo=UTC)),
        ("Australia/Sydney", datetime(2026, 12, 2, 13, tzinfo=UTC)),
        ("tzone://Microsoft/UTC", datetime(2026, 12, 3, tzinfo=UTC)),
    ],
)
def test_an_all_day_event_takes_the_day_of_where_it_was_made(
    setting: Setting, calendar: OutlookCalendar, zone: str, start: datetime
) -> None:
    day = Span.of(datetime(2026, 12, 3, tzinfo=UTC), timedelta(days=1))
    setting.mailbox.add(setting.remote_id, day, isAllDay=True, originalStartTimeZone=zone)
    assert [event.span for event in calendar.busy(DAY).times] == [Span.of(start, timedelta(days=1))]


@pytest.mark.parametrize("zone", ["tzone://Microsoft/Custom", "Customized Time Zone", "localtime", "", None])
def test_an_all_day_event_made_nobody_knows_where_takes_the_practitioners_day(
    setting: Setting, calendar: OutlookCalendar, zone: str | None
) -> None:
    day = Span.of(datetime(2026, 12, 3, tzinfo=UTC), timedelta(days=1))
    setting.mailbox.add(setting.remote_id, day, isAllDay=True, originalStartTimeZone=zone)
    times = calendar.busy(DAY, zone=ZoneInfo("America/Los_Angeles")).times
    assert [event.span for event in times] == [Span.of(datetime(2026, 12, 3, 8, tzinfo=UTC), timedelta(days=1))]


def test_a_day_at_the_edge_of_what_is_asked_about_is_found(setting: Setting, calendar: OutlookCalendar) -> None:
    """The service reckons it in UTC."""
    day = Span.of(datetime(2026, 12, 2, tzinfo=UTC), timedelta(days=1))
    setting.mailbox.add(setting.remote_id, day, isAllDay=True, originalStartTimeZone="Pacific Standard Time")
    morning = Span.of(datetime(2026, 12, 3, 5, tzinfo=UTC), timedelta(hours=2))
    assert [event.span.end for event in calendar.busy(morning).times] == [datetime(2026, 12, 3, 8, tzinfo=UTC)]


def test_a_day_that_ends_where_it_begins_takes_its_day(setting: Setting, calendar: OutlookCalendar) -> None:
    at = {"dateTime": "2026-12-03T00:00:00.0000000", "timeZone": "UTC"}
    row = {"id": "x", "start": at, "end": at, "isAllDay": True, "originalStartTimeZone": "UTC"}
    setting.graph.once("GET", "/calendarView$", says(200, body={"value": [row]}))
    reading = calendar.list_busy(DAY)
    assert [event.span for event in reading.times] == [Span.of(datetime(2026, 12, 3, tzinfo=UTC), timedelta(days=1))]
    assert reading.unreadable == ()


def test_a_time_with_an_offset_says_its_own(setting: Setting, calendar: OutlookCalendar) -> None:
    start, end = {"dateTime": "2026-12-03T13:00:00+01:00"}, {"dateTime": "2026-12-03T13:00:00Z", "timeZone": "x"}
    setting.graph.once("GET", "/calendarView$", says(200, body={"value": [{"id": "x", "start": start, "end": end}]}))
    assert [event.span for event in calendar.list_busy(DAY).times] == [Span.of(NOON, timedelta(hours=1))]


SOON = {"dateTime": "soon", "timeZone": "UTC"}
NOWHERE = {"dateTime": "2026-12-03T12:00:00.0000000", "timeZone": "Nowhere Standard Time"}
AT_ONE = {"dateTime": "2026-12-03T13:00:00.0000000", "timeZone": "UTC"}
AT_NOON = {"dateTime": "2026-12-03T12:00:00.0000000", "timeZone": "UTC"}
LAST = {"dateTime": "9999-12-31T23:59:59", "timeZone": "UTC"}


@pytest.mark.parametrize("start", [None, SOON, NOWHERE, "soon", LAST], ids=["none", "words", "zone", "text", "last"])
def test_an_event_whose_time_makes_no_sense_is_told_and_hides_no_other(
    setting: Setting, calendar: OutlookCalendar, start: object
) -> None:
    rows = [{"id": "x", "start": start, "end": AT_NOON}, {"id": "well", "start": AT_NOON, "end": AT_ONE}]
    setting.graph.once("GET", "/calendarView$", says(200, body={"value": rows}))
    reading = calendar.list_busy(DAY)
    assert reading.unreadable == (UnreadEvent(href="x", reason=Unreadable.START),)
    assert [one.href for one in reading.times] == ["well"]


@pytest.mark.parametrize(
    ("more", "takes"),
    [
        ({"end": SOON}, timedelta(hours=1)),
        ({"end": {**AT_NOON, "dateTime": "2026-12-03T11:00:00"}}, timedelta(hours=1)),
        ({"isAllDay": True}, timedelta(days=1)),
    ],
    ids=["garbage", "backwards", "none"],
)
def test_an_event_whose_end_makes_no_sense_is_told_and_takes_its_beginning(
    setting: Setting, calendar: OutlookCalendar, more: dict[str, object], takes: timedelta
) -> None:
    setting.graph.once("GET", "/calendarView$", says(200, body={"value": [{"id": "x", "start": AT_NOON, **more}]}))
    reading = calendar.list_busy(DAY)
    (one,) = reading.times
    assert reading.unreadable == (UnreadEvent(href="x", reason=Unreadable.END, starts_at=one.span.start),)
    assert one.span.duration == takes


def test_what_colleagues_see_is_told_where_it_makes_no_sense(work: Setting) -> None:
    items = [{"status": "busy", "start": SOON, "end": SOON}, "busy", {"status": "free", "start": SOON, "end": SOON}]
    work.graph.once("POST", "/getSchedule$", says(200, body={"value": [{"scheduleItems": items}]}))
    assert [one.reason for one in work.calendar().busy(DAY).unreadable] == [Unreadable.START] * 2


def test_many_events_are_read_over_pages(setting: Setting, calendar: OutlookCalendar) -> None:
    made(calendar, 9)
    setting.mailbox.page_size = 4
    setting.graph.forget()
    assert len(calendar.busy(DAY).times) == 9
    assert len(setting.graph.requests) == 3


def test_the_free_busy_of_a_work_account_names_events_even_where_tentative_counts_as_free(work: Setting) -> None:
    calendar = work.calendar()
    refs = made(calendar, 2)
    work.mailbox.tentative_is_free = True
    assert calendar.busy(DAY).times == []
    assert [event.href for event in calendar.list_busy(DAY).times] == [ref.href for ref in refs]


def test_every_event_of_a_series_bears_its_name(setting: Setting, calendar: OutlookCalendar) -> None:
    weekly = {"pattern": {"type": "weekly"}, "range": {"type": "noEnd"}}
    series = setting.mailbox.add(setting.remote_id, content().span, recurrence=weekly)
    events = calendar.list_busy(Span.of(DAY.start, timedelta(weeks=3))).times
    assert [event.href for event in events] == [series] * 3


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (403, "ErrorAccessDenied", RefusedError),
        (404, "ErrorItemNotFound", MissingError),
        (500, "ErrorInternalServerError", TransientError),
    ],
)
def test_a_listing_that_is_not_given_is_never_empty(
    setting: Setting, calendar: OutlookCalendar, status: int, code: str, kind: type[ProviderError]
) -> None:
    setting.graph.once("GET", "/calendarView$", says(status, code))
    with pytest.raises(kind):
        calendar.list_busy(DAY)


# Zones


def test_every_windows_zone_has_a_place_in_the_world() -> None:
    known = available_timezones()
    for name, place in WINDOWS_TO_OLSON.items():
        assert place in known or ZoneInfo(place)
        assert zones.zone(name)


@pytest.mark.parametrize(
    ("name", "offset"),
    [
        ("UTC", 0),
        ("W. Europe Standard Time", 2),
        ("Eastern Standard Time", -4),
        ("AUS Eastern Standard Time", 10),
        ("Europe/Berlin", 2),
        ("tzone://Microsoft/Utc", 0),
    ],
)
def test_a_zone_is_found_by_its_windows_or_iana_name(name: str, offset: int) -> None:
    zone = zones.zone(name)
    assert zone
    assert datetime(2026, 7, 1, tzinfo=zone).utcoffset() == timedelta(hours=offset)


@pytest.mark.parametrize("name", ["tzone://Microsoft/Custom", "Customized Time Zone", "", "../../etc/passwd", "a\0b"])
def test_a_zone_nobody_knows_is_none(name: str) -> None:
    assert zones.zone(name) is None
