"""Working hours: what they may be, and what sessions tell of them."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from connector.domain.span import Span
from connector.domain.working_hours import ASSUMED, Stretch, WorkingHours, learnt
from connector.errors import RuleError

BERLIN = ZoneInfo("Europe/Berlin")
OFF: tuple[Stretch, ...] = ()


def at(text: str, minutes: int = 50) -> Span:
    start = datetime.fromisoformat(text).replace(tzinfo=BERLIN).astimezone(UTC)
    return Span.of(start, timedelta(minutes=minutes))


def stretch(start: int, end: int) -> Stretch:
    return Stretch(start=start, end=end)


@pytest.mark.parametrize(("start", "end"), [(-1, 60), (60, 60), (61, 60), (0, 1441)])
def test_hours_lie_within_one_day(start: int, end: int) -> None:
    with pytest.raises(RuleError) as caught:
        Stretch(start=start, end=end)
    assert caught.value.code == "hours_out_of_day"


def test_hours_of_a_day_are_in_order_and_one_where_they_touch() -> None:
    hours = WorkingHours(weekly=((stretch(600, 660), stretch(0, 60), stretch(540, 600)), *(OFF,) * 6))
    assert hours.weekly[0] == (stretch(0, 60), stretch(540, 660))


@pytest.mark.parametrize(
    ("day", "code"),
    [
        ((stretch(0, 61), stretch(60, 120)), "hours_overlap"),
        (tuple(stretch(n * 20, n * 20 + 10) for n in range(13)), "hours_stretches_out_of_range"),
    ],
)
def test_hours_that_are_a_mistake_are_refused(day: tuple[Stretch, ...], code: str) -> None:
    with pytest.raises(RuleError) as caught:
        WorkingHours(weekly=(day, *(OFF,) * 6))
    assert caught.value.code == code


def test_exceptions_are_bounded_and_in_order() -> None:
    days = {date(2027, 1, 1) + timedelta(days=n): OFF for n in reversed(range(401))}
    with pytest.raises(RuleError) as caught:
        WorkingHours(weekly=(OFF,) * 7, exceptions=days)
    assert caught.value.code == "hours_exceptions_out_of_range"
    days.popitem()
    assert list(WorkingHours(weekly=(OFF,) * 7, exceptions=days).exceptions) == sorted(days)


def test_an_exception_replaces_what_the_weekday_has() -> None:
    hours = WorkingHours(weekly=ASSUMED.weekly, exceptions={date(2026, 11, 30): OFF})
    assert hours.on(date(2026, 11, 30)) == OFF
    assert hours.on(date(2026, 12, 7)) == (stretch(540, 1020),)
    assert hours.on(date(2026, 12, 6)) == OFF


def test_of_somebody_without_sessions_the_usual_hours_are_assumed() -> None:
    assert learnt([], BERLIN) == ASSUMED


def test_few_sessions_only_add_to_what_is_assumed() -> None:
    found = learnt([at("2026-11-30 18:10"), at("2026-12-05 10:00")], BERLIN)
    assert found.weekly[0] == (stretch(540, 1140),)
    assert found.weekly[1] == (stretch(540, 1020),)
    assert found.weekly[5] == (stretch(600, 660),)


def test_many_sessions_tell_the_hours_by_themselves() -> None:
    mondays = [at(f"2026-10-{day:02} 08:00") for day in (5, 12, 19, 26)]
    thursdays = [at(f"2026-10-{day:02} {hour}") for day in (1, 8, 15) for hour in ("13:00", "17:20")]
    found = learnt([*mondays, *thursdays], BERLIN)
    assert found.weekly == ((stretch(480, 540),), OFF, OFF, (stretch(780, 1110),), OFF, OFF, OFF)


def test_a_session_over_midnight_tells_of_two_days() -> None:
    found = learnt([at("2026-11-28 23:40", 60)] * 10, BERLIN)
    assert found.weekly[5] == (stretch(1410, 1440),)
    assert found.weekly[6] == (stretch(0, 60),)
