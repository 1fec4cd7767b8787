"""Everything is under the path of the public address, whether the proxy takes it off or passes it on."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

import providers
from connector import app, paths
from connector.domain.notice import NoticeKind
from connector.errors import SettingsError
from connector.hosted.installation import Installation
from connector.plugin import EXTENSION, Pencilled
from connector.settings import Settings
from connector.storage.database import Database
from tests.conftest import Clock
from tests.web.desk import Desk, desk
from tests.web.remote_changes import page_of, paused_page, question_about_move
from tests.web.services import memory_service
from tests.web.stage import Browser, Stage, make_runtime, make_stage

PREFIX = "/book/praxis"
ALIKE = 4
_LED_TO = re.compile(r'(?:href|action|src|formaction)="(/[^"]*)"')


class Outside(FlaskClient):
    """A browser that is at the public address: whatever it opens is under the prefix."""

    def open(self, *words: Any, **more: Any) -> TestResponse:
        if words and isinstance(words[0], str) and not f"{words[0]}/".startswith(f"{PREFIX}/"):
            words = (PREFIX + words[0], *words[1:])
        return super().open(*words, **more)


@pytest.fixture
def alone(sqlite_database: Database, sqlite_url: str, clock: Clock) -> Stage:
    runtime = make_runtime(sqlite_database, sqlite_url, clock, public_url=f"http://localhost{PREFIX}")
    stage = make_stage(runtime, clock)
    stage.app.test_client_class = Outside
    return stage


@pytest.fixture
def mounted(alone: Stage) -> Stage:
    """The same within a host, in which people sign in by mail as they do alone."""
    host = Flask("host")
    runtime, prefixed = alone.runtime, {"CONNECTOR_PUBLIC_URL": f"http://localhost{PREFIX}"}
    Pencilled(host, url_prefix=PREFIX, settings=prefixed, start="command")
    installation: Installation = host.extensions[EXTENSION]
    installation.open_with(runtime)
    host.testing, host.test_client_class = True, Outside
    alone.app = host
    return alone


@pytest.fixture(params=["alone", "mounted"])
def under(request: pytest.FixtureRequest) -> Stage:
    stage: Stage = request.getfixturevalue(request.param)
    return stage


def past(stage: Stage) -> FlaskClient:
    """Return what asks the server itself."""
    return FlaskClient(stage.app, stage.app.response_class, use_cookies=False)


@pytest.fixture
def there(under: Stage, clock: Clock) -> Iterator[Desk]:
    with memory_service(clock) as service:
        yield desk(under, service)


def crawl(browser: Browser, *begin: str) -> dict[str, int]:
    """Open pages and all that they lead to, and return how each answered; links elsewhere are none of ours.

    Of a page that leads to itself for one more week or day, a few are opened.
    """
    waiting, answers, opened = list(begin), dict[str, int](), Counter[str]()
    while waiting:
        path = waiting.pop()
        page = path.partition("?")[0]
        if path in answers or opened[page] == ALIKE:
            continue
        opened[page] += 1
        answer = browser.get(path)
        answers[path] = answer.status_code
        if answer.location:
            waiting.append(answer.location)
        elif answer.mimetype == "text/html":
            waiting += [link.partition("#")[0] for link in _LED_TO.findall(answer.text)]
        answer.close()
    return answers


def test_every_page_and_all_that_it_leads_to_is_under_the_prefix(there: Desk) -> None:
    stage = there.stage
    question = page_of(stage, question_about_move(there))
    offer = stage.offer(session=stage.book(stage.at(20, 9)))
    pages = [stage.link(offer), question, paused_page(there), "/", "/account", "/sessions", "/calendars", "/nowhere"]
    answers = crawl(there.ada, *(PREFIX + page for page in pages))
    assert [path for path in answers if not path.startswith(f"{PREFIX}/")] == []
    assert len(answers) > 20
    by_post = {f"{PREFIX}/signout", f"{PREFIX}/signout/everywhere"}
    failed = {path: status for path, status in answers.items() if status not in (200, 303)}
    assert {path for path in failed if failed[path] == 405} >= by_post
    assert {path for path in failed if failed[path] != 405} == {f"{PREFIX}/nowhere"}


def test_forms_redirects_and_the_cookie_are_under_it(under: Stage) -> None:
    browser = under.browser()
    asked = browser.get(f"{PREFIX}/sessions/{under.session.id}")
    assert asked.location == f"{PREFIX}/signin"
    assert f"Path={PREFIX};" in asked.headers["Set-Cookie"]
    link = PREFIX + under.sign_in_link(under.ada)
    entered = browser.post(link)
    assert entered.location == f"{PREFIX}/sessions/{under.session.id}", "the page they wanted"
    assert browser.get(entered.location).status_code == 200
    own = f"{entered.location}/cancel"
    assert browser.post(own, {"reason": ""}, page=own).location == entered.location
    assert browser.post(f"{PREFIX}/signout", page=f"{PREFIX}/sessions").location == f"{PREFIX}/signin"
    again = browser.http.post(f"{PREFIX}/signin")
    assert f'href="{PREFIX}/signin"' in again.text, "a form that was open too long leads back to itself"


def test_letters_lead_under_it(under: Stage) -> None:
    under.offer()
    under.sign_in_link(under.ada)
    under.mail()
    letters = under.runtime.sender.letters  # type: ignore[attr-defined]
    links = {letter.notice.kind: letter.link for letter in letters if letter.link}
    assert {NoticeKind.OFFERED, NoticeKind.SIGN_IN} <= set(links)
    for link in links.values():
        assert link.startswith(f"http://localhost{PREFIX}/")
        assert under.browser().get(link.removeprefix("http://localhost")).status_code == 200


@pytest.mark.parametrize("start", [PREFIX, ""], ids=["passed-on", "taken-off"])
@pytest.mark.parametrize("path", ["/signin", "/sessions", "/"])
def test_a_proxy_may_take_the_prefix_off_or_pass_it_on(alone: Stage, start: str, path: str) -> None:
    answer = past(alone).get(start + path)
    if answer.status_code == 200:
        assert all(link.startswith(f"{PREFIX}/") for link in _LED_TO.findall(answer.text))
    else:
        assert answer.location.startswith(f"{PREFIX}/")


def test_what_only_begins_like_the_prefix_is_not_under_it(under: Stage) -> None:
    assert past(under).get(f"{PREFIX}s/signin").status_code == 404
    assert under.browser().get(f"{PREFIX}{PREFIX}/signin").status_code == 404
    home = under.browser().get(PREFIX)
    assert home.location == f"{PREFIX}/signin"


@pytest.mark.parametrize("path", [paths.METRICS, paths.READINESS, paths.LIVENESS])
def test_what_programs_ask_has_one_path_so_that_a_proxy_can_close_it(alone: Stage, path: str) -> None:
    assert alone.browser().get(PREFIX + path).status_code == 404
    assert past(alone).get(path).status_code != 404


def test_two_installations_at_one_host_have_cookies_of_their_own(
    sqlite_database: Database, sqlite_url: str, clock: Clock
) -> None:
    runtime = make_runtime(sqlite_database, sqlite_url, clock, public_url="https://host.example/book")
    cookie = make_stage(runtime, clock).app.test_client().get("/book/signin").headers["Set-Cookie"]
    for part in ("__Secure-pencilled=", "Secure", "HttpOnly", "SameSite=Lax", "Path=/book"):
        assert part in cookie


def test_a_prefix_that_cannot_be_told_from_a_page_is_refused(alone: Stage) -> None:
    rules = {rule.rule.split("/")[1] for rule in app.create_app(alone.runtime).url_map.iter_rules()} - {""}
    assert {*rules, paths.API.split("/")[1]} == paths.OWN
    declared = providers.declared()
    for path in ("sessions", "hooks/of/ours"):
        with pytest.raises(SettingsError, match="CONNECTOR_PUBLIC_URL: pages of ours begin with"):
            Settings.from_env({"CONNECTOR_PUBLIC_URL": f"https://host.example/{path}"}, declared)
    Settings.from_env({"CONNECTOR_PUBLIC_URL": "https://host.example/my/sessions"}, declared)
