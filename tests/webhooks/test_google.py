"""What Google pushes, and what only looks like it."""

from __future__ import annotations

import pytest
from werkzeug.datastructures import Headers

from connector.errors import NotificationRejectedError
from connector.ports import Notification
from webhooks import google

PUSH = {
    "X-Goog-Channel-ID": "4ba78bf0-6a47-11e2-bcfd-0800200c9a66",
    "X-Goog-Channel-Token": "k1-9f2c",
    "X-Goog-Channel-Expiration": "Fri, 04 Dec 2026 09:00:00 GMT",
    "X-Goog-Resource-ID": "ret08u3rv24htgh289g",
    "X-Goog-Resource-URI": "https://www.googleapis.com/calendar/v3/calendars/primary/events",
    "X-Goog-Resource-State": "exists",
    "X-Goog-Message-Number": "10",
}
NOTIFICATION = Notification(channel_id=PUSH["X-Goog-Channel-ID"], secret="k1-9f2c")


def test_a_push_is_one_notification() -> None:
    assert google.parse(Headers(PUSH), {}, b"") == (NOTIFICATION,)


@pytest.mark.parametrize("state", ["sync", "not_exists"])
def test_the_first_push_and_the_last_are_notifications_too(state: str) -> None:
    assert google.parse(Headers(PUSH | {"X-Goog-Resource-State": state}), {}, b"") == (NOTIFICATION,)


def test_the_case_of_header_names_does_not_matter() -> None:
    assert google.parse(Headers({name.lower(): value for name, value in PUSH.items()}), {}, b"") == (NOTIFICATION,)


def test_a_body_decides_nothing() -> None:
    assert google.parse(Headers(PUSH), {"channel": "other"}, b'{"id": "other"}') == (NOTIFICATION,)


@pytest.mark.parametrize("name", ["X-Goog-Channel-ID", "X-Goog-Channel-Token", "X-Goog-Resource-State"])
@pytest.mark.parametrize("value", [None, "", "x" * 300])
def test_what_cannot_be_a_push_of_ours_is_rejected(name: str, value: str | None) -> None:
    headers = Headers({**PUSH, name: value} if value is not None else {k: v for k, v in PUSH.items() if k != name})
    with pytest.raises(NotificationRejectedError):
        google.parse(headers, {}, b"")


@pytest.mark.parametrize(("name", "longest"), [("X-Goog-Channel-ID", 64), ("X-Goog-Channel-Token", 256)])
def test_a_channel_id_and_its_token_have_a_greatest_length(name: str, longest: int) -> None:
    assert google.parse(Headers(PUSH | {name: "x" * longest}), {}, b"")
    with pytest.raises(NotificationRejectedError, match="no channel of ours"):
        google.parse(Headers(PUSH | {name: "x" * (longest + 1)}), {}, b"")
