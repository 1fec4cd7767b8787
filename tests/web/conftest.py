from __future__ import annotations

import pytest

from connector.storage.database import Database
from tests.conftest import Clock
from tests.web.stage import Stage, make_runtime, make_stage


@pytest.fixture
def stage(sqlite_database: Database, sqlite_url: str, clock: Clock) -> Stage:
    return make_stage(make_runtime(sqlite_database, sqlite_url, clock), clock)
