"""Every page speaks one language throughout: what is left in another one is found here."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

import pytest

from connector.language.offered import Languages
from connector.storage.database import Database
from tests.conftest import Clock
from tests.messages.pseudo import write_catalogue
from tests.web.deliveries import STATUSES
from tests.web.desk import Desk, desk
from tests.web.inline import inline
from tests.web.services import memory_service
from tests.web.stage import Stage, make_runtime, make_stage
from tests.web.walk import (
    Page,
    of_absences,
    of_away,
    of_booking,
    of_calendars,
    of_clients,
    of_deliveries,
    of_guests,
    of_mails,
    of_one_time,
    of_people,
    of_questions,
    of_refusals,
    of_sessions,
    of_stops,
    of_subscriptions,
    of_support,
    of_texts,
    of_the_present,
    of_their_own,
    of_unread,
    of_visitors,
    read_in,
    texts,
)

NOBODYS = "ar"  # the tag under which tests speak a language nobody speaks; written from right to left
# What stands on pages as it is: names, addresses, and what a calendar service or a mail server has said.
_GIVEN = re.compile(
    r"Dr\. Ada Weiß|Kim Noor|Noa \d|Lou Secret|Bob Brown|Pencilled|work|Lindenstraße 7, Berlin|Europe/Berlin|503|"
    r"\S+@\S+|https?://\S+|\bK\. N\.|"
    r"I am ill|A little later\?|I may be <b>late</b>\.|Sorry!|"
    r"Memory Calendar|Memory|memory|holidays|private|\bCET\b|no calendar service \w+|"
    r"app\.example\.org|session\.booked|pencilled (?:deliveries|endpoints) \w+|\b[0-9a-f-]{36}\b|\b[0-9a-f]{8}\b|UTC|"
    rf"English|Deutsch|\b{NOBODYS}\b|"  # each language in itself; without a name of its own by its tag
    + "|".join(STATUSES)
)
_PLAIN = re.compile(r"[A-Za-z]{2,}")
_ENGLISH = re.compile(r"\b(?:the|you|your|is|are|this|that|and|of|with|for|not|no|it|yet|to|by|from)\b", re.IGNORECASE)
_REFUSED = re.compile('class="(?:note error|mistake)" role="alert"')
Walk = Callable[[Desk], Iterator[Page]]
WALKS: dict[str, Walk] = {
    "clients": lambda here: of_clients(here.stage),
    "present": lambda here: of_the_present(here.stage),
    "support": lambda here: of_support(here.stage),
    "sessions": of_sessions,
    "away": of_away,
    "absences": of_absences,
    "people": lambda here: of_people(here.stage),
    "booking": of_booking,
    "their own": lambda here: of_their_own(here.stage),
    "texts": lambda here: of_texts(here.stage),
    "calendars": of_calendars,
    "guests": of_guests,
    "refusals": of_refusals,
    "unread": of_unread,
    "stops": of_stops,
    "mails": of_mails,
    "subscriptions": of_subscriptions,
    "deliveries": of_deliveries,
    "moved": lambda here: of_questions(here, "moved"),
    "replace": lambda here: of_questions(here, "replace"),
    "deleted": lambda here: of_questions(here, "deleted"),
}
LONG = ("absences", "booking", "calendars", "mails", "stops", "replace", "deleted")


@pytest.fixture(scope="module")
def strange(tmp_path_factory: pytest.TempPathFactory) -> Languages:
    """A language nobody speaks."""
    folder = tmp_path_factory.mktemp("catalogues")
    write_catalogue(folder, NOBODYS)
    return Languages((NOBODYS,), folder)


@pytest.fixture
def strangers(strange: Languages, sqlite_database: Database, sqlite_url: str, clock: Clock) -> Iterator[Desk]:
    """A desk in an installation where everybody reads it."""
    yield from _seated(strange, NOBODYS, sqlite_database, sqlite_url, clock)


@pytest.fixture
def germans(sqlite_database: Database, sqlite_url: str, clock: Clock) -> Iterator[Desk]:
    """A desk in an installation where everybody reads German."""
    yield from _seated(Languages(), "de", sqlite_database, sqlite_url, clock)


def _seated(languages: Languages, tag: str, database: Database, url: str, clock: Clock) -> Iterator[Desk]:
    runtime = make_runtime(database, url, clock)
    runtime.policy = replace(runtime.policy, languages=languages)
    stage = make_stage(runtime, clock)
    read_in(stage, tag)
    with memory_service(clock) as service:
        yield desk(stage, service)


@pytest.mark.parametrize(
    "walk", [pytest.param(walk, marks=[pytest.mark.long] if walk in LONG else []) for walk in WALKS]
)
def test_no_page_leaves_a_text_behind_or_has_people_look_for_what_was_wrong(strangers: Desk, walk: str) -> None:
    pages = list(WALKS[walk](strangers))

    assert _left(pages, _PLAIN) == []
    assert [name for name, page in pages if _REFUSED.search(page) and "autofocus" not in page] == []
    assert [(name, *found) for name, page in pages if (found := inline(page))] == []


@pytest.mark.parametrize(
    "walk", [pytest.param(walk, marks=[] if walk in ("sessions", "unread") else [pytest.mark.long]) for walk in WALKS]
)
def test_every_page_of_germans_is_in_german(germans: Desk, walk: str) -> None:
    pages = list(WALKS[walk](germans))

    assert [name for name, page in pages if '<html lang="de" dir="ltr">' not in page] == []
    assert _left(pages, _ENGLISH) == []


def test_one_time_that_is_offered_is_told_as_one(stage: Stage) -> None:
    pages = list(of_one_time(stage))

    several = re.compile(r"(?<!offer other )(?<!Replace by other )(?<!know from )\b(?:times|them|others)\b")
    assert [text for _, page in pages for text in texts(page.partition("<main")[2]) if several.search(text)] == []
    assert len(pages) > 15


def test_no_text_is_left_behind_for_who_is_not_signed_in(strangers: Desk) -> None:
    pages = list(of_visitors(strangers.stage, NOBODYS))

    assert [name for name, page in pages if f'<html lang="{NOBODYS}" dir="rtl">' not in page] == []
    assert _left(pages, _PLAIN) == []


def _left(pages: Iterable[Page], words: re.Pattern[str]) -> list[str]:
    """Return, in order and once, every text with such words that is not given."""
    found = (text for _, page in pages for text in texts(page) if words.search(_GIVEN.sub("", text)))
    return list(dict.fromkeys(found))
