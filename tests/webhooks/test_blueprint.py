"""The address calendar services push to: what is genuine makes a pull due, all else is refused without detail."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace

import pytest
import sqlalchemy as sa
import structlog.testing
from cryptography.hazmat.primitives.asymmetric import ec
from flask.testing import FlaskClient

import webhooks
from connector.counters import NOTIFICATIONS
from connector.domain.connection import Calendar
from connector.ports import Notification
from connector.runtime import Runtime
from connector.storage.ledger import Kind
from connector.web import pages
from connector.webpush import Keys
from providers import available
from tests.counted import Counted
from tests.fakes.web_push import encrypt, point, signed_for, text
from tests.services import connected
from tests.services.channels import pull, row
from tests.services.practice import Practice
from webhooks._addresses import ChannelAddress, SharedAddress

from .stage import URL, add_channel, google_headers, runtime_of, webhooks_alone

SERVER = ec.generate_private_key(ec.SECP256R1())


@pytest.fixture
def practice(sqlite_database: object) -> Practice:
    return Practice(sqlite_database)  # type: ignore[arg-type]


@pytest.fixture
def calendar(practice: Practice) -> Calendar:
    """A connected calendar whose next pull is ten minutes away."""
    calendar = connected.connect(practice)
    pull(practice, calendar)
    practice.wait(minutes=1)
    return calendar


@pytest.fixture
def runtime(practice: Practice, sqlite_url: str) -> Runtime:
    return runtime_of(practice, sqlite_url)


@pytest.fixture
def client(runtime: Runtime) -> FlaskClient:
    """The hooks as part of the whole application."""
    app = pages.create(runtime)
    hooks = webhooks.blueprint(runtime)
    app.extensions["csrf"].exempt(hooks)
    app.register_blueprint(hooks)
    return app.test_client()


@pytest.fixture
def notification(practice: Practice, calendar: Calendar) -> Notification:
    return add_channel(practice, calendar)


@pytest.fixture
def counted() -> Counted:
    return Counted(NOTIFICATIONS)


def is_due(practice: Practice, calendar: Calendar, kind: Kind = Kind.PULL) -> bool:
    work = row(practice.database, calendar.id, kind)
    return work is not None and work.due_at is not None and work.due_at <= practice.now


def test_a_genuine_notification_is_answered_with_nothing_and_its_pull_is_due(
    client: FlaskClient, practice: Practice, calendar: Calendar, notification: Notification, counted: Counted
) -> None:
    answer = client.post("/hooks/google", headers=google_headers(notification))
    assert (answer.status_code, answer.data) == (204, b"")
    assert "Set-Cookie" not in answer.headers
    assert is_due(practice, calendar)
    assert counted() == {("google", "received"): 1}


def test_a_notification_that_is_sent_again_does_no_harm(
    client: FlaskClient, practice: Practice, calendar: Calendar, notification: Notification
) -> None:
    before = row(practice.database, calendar.id).desired
    for _ in range(5):
        assert client.post("/hooks/google", headers=google_headers(notification)).status_code == 204
    assert row(practice.database, calendar.id).desired == before + 1


@pytest.mark.parametrize(
    "changes",
    [
        {"X-Goog-Channel-Token": "guessed"},
        {"X-Goog-Channel-Token": "gu\u00e9ssed"},
        {"X-Goog-Channel-ID": "never-opened"},
        {"X-Goog-Channel-Token": ""},
        {"X-Goog-Resource-State": "nonsense"},
    ],
)
def test_a_forged_notification_is_refused_without_detail_and_counted(
    client: FlaskClient,
    practice: Practice,
    calendar: Calendar,
    notification: Notification,
    counted: Counted,
    changes: dict[str, str],
) -> None:
    answer = client.post("/hooks/google", headers=google_headers(notification) | changes)
    assert (answer.status_code, answer.data) == (404, b"")
    assert not is_due(practice, calendar)
    assert counted() == {("google", "refused"): 1}


@pytest.mark.parametrize("word", ["\0", "\ud800", "\x85", "\u202e"])
@pytest.mark.parametrize("state", ["{word}.secret", "{channel}.{word}"])
def test_g6_words_no_database_takes_are_refused_and_silence_no_other(
    client: FlaskClient, practice: Practice, calendar: Calendar, state: str, word: str
) -> None:
    notification = add_channel(practice, calendar, provider="outlook")
    hostile = {"subscriptionId": "s", "clientState": state.format(word=word, channel=notification.channel_id)}
    genuine = {"subscriptionId": "s", "clientState": f"{notification.channel_id}.{notification.secret}"}
    assert client.post("/hooks/outlook", json={"value": [hostile]}).status_code == 404
    assert not is_due(practice, calendar)
    assert client.post("/hooks/outlook", json={"value": [hostile, genuine]}).status_code == 204
    assert is_due(practice, calendar)


@pytest.mark.parametrize("word", ["%00", "%ED%A0%80", "%C2%85"])
def test_g6_an_address_no_database_takes_is_refused(client: FlaskClient, word: str) -> None:
    assert client.post(f"/hooks/caldav/{word}").status_code == 404


def test_f3_pushes_that_prove_nothing_are_told_once_an_hour_and_name_nobody(
    client: FlaskClient, notification: Notification
) -> None:
    forged = google_headers(notification) | {"X-Goog-Channel-Token": "guessed"}
    with structlog.testing.capture_logs() as logs:
        for _ in range(3):
            client.post("/hooks/google", headers=forged)
    [told] = [line for line in logs if line["event"] == "notification_refused"]
    assert (told["log_level"], told["provider"], told["attempts"]) == ("warning", "google", 1)
    assert told["error"] == "no notification from a channel of ours"
    assert notification.channel_id not in str(told)
    assert "guessed" not in str(told)


def test_a_notification_of_a_closed_channel_is_refused(
    client: FlaskClient, practice: Practice, calendar: Calendar, notification: Notification
) -> None:
    with practice.database.begin() as db:
        db.execute(sa.text("DELETE FROM channels"))
    assert client.post("/hooks/google", headers=google_headers(notification)).status_code == 404
    assert not is_due(practice, calendar)


@pytest.mark.parametrize(
    "path",
    ["/hooks/nobody", "/hooks/_handshake", "/hooks/memory", "/hooks/caldav", "/hooks/google/x", "/hooks/os.path"],
)
def test_who_cannot_push_has_no_address(client: FlaskClient, counted: Counted, path: str) -> None:
    answer = client.post(path)
    assert (answer.status_code, answer.data) == (404, b"")
    assert counted() == {("unknown", "refused"): 1}


def test_a_provider_that_is_not_in_use_has_no_address(
    practice: Practice, sqlite_url: str, notification: Notification
) -> None:
    client = webhooks_alone(runtime_of(practice, sqlite_url, providers=("caldav",))).test_client()
    assert client.post("/hooks/google", headers=google_headers(notification)).status_code == 404


def test_reading_the_address_tells_nothing(client: FlaskClient) -> None:
    assert client.get("/hooks/google").status_code == 405


@pytest.mark.parametrize("path", ["/hooks/google", "/hooks/outlook", "/hooks/caldav/one"])
def test_what_is_too_large_is_refused_unread(
    client: FlaskClient, counted: Counted, practice: Practice, calendar: Calendar, path: str
) -> None:
    limit = 65_536
    assert client.post(path, data=bytes(limit + 1)).status_code == 413
    assert counted() == {(path.split("/")[2], "too_large"): 1}
    assert client.post(path, data=bytes(limit)).status_code == 404, "read, and refused for what it is"
    assert not is_due(practice, calendar)


def test_outlooks_question_is_answered_as_plain_text(client: FlaskClient, counted: Counted) -> None:
    answer = client.post("/hooks/outlook?validationToken=Validation%3A+%3Cb%3Etoken%3C%2Fb%3E")
    assert (answer.status_code, answer.text) == (200, "Validation: <b>token</b>")
    assert answer.headers["Content-Type"].startswith("text/plain")
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert counted() == {("outlook", "handshake"): 1}


def outlook_push(*items: tuple[Notification, dict[str, str]]) -> bytes:
    return json.dumps(
        {
            "value": [
                {"subscriptionId": "s", "clientState": f"{notification.channel_id}.{notification.secret}"} | told
                for notification, told in items
            ]
        }
    ).encode()


def test_in_a_bundle_of_outlooks_each_notice_is_judged_by_itself(
    client: FlaskClient, practice: Practice, calendar: Calendar, counted: Counted
) -> None:
    notification = add_channel(practice, calendar, provider="outlook")
    forged = replace(notification, secret="guessed")
    body = outlook_push((forged, {"changeType": "updated"}), (notification, {"changeType": "updated"}))
    assert client.post("/hooks/outlook", data=body).status_code == 204
    assert is_due(practice, calendar)
    assert counted() == {("outlook", "received"): 1, ("outlook", "refused"): 1}


def test_a_bundle_in_which_nothing_is_genuine_is_refused_and_each_notice_counted(
    client: FlaskClient, practice: Practice, calendar: Calendar, counted: Counted
) -> None:
    forged = replace(add_channel(practice, calendar, provider="outlook"), secret="guessed")
    body = outlook_push((forged, {"changeType": "updated"}), (forged, {"lifecycleEvent": "subscriptionRemoved"}))
    assert client.post("/hooks/outlook", data=body).status_code == 404
    assert counted() == {("outlook", "refused"): 2}


def test_a_notice_about_the_channel_itself_makes_the_channel_due(
    client: FlaskClient, practice: Practice, calendar: Calendar
) -> None:
    notification = add_channel(practice, calendar, provider="outlook")
    body = outlook_push((notification, {"lifecycleEvent": "reauthorizationRequired"}))
    assert client.post("/hooks/outlook", data=body).status_code == 204
    assert is_due(practice, calendar, Kind.CHANNEL)
    assert not is_due(practice, calendar)


@pytest.fixture
def pushed(practice: Practice, calendar: Calendar) -> tuple[str, dict[str, str], bytes]:
    """What a CalDAV server posts, and where: path, headers and body."""
    notification = add_channel(practice, calendar, provider="caldav")
    remote_id = json.dumps({"url": "https://dav.example/1", "signer": text(point(SERVER))})
    with practice.database.begin() as db:
        db.execute(sa.text("UPDATE channels SET remote_id = :remote_id"), {"remote_id": remote_id})
    keys = Keys.of(notification.secret)
    signature = signed_for(SERVER, URL, now=practice.now)
    headers = {"Content-Encoding": "aes128gcm", "TTL": "86400", "Authorization": signature}
    return f"/hooks/caldav/{notification.channel_id}", headers, encrypt(b"<push-message/>", keys.public, keys.auth)


def test_an_encrypted_push_makes_the_pull_due(
    client: FlaskClient,
    practice: Practice,
    calendar: Calendar,
    pushed: tuple[str, dict[str, str], bytes],
    counted: Counted,
) -> None:
    path, headers, body = pushed
    answer = client.post(path, headers=headers, data=body)
    assert (answer.status_code, answer.data) == (201, b"")
    assert is_due(practice, calendar)
    assert counted() == {("caldav", "received"): 1}


def test_a_push_that_was_not_encrypted_for_the_channel_is_refused(
    client: FlaskClient,
    practice: Practice,
    calendar: Calendar,
    pushed: tuple[str, dict[str, str], bytes],
    counted: Counted,
) -> None:
    path, headers, body = pushed
    other = Keys.of("another secret")
    for refused in (b"<push-message/>", encrypt(b"<push-message/>", other.public, other.auth)):
        assert client.post(path, headers=headers, data=refused).status_code == 404
    assert client.post(f"{path}x", headers=headers, data=body).status_code == 404
    assert not is_due(practice, calendar)
    assert counted() == {("caldav", "refused"): 3}


def test_a_push_signed_by_another_than_the_channels_server_is_refused(
    client: FlaskClient, practice: Practice, calendar: Calendar, pushed: tuple[str, dict[str, str], bytes]
) -> None:
    path, headers, body = pushed
    forged = signed_for(ec.generate_private_key(ec.SECP256R1()), URL, now=practice.now)
    assert client.post(path, headers=headers | {"Authorization": forged}, data=body).status_code == 404
    assert not is_due(practice, calendar)


def test_a_push_that_is_signed_by_nobody_proves_itself_by_being_readable(
    client: FlaskClient, practice: Practice, calendar: Calendar, pushed: tuple[str, dict[str, str], bytes]
) -> None:
    path, headers, body = pushed
    del headers["Authorization"]
    assert client.post(path, headers=headers, data=body).status_code == 201
    assert is_due(practice, calendar)


def test_a_push_whose_keys_cannot_be_opened_is_to_be_sent_again_and_the_operator_told(
    runtime: Runtime, practice: Practice, pushed: tuple[str, dict[str, str], bytes]
) -> None:
    path, headers, body = pushed
    with practice.database.begin() as db:
        db.execute(sa.text("UPDATE channels SET secret = :bad"), {"bad": b"sealed by nobody"})
    with structlog.testing.capture_logs() as logs:
        assert webhooks_alone(runtime).test_client().post(path, headers=headers, data=body).status_code == 503
    [told] = [line for line in logs if line["log_level"] == "warning"]
    assert (told["event"], told["provider"]) == ("notification_not_stored", "caldav")
    assert told["error"].startswith("SettingsError")


def test_a_notification_that_cannot_be_stored_is_to_be_sent_again(
    runtime: Runtime, practice: Practice, notification: Notification, counted: Counted
) -> None:
    with practice.database.begin() as db:
        db.execute(sa.text("DROP TABLE due"))
    assert (
        webhooks_alone(runtime).test_client().post("/hooks/google", headers=google_headers(notification)).status_code
        == 503
    )
    assert counted() == {("google", "failed"): 1}


def test_no_calendar_service_is_imported_to_answer_a_push(notification: Notification, sqlite_url: str) -> None:
    script = (
        "import sys, flask, webhooks\n"
        "from connector import app\n"
        "url, keys, channel, secret = sys.argv[1:]\n"
        "settings = app.read_settings({'CONNECTOR_DATABASE_URL': url, 'CONNECTOR_SECRET_KEYS': keys})\n"
        "client = flask.Flask('hooks')\n"
        "client.register_blueprint(webhooks.blueprint(app.build(settings)))\n"
        "told = {'X-Goog-Channel-ID': channel, 'X-Goog-Channel-Token': secret, 'X-Goog-Resource-State': 'exists'}\n"
        "print(client.test_client().post('/hooks/google', headers=told).status_code, *sys.modules)\n"
    )
    command = [sys.executable, "-c", script, sqlite_url, "k" * 32, notification.channel_id, notification.secret]
    status, *imported = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    assert status == "204"
    heavy = {f"providers.{slug}.provider" for slug in available()} | {"googleapiclient", "msal", "niquests"}
    assert not heavy & set(imported)


@pytest.mark.parametrize(
    ("slug", "way"), [("caldav", ChannelAddress), ("google", SharedAddress), ("outlook", SharedAddress)]
)
def test_a_provider_pushes_to_one_address_or_to_one_a_channel(slug: str, way: type) -> None:
    assert isinstance(webhooks.load(slug), way)
    assert slug in webhooks.available()
