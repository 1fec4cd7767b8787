"""An event that says its owner is away leads to one question and, unanswered, to nothing: on every service alike."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import pytest

from connector.domain.span import Span
from connector.services.views.absences import open_absences
from tests.domain.examples import when
from tests.fakes.servers import Server
from tests.journeys import services
from tests.journeys.services import Service, connect, use
from tests.journeys.stage import Installation
from tests.work.driver import Driver

SLUGS = ["google", *(pytest.param(slug, marks=pytest.mark.long) for slug in ("caldav", "outlook"))]
DAY = Span.of(when(62).span.start, timedelta(days=1))  # from midnight to midnight, as Berlin has it


@pytest.fixture(params=SLUGS)
def there(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Service]:
    server: Server | None = request.getfixturevalue("radicale_server") if request.param == "caldav" else None
    with services.service(request.param, tmp_path, server) as running:
        yield running


@pytest.fixture
def installation(there: Service, sqlite_url: str) -> Iterator[Installation]:
    with Installation(sqlite_url) as installation:
        use(installation.runtime, there)
        installation.calendar = connect(installation.practice, installation.runtime, there)
        yield installation


def asked(installation: Installation) -> list[list[UUID]]:
    practice = installation.practice
    with installation.runtime.database.read() as db:
        found = open_absences(db, practice.kim.id, now=practice.now)
    return [[one.session.id for one in page.sessions] for page in found]


def look_later(installation: Installation, **by: float) -> None:
    """Let time pass, and have done whatever is due by then."""
    installation.wait(**by)
    Driver(runtime=installation.runtime).carry_out()


def letters(installation: Installation) -> Sequence[str]:
    return [who for message in installation.mailbox.messages for who in message.recipients]


def test_an_absence_is_asked_about_once_and_unanswered_leads_to_nothing(
    installation: Installation, there: Service
) -> None:
    practice = installation.practice
    booked, other = practice.book(72), practice.book(96)
    look_later(installation)
    before, shown = letters(installation), there.shown()

    there.add_away(when(71, minutes=180).span)
    for minutes in (11, 9):
        look_later(installation, minutes=minutes)
        assert asked(installation) == []
    for _ in range(3):
        look_later(installation, minutes=11)
        assert asked(installation) == [[booked.id]]
    assert letters(installation) == [*before, practice.kim.email]

    look_later(installation, hours=74)
    assert asked(installation) == []
    assert letters(installation) == [*before, practice.kim.email]
    assert [practice.session(one) for one in (booked, other)] == [booked, other]
    assert [one for one in there.shown() if one in shown] == shown


def test_a_day_of_undisturbed_work_is_no_absence_and_a_day_that_says_nothing_is(
    installation: Installation, there: Service
) -> None:
    booked = installation.practice.book(72)
    look_later(installation)
    before = letters(installation)
    there.add_at_work(DAY)
    for _ in range(3):
        look_later(installation, minutes=11)
    assert asked(installation) == []
    assert letters(installation) == before

    there.hand.add(DAY)
    for _ in range(2):
        look_later(installation, minutes=11)
    assert asked(installation) == [[booked.id]]
