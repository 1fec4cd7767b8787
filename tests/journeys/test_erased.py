"""At every service, events that are over no longer show a client who was erased, and keep what is their owner's."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from connector.domain.people import Level
from connector.services import erasing
from connector.storage import erasures
from connector.storage.database import Database
from connector.storage.ledger import Kind
from tests.domain.examples import KIM, when
from tests.fakes.servers import Server
from tests.journeys import services
from tests.journeys.services import Service
from tests.services.practice import Practice


@pytest.fixture(params=["caldav", *(pytest.param(slug, marks=pytest.mark.long) for slug in ("google", "outlook"))])
def there(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Service]:
    server: Server | None = request.getfixturevalue("radicale_server") if request.param == "caldav" else None
    with services.service(request.param, tmp_path, server) as running:
        yield running


def test_an_event_that_is_over_is_written_once_without_its_client_and_keeps_its_owners_notes(
    there: Service, sqlite_database: Database
) -> None:
    practice = Practice(sqlite_database)
    services.use(practice.runtime, there)
    calendar = services.connect(practice, practice.runtime, there, level=Level.FULL)
    practice.book(48)
    practice.carry_out(Kind.CALENDAR, Kind.PULL)
    [event] = there.shown()
    assert event.title == "Session: Alex Client"
    there.hand.note(event.href, "brought the forms")
    there.hand.move(event.href, when(50).span)
    practice.wait(hours=24 * 40)
    practice.carry_out(Kind.PULL)
    with sqlite_database.begin() as db:
        erasing.erase(db, practice.policy, practice.alex.id, by=KIM, now=practice.now)

    practice.carry_out(Kind.CALENDAR, Kind.PULL)

    [event] = there.shown()
    assert (event.title, event.start, event.end) == ("Session", when(50).span.start, when(50).span.end)
    assert "brought the forms" in event.notes
    there.forget()
    practice.wait(hours=2)
    practice.carry_out(Kind.CALENDAR, Kind.PULL)
    assert "Alex" not in there.everything_sent()
    with sqlite_database.read() as db:
        assert not erasures.waits(db, calendar.id)
