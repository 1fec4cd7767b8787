"""What links, hidden fields and typed ones may say, whichever form they are of."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from connector.web.forms import day, length, moment
from tests.web.stage import Stage


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("2026-03-31", date(2026, 3, 31)),
        ("2000-01-01", date(2000, 1, 1)),
        ("2100-12-31", date(2100, 12, 31)),
        ("1999-12-31", None),
        ("2101-01-01", None),
        ("0001-01-01", None),
        ("9999-12-31", None),
        ("2026-02-30", None),
        ("20260331", None),
        ("2026-W14-2", None),
        ("٢٠٢٦-٠٣-٣١", None),
        ("2026-03-31\n", None),
        ("tomorrow", None),
        ("", None),
    ],
)
def test_a_day_is_one_that_people_plan_in_written_as_browsers_do(text: str, meant: date | None) -> None:
    assert day(text) == meant


def test_a_moment_carries_its_offset() -> None:
    assert moment("2026-03-31T10:00:00+02:00") == datetime(2026, 3, 31, 8, tzinfo=UTC)
    assert [moment(text) for text in ("", "now", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00")] == [
        None
    ] * 4


@pytest.mark.parametrize(
    ("text", "minutes"),
    [("50", 50), ("1.5", 1.5), ("1,5", 1.5), ("0", 0), ("-5", -5), *((one, None) for one in ("1e2", "1_0", "nan", ""))],
)
def test_a_length_is_a_plain_number_of_minutes_to_the_second(text: str, minutes: float | None) -> None:
    assert length(text) == (None if minutes is None else timedelta(minutes=minutes))
    assert length("0.0001") == timedelta()


@pytest.mark.parametrize("typed", ["0001-01-01", "9999-12-31", "2026-02-30", "x"])
def test_no_page_of_days_breaks_at_a_day_that_nobody_plans_in(stage: Stage, typed: str) -> None:
    ada, own = stage.signed_in(), f"/sessions/{stage.session.id}"
    answers = [
        ada.get(f"/sessions/new?client={stage.kim.id}&date={typed}"),
        ada.post("/sessions/new", {"client": str(stage.kim.id), "date": typed}, page=f"{own}/time"),
        ada.get(f"{own}/offer?from={typed}"),
        ada.get(f"/?week={typed}"),
        ada.get(f"/?day={typed}"),
        ada.get(f"/away?from={typed}&to={typed}"),
        ada.get(f"/clients/{stage.kim.id}?after={typed}"),
    ]
    assert [answer.status_code for answer in answers if answer.status_code not in (200, 422)] == []
