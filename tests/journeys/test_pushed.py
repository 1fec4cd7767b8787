"""A push from Google: the channel is opened by the ledger, the ring comes through our door, and the change is seen."""

from __future__ import annotations

from pathlib import Path

from connector import app
from connector.storage import ledger
from connector.storage.ledger import Key, Kind
from tests.journeys import services
from tests.journeys.services import GoogleService, connect, use
from tests.journeys.stage import Installation

NEVER_SENT = 1_000_000  # the fake's own pushes: the address is nobody's, and the ring is carried by hand


def test_a_ring_brings_a_change_in_long_before_the_next_look(sqlite_url: str, tmp_path: Path) -> None:
    with (
        services.service("google", tmp_path) as there,
        Installation(sqlite_url, public_url="https://pages.example") as installation,
    ):
        assert isinstance(there, GoogleService)
        fake = there.setting.fake
        fake.bell.lost = NEVER_SENT
        use(installation.runtime, there)
        calendar = connect(installation.practice, installation.runtime, there)
        with installation.runtime.database.begin() as db:
            ledger.touch(db, Key(Kind.CHANNEL, str(calendar.id)), due_at=installation.now)
        installation.start()
        (watch,) = installation.until(lambda: list(fake.bell.watches.values()), bool)
        assert watch.address == "https://pages.example/hooks/google"
        installation.practice.book(48)
        (session,) = installation.until(there.shown, lambda seen: len(seen) == 1)
        installation.wait(minutes=1)
        installation.settled()
        there.hand.delete(session.href)
        client = app.create_app(installation.runtime).test_client()
        ring = {
            "X-Goog-Channel-ID": watch.id,
            "X-Goog-Resource-State": "exists",
            "X-Goog-Resource-ID": watch.resource,
        }

        there.forget()
        forged = client.post("/hooks/google", headers=ring | {"X-Goog-Channel-Token": "guessed"})
        installation.settled()
        assert forged.status_code == 404
        assert there.requests() == []

        genuine = client.post("/hooks/google", headers=ring | {"X-Goog-Channel-Token": watch.token})
        assert genuine.status_code == 204
        (again,) = installation.until(there.shown, lambda seen: len(seen) == 1)
        assert again.start == session.start
        assert again.href != session.href
