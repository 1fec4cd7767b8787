"""Google's change feed: read to its end or not at all, and no read that it makes superfluous."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest

from connector.domain.span import Span
from connector.errors import (
    AccessLostError,
    MissingError,
    ProviderError,
    RefusedError,
    SyncTokenExpiredError,
    TransientError,
)
from tests.fakes.google import after, answers, as_usual, says
from tests.providers.contract import content, creation, written
from tests.providers.google.setting import NOW, Setting, signed_in

LIST = "events.list"


@pytest.fixture
def setting() -> Iterator[Setting]:
    with signed_in() as setting:
        yield setting


def five(setting: Setting) -> set[str]:
    """Make five events of ours, on three pages."""
    setting.remote.page_size = 2
    outcomes = written(setting.calendar.apply([creation(content(hours=n)) for n in range(5)]))
    setting.fake.forget()
    return {outcome.ref.href or "" for outcome in outcomes}


def test_a_feed_is_read_to_its_last_page(setting: Setting) -> None:
    hrefs = five(setting)
    feed = setting.calendar.changes(None)
    assert {event.href for event in feed.changed} == hrefs
    assert setting.fake.count() == {LIST: 3}
    assert setting.calendar.changes(feed.token).changed == ()


def test_the_first_round_starts_a_week_back_and_later_ones_ask_the_same_without_it(setting: Setting) -> None:
    token = setting.calendar.changes(None).token
    setting.calendar.changes(token)
    first, second = ({name: values[0] for name, values in request.query.items()} for request in setting.fake.requests)
    assert first.pop("timeMin") == "2026-11-16T09:00:00Z"
    assert second.pop("syncToken") == token
    assert first == second == {"maxResults": "2500", "showDeleted": "true", "alt": "json"}


def test_what_is_long_past_is_not_listed(setting: Setting) -> None:
    setting.hand.add(Span.of(NOW - timedelta(days=30), timedelta(hours=1)))
    recent = setting.hand.add(Span.of(NOW - timedelta(days=3), timedelta(hours=1)))
    assert [event.href for event in setting.calendar.changes(None).changed] == [recent]


def test_tombstones_are_no_events_of_a_full_listing(setting: Setting) -> None:
    hrefs = five(setting)
    dead = hrefs.pop()
    setting.hand.delete(dead)
    feed = setting.calendar.changes(None)
    assert {event.href for event in feed.changed} == hrefs
    assert feed.gone == ()


def test_our_events_come_along_and_foreign_ones_stay_unread(setting: Setting) -> None:
    (outcome,) = written(setting.calendar.apply([creation()]))
    foreign = setting.hand.add(content(hours=3).span)
    feed = setting.calendar.changes(None)
    seen = {event.href: event.sighting for event in feed.changed}
    ours = seen[outcome.ref.href or ""]
    assert ours
    assert (ours.href, ours.etag, ours.content) == (outcome.ref.href, outcome.ref.etag, content())
    assert seen[foreign] is None


def test_a_series_is_one_event(setting: Setting) -> None:
    setting.hand.add(content().span, recurrence=["RRULE:FREQ=DAILY"])
    assert len(setting.calendar.changes(None).changed) == 1


@pytest.mark.parametrize("status", [500, 429])
def test_a_page_that_fails_leaves_the_old_token_good(setting: Setting, status: int) -> None:
    token = setting.calendar.changes(None).token
    hrefs = five(setting)
    setting.fake.once(LIST, as_usual)
    setting.fake.once(LIST, says(status, "backendError"))
    with pytest.raises(TransientError):
        setting.calendar.changes(token)
    assert {event.href for event in setting.calendar.changes(token).changed} == hrefs


def test_a_page_token_that_is_lost_starts_the_round_anew(setting: Setting) -> None:
    hrefs = five(setting)
    setting.fake.once(LIST, as_usual)
    setting.fake.once(LIST, after(setting.remote.pages.clear))
    assert {event.href for event in setting.calendar.changes(None).changed} == hrefs
    assert setting.fake.count() == {LIST: 5}


def test_a_page_token_that_is_lost_every_time_is_put_off(setting: Setting) -> None:
    five(setting)
    setting.fake.always(LIST, after(setting.remote.pages.clear))
    with pytest.raises(TransientError, match="again and again"):
        setting.calendar.changes(None)


def test_a_token_that_expires_between_two_pages_is_told(setting: Setting) -> None:
    token = setting.calendar.changes(None).token
    five(setting)
    setting.fake.once(LIST, as_usual)
    setting.fake.once(LIST, says(410, "fullSyncRequired"))
    with pytest.raises(SyncTokenExpiredError):
        setting.calendar.changes(token)


@pytest.mark.parametrize(
    ("status", "reason", "kind"),
    [
        (410, "fullSyncRequired", SyncTokenExpiredError),
        (410, "updatedMinTooLongAgo", SyncTokenExpiredError),
        (400, "syncToken", SyncTokenExpiredError),
        (400, "badRequest", RefusedError),
        (403, "forbidden", RefusedError),
        (403, "rateLimitExceeded", TransientError),
    ],
)
def test_every_refusal_of_the_feed_has_its_meaning(
    setting: Setting, status: int, reason: str, kind: type[ProviderError]
) -> None:
    setting.fake.once(LIST, says(status, reason))
    with pytest.raises(kind):
        setting.calendar.changes("some-token")


@pytest.mark.parametrize("since", [None, "some-token"])
@pytest.mark.parametrize(
    ("status", "reason", "kind"),
    [
        (404, "notFound", MissingError),
        (410, "deleted", MissingError),
        (403, "forbidden", RefusedError),
        (403, "requiredAccessLevel", RefusedError),
        (403, "insufficientPermissions", AccessLostError),
        (403, "userRateLimitExceeded", TransientError),
        (401, "authError", AccessLostError),
    ],
)
def test_a_calendar_that_is_gone_or_closed_is_told_from_whatever_token(
    setting: Setting, status: int, reason: str, kind: type[ProviderError], since: str | None
) -> None:
    setting.fake.always(LIST, says(status, reason))
    with pytest.raises(kind):
        setting.calendar.changes(since)


def test_a_full_reading_that_is_to_begin_anew_is_put_off(setting: Setting) -> None:
    setting.fake.once(LIST, says(410, "fullSyncRequired"))
    with pytest.raises(TransientError):
        setting.calendar.changes(None)


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"items": []},
        {"items": [7], "nextSyncToken": "x"},
        {"items": {}, "nextSyncToken": "x"},
        {"items": [{}], "nextSyncToken": "x"},
        {"items": [], "nextPageToken": 3},
        b"<html>",
    ],
)
def test_a_feed_that_cannot_be_read_is_put_off(setting: Setting, body: object) -> None:
    setting.fake.once(LIST, answers(200, body))
    with pytest.raises(TransientError):
        setting.calendar.changes(None)


def test_one_event_that_cannot_be_read_makes_the_reading_fail(setting: Setting) -> None:
    outcomes = written(setting.calendar.apply([creation(content(hours=n)) for n in range(3)]))
    setting.fake.once("events.get", says(500))
    with pytest.raises(TransientError):
        setting.calendar.read([outcome.ref for outcome in outcomes])


@pytest.mark.parametrize(
    "edges",
    [
        {"end": {"dateTime": "2026-12-03T12:00:00Z"}},
        {"end": {"dateTime": "soon"}},
        {"end": {}},
        {"end": None},
        {"start": {"dateTime": "2026-12-03T12:00:00"}, "end": {"dateTime": "2026-12-03T12:50:00"}},
    ],
    ids=["empty", "garbage", "without", "none", "floating"],
)
def test_times_that_make_no_sense_are_what_we_never_write(setting: Setting, edges: dict[str, object]) -> None:
    (outcome,) = written(setting.calendar.apply([creation()]))
    event = dict(setting.remote.events[outcome.ref.href or ""]) | edges
    setting.fake.once("events.get", answers(200, event))
    sighting = setting.calendar.read([outcome.ref])[outcome.ref.name]
    assert sighting
    assert sighting.content is None


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        ({"calendars": {}}, TransientError),
        ({}, TransientError),
        ({"calendars": {"ID": {"errors": [{"reason": "internalError"}]}}}, TransientError),
        ({"calendars": {"ID": {"busy": ["soon"]}}}, TransientError),
    ],
)
def test_busy_times_that_cannot_be_told_are_never_free(
    setting: Setting, body: dict[str, object], kind: type[ProviderError]
) -> None:
    calendars = body.get("calendars")
    if isinstance(calendars, dict) and "ID" in calendars:
        body = {"calendars": {setting.remote.id: calendars["ID"]}}
    setting.fake.once("freebusy.query", answers(200, body))
    with pytest.raises(kind):
        setting.calendar.busy(content().span)
