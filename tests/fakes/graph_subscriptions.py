"""Subscriptions at the fake of Microsoft Graph: the handshake while one is made, and notices that really are posted."""

from __future__ import annotations

import http.client
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode, urlsplit
from uuid import uuid4

from tests.fakes import graph_types
from tests.fakes.graph_mailbox import GraphError, Json

_LONGEST = timedelta(minutes=10_080)


@dataclass
class Subscriptions:
    """Who is to be told of changes. `answers` keeps the status each notice was answered with."""

    clock: Callable[[], datetime]
    subscriptions: dict[str, Json] = field(default_factory=dict)
    answers: list[int] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    notifies_first: bool = False  # a change is told of before the subscription's own answer
    unique: bool = False  # a second subscription to the same calendar is refused

    def answer(
        self, method: str, path: list[str], body: Any, known: Sequence[str], types: graph_types.Types
    ) -> tuple[int, Any]:
        if body is not None:
            self.faults += graph_types.faults(types, "subscription", body, "subscription")
        match method, path:
            case "GET", []:
                return 200, {"value": list(self.subscriptions.values())}
            case "POST", []:
                return 201, self._subscribed(body, known)
            case _, [identity] if identity not in self.subscriptions:
                raise GraphError(404, "ResourceNotFound")
            case "PATCH", [identity]:
                self.subscriptions[identity]["expirationDateTime"] = self._expiry(body)
                return 200, self.subscriptions[identity]
            case "DELETE", [identity]:
                del self.subscriptions[identity]
                return 204, None
            case _:
                raise GraphError(400, "BadRequest")

    def deliver(self, changes: Sequence[tuple[str, Json]], *, doubled: bool = False, forged: bool = False) -> None:
        """Post what happened to every subscriber; forged, it shows another secret."""
        for subscription in list(self.subscriptions.values()):
            items = [
                {
                    **_notice(subscription, "nobody.knows" if forged else subscription["clientState"]),
                    "changeType": how,
                    "resource": f"Users/1/Events/{event['id']}",
                    "resourceData": {
                        "@odata.type": "#Microsoft.Graph.Event",
                        "id": event["id"],
                        "@odata.etag": event["@odata.etag"],
                    },
                }
                for how, event in changes
            ]
            for _ in range(2 if doubled else 1):
                self.answers.append(_post(subscription["notificationUrl"], {"value": items})[0])

    def lifecycle(self, event: str) -> None:
        """Tell every subscriber what becomes of the subscription itself."""
        for identity, subscription in list(self.subscriptions.items()):
            item = {**_notice(subscription, subscription["clientState"]), "lifecycleEvent": event}
            self.answers.append(_post(subscription["lifecycleNotificationUrl"], {"value": [item]})[0])
            if event == "subscriptionRemoved":
                del self.subscriptions[identity]

    def _subscribed(self, body: Json, known: Sequence[str]) -> Json:
        if body["resource"] not in known:
            raise GraphError(404, "ResourceNotFound")
        if len(body["clientState"]) > 128 or body["changeType"] != "created,updated,deleted":
            self.faults.append("the subscription's clientState or changeType is not right")
        if self.unique and any(one["resource"] == body["resource"] for one in self.subscriptions.values()):
            raise GraphError(409, "ExtensionError", "There is such a subscription already.")
        subscription = {**body, "id": str(uuid4()), "expirationDateTime": self._expiry(body)}
        for name in ("notificationUrl", "lifecycleNotificationUrl"):
            token = f"Validation: Testing {uuid4()} & 100%"
            status, kind, text = _post(f"{body[name]}?{urlencode({'validationToken': token})}", None)
            if (status, kind.partition(";")[0], text) != (200, "text/plain", token):
                raise GraphError(400, "ValidationError", "Subscription validation request failed.")
        self.subscriptions[subscription["id"]] = subscription
        if self.notifies_first:
            self.deliver([("updated", {"id": "x", "@odata.etag": "y"})])
        return subscription

    def _expiry(self, body: Json) -> str:
        wanted = datetime.fromisoformat(body["expirationDateTime"])
        if wanted - self.clock() > _LONGEST:
            raise GraphError(400, "ExtensionError", "Subscription expiration can only be 10080 minutes in the future.")
        return f"{wanted:%Y-%m-%dT%H:%M:%S}.0000000Z"


def _notice(subscription: Json, state: str) -> Json:
    return {
        "subscriptionId": subscription["id"],
        "clientState": state,
        "subscriptionExpirationDateTime": subscription["expirationDateTime"],
        "tenantId": str(uuid4()),
    }


def _post(url: str, document: Json | None) -> tuple[int, str, str]:
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=60)
    kind = "text/plain; charset=utf-8" if document is None else "application/json"
    body = b"" if document is None else json.dumps(document).encode()
    try:
        connection.request("POST", f"{parts.path}?{parts.query}", body, {"Content-Type": kind})
        answer = connection.getresponse()
        return answer.status, answer.headers.get("Content-Type", ""), answer.read().decode()
    finally:
        connection.close()
