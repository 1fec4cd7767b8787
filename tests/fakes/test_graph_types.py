"""The types our fake of Microsoft Graph insists on are Microsoft's own."""

from __future__ import annotations

import pytest

from tests.conftest import missing
from tests.fakes import graph_types

EVENT = {"subject": "x", "start": {"dateTime": "2026-12-03T12:00:00", "timeZone": "UTC"}, "showAs": "busy"}


def test_the_types_that_are_kept_are_those_of_the_installed_sdk() -> None:
    try:
        derived = graph_types.derive()
    except ImportError:
        missing("msgraph-sdk is not installed")
    assert derived == graph_types.load()


def test_what_is_of_a_type_has_no_fault() -> None:
    assert graph_types.faults(graph_types.load(), "event", EVENT) == []


@pytest.mark.parametrize(
    "change",
    [
        {"title": "x"},
        {"subject": 7},
        {"showAs": "perhaps"},
        {"isReminderOn": "false"},
        {"start": "2026-12-03T12:00:00"},
        {"start": {"datetime": "2026-12-03T12:00:00"}},
        {"categories": "Blue"},
        {"singleValueExtendedProperties": [{"id": "a", "values": "b"}]},
        {"location": {"name": "Room 2"}},
    ],
)
def test_what_is_not_of_a_type_is_found(change: dict[str, object]) -> None:
    assert len(graph_types.faults(graph_types.load(), "event", EVENT | change)) == 1
