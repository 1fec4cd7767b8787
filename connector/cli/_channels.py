"""The connections of `pencilled serve`: who has not said what they want makes room for who comes.

`pencilled web` keeps the same limits in `_whole_requests`.
"""

from __future__ import annotations

import json
import time
from http import HTTPStatus
from typing import Any
from uuid import uuid4

from waitress.channel import HTTPChannel
from waitress.task import ErrorTask

from connector import paths

LARGEST_BODY = 256 * 1024  # bytes that are taken in before the application may refuse
MOST_WAITING = 200  # connections that wait for their request, or for the rest of it; each may hold a body in memory


def refused(path: str, status: HTTPStatus) -> tuple[str, bytes]:
    """Return the media type and the body in which a server refuses a request that no application sees."""
    before, is_api, _ = path.partition(f"{paths.API}/")
    if not is_api:
        return "text/plain; charset=utf-8", f"{status.phrase}\n".encode()
    code = "body_too_large" if status is HTTPStatus.REQUEST_ENTITY_TOO_LARGE else "request_malformed"
    problem: dict[str, object] = {
        "type": f"{before}{paths.API}/errors/{code}",
        "title": status.phrase,
        "status": status.value,
        "detail": f"{status.phrase}.",
        "code": code,
        "errors": [],
        "request_id": uuid4().hex,
    }
    return "application/problem+json", json.dumps(problem).encode()


class _Refusal(ErrorTask):  # type: ignore[misc]  # waitress has no types
    """What waitress refuses by itself, in the form in which whoever asks is refused elsewhere."""

    def execute(self) -> None:
        """Answer."""
        status = HTTPStatus(self.request.error.code)
        kind, body = refused(getattr(self.request, "path", ""), status)
        self.status = f"{status.value} {status.phrase}"
        self.response_headers.append(("Content-Type", kind))
        self.content_length = len(body)
        self.set_close_on_finish()
        self.write(body)


class Channel(HTTPChannel):  # type: ignore[misc]
    """One connection. A half-sent request ends nobody's service: beyond `MOST_WAITING`, the longest in coming goes."""

    error_task_class = _Refusal

    def __init__(self, server: Any, *args: Any, **kwargs: Any) -> None:
        self.waiting_since = time.monotonic()
        waiting = [one for one in server.active_channels.values() if not one.requests]
        if len(waiting) >= MOST_WAITING:
            min(waiting, key=_patience).handle_close()
        super().__init__(server, *args, **kwargs)

    def received(self, data: bytes) -> bool | None:
        """Take in bytes; where they begin a request, it is waited for from now on."""
        if self.request is None:
            self.waiting_since = time.monotonic()
        taken: bool | None = super().received(data)
        return taken


def _patience(channel: Channel) -> tuple[bool, float]:
    """Order half-sent requests before connections that are kept open for a next one, and by how long they last."""
    return channel.request is None, channel.waiting_since
