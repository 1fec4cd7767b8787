"""A calendar that looks wrong is stopped, on every service alike, and not a word of it reaches a client."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from connector.services.sync import breaker
from connector.services.sync.breaker import How
from connector.storage import calendars, tables
from connector.storage.ledger import Kind
from tests.domain.examples import KIM, when
from tests.fakes.servers import Server
from tests.journeys import services
from tests.journeys.remote_changes import Desk, desk
from tests.journeys.services import Service

SLUGS = ["memory", *(pytest.param(slug, marks=pytest.mark.long) for slug in ("caldav", "google", "outlook"))]


@pytest.fixture(params=SLUGS)
def sitting(request: pytest.FixtureRequest, tmp_path: Path, sqlite_url: str) -> Iterator[Desk]:
    server: Server | None = request.getfixturevalue("radicale_server") if request.param == "caldav" else None
    with services.service(request.param, tmp_path, server) as running, desk(running, sqlite_url) as sitting:
        sitting.begin("open")
        for hours in (210, 220, 230, 240):
            sitting.practice.book(hours)
        sitting.work()
        sitting.notify()
        sitting.look()
        yield sitting


def paused(sitting: Desk) -> str | None:
    with sitting.practice.database.read() as db:
        return calendars.calendar(db, sitting.calendar.id).paused


def told(sitting: Desk, *, to_client: bool) -> list[str]:
    """Every mail but those that were there from the beginning: bookings, and the offer."""
    sitting.practice.mail()
    with sitting.practice.database.read() as db:
        rows = db.execute(tables.messages.select().where(tables.messages.c.to_client == to_client))
        return [row.kind for row in rows if row.kind not in ("booked", "offered")]


def patiently(sitting: Desk) -> None:
    """Go on for an hour with what is due, through whatever fails."""
    sitting.notify()
    for _ in range(6):
        sitting.practice.carry_out(Kind.PULL, Kind.CALENDAR)
        sitting.practice.wait(minutes=10)


WRONGS: dict[str, Callable[[Service], None]] = {
    "missing": lambda there: there.vanish(),
    "refused": lambda there: there.forbid(),
    "emptied": lambda there: there.wipe(),
}


@pytest.mark.parametrize("wrong", WRONGS)
def test_a_calendar_that_looks_wrong_is_paused_and_no_client_hears_of_it(sitting: Desk, wrong: str) -> None:
    before = sitting.practice.kept()
    WRONGS[wrong](sitting.there)
    patiently(sitting)
    assert paused(sitting) == wrong
    assert told(sitting, to_client=True) == []
    assert told(sitting, to_client=False) == ["calendar_stopped"]
    assert sitting.practice.kept() == before
    assert sitting.told_offer() == "open 72 96 120"


@pytest.mark.parametrize("wrong", ["missing", "refused"])
def test_a_calendar_that_can_be_read_again_goes_on_by_itself(sitting: Desk, wrong: str) -> None:
    WRONGS[wrong](sitting.there)
    patiently(sitting)
    sitting.there.heal()
    sitting.settle()
    assert paused(sitting) is None
    assert sitting.told_calendar() == "S48 S210 S220 S230 S240 H72 H96 H120"
    assert told(sitting, to_client=True) == []


def test_an_empty_answer_of_the_feed_is_not_believed(sitting: Desk) -> None:
    sitting.there.empty_feed()
    patiently(sitting)
    sitting.there.heal()
    sitting.settle()
    assert paused(sitting) is None
    assert sitting.told_calendar() == "S48 S210 S220 S230 S240 H72 H96 H120"
    assert told(sitting, to_client=True) == []


def test_more_deletions_than_a_person_makes_stop_the_calendar_however_they_are_found(sitting: Desk) -> None:
    hrefs = [one.href for one in sitting.there.shown() if one.start >= when(200).span.start]
    for href in hrefs[:4]:
        sitting.there.hand.delete(href)
    sitting.there.forget_tokens()
    patiently(sitting)
    assert paused(sitting) == "shrunken"
    assert told(sitting, to_client=True) == []
    assert told(sitting, to_client=False) == ["calendar_stopped"]


def test_one_click_puts_everything_back(sitting: Desk) -> None:
    sitting.there.wipe()
    patiently(sitting)
    resume(sitting, How.REVERT)
    sitting.settle()
    assert paused(sitting) is None
    assert sitting.told_calendar() == "S48 S210 S220 S230 S240 H72 H96 H120"
    assert told(sitting, to_client=True) == []
    assert sitting.pass_by() == 0


def test_deletions_that_were_meant_count_each_as_one(sitting: Desk) -> None:
    """Each session is asked about, and nobody is cancelled; the offer whose holds are all gone is taken back."""
    sitting.there.wipe()
    patiently(sitting)
    assert told(sitting, to_client=False) == ["calendar_stopped"]
    resume(sitting, How.ACCEPT)
    sitting.settle()
    assert paused(sitting) is None
    assert sitting.told_calendar() == ""
    assert sitting.told_offer() == "withdrawn"
    assert told(sitting, to_client=True) == ["withdrawn"]
    letters = told(sitting, to_client=False)
    assert sorted(letters) == ["calendar_stopped", *["delete_asked"] * 6, "offer_taken_back"]


def resume(sitting: Desk, how: How) -> None:
    with sitting.practice.database.begin() as db:
        breaker.resume(db, sitting.calendar.id, how, by=KIM, now=sitting.practice.now)
