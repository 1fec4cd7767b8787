"""Channels as Google keeps them, and the pushes that go out by them over real sockets."""

from __future__ import annotations

import http.client
import queue
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from tests.fakes._google_store import Calendar, refusal, refuse
from tests.fakes._google_wire import Reply

_WEEK = timedelta(days=7)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass
class Watch:
    """A channel somebody opened."""

    id: str
    resource: str
    calendar: Calendar
    address: str
    token: str
    expires_at: datetime
    number: int = 0


class Channels:
    """Opens and closes channels, and notifies through them; `lock` is held by whoever calls in.

    Attributes:
        watches: By channel id.
        sync_first: Whether a channel's first push comes before the answer that opens it.
        lost, doubled: How many of the next pushes.
    """

    def __init__(self, clock: Callable[[], datetime], lock: Any) -> None:
        self.watches: dict[str, Watch] = {}
        self.sync_first = False
        self.lost = 0
        self.doubled = 0
        self._clock = clock
        self._lock = lock
        self._outbox: queue.Queue[tuple[str, dict[str, str]] | None] = queue.Queue()
        self._pusher = threading.Thread(target=self._push)

    def begin(self) -> None:
        self._pusher.start()

    def end(self) -> None:
        self._outbox.put(None)
        self._pusher.join()

    def settle(self) -> None:
        """Wait until every push has been sent."""
        self._outbox.join()

    def changed(self, calendar: Calendar) -> None:
        """Notify through every channel of a calendar."""
        with self._lock:
            for watch in self.watches.values():
                if watch.calendar is calendar and self._clock() < watch.expires_at:
                    self._notify(watch, "exists")

    def watch(self, calendar: Calendar, body: dict[str, Any]) -> dict[str, Any]:
        if not calendar.pushes:
            raise refuse(400, "pushNotSupportedForRequestedResource")
        if body["id"] in self.watches:
            raise refuse(400, "channelIdNotUnique")
        address = urlsplit(body["address"])
        if body.get("type") != "web_hook" or (address.scheme != "https" and address.hostname != "127.0.0.1"):
            raise refuse(400, "push.webhookUrlNotHttps")
        asked = _EPOCH + timedelta(milliseconds=int(body["expiration"]))
        if asked <= self._clock() or len(body["id"]) > 64 or len(body["token"]) > 256:
            raise refuse(400, "invalid", location="ttl")
        until = min(asked, self._clock() + _WEEK)
        watch = Watch(body["id"], f"r-{calendar.id}", calendar, body["address"], body["token"], until)
        self.watches[watch.id] = watch
        self._notify(watch, "sync")
        if self.sync_first:
            self._lock.release()
            try:
                self.settle()
            finally:
                self._lock.acquire()
        return {
            "kind": "api#channel",
            "id": watch.id,
            "resourceId": watch.resource,
            "resourceUri": f"https://www.googleapis.com/calendar/v3/calendars/{calendar.id}/events?alt=json",
            "token": watch.token,
            "expiration": str(int((until - _EPOCH) / timedelta(milliseconds=1))),
        }

    def stop(self, body: dict[str, Any]) -> Reply:
        watch = self.watches.get(body["id"])
        if watch is None or watch.resource != body["resourceId"]:
            return refusal(404, "notFound")
        del self.watches[watch.id]
        return Reply(204)

    def _notify(self, watch: Watch, state: str) -> None:
        watch.number += 1
        headers = {
            "X-Goog-Channel-ID": watch.id,
            "X-Goog-Channel-Token": watch.token,
            "X-Goog-Channel-Expiration": f"{watch.expires_at:%a, %d %b %Y %H:%M:%S GMT}",
            "X-Goog-Resource-ID": watch.resource,
            "X-Goog-Resource-URI": f"https://www.googleapis.com/calendar/v3/calendars/{watch.calendar.id}/events",
            "X-Goog-Resource-State": state,
            "X-Goog-Message-Number": str(watch.number),
            "User-Agent": "APIs-Google",
            "Content-Length": "0",
        }
        if self.lost:
            self.lost -= 1
            return
        times = 2 if self.doubled else 1
        self.doubled -= times - 1
        for _ in range(times):
            self._outbox.put((watch.address, headers))

    def _push(self) -> None:
        while (item := self._outbox.get()) is not None:
            address, headers = item
            target = urlsplit(address)
            connection = http.client.HTTPConnection(target.netloc, timeout=60)
            with suppress(OSError, http.client.HTTPException):
                connection.request("POST", target.path or "/", headers=headers)
                connection.getresponse().read()
            connection.close()
            self._outbox.task_done()
