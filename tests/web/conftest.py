from __future__ import annotations

from collections.abc import Iterator

import pytest

from connector.storage.database import Database
from tests.conftest import Clock
from tests.web.desk import Desk, desk
from tests.web.services import SERVICES, google_service, memory_service
from tests.web.stage import Stage, stage_of


@pytest.fixture
def stage(sqlite_database: Database, sqlite_url: str, clock: Clock) -> Stage:
    return stage_of(sqlite_database, sqlite_url, clock)


@pytest.fixture(params=list(SERVICES))
def everywhere(request: pytest.FixtureRequest, stage: Stage, clock: Clock) -> Iterator[Desk]:
    """A desk at each kind of service."""
    with SERVICES[request.param](clock) as service:
        yield desk(stage, service)


@pytest.fixture
def there(stage: Stage, clock: Clock) -> Iterator[Desk]:
    """A desk at the memory service, where what holds for all is quickly seen."""
    with memory_service(clock) as service:
        yield desk(stage, service)


@pytest.fixture
def google(stage: Stage, clock: Clock) -> Iterator[Desk]:
    with google_service(clock) as service:
        yield desk(stage, service)
