"""Subscriptions: how Outlook notifies us when a calendar changes.

The service proves our address while the subscription is being made: it posts a token there, which must be answered by
another thread or process meanwhile. Source: https://learn.microsoft.com/graph/api/subscription-post-subscriptions
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from urllib.parse import quote

from connector.errors import RefusedError
from connector.ports import Channel
from connector.sentence import Sentence
from providers.outlook.http import Graph
from providers.outlook.protocol import Answer, Call, meaning, nonsense

LIFE = timedelta(days=6)  # the service grants 10,080 minutes at most
_HANDSHAKE_SECONDS = 20.0
_CONFLICT, _NOT_FOUND = 409, 404
_PAGES = 20


def watch(graph: Graph, calendar: str, *, channel_id: str, secret: str, address: str, now: datetime) -> Channel:
    """Subscribe; an earlier subscription to the same address that we no longer know is ended first.

    `clientState` carries our channel id before the secret: a notification may come before we know the service's own id.

    Raises: RefusedError if the calendar cannot push, or our address did not prove itself; another ProviderError.
    """
    resource = f"{calendar}/events"
    subscription = _subscription(resource, address, f"{channel_id}.{secret}", until=now + LIFE)
    answer = graph.call(subscription)
    if answer.status == _CONFLICT:
        _end_others(graph, resource, address)
        answer = graph.call(subscription)
    if not answer.ok:
        raise RefusedError(Sentence("Outlook will not push: %(reason)s", reason=meaning(answer).sentence))
    remote_id = answer.done().body.get("id")
    if not isinstance(remote_id, str):
        raise nonsense()
    return Channel(id=channel_id, remote_id=remote_id, secret=secret, expires_at=_granted(answer, now))


def renew(graph: Graph, channel: Channel, *, now: datetime) -> Channel | None:
    """Make a subscription last longer; None if it is gone.

    Raises: ProviderError.
    """
    body = {"expirationDateTime": _timestamp(now + LIFE)}
    answer = graph.call(Call(method="PATCH", path=_path(channel.remote_id), body=body))
    if answer.status == _NOT_FOUND:
        return None
    expires_at = _granted(answer.done(), now)
    return Channel(id=channel.id, remote_id=channel.remote_id, secret=channel.secret, expires_at=expires_at)


def unwatch(graph: Graph, remote_id: str) -> None:
    """End a subscription; ending one that is gone is harmless.

    Raises: ProviderError.
    """
    answer = graph.call(Call(method="DELETE", path=_path(remote_id)))
    if not answer.ok and answer.status != _NOT_FOUND:
        raise meaning(answer)


def _subscription(resource: str, address: str, client_state: str, *, until: datetime) -> Call:
    return Call(
        method="POST",
        path="/subscriptions",
        body={
            "changeType": "created,updated,deleted",
            "resource": resource,
            "notificationUrl": address,
            "lifecycleNotificationUrl": address,
            "clientState": client_state,
            "expirationDateTime": _timestamp(until),
            "latestSupportedTlsVersion": "v1_2",
        },
        seconds=_HANDSHAKE_SECONDS,
        repeatable=False,
    )


def _end_others(graph: Graph, resource: str, address: str) -> None:
    """End the subscriptions to the same resource that push to the same address."""
    for page in graph.pages(Call(method="GET", path="/subscriptions"), most=_PAGES):
        for item in page.value():
            path = str(item.get("resource", "")).strip("/")
            if item.get("notificationUrl") == address and path == resource.strip("/"):
                unwatch(graph, str(item.get("id")))


def _granted(answer: Answer, now: datetime) -> datetime:
    try:
        granted = datetime.fromisoformat(str(answer.body.get("expirationDateTime")))
    except ValueError:
        return now + LIFE
    return granted.replace(tzinfo=granted.tzinfo or UTC).astimezone(UTC).replace(microsecond=0)


def _timestamp(value: datetime) -> str:
    return f"{value.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def _path(remote_id: str) -> str:
    return f"/subscriptions/{quote(remote_id, safe='')}"
