"""What stands in another calendar is said by commands before they save a time there."""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from connector.domain.span import When
from connector.errors import TransientError
from providers.memory.provider import MemoryCalendar
from tests.cli.keyboard import Cli, ahead
from tests.cli.test_sessions import AGREED, TO_ALEX

BERLIN = ZoneInfo("Europe/Berlin")
CALL = ("--phone", "Kim calls")


def dentist(calendar: MemoryCalendar, days: int, at: str = "10:00") -> None:
    start = datetime.fromisoformat(ahead(days, at)).replace(tzinfo=BERLIN)
    when = When.at(start.replace(tzinfo=None), zone="Europe/Berlin", duration=timedelta(hours=1))
    calendar.add_foreign(when.span)


def test_a_conflict_is_said_before_booking_and_booked_over_only_knowingly(
    practice: Cli, calendar: MemoryCalendar
) -> None:
    dentist(calendar, 7)
    said = practice.refused(*TO_ALEX, ahead(7, "10:30"), *CALL)
    assert f"“{calendar.info.name}”" in said
    assert "10:00 to 11:00 (Europe/Berlin)" in said
    assert "--despite-conflict" in said
    assert practice.json("sessions", "list") == []
    result = practice.run(*TO_ALEX, ahead(7, "10:30"), *CALL, "--despite-conflict")
    assert result.exit_code == 0
    assert "10:00 to 11:00" in result.stderr
    [session] = practice.json("sessions", "list")
    lines = [line["what"] for line in practice.json("sessions", "show", session["id"])["timeline"]]
    assert any("knowing that something stands there" in line for line in lines)


@pytest.mark.parametrize("change", [("correct",), ("reschedule", *AGREED)])
def test_a_conflict_is_said_before_a_session_is_given_another_time(
    practice: Cli, calendar: MemoryCalendar, change: tuple[str, ...]
) -> None:
    session = practice.book(7)
    dentist(calendar, 8)
    words = ("sessions", change[0], session, "--at", ahead(8), *change[1:])
    assert "--despite-conflict" in practice.refused(*words)
    assert practice.json("sessions", "show", session)["local"].startswith(ahead(7).replace(" ", "T"))
    practice.ok(*words, "--despite-conflict")
    assert practice.json("sessions", "show", session)["local"].startswith(ahead(8).replace(" ", "T"))


def test_a_calendar_that_does_not_answer_is_said_before_booking(practice: Cli, calendar: MemoryCalendar) -> None:
    calendar.offline = TransientError("no answer")
    said = practice.refused(*TO_ALEX, ahead(7), *CALL)
    assert "nobody knows whether these times are free" in said
    practice.ok(*TO_ALEX, ahead(7), *CALL, "--despite-conflict")
