"""Google's channels: they push to a real address, are renewed without a gap, and are closed again."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import pytest
from werkzeug.datastructures import Headers

from connector.errors import MissingError, RefusedError, TransientError
from connector.ports import Notification
from tests.fakes._google_wire import Reply, Request, Server
from tests.fakes.google import answers, lose_answer, says
from tests.providers.contract import creation, written
from tests.providers.google.setting import NOW, Setting, signed_in
from webhooks import google

WATCH = "events.watch"


class Door:
    """Where pushes arrive."""

    def __init__(self) -> None:
        self.notifications: list[Notification] = []
        self.states: list[str] = []
        self.server = Server(self.answer)
        self.lock = threading.Lock()

    def answer(self, request: Request) -> Reply:
        headers = Headers(list(request.headers.items()))
        with self.lock:
            self.notifications += google.parse(headers, {}, request.body)
            self.states.append(headers["X-Goog-Resource-State"])
        return Reply(204)


@contextmanager
def opened() -> Iterator[Door]:
    door = Door()
    door.server.begin()
    try:
        yield door
    finally:
        door.server.end()


@pytest.fixture
def setting() -> Iterator[Setting]:
    with signed_in() as setting:
        yield setting


@pytest.fixture
def door() -> Iterator[Door]:
    with opened() as door:
        yield door


def test_a_change_is_pushed_with_the_channels_secret(setting: Setting, door: Door) -> None:
    channel = setting.calendar.watch(channel_id="c-1", secret="s-1", address=door.server.url, now=NOW)
    assert (channel.id, channel.secret) == ("c-1", "s-1")
    assert channel.expires_at == NOW + timedelta(days=7)
    written(setting.calendar.apply([creation()]))
    setting.fake.channels.settle()
    assert door.notifications == [Notification(channel_id="c-1", secret="s-1")] * 2
    assert door.states == ["sync", "exists"]


def test_the_end_of_a_channel_is_asked_for_in_milliseconds(setting: Setting, door: Door) -> None:
    setting.calendar.watch(channel_id="c-1", secret="s-1", address=door.server.url, now=NOW)
    (request,) = setting.fake.requests
    assert request.object == {
        "id": "c-1",
        "type": "web_hook",
        "address": door.server.url,
        "token": "s-1",
        "expiration": "1796029200000",
    }


def test_a_channel_may_push_before_it_is_known_to_be_open(setting: Setting, door: Door) -> None:
    setting.fake.channels.sync_first = True
    setting.calendar.watch(channel_id="c-1", secret="s-1", address=door.server.url, now=NOW)
    assert door.states == ["sync"]


def test_google_may_grant_less(setting: Setting, door: Door) -> None:
    granted = {"id": "c-1", "resourceId": "r-1", "expiration": "1795424400999"}
    setting.fake.once(WATCH, answers(200, granted))
    channel = setting.calendar.watch(channel_id="c-1", secret="s-1", address=door.server.url, now=NOW)
    assert channel.remote_id == "r-1"
    assert channel.expires_at == NOW
    setting.fake.once(WATCH, answers(200, {"id": "c-2", "resourceId": "r-1"}))
    channel = setting.calendar.watch(channel_id="c-2", secret="s-1", address=door.server.url, now=NOW)
    assert channel.expires_at == NOW + timedelta(days=7)


def test_a_channel_is_renewed_by_a_successor_before_it_is_closed(setting: Setting, door: Door) -> None:
    old = setting.calendar.watch(channel_id="c-1", secret="s-1", address=door.server.url, now=NOW)
    setting.clock.advance(timedelta(days=5))
    new = setting.calendar.renew(old, address=door.server.url, now=setting.clock())
    assert new.id != old.id
    assert new.secret != old.secret
    assert new.expires_at == old.expires_at + timedelta(days=5)
    written(setting.calendar.apply([creation()]))
    setting.fake.channels.settle()
    assert {notification.channel_id for notification in door.notifications} == {old.id, new.id}
    setting.calendar.unwatch(old)
    assert setting.fake.channels.watches.keys() == {new.id}
    setting.calendar.unwatch(old)


def test_a_channel_that_ends_pushes_no_more(setting: Setting, door: Door) -> None:
    setting.calendar.watch(channel_id="c-1", secret="s-1", address=door.server.url, now=NOW)
    setting.clock.advance(timedelta(days=7))
    written(setting.calendar.apply([creation()]))
    setting.fake.channels.settle()
    assert door.states == ["sync"]


def test_pushes_may_be_lost_or_come_twice(setting: Setting, door: Door) -> None:
    setting.calendar.watch(channel_id="c-1", secret="s-1", address=door.server.url, now=NOW)
    setting.fake.channels.lost = 1
    written(setting.calendar.apply([creation()]))
    setting.fake.channels.doubled = 1
    written(setting.calendar.apply([creation()]))
    setting.fake.channels.settle()
    assert door.states == ["sync", "exists", "exists"]


def test_a_calendar_that_cannot_push_is_refused_for_good(setting: Setting) -> None:
    setting.remote.pushes = False
    with pytest.raises(RefusedError, match="does not push"):
        setting.calendar.watch(channel_id="c-1", secret="s-1", address="https://pencilled.example/g", now=NOW)


def test_a_channel_whose_answer_is_lost_is_opened_under_another_id(setting: Setting) -> None:
    setting.fake.once(WATCH, lose_answer)
    address = "http://127.0.0.1:9/"
    with pytest.raises(TransientError):
        setting.calendar.watch(channel_id="c-1", secret="s-1", address=address, now=NOW)
    setting.calendar.watch(channel_id="c-2", secret="s-1", address=address, now=NOW)


def test_a_calendar_that_is_gone_cannot_be_watched(setting: Setting) -> None:
    setting.remote.roles.clear()
    with pytest.raises(MissingError):
        setting.calendar.watch(channel_id="c-1", secret="s-1", address="https://pencilled.example/g", now=NOW)


def test_a_channel_that_cannot_be_closed_now_is_tried_again(setting: Setting) -> None:
    address = "http://127.0.0.1:9/"
    channel = setting.calendar.watch(channel_id="c-1", secret="s-1", address=address, now=NOW)
    setting.fake.once("channels.stop", says(503))
    with pytest.raises(TransientError):
        setting.calendar.unwatch(channel)


@pytest.mark.parametrize("answer", [{}, {"resourceId": 7}, {"resourceId": "r", "expiration": "soon"}, b"<html>"])
def test_a_channel_that_cannot_be_read_is_put_off(setting: Setting, answer: object) -> None:
    setting.fake.once(WATCH, answers(200, answer))
    with pytest.raises(TransientError):
        setting.calendar.watch(channel_id="c-1", secret="s-1", address="https://pencilled.example/g", now=NOW)
