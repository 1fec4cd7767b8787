"""Every page can be used by everybody: no fault that axe-core knows, and no contrast that it cannot tell.

Each route that answers with a page is looked at as `tests/authorization.py` fills it, in one theme and language; in
long runs every page in most of its states (`tests/web/walk.py`), in both themes and languages.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from email.message import EmailMessage
from itertools import product

import pytest
from selenium import webdriver

from connector import app
from connector.cli.demo.pages import Pages
from connector.cli.demo.stage import Mailbox
from connector.storage.database import Database
from tests.authorization import World, every_route, world
from tests.conftest import Clock
from tests.test_authorization import TABLE
from tests.web.axe import faults, prepare, show
from tests.web.desk import Desk
from tests.web.pictures import keep_pictures, showing
from tests.web.stage import stage_of
from tests.web.test_browser import PHONE, Door, chromium, door
from tests.web.test_languages import WALKS, germans

__all__ = ["chromium", "door", "germans"]  # fixtures

pytestmark = [pytest.mark.chromium, pytest.mark.node]

WIDE = (1280, 900)
NO_PAGES = {
    "/answer/<token>/state": "an ETag, for the script",
    "/calendars/<slug>/back": "leads on",
    "/calendars/choose": "leads on where nothing is to be chosen; walked through in long runs",
    "/calendars/<slug>/connect": "leads on where people sign in at the service; walked through in long runs",
    "/connect/<token>/<slug>": "as above",
    "/connect/<token>/choose": "as above",
    "/feed/<token>.ics": "a calendar, for programs",
    "/healthz": "for programs",
    "/metrics": "for programs",
    "/mine/<token>/cancel": "nobody's, unless the practice lets clients cancel by themselves",
    "/mine/<token>/session.ics": "a calendar, for programs",
    "/mine/<token>/state": "an ETag, for the script",
    "/readyz": "for programs",
    "/robots.txt": "for programs",
    "/s/<token>": "leads on",
    "/sessions/<uuid:session_id>/offer/review": "leads on without a draft; walked through in long runs",
    "/sessions/<uuid:session_id>/state": "an ETag, for the script",
    "/sessions/called/<path:name>": "leads on",
    "/static/<path:filename>": "no page",
}
"""What is asked for by GET and answers with no page, and why."""


@pytest.fixture(scope="module")
def looking(chromium: webdriver.Chrome) -> webdriver.Chrome:
    return prepare(chromium)


@pytest.fixture
def everything(sqlite_database: Database, sqlite_url: str, clock: Clock) -> Iterator[World]:
    stage = stage_of(sqlite_database, sqlite_url, clock)
    stage.app = app.create_app(stage.runtime)
    with world(stage) as filled:
        yield filled


def _pages(everything: World) -> Iterator[tuple[str, str]]:
    """Yield each route that answers with a page, and that page, as somebody sees it who may."""
    with TABLE.open(encoding="utf-8", newline="") as file:
        rows = {row.pop("route"): row for row in csv.DictReader(file)}
    of_support = []
    for asked in every_route(everything.stage):
        if asked.is_api or asked.method != "GET" or asked.path in NO_PAGES:
            continue
        role = next((role for role, word in rows[str(asked)].items() if word == "open"), None)
        if role is None:
            of_support.append(asked.path)
        else:
            yield asked.path, everything.text(asked, role)
    robin = everything.stage.browser()
    robin.post(f"/support/signin/{everything.tokens['support']}")
    robin.post(f"/support/sessions/{everything.ids['session_id']}", {"reason": "called, cannot open the mail"})
    for path in of_support:
        assert path.startswith("/support"), "let in somebody, or say why this is no page"
        yield path, robin.get(path.replace("<uuid:session_id>", everything.ids["session_id"])).text


def test_every_page_is_accessible(looking: webdriver.Chrome, door: tuple[Door, str], everything: World) -> None:
    pages = dict(_pages(everything))
    assert [path for path, text in pages.items() if "<main" not in text] == [], "no pages: say why"
    assert len(pages) > 30
    assert _faults(looking, door, pages) == {}


def test_what_is_wrong_is_found(looking: webdriver.Chrome, door: tuple[Door, str]) -> None:
    pale = '<!doctype html><html lang="en"><title>Pale</title><main><h1>Pale</h1><p class="{}">Words</p><input></main>'
    served, address = door
    served.app = showing([f'<link rel="stylesheet" href="/static/style.css">{pale.format("nav")}'])
    show(looking, f"{address}/0", size=PHONE)
    looking.execute_script("document.querySelector('p').style.color = '#ccc'")
    assert {fault.partition(":")[0] for fault in faults(looking)} == {"color-contrast", "label"}


class NoMails(Mailbox):
    """A mail catcher that has caught nothing, and does not listen."""

    def __init__(self) -> None:
        pass

    def caught(self) -> list[EmailMessage]:
        return []


def test_the_design_system_is_accessible_in_both_themes_and_on_any_screen(looking: webdriver.Chrome) -> None:
    demo = Pages("http://127.0.0.1:1", NoMails(), practitioner="kim@example.org", client="alex@example.org")
    found = []
    try:
        for size, dark in product((PHONE, WIDE), (False, True)):
            show(looking, f"{demo.url}/design", size=size, dark=dark)
            found += faults(looking)
            assert looking.execute_script(
                "return document.documentElement.scrollWidth <= document.documentElement.clientWidth"
            )
        keep_pictures(looking, "design")
        looking.get("about:blank")
    finally:
        demo.stop()
    assert found == []


@pytest.mark.long
@pytest.mark.parametrize(("language", "walk"), list(product(("english", "german"), WALKS)))
def test_every_state_of_every_page_is_accessible_in_both_themes(
    looking: webdriver.Chrome, door: tuple[Door, str], request: pytest.FixtureRequest, language: str, walk: str
) -> None:
    here: Desk = request.getfixturevalue("there" if language == "english" else "germans")
    pages = {f"{n:02} {name}": text for n, (name, text) in enumerate(WALKS[walk](here))}
    assert _faults(looking, door, pages, dark=True, prefix=f"{language} {walk}") == {}


def _faults(
    chromium: webdriver.Chrome, door: tuple[Door, str], pages: dict[str, str], *, dark: bool = False, prefix: str = ""
) -> dict[str, list[str]]:
    """Return what is wrong with each page on a phone; on a wide screen and in the dark, what may differ there."""
    served, address = door
    served.app = showing(list(pages.values()))
    found = {}
    for n, name in enumerate(pages):
        show(chromium, f"{address}/{n}", size=PHONE)
        wrong = faults(chromium)
        if dark:
            show(chromium, f"{address}/{n}", size=WIDE, dark=True)
            wrong += faults(chromium, "color-contrast")
        keep_pictures(chromium, re.sub(r"[^a-z0-9]+", "-", f"{prefix} {name}".lower()).strip("-"))
        if wrong:
            found[name] = wrong
    return found
