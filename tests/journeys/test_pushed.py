"""Pushes: the ledger opens the channel, our door takes the notification, and the change is seen at once."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from threading import Thread

from werkzeug.serving import make_server

from connector import app
from connector.storage import ledger
from connector.storage.ledger import Key, Kind
from tests.journeys import services
from tests.journeys.services import GoogleService, OutlookService, connect, use
from tests.journeys.stage import Installation

NEVER_SENT = 1_000_000  # the fake's own pushes: the address is nobody's, and the notification is carried by hand


def asked(installation: Installation) -> None:
    """Await the question to the practitioner: the settling time may pass, and some seconds, but no polling interval."""
    notified_at = installation.now

    def a_little_later() -> int:
        installation.wait(seconds=1)
        return len(installation.mailbox.messages)

    installation.until(a_little_later, lambda count: count == 2)
    assert timedelta(seconds=60) <= installation.now - notified_at < timedelta(minutes=9)
    assert installation.mailbox.messages[1].recipients == (installation.practice.kim.email,)


def test_a_notification_brings_a_change_in_long_before_the_next_look(sqlite_url: str, tmp_path: Path) -> None:
    with (
        services.service("google", tmp_path) as there,
        Installation(sqlite_url, public_url="https://pages.example") as installation,
    ):
        assert isinstance(there, GoogleService)
        fake = there.setting.fake
        fake.channels.lost = NEVER_SENT
        use(installation.runtime, there)
        calendar = connect(installation.practice, installation.runtime, there)
        with installation.runtime.database.begin() as db:
            ledger.touch(db, Key(Kind.CHANNEL, str(calendar.id)), due_at=installation.now)
        installation.start()
        (watch,) = installation.until(lambda: list(fake.channels.watches.values()), bool)
        assert watch.address == "https://pages.example/hooks/google"
        installation.practice.book(48)
        (session,) = installation.until(there.shown, lambda seen: len(seen) == 1)
        installation.wait(minutes=1)
        installation.settled()
        there.hand.delete(session.href)
        client = app.create_app(installation.runtime).test_client()
        notification = {
            "X-Goog-Channel-ID": watch.id,
            "X-Goog-Resource-State": "exists",
            "X-Goog-Resource-ID": watch.resource,
        }

        there.forget()
        forged = client.post("/hooks/google", headers=notification | {"X-Goog-Channel-Token": "guessed"})
        installation.settled()
        assert forged.status_code == 404
        assert there.requests() == []

        genuine = client.post("/hooks/google", headers=notification | {"X-Goog-Channel-Token": watch.token})
        assert genuine.status_code == 204
        asked(installation)


def test_a_notice_of_graph_comes_through_our_own_handshake_and_door(sqlite_url: str, tmp_path: Path) -> None:
    installation = Installation(sqlite_url)
    installation.public_url = f"https://127.0.0.1:{installation.port}"  # the fake dials the port, whatever the scheme
    with services.service("outlook", tmp_path) as there, installation:
        assert isinstance(there, OutlookService)
        graph = there.setting.graph
        use(installation.runtime, there)
        server = make_server("127.0.0.1", installation.port, app.create_app(installation.runtime), threaded=True)
        thread = Thread(target=server.serve_forever)
        thread.start()
        try:
            calendar = connect(installation.practice, installation.runtime, there)
            with installation.runtime.database.begin() as db:
                ledger.touch(db, Key(Kind.CHANNEL, str(calendar.id)), due_at=installation.now)
            installation.start()
            installation.until(lambda: len(graph.subscriptions.subscriptions), lambda count: count == 1)
            installation.practice.book(48)
            (session,) = installation.until(there.shown, lambda seen: len(seen) == 1)
            installation.wait(minutes=11)  # one look, so that the feed knows of the event before it goes
            installation.settled()
            installation.wait(minutes=1)
            graph.mailbox.changed.clear()
            there.hand.delete(session.href)
            graph.subscriptions.deliver(graph.mailbox.changed)
            assert graph.subscriptions.answers == [204]
            asked(installation)
        finally:
            installation.stop()
            server.shutdown()
            thread.join()
            server.server_close()
