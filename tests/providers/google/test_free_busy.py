"""Google's events one by one: what keeps a time busy, which event it is, and nothing of what it is about."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from connector.domain.entry import Showing
from connector.domain.span import Span
from connector.domain.standing import Nature
from connector.domain.unreadable import Unreadable
from connector.errors import AccessLostError, MissingError, ProviderError, RefusedError, TransientError
from connector.ports import UnreadEvent
from tests.fakes.google import answers, says
from tests.providers.contract import DAY, NOON, content, creation, written
from tests.providers.google.setting import Setting, signed_in

LIST = "events.list"
WEEKS = Span.of(DAY.start, timedelta(days=21))


@pytest.fixture
def setting() -> Iterator[Setting]:
    with signed_in() as setting:
        yield setting


@pytest.mark.parametrize(
    "more",
    [
        {"transparency": "transparent"},
        {"eventType": "workingLocation"},
        {"attendees": [{"self": True, "responseStatus": "declined"}, {"responseStatus": "accepted"}]},
        {"status": "cancelled"},
    ],
    ids=["free", "elsewhere", "declined", "cancelled"],
)
def test_what_google_calls_free_is_free(setting: Setting, more: dict[str, Any]) -> None:
    setting.hand.add(content().span, **more)
    assert setting.calendar.list_busy(DAY).times == []
    assert setting.calendar.busy(DAY).times == []


@pytest.mark.parametrize(
    "more",
    [
        {"status": "tentative"},
        {"eventType": "outOfOffice"},
        {"attendees": [{"self": True, "responseStatus": "needsAction"}, {"responseStatus": "declined"}]},
        {"attendees": [{"responseStatus": "declined"}]},
    ],
    ids=["tentative", "away", "not answered", "declined by somebody else"],
)
def test_what_google_calls_busy_is_busy(setting: Setting, more: dict[str, Any]) -> None:
    href = setting.hand.add(content().span, **more)
    assert [(event.href, event.span) for event in setting.calendar.list_busy(DAY).times] == [(href, content().span)]
    assert [event.span for event in setting.calendar.busy(DAY).times] == [content().span]


@pytest.mark.parametrize(
    ("kind", "nature"),
    [
        ("outOfOffice", Nature.OUT_OF_OFFICE),
        ("focusTime", Nature.NEVER),
        ("default", Nature.ORDINARY),
        ("fromGmail", Nature.ORDINARY),
    ],
)
def test_what_google_calls_an_event_tells_whether_its_owner_is_away(
    setting: Setting, kind: str, nature: Nature
) -> None:
    setting.hand.add(content().span, eventType=kind)
    [event] = setting.calendar.list_busy(DAY).times
    assert (event.nature, event.in_series, event.occurrence) == (nature, False, None)


def test_an_occurrence_is_known_by_when_its_series_has_it(setting: Setting) -> None:
    setting.hand.make_recurring(setting.hand.add(content().span))
    events = setting.calendar.list_busy(Span.of(DAY.start, timedelta(days=8))).times
    assert {event.in_series for event in events} == {True}
    assert [event.occurrence for event in events] == [event.span.start for event in events]


def test_a_day_lasts_from_midnight_to_midnight_where_the_calendar_is(setting: Setting) -> None:
    setting.remote.zone = "America/New_York"
    href = setting.hand.add(content().span)
    setting.hand.make_all_day(href)
    setting.hand.edit(href, transparency="opaque")
    whole = Span.of(datetime(2026, 12, 3, 5, tzinfo=UTC), timedelta(days=1))
    assert [(event.href, event.span) for event in setting.calendar.list_busy(DAY).times] == [(href, whole)]
    assert [event.span for event in setting.calendar.busy(DAY).times] == [whole]


@pytest.mark.parametrize("zone", ["Nowhere/Land", "localtime", ""])
def test_a_day_without_a_known_zone_is_the_practitioners(setting: Setting, zone: str) -> None:
    edges = {"start": {"date": "2026-12-03"}, "end": {"date": "2026-12-04"}}
    setting.fake.once(LIST, answers(200, {"timeZone": zone, "items": [{"id": "x", **edges}]}))
    times = setting.calendar.list_busy(DAY, zone=ZoneInfo("America/Los_Angeles")).times
    assert [event.span for event in times] == [Span.of(datetime(2026, 12, 3, 8, tzinfo=UTC), timedelta(days=1))]


def test_a_day_that_ends_where_it_begins_takes_its_day(setting: Setting) -> None:
    edges = {"start": {"date": "2026-12-03"}, "end": {"date": "2026-12-03"}}
    setting.fake.once(LIST, answers(200, {"timeZone": "UTC", "items": [{"id": "x", **edges}]}))
    reading = setting.calendar.list_busy(DAY)
    assert [event.span for event in reading.times] == [Span.of(datetime(2026, 12, 3, tzinfo=UTC), timedelta(days=1))]
    assert reading.unreadable == ()


def test_more_than_the_span_is_asked_for_since_days_may_be_reckoned_elsewhere(setting: Setting) -> None:
    setting.calendar.list_busy(DAY)
    [request] = [request for request in setting.fake.requests if "timeMin" in request.query]
    asked = [datetime.fromisoformat(request.query[edge][0]) for edge in ("timeMin", "timeMax")]
    assert asked == [DAY.start - timedelta(hours=26), DAY.end + timedelta(hours=26)]


def test_every_event_of_a_series_bears_its_name(setting: Setting) -> None:
    series = setting.hand.add(content().span, recurrence=["RRULE:FREQ=WEEKLY"])
    events = setting.calendar.list_busy(WEEKS).times
    assert [event.href for event in events] == [series] * 3
    assert [event.span.start for event in events] == [NOON + timedelta(weeks=n) for n in range(3)]


def test_only_what_lies_in_the_span_is_told_over_all_pages(setting: Setting) -> None:
    setting.remote.page_size = 2
    written(setting.calendar.apply([creation(content(hours=n)) for n in range(7)]))
    setting.hand.add(Span.of(NOON - timedelta(hours=1), timedelta(hours=1)))
    setting.fake.forget()
    events = setting.calendar.list_busy(Span.of(NOON, timedelta(hours=5))).times
    assert [event.span for event in events] == [content(hours=n).span for n in range(5)]
    assert setting.fake.count() == {LIST: 4}, "what lies just outside is looked at, too"


def test_nothing_is_asked_of_what_an_event_is_about(setting: Setting) -> None:
    setting.calendar.list_busy(DAY)
    (request,) = setting.fake.requests
    asked = " ".join(request.query["fields"])
    assert all(word not in asked for word in ("summary", "description", "location", "email", "displayName"))
    assert request.query["maxAttendees"] == ["1"]


def test_tentative_events_are_named_even_where_they_count_as_free(setting: Setting) -> None:
    outcomes = written(setting.calendar.apply([creation(content(showing=Showing.TENTATIVE))]))
    setting.remote.tentative_is_free = True
    assert setting.calendar.busy(DAY).times == []
    assert [event.href for event in setting.calendar.list_busy(DAY).times] == [outcomes[0].ref.href]


def test_a_calendar_of_which_only_free_and_busy_may_be_seen_refuses(setting: Setting) -> None:
    other = setting.fake.add_calendar("team@group.calendar.google.com", role="freeBusyReader")
    with pytest.raises(RefusedError):
        setting.account.open(other.id).list_busy(DAY)


@pytest.mark.parametrize(
    ("status", "reason", "kind"),
    [
        (403, "forbidden", RefusedError),
        (403, "insufficientPermissions", RefusedError),
        (403, "ACCESS_TOKEN_SCOPE_INSUFFICIENT", RefusedError),
        (403, "rateLimitExceeded", TransientError),
        (404, "notFound", MissingError),
        (410, "deleted", MissingError),
        (401, "authError", AccessLostError),
        (500, "backendError", TransientError),
    ],
)
def test_every_refusal_has_its_meaning(setting: Setting, status: int, reason: str, kind: type[ProviderError]) -> None:
    setting.fake.always(LIST, says(status, reason))
    with pytest.raises(kind):
        setting.calendar.list_busy(DAY)


@pytest.mark.parametrize(
    "edges",
    [
        {},
        {"start": {"date": "soon"}, "end": {"date": "later"}},
        {"start": {"dateTime": "2026-12-03T12:00:00"}, "end": {"dateTime": "2026-12-03T13:00:00"}},
        {"start": "soon", "end": "later"},
    ],
    ids=["none", "garbage", "floating", "words"],
)
def test_an_event_whose_time_makes_no_sense_is_told_and_hides_no_other(
    setting: Setting, edges: dict[str, object]
) -> None:
    well = {"id": "well", "start": {"dateTime": "2026-12-03T12:00:00Z"}, "end": {"dateTime": "2026-12-03T13:00:00Z"}}
    setting.fake.once(LIST, answers(200, {"items": [{"id": "x", **edges}, well]}))
    reading = setting.calendar.list_busy(DAY)
    assert reading.unreadable == (UnreadEvent(href="x", reason=Unreadable.START),)
    assert [one.href for one in reading.times] == ["well"]


@pytest.mark.parametrize(
    ("start", "end", "takes"),
    [
        ({"dateTime": "2026-12-03T12:00:00Z"}, {"dateTime": "soon"}, timedelta(hours=1)),
        ({"dateTime": "2026-12-03T12:00:00Z"}, {"dateTime": "2026-12-03T11:00:00Z"}, timedelta(hours=1)),
        ({"date": "2026-12-03"}, None, timedelta(days=1)),
    ],
    ids=["garbage", "backwards", "none"],
)
def test_an_event_whose_end_makes_no_sense_is_told_and_takes_its_beginning(
    setting: Setting, start: object, end: object, takes: timedelta
) -> None:
    setting.fake.once(LIST, answers(200, {"items": [{"id": "x", "start": start, "end": end, "attendees": "many"}]}))
    reading = setting.calendar.list_busy(DAY)
    (one,) = reading.times
    assert reading.unreadable == (UnreadEvent(href="x", reason=Unreadable.END, starts_at=one.span.start),)
    assert one.span.duration == takes


def test_free_and_busy_whose_time_makes_no_sense_is_told(setting: Setting) -> None:
    rows = [{"start": "soon", "end": "later"}, {"start": "2026-12-03T12:00:00Z", "end": "2026-12-03T13:00:00Z"}]
    told = answers(200, {"calendars": {setting.remote.id: {"busy": rows}}})
    setting.fake.once("freebusy.query", told)
    reading = setting.calendar.busy(DAY)
    assert reading.unreadable == (UnreadEvent(href="", reason=Unreadable.START),)
    assert [one.span for one in reading.times] == [Span.of(NOON, timedelta(hours=1))]


def test_an_event_that_takes_no_time_leaves_it_free(setting: Setting) -> None:
    moment = {"dateTime": "2026-12-03T12:00:00Z"}
    setting.fake.once(LIST, answers(200, {"items": [{"id": "x", "start": moment, "end": moment}]}))
    assert setting.calendar.list_busy(DAY).times == []
