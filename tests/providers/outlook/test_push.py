"""Outlook's subscriptions: made while a real endpoint of ours answers, and what is posted to it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, urlsplit

import pytest
from werkzeug.datastructures import Headers

from connector.errors import NotificationRejectedError, RefusedError, TransientError
from connector.ports import Channel, Lifecycle, Notification
from providers.outlook.calendar import OutlookCalendar
from tests.fakes.graph import lose_answer, says
from tests.providers.contract import content, creation, written
from tests.providers.outlook.setting import NOW, Setting, outlook
from webhooks._handshake import Handshake
from webhooks.outlook import parse

SECRET = "s3cret"


class Door:
    """Our public address: takes apart what is posted, as the product's own door does."""

    def __init__(self) -> None:
        self.notifications: list[Notification] = []
        self.handshakes = 0
        self.echoes = True
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}/hooks/outlook"

    @contextmanager
    def opened(self) -> Iterator[Door]:
        thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        thread.start()
        yield self
        self._server.shutdown()
        self._server.server_close()
        thread.join()

    def genuine(self) -> list[Notification]:
        return [
            notification
            for notification in self.notifications
            if (notification.channel_id, notification.secret) == ("channel-1", SECRET)
        ]

    def _answer(self, query: dict[str, str], body: bytes) -> tuple[int, str]:
        try:
            found = parse(Headers(), query, body)
        except NotificationRejectedError:
            return 400, ""
        if isinstance(found, Handshake):
            self.handshakes += 1
            return 200, found.text if self.echoes else "something else"
        self.notifications += found
        return 202, ""

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        door = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                status, text = door._answer(dict(parse_qsl(urlsplit(self.path).query)), body)
                self.send_response(status)
                self.send_header("Content-Type", "text/plain")
                self.end_headers()
                self.wfile.write(text.encode())

            def log_message(self, *_: object) -> None:
                pass

        return Handler


@pytest.fixture
def setting() -> Iterator[Setting]:
    with outlook() as setting:
        yield setting


@pytest.fixture
def calendar(setting: Setting) -> OutlookCalendar:
    return setting.calendar()


@pytest.fixture
def door() -> Iterator[Door]:
    with Door().opened() as door:
        yield door


def watched(calendar: OutlookCalendar, door: Door) -> Channel:
    return calendar.watch(channel_id="channel-1", secret=SECRET, address=door.address, now=NOW)


def test_a_subscription_is_made_while_our_address_proves_itself(
    setting: Setting, calendar: OutlookCalendar, door: Door
) -> None:
    channel = watched(calendar, door)
    assert door.handshakes == 2  # one for changes, one for what becomes of the subscription
    assert channel.id == "channel-1"
    assert channel.remote_id in setting.graph.subscriptions.subscriptions
    assert timedelta(days=1) < channel.expires_at - NOW <= timedelta(minutes=10_080)


def test_a_change_is_pushed(setting: Setting, calendar: OutlookCalendar, door: Door) -> None:
    watched(calendar, door)
    written(calendar.apply([creation()]))
    setting.graph.subscriptions.deliver(setting.mailbox.changed)
    assert door.notifications == [Notification(channel_id="channel-1", secret=SECRET)]
    assert setting.graph.subscriptions.answers == [202]


def test_doubled_and_forged_notifications_are_told_apart(
    setting: Setting, calendar: OutlookCalendar, door: Door
) -> None:
    watched(calendar, door)
    setting.hand.add(content().span)
    setting.graph.subscriptions.deliver(setting.mailbox.changed, doubled=True)
    setting.graph.subscriptions.deliver(setting.mailbox.changed, forged=True)
    assert len(door.notifications) == 3
    assert len(door.genuine()) == 2


def test_a_lost_notice_loses_nothing_of_the_feed(setting: Setting, calendar: OutlookCalendar, door: Door) -> None:
    token = calendar.changes(None).token
    watched(calendar, door)
    setting.hand.add(content().span)
    assert door.notifications == []
    assert len(calendar.changes(token).changed) == 1


