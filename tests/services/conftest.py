from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from connector.domain.connection import Calendar, CalendarRole
from connector.storage import calendars
from connector.storage.database import Database
from providers.memory import provider as memory
from tests.services.connected import connect
from tests.services.practice import Practice


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=[pytest.mark.postgresql, pytest.mark.long])])
def database_url(request: pytest.FixtureRequest) -> str:
    """One kind in `make test`, both in `make test-long`: what differs between them is tested beside the storage."""
    url: str = request.getfixturevalue(f"{request.param}_url")
    return url


@pytest.fixture
def practice(database: Database) -> Iterator[Practice]:
    practice = Practice(database)
    yield practice
    memory.forget(str(practice.kim.id))


@pytest.fixture
def calendar(practice: Practice) -> Calendar:
    """Its calendar, which shows nothing yet."""
    return connect(practice)


@pytest.fixture
def private(practice: Practice, calendar: Calendar) -> Calendar:
    """A second calendar of the same account, watched only."""
    memory.store(str(practice.kim.id)).calendar("private")
    private = replace(calendar, id=practice.another_client().id, remote_id="private", name="Private")
    private = replace(private, role=CalendarRole.WATCHED)
    with practice.database.begin() as db:
        calendars.add_calendar(db, private, now=practice.now)
    return private
