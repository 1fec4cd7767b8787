"""When whole calendars are compared."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest

from connector.services.sync import comparison


@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/New_York", "Pacific/Apia", "Australia/Lord_Howe"])
def test_each_night_has_one_comparison_at_a_minute_of_its_own(zone: str) -> None:
    at = datetime(2027, 3, 25, 3, 0, tzinfo=UTC)
    for _ in range(10):
        again_at = comparison.next_at(UUID(int=7919), at, zone)
        assert timedelta() < again_at - at <= timedelta(hours=25)
        assert 1 <= again_at.astimezone(ZoneInfo(zone)).hour < 6
        at = again_at
    assert len({comparison.next_at(UUID(int=number * 7919), at, zone) for number in range(50)}) == 50
