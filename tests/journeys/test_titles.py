"""At every service, entries are named in the language of whose calendar it is, and rewritten once when that changes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from connector.domain.people import Level
from connector.language.offered import ENGLISH_ONLY, Languages
from connector.services.people import change_practitioner
from connector.storage.database import Database
from connector.storage.ledger import Kind
from tests.domain.examples import KIM
from tests.fakes.servers import Server
from tests.journeys import services
from tests.journeys.services import Service
from tests.services.practice import KeptLetters, Practice

pytestmark = pytest.mark.parametrize(
    "there", ["caldav", *(pytest.param(slug, marks=pytest.mark.long) for slug in ("google", "outlook"))], indirect=True
)
GERMAN = ["Termin: Alex Client", "Reserviert: Alex Client"]


@pytest.fixture
def there(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Service]:
    server: Server | None = request.getfixturevalue("radicale_server") if request.param == "caldav" else None
    with services.service(request.param, tmp_path, server) as running:
        yield running


@pytest.fixture
def practice(there: Service, sqlite_database: Database) -> Practice:
    """A practice with a session and an offered time, which its calendar does not show yet."""
    practice = Practice(sqlite_database)
    services.use(practice.runtime, there)
    services.connect(practice, practice.runtime, there, level=Level.FULL)
    practice.offer(practice.book(48), 72)
    return practice


def read(practice: Practice, locale: str) -> None:
    with practice.database.begin() as db:
        change_practitioner(db, practice.kim.id, {"locale": locale}, by=KIM, now=practice.now)


def work(practice: Practice) -> None:
    """Write what is due, and look at it, twice."""
    for _ in range(2):
        practice.carry_out(Kind.CALENDAR, Kind.PULL)
        practice.wait(minutes=11)


def letters(practice: Practice) -> int:
    sender = practice.runtime.sender
    assert isinstance(sender, KeptLetters)
    return len(sender.letters)


def titles(there: Service) -> list[str]:
    return [event.title for event in there.shown()]


def test_a_germans_calendar_is_german(there: Service, practice: Practice) -> None:
    read(practice, "de")
    work(practice)

    assert titles(there) == GERMAN
    sent = there.everything_sent()
    assert not [word for word in ("Session:", "Hold:") if word in sent]


def test_another_language_renames_what_stands_and_keeps_what_is_its_owners(there: Service, practice: Practice) -> None:
    work(practice)
    told = letters(practice)
    [session, hold] = there.shown()
    there.hand.note(session.href, "bring the forms")
    there.hand.note(hold.href, "or by telephone")
    read(practice, "de")
    work(practice)

    shown = there.shown()
    assert [event.title for event in shown] == GERMAN
    assert [(event.href, event.start, event.status) for event in shown] == [
        (event.href, event.start, event.status) for event in (session, hold)
    ]
    assert ["bring the forms" in shown[0].notes, "or by telephone" in shown[1].notes] == [True, True]
    assert letters(practice) == told
    there.forget()
    work(practice)
    assert "Termin" not in there.everything_sent(), "nothing is written twice"


def test_what_an_earlier_version_wrote_is_renamed_after_the_next_look(there: Service, practice: Practice) -> None:
    read(practice, "de")
    practice.policy = replace(practice.policy, languages=ENGLISH_ONLY)
    work(practice)
    told, before = letters(practice), there.shown()
    assert titles(there) == ["Session: Alex Client", "Hold: Alex Client"]

    practice.policy = replace(practice.policy, languages=Languages())
    work(practice)

    assert there.shown() == [replace(event, title=title) for event, title in zip(before, GERMAN, strict=True)]
    assert letters(practice) == told
