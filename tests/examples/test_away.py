"""While Pencilled cannot be asked, the example platform goes on with whatever does not need it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from lindenhof import bookings, mounted, over_rest, people
from standardwebhooks import Webhook
from test_lindenhof import QUICK, Visitor, begin

from tests.conftest import free_port

SECRET = "whsec_" + "c2VjcmV0" * 4


def not_there(folder: Path) -> Flask:
    """The platform, beside a Pencilled that does not run."""
    return over_rest.create_app(
        DATABASE=folder / "lindenhof.sqlite3",
        TESTING=True,
        **QUICK,
        PENCILLED_URL=f"http://127.0.0.1:{free_port()}",
        PENCILLED_KEY="any",
        PENCILLED_WEBHOOK_SECRET=SECRET,
    )


def not_migrated(folder: Path) -> Flask:
    """The platform with a Pencilled in it that has no database yet."""
    settings = {
        "CONNECTOR_DATABASE_URL": f"sqlite:///{folder / 'pencilled.sqlite3'}",
        "CONNECTOR_PUBLIC_URL": "http://localhost/rearrange",
    }
    return mounted.create_app(DATABASE=folder / "lindenhof.sqlite3", TESTING=True, PENCILLED=settings, **QUICK)


@pytest.mark.parametrize("make", [not_there, not_migrated])
def test_people_sign_in_and_are_told_that_no_time_can_be_seen(make: Any, tmp_path: Path) -> None:
    alex = Visitor(begin(make(tmp_path)))
    assert "Nothing is booked." in alex.sign_in("Alex")
    answer = alex.http.get("/with/1")
    assert (answer.status_code, "Not just now" in answer.text) == (503, True)
    answer = alex.http.get("/")
    assert (answer.status_code, "Kim Beispiel" in answer.text) == (200, True)


def said(platform: Flask, secret: str, outcome_id: str, kind: str, data: Mapping[str, Any]) -> int:
    """Post an outcome to the platform as Pencilled does, and return the status."""
    body, now = json.dumps({"type": kind, "data": data}), datetime.now(UTC)  # noqa: TID251 - signatures are young
    headers = {
        "webhook-id": outcome_id,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": Webhook(secret).sign(outcome_id, now, body),
    }
    return platform.test_client().post("/outcomes", data=body, headers=headers).status_code


def test_an_outcome_counts_once_and_what_nobody_signed_does_not(tmp_path: Path) -> None:
    platform = begin(not_there(tmp_path))
    with platform.app_context():
        kim, alex = people.find(1), people.find(2)
        assert kim is not None
        assert alex is not None
        booking = bookings.ask(kim, alex, datetime(2027, 1, 12, 9, tzinfo=UTC), 50)
    booked = {"session_external_id": booking.external_id, "session_id": "s-1"}

    def moved_to(day: int) -> dict[str, Any]:
        edges = {edge: f"2027-01-{day}T10:{minute}:00+01:00" for edge, minute in (("start", "00"), ("end", "50"))}
        return {**booked, "new_time": edges}

    assert said(platform, SECRET, "msg_1", "session.booked", booked) == 204
    assert said(platform, SECRET, "msg_2", "session.moved", moved_to(13)) == 204
    assert said(platform, SECRET, "msg_3", "session.moved", moved_to(14)) == 204
    assert said(platform, SECRET, "msg_2", "session.moved", moved_to(13)) == 204  # once more, after a lost answer
    assert said(platform, SECRET, "msg_4", "something.new", {}) == 204
    assert said(platform, "whsec_" + "b3RoZXJz" * 4, "msg_5", "session.cancelled", booked) == 400
    with platform.app_context():
        booking = bookings.get(booking.id)
    assert (booking.state, booking.session) == ("booked", "s-1")
    assert booking.start == datetime(2027, 1, 14, 9, tzinfo=UTC)
