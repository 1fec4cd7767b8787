"""What Outlook posts: taken apart, with nothing believed."""

from __future__ import annotations

import json
from typing import Any

import pytest
from werkzeug.datastructures import Headers

from connector.errors import NotificationRejectedError
from connector.ports import Lifecycle, Notification
from webhooks._handshake import Handshake
from webhooks.outlook import MOST, parse


def notice(**changes: object) -> dict[str, Any]:
    """Return one notice as Microsoft documents it."""
    return {
        "subscriptionId": "7f105c7d-2dc5-4530-97cd-4e7ae6534c07",
        "subscriptionExpirationDateTime": "2026-12-01T09:00:00.0000000Z",
        "tenantId": "84bd8158-6d4d-4958-8b9f-9d6445542f95",
        "clientState": "channel-1.secret.with.dots",
        "changeType": "updated",
        "resource": "Users/1/Events/AAMk=",
        "resourceData": {"@odata.type": "#Microsoft.Graph.Event", "@odata.etag": 'W/"v"', "id": "AAMk="},
    } | changes


def posted(*items: object) -> bytes:
    return json.dumps({"value": items}).encode()


NOTIFICATION = Notification(channel_id="channel-1", secret="secret.with.dots")


def test_an_item_names_its_channel_and_shows_its_secret() -> None:
    assert parse(Headers(), {}, posted(notice())) == (NOTIFICATION,)


def test_the_secret_is_all_that_is_kept_of_what_is_posted() -> None:
    (notification,) = parse(Headers(), {}, posted(notice(changeType="deleted", resource="Users/2/Events/other")))  # type: ignore[misc]
    assert notification == NOTIFICATION


def test_each_of_several_items_stands_for_itself() -> None:
    notifications = parse(
        Headers(), {}, posted(notice(), notice(clientState="channel-2.other"), notice(clientState="forged.x"))
    )
    assert notifications == (
        NOTIFICATION,
        Notification(channel_id="channel-2", secret="other"),
        Notification(channel_id="forged", secret="x"),
    )


@pytest.mark.parametrize(
    ("event", "lifecycle"),
    [
        ("reauthorizationRequired", Lifecycle.EXPIRING),
        ("missed", Lifecycle.MISSED),
        ("subscriptionRemoved", Lifecycle.REMOVED),
        ("somethingNew", None),
    ],
)
def test_what_becomes_of_the_subscription_is_told(event: str, lifecycle: Lifecycle | None) -> None:
    item = notice(lifecycleEvent=event)
    del item["changeType"], item["resourceData"]
    assert parse(Headers(), {}, posted(item)) == (
        Notification(channel_id="channel-1", secret="secret.with.dots", lifecycle=lifecycle),
    )


@pytest.mark.parametrize("token", ["Validation: Testing client 1 & 100% é", "x" * 2048])
def test_the_question_whether_the_address_is_ours_is_answered_with_its_token(token: str) -> None:
    assert parse(Headers(), {"validationToken": token}, b"") == Handshake(text=token)


@pytest.mark.parametrize("token", ["", "x" * 2049, "a\r\nSet-Cookie: b", "\0"])
def test_a_token_that_is_none_is_not_echoed(token: str) -> None:
    with pytest.raises(NotificationRejectedError):
        parse(Headers(), {"validationToken": token}, b"")


@pytest.mark.parametrize(
    "item",
    [
        None,
        7,
        [],
        {},
        notice(clientState=None),
        notice(clientState=7),
        notice(clientState=""),
        notice(clientState="no-dot"),
        notice(clientState=".secret"),
        notice(clientState="channel."),
        notice(clientState="c." + "x" * 200),
        notice(subscriptionId=None),
        notice(lifecycleEvent=[]),
        notice(lifecycleEvent="x" * 200),
    ],
)
def test_what_makes_no_sense_is_left_out_and_silences_nobody(item: object) -> None:
    assert parse(Headers(), {}, posted(item, notice())) == (NOTIFICATION,)
    with pytest.raises(NotificationRejectedError):
        parse(Headers(), {}, posted(item))


def test_a_post_has_a_thousand_items_and_a_text_in_them_128_characters_at_most() -> None:
    event = "e" * 128
    state = f"c.{'x' * 126}"
    most = posted(*[notice(clientState=state, lifecycleEvent=event)] * 1000)
    assert parse(Headers(), {}, most) == (Notification(channel_id="c", secret="x" * 126),) * 1000
    for refused in (
        [notice()] * 1001,
        [notice(clientState=f"{state}x")],
        [notice(lifecycleEvent=f"{event}e")],
    ):
        with pytest.raises(NotificationRejectedError):
            parse(Headers(), {}, posted(*refused))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b"{}",
        b'{"value": {}}',
        b'{"value": []}',
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"value":' * 20_000,
        b"x" * 300_000,
        posted(*[{}] * (MOST + 1)),
    ],
)
def test_what_is_no_post_of_microsofts_is_rejected(body: bytes) -> None:
    with pytest.raises(NotificationRejectedError):
        parse(Headers(), {}, body)
