"""What Outlook posts to our address: parsed here, checked elsewhere.

Source: https://learn.microsoft.com/graph/change-notifications-delivery-webhooks
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from werkzeug.datastructures import Headers

from connector.errors import NotificationRejectedError
from connector.ports import Lifecycle, Notification
from webhooks._addresses import SharedAddress
from webhooks._handshake import Handshake

MOST = 1000  # items in one post
_LONGEST_TOKEN = 2048
_LONGEST = 128  # characters of an id or a clientState
_LIFECYCLE = {
    "reauthorizationRequired": Lifecycle.EXPIRING,
    "missed": Lifecycle.MISSED,
    "subscriptionRemoved": Lifecycle.REMOVED,
}


def parse(headers: Headers, query: Mapping[str, str], body: bytes) -> Handshake | tuple[Notification, ...]:  # noqa: ARG001 - signed by nothing
    """Read one post: the question whether the address is ours, or notifications, each to be checked by itself.

    An item that makes no sense is left out; it must not silence the others.

    Raises: NotificationRejectedError if no item in it can be a notification.
    """
    token = query.get("validationToken")
    if token is not None:
        if not 0 < len(token) <= _LONGEST_TOKEN or not token.isprintable():
            raise NotificationRejectedError("no validation token of Microsoft's looks like this")
        return Handshake(text=token)
    notifications = tuple(notification for item in _items(body) if (notification := _notification(item)))
    if not notifications:
        raise NotificationRejectedError("no notice in it")
    return notifications


def _items(body: bytes) -> list[Any]:
    try:
        document = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise NotificationRejectedError("no JSON") from error
    items = document.get("value") if isinstance(document, dict) else None
    if not isinstance(items, list) or len(items) > MOST:
        raise NotificationRejectedError("no list of notices")
    return items


def _notification(item: object) -> Notification | None:
    """Return one item as a notification; `clientState` is our channel id, a dot and its secret."""
    if not isinstance(item, dict):
        return None
    state, lifecycle = item.get("clientState"), item.get("lifecycleEvent", "")
    if not isinstance(item.get("subscriptionId"), str) or not isinstance(state, str) or len(state) > _LONGEST:
        return None
    channel_id, _, secret = state.partition(".")
    if not channel_id or not secret or not isinstance(lifecycle, str) or len(lifecycle) > _LONGEST:
        return None
    return Notification(channel_id=channel_id, secret=secret, lifecycle=_LIFECYCLE.get(lifecycle))


WEBHOOK = SharedAddress(parse=parse)
