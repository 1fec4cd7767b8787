"""Pushes from Google Calendar: an empty body, everything in the headers.

Source: https://developers.google.com/workspace/calendar/api/guides/push
"""

from __future__ import annotations

from collections.abc import Mapping

from werkzeug.datastructures import Headers

from connector.errors import NotificationRejectedError
from connector.ports import Notification
from webhooks._addresses import SharedAddress

_STATES = frozenset({"sync", "exists", "not_exists"})  # the first one after opening; a change; the resource is gone
_LONGEST_ID, _LONGEST_TOKEN = 64, 256


def parse(headers: Headers, query: Mapping[str, str], body: bytes) -> tuple[Notification, ...]:  # noqa: ARG001 - one shape for all
    """Read one push; a channel's very first one is a notification like any other.

    Raises: NotificationRejectedError if it cannot be a push of a channel of ours.
    """
    channel_id = headers.get("X-Goog-Channel-ID", "")
    secret = headers.get("X-Goog-Channel-Token", "")
    if headers.get("X-Goog-Resource-State", "") not in _STATES:
        raise NotificationRejectedError("not a push from Google")
    if not 0 < len(channel_id) <= _LONGEST_ID or not 0 < len(secret) <= _LONGEST_TOKEN:
        raise NotificationRejectedError("no channel of ours")
    return (Notification(channel_id=channel_id, secret=secret),)


WEBHOOK = SharedAddress(parse=parse)
