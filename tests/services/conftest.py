from __future__ import annotations

import pytest

from connector.storage.database import Database
from tests.services.practice import Practice


@pytest.fixture
def practice(database: Database) -> Practice:
    return Practice(database)
