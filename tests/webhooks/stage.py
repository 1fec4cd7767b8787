"""An installation whose webhooks are reached over HTTP: memory calendars that push as if they were Google's."""

from __future__ import annotations

import http.client
from collections.abc import Mapping
from dataclasses import replace
from uuid import uuid4

from flask import Flask
from sqlalchemy import Connection

import providers
import webhooks
from connector.domain.connection import Calendar
from connector.ports import Notification
from connector.runtime import Runtime
from connector.storage import calendars, channels
from connector.storage.channels import Channel, ChannelState
from tests.conftest import Clock
from tests.services.practice import SEAL, Practice
from tests.web.stage import make_runtime
from tests.work.worker import real_time

URL = "https://pencilled.example"
THREADS = 8


def runtime_of(practice: Practice, url: str, **choices: object) -> Runtime:
    """Make the runtime of a practice's installation."""
    runtime = make_runtime(practice.database, url, Clock(practice.now), **{"public_url": URL} | choices)
    return replace(runtime, seal=SEAL, policy=practice.policy, clock=practice.clock, load_provider=providers.load)


def live(runtime: Runtime) -> Runtime:
    """The same with the real time."""
    return replace(runtime, clock=lambda: real_time().replace(microsecond=0))


def webhooks_alone(runtime: Runtime) -> Flask:
    """The smallest application there is around the hooks."""
    app = Flask("hooks alone")
    app.register_blueprint(webhooks.blueprint(runtime))
    return app


def pushing_calendars(practice: Practice, like: Calendar, count: int) -> list[Notification]:
    """Add calendars beside `like` in the same connection, each with an open channel, and return their notifications."""
    new_calendars = [replace(like, id=uuid4(), identity=None, sync_token=None, read_at=None) for _ in range(count)]
    with practice.database.begin() as db:
        for calendar in new_calendars:
            calendars.add_calendar(db, calendar, now=practice.now)
        return [_channel(db, practice, calendar, "google") for calendar in new_calendars]


def add_channel(practice: Practice, calendar: Calendar, *, provider: str = "google") -> Notification:
    """Store an open channel of a calendar and return the notification it sends."""
    with practice.database.begin() as db:
        return _channel(db, practice, calendar, provider)


def _channel(db: Connection, practice: Practice, calendar: Calendar, provider: str) -> Notification:
    notification = Notification(channel_id=f"channel-{uuid4()}", secret=uuid4().hex)
    channel = Channel(
        id=notification.channel_id,
        calendar_id=calendar.id,
        provider=provider,
        secret=SEAL.seal({"secret": notification.secret}),
        proof=channels.proof_of(notification.secret),
        state=ChannelState.OPEN,
        opened_at=practice.now,
    )
    channels.add(db, channel)
    return notification


def google_headers(notification: Notification) -> dict[str, str]:
    """Return what Google sends."""
    return {
        "X-Goog-Channel-ID": notification.channel_id,
        "X-Goog-Channel-Token": notification.secret,
        "X-Goog-Resource-State": "exists",
        "X-Goog-Message-Number": "2",
    }


class Caller:
    """A calendar service's kept-alive connection to us."""

    def __init__(self, port: int) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)

    def post(self, path: str, headers: Mapping[str, str], body: bytes = b"") -> int:
        """Push, and return the status."""
        self._connection.request("POST", path, body, dict(headers))
        answer = self._connection.getresponse()
        answer.read()
        return answer.status

    def close(self) -> None:
        self._connection.close()
