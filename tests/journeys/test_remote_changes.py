"""Every remote change, in every state of session and offer, on every service."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.fakes.servers import Server
from tests.journeys import services
from tests.journeys.remote_changes import Desk, desk, rows
from tests.services.crashes import CrashError, MortalDatabase

pytestmark = pytest.mark.slow

CHANGES, ANSWERS = rows("changes.txt"), rows("answers.txt")
SLUGS = ["google", *(pytest.param(slug, marks=pytest.mark.long) for slug in ("caldav", "outlook", "xandikos"))]


def _name(row: dict[str, str]) -> str:
    return " - ".join(row[part] for part in ("state", "change", "answer") if part in row)


@pytest.fixture(params=SLUGS)
def sitting(request: pytest.FixtureRequest, tmp_path: Path, sqlite_url: str) -> Iterator[Desk]:
    servers = {"caldav": "radicale_server", "xandikos": "xandikos_server"}
    server: Server | None = request.getfixturevalue(servers[request.param]) if request.param in servers else None
    with services.service(request.param, tmp_path, server) as running, desk(running, sqlite_url) as sitting:
        yield sitting


@pytest.mark.sweep
@pytest.mark.parametrize("row", CHANGES, ids=_name)
def test_what_is_done_in_a_calendar_leads_where_the_table_says(sitting: Desk, row: dict[str, str]) -> None:
    sitting.begin(row["state"])
    sitting.change(row["change"])
    sitting.settle()
    assert came_of(sitting) == {name: row[name] for name in row.keys() - {"state", "change"}}
    quiet(sitting)


@pytest.mark.sweep
@pytest.mark.parametrize("row", ANSWERS, ids=_name)
def test_what_is_answered_leads_where_the_table_says(sitting: Desk, row: dict[str, str]) -> None:
    sitting.begin(row["state"])
    sitting.change(row["change"])
    sitting.settle()
    sitting.answer(row["answer"])
    sitting.work()
    sitting.notify()
    sitting.look()
    assert came_of(sitting) == {name: row[name] for name in row.keys() - {"state", "change", "answer"}}
    quiet(sitting)


CRASHED = [
    ("open", "hold delete"),
    ("open", "session move 60"),
    ("booked", "session move 60"),
    ("booked", "session delete"),
]


@pytest.mark.sweep(at_least=16)
@pytest.mark.parametrize("n", [1, pytest.param(2, marks=pytest.mark.long)])  # the first commit is the claim
@pytest.mark.parametrize("point", ["before commit", "after commit"])
@pytest.mark.parametrize("row", [row for row in CHANGES if (row["state"], row["change"]) in CRASHED], ids=_name)
def test_a_crash_between_reading_and_saving_loses_nothing_and_does_nothing_twice(
    sitting: Desk, sqlite_url: str, row: dict[str, str], point: str, n: int
) -> None:
    sitting.begin(row["state"])
    sitting.change(row["change"])
    database = MortalDatabase(sqlite_url)
    sitting.runtime.database = sitting.practice.database = database
    sitting.notify()
    for _ in range(3):
        for do in (sitting.look, sitting.work):
            database.die_at(point, n)
            with suppress(CrashError):
                do()
            database.revive()
            do()
        sitting.practice.wait(seconds=61)
    assert came_of(sitting) == {name: row[name] for name in row.keys() - {"state", "change"}}
    quiet(sitting)
    database.dispose()


def came_of(sitting: Desk) -> dict[str, str]:
    return {
        "session": sitting.told_session(),
        "offer": sitting.told_offer(),
        "question": sitting.told_question(),
        "calendar": sitting.told_calendar(),
        "client": sitting.told_people(to_client=True),
        "practitioner": sitting.told_people(to_client=False),
    }


def quiet(sitting: Desk) -> None:
    """Once it is quiet, another pass reads the feed and does nothing."""
    assert sitting.pass_by() == 0
    sitting.there.forget()
    assert sitting.pass_by() == 0
    assert len(sitting.there.requests()) == 1
