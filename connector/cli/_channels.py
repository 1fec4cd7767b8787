"""The connections of `pencilled serve`: who has not said what they want makes room for who comes.

`pencilled web` keeps the same limits in `_whole_requests`.
"""

from __future__ import annotations

import time
from typing import Any

from waitress.channel import HTTPChannel

LARGEST_BODY = 256 * 1024  # bytes that are taken in before the application may refuse
MOST_WAITING = 200  # connections that wait for their request, or for the rest of it; each may hold a body in memory


class Channel(HTTPChannel):  # type: ignore[misc]
    """One connection. A half-sent request ends nobody's service: beyond `MOST_WAITING`, the longest in coming goes."""

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