def test_a_notification_before_the_subscription_is_answered_is_recognised(
    setting: Setting, calendar: OutlookCalendar, door: Door
) -> None:
    setting.graph.subscriptions.notifies_first = True
    watched(calendar, door)
    assert len(door.genuine()) == 1


@pytest.mark.parametrize(
    ("event", "lifecycle"),
    [
        ("reauthorizationRequired", Lifecycle.EXPIRING),
        ("missed", Lifecycle.MISSED),
        ("subscriptionRemoved", Lifecycle.REMOVED),
    ],
)
def test_what_becomes_of_the_subscription_is_pushed_too(
    setting: Setting, calendar: OutlookCalendar, door: Door, event: str, lifecycle: Lifecycle
) -> None:
    watched(calendar, door)
    setting.graph.subscriptions.lifecycle(event)
    assert door.notifications == [Notification(channel_id="channel-1", secret=SECRET, lifecycle=lifecycle)]


def test_a_subscription_is_renewed_in_its_place(setting: Setting, calendar: OutlookCalendar, door: Door) -> None:
    channel = watched(calendar, door)
    later = setting.clock.advance(timedelta(days=3))
    longer = calendar.renew(channel, address=door.address, now=later)
    assert longer.remote_id == channel.remote_id
    assert longer.expires_at == channel.expires_at + timedelta(days=3)


def test_a_subscription_that_is_gone_is_opened_anew(setting: Setting, calendar: OutlookCalendar, door: Door) -> None:
    channel = watched(calendar, door)
    setting.graph.subscriptions.lifecycle("subscriptionRemoved")
    anew = calendar.renew(channel, address=door.address, now=NOW)
    assert anew.remote_id != channel.remote_id
    assert (anew.id, anew.secret) == (channel.id, channel.secret)


def test_ending_a_subscription_twice_is_harmless(setting: Setting, calendar: OutlookCalendar, door: Door) -> None:
    channel = watched(calendar, door)
    calendar.unwatch(channel)
    calendar.unwatch(channel)
    assert setting.graph.subscriptions.subscriptions == {}


def test_a_forgotten_subscription_of_ours_is_replaced(setting: Setting, calendar: OutlookCalendar, door: Door) -> None:
    setting.graph.subscriptions.unique = True
    old = watched(calendar, door)
    new = watched(calendar, door)
    assert list(setting.graph.subscriptions.subscriptions) == [new.remote_id]
    assert new.remote_id != old.remote_id


def test_an_address_that_does_not_prove_itself_is_told(setting: Setting, calendar: OutlookCalendar, door: Door) -> None:
    door.echoes = False
    with pytest.raises(RefusedError, match="will not push"):
        watched(calendar, door)
    assert setting.graph.subscriptions.subscriptions == {}


def test_a_calendar_that_is_not_there_cannot_push(setting: Setting, door: Door) -> None:
    with pytest.raises(RefusedError):
        watched(setting.account().open("AQMkNowhere="), door)


def test_a_subscription_whose_answer_is_lost_is_not_asked_for_twice(
    setting: Setting, calendar: OutlookCalendar, door: Door
) -> None:
    setting.graph.once("POST", "/subscriptions$", lose_answer)
    with pytest.raises(TransientError):
        watched(calendar, door)
    assert len(setting.graph.subscriptions.subscriptions) == 1


def test_a_throttled_renewal_names_its_wait(setting: Setting, calendar: OutlookCalendar, door: Door) -> None:
    channel = watched(calendar, door)
    setting.graph.once("PATCH", "/subscriptions/", says(429, "TooManyRequests", Retry_After="9"))
    with pytest.raises(TransientError) as caught:
        calendar.renew(channel, address=door.address, now=NOW)
    assert caught.value.retry_after == timedelta(seconds=9)
