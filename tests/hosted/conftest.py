from __future__ import annotations

import pytest

from connector import app
from connector.storage.database import Database
from tests.conftest import Clock
from tests.hosted.hosts import named
from tests.web.stage import Stage, stage_of


@pytest.fixture
def stage(sqlite_database: Database, sqlite_url: str) -> Stage:
    """An installation with people in it, whom a host knows by its own ids; its clock is that of this machine."""
    stage = stage_of(sqlite_database, sqlite_url, Clock(app.system_clock()))
    named(stage, ada="user-1", bob="user-2", kim="user-3", lou="user-4")
    return stage
