from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.fakes.outcome_host import OutcomeHost
from tests.services.outcomes.telling import Telling
from tests.services.practice import Practice


@pytest.fixture
def host() -> Iterator[OutcomeHost]:
    with OutcomeHost() as host:
        yield host


@pytest.fixture
def telling(practice: Practice, host: OutcomeHost) -> Telling:
    return Telling(practice, host)
