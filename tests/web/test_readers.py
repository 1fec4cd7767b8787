"""Whatever goes wrong is told in the language of whom the page is for, whatever their browser would rather have."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from uuid import uuid4

import pytest
import sqlalchemy as sa
import structlog
from werkzeug.test import TestResponse

from connector.services.signing_in.browsers import IDLE
from connector.storage.tables import browsers
from connector.web.limits import ANSWER_LIMIT
from connector.web.pages import LARGEST_BODY
from tests.web.desk import Desk
from tests.web.remote_changes import begin, conflict_page, page_of, paused_page, question_about_move, wipe
from tests.web.stage import Browser, Stage
from tests.web.test_languages import germans
from tests.web.walk import read_in

__all__ = ["germans"]  # a fixture

ENGLISH_BROWSER = {"Accept-Language": "en"}
FORGED = "/answer/forged"


def spoken(answer: TestResponse) -> tuple[int, str]:
    """What came of a request, and in which language it is told."""
    found = re.search(r'<html lang="(\w+)"', answer.text)
    return answer.status_code, found[1] if found else ""


def fail(stage: Stage, endpoint: str) -> None:
    """Have a page break."""

    def broken(**_parts: object) -> str:
        raise ZeroDivisionError

    stage.app.config["PROPAGATE_EXCEPTIONS"] = False
    stage.app.view_functions[endpoint] = broken


def no_token(browser: Browser, path: str) -> TestResponse:
    return browser.http.post(path, data={}, headers=ENGLISH_BROWSER)


def got(browser: Browser, path: str, method: str = "GET") -> TestResponse:
    return browser.http.open(path, method=method, headers=ENGLISH_BROWSER)


@pytest.mark.parametrize(
    ("status", "ask"),
    [
        (404, lambda ada, _own: got(ada, "/nowhere")),
        (404, lambda ada, _own: got(ada, f"/sessions/{uuid4()}")),
        (404, lambda ada, _own: got(ada, "/sessions/no-session")),
        (404, lambda ada, _own: got(ada, FORGED)),
        (405, lambda ada, _own: got(ada, "/sessions", "DELETE")),
        (400, lambda ada, _own: no_token(ada, "/signout")),
        (413, lambda ada, own: ada.http.post(f"{own}/time", data="x" * (LARGEST_BODY + 1), headers=ENGLISH_BROWSER)),
    ],
)
def test_who_is_signed_in_is_told_of_a_fault_in_their_language(
    germans: Desk, status: int, ask: Callable[[Browser, str], TestResponse]
) -> None:
    assert spoken(ask(germans.ada, f"/sessions/{germans.stage.session.id}")) == (status, "de")


@pytest.mark.parametrize(
    ("status", "ask"),
    [
        (400, lambda kim, link: no_token(kim, f"{link}/none")),
        (404, lambda kim, link: got(kim, f"{link}/choose/{uuid4()}")),
        (404, lambda kim, link: got(kim, f"{link}/choose/nothing")),
        (404, lambda kim, link: got(kim, f"{link}/nowhere")),
        (405, lambda kim, link: got(kim, link, "DELETE")),
        (429, lambda kim, link: [no_token(kim, f"{link}/none") for _ in range(1 + int(ANSWER_LIMIT.split()[0]))][-1]),
    ],
)
def test_a_client_is_told_of_a_fault_in_their_language(
    germans: Desk, status: int, ask: Callable[[Browser, str], TestResponse]
) -> None:
    link = germans.stage.link(germans.stage.offer())

    assert spoken(ask(germans.stage.browser(), link)) == (status, "de")


def test_a_link_that_shows_nothing_any_more_says_so_in_the_language_of_whom_it_was_for(germans: Desk) -> None:
    stage = germans.stage
    link, sign_in = stage.link(stage.offer()), stage.sign_in_link(stage.ada)
    assert spoken(got(stage.browser(), sign_in)) == (200, "de")
    stage.clock.advance(timedelta(hours=2))
    assert spoken(got(stage.browser(), sign_in)) == (410, "de")
    stage.browser().post(f"{link}/none")
    stage.clock.advance(timedelta(days=91))

    assert spoken(got(stage.browser(), link)) == (404, "de")


@pytest.mark.parametrize("kind", ["question", "conflict", "paused"])
def test_a_practitioner_who_comes_from_a_letter_is_told_of_a_fault_in_their_language(germans: Desk, kind: str) -> None:
    if kind == "question":
        link = page_of(germans.stage, question_about_move(germans))
    else:
        begin(germans)
        germans.stage.offer()
        if kind == "paused":
            wipe(germans)
        link = paused_page(germans) if kind == "paused" else conflict_page(germans)
    browser = germans.stage.browser()

    assert spoken(got(browser, link)) == (200, "de")
    assert spoken(got(browser, link, "DELETE")) == (405, "de")
    assert spoken(no_token(browser, link)) == (405 if kind == "question" else 400, "de")


def test_a_page_that_breaks_says_so_in_the_language_of_whom_it_is_for(germans: Desk) -> None:
    stage = germans.stage
    link = stage.link(stage.offer())
    for endpoint in ("sessions.show", "answer.show"):
        fail(stage, endpoint)

    assert spoken(got(germans.ada, f"/sessions/{stage.session.id}")) == (500, "de")
    assert spoken(got(stage.browser(), link)) == (500, "de")


def test_a_fault_is_told_though_nobody_knows_to_whom(germans: Desk) -> None:
    stage = germans.stage
    stage.app.config["PROPAGATE_EXCEPTIONS"] = False
    with stage.runtime.database.begin() as db:
        browsers.drop(db)
    with structlog.testing.capture_logs() as logs:
        answer = got(germans.ada, "/sessions")

    assert spoken(answer) == (500, "en")
    assert [line["event"] for line in logs] == ["page_failed", "reader_unknown"]


def test_a_reader_of_english_is_told_in_english_by_a_german_browser(stage: Stage) -> None:
    ada, headers = stage.signed_in(), {"Accept-Language": "de"}

    assert spoken(ada.get("/nowhere", headers=headers)) == (404, "en")
    assert spoken(stage.browser().get(f"{stage.link(stage.offer())}/nowhere", headers=headers)) == (404, "en")
    assert spoken(stage.browser().get("/nowhere", headers=headers)) == (404, "de")


@pytest.mark.parametrize(
    ("wish", "language"),
    [
        ("de", "de"),
        ("de-AT,en;q=0.5", "de"),
        ("en;q=0.5,de", "de"),
        ("fr-CH,de-CH;q=0.9,en;q=0.8", "de"),
        ("fr,en-GB;q=0.9,de;q=0.8", "en"),
        ("de;q=0,en;q=0.1", "en"),
        ("xx,*;q=0", "en"),
        ("", "en"),
        ("de," + "xx," * 30_000, "de"),
        ("xx," * 100 + "de", "en"),
        ("x" * 90_000, "en"),
    ],
)
def test_a_browser_is_asked_which_language_it_prefers_and_not_listened_to_for_ever(
    stage: Stage, wish: str, language: str
) -> None:
    assert spoken(stage.browser().get("/signin", headers={"Accept-Language": wish})) == (200, language)


@pytest.mark.parametrize(("locale", "written"), [("en_US", "January 20, 2026"), ("de_AT", "20. Jänner 2026")])
def test_what_a_form_refuses_is_told_in_the_style_of_the_rest_of_the_page(
    stage: Stage, locale: str, written: str
) -> None:
    read_in(stage, locale)
    time = {"date": "2026-01-20", "time": "15:00", "minutes": "50", "reason": "agreed", "who": "Kim Noor"}
    agreed = {"agreed_at": "2026-01-02T09:30", "channel": "by phone"}
    page = stage.signed_in().post(f"/sessions/{stage.session.id}/time", time | agreed)

    assert page.status_code == 422
    assert written in page.text


def test_who_is_signed_in_no_more_is_told_so_in_their_language_and_signs_in_again_in_it(germans: Desk) -> None:
    assert spoken(got(germans.ada, "/sessions")) == (200, "de")
    germans.stage.clock.advance(IDLE)
    page = germans.ada.get("/sessions", headers=ENGLISH_BROWSER, follow_redirects=True)

    assert spoken(page) == (200, "de")
    assert "Sie sind hier nicht mehr angemeldet." in page.text
    assert spoken(no_token(germans.ada, "/signin")) == (400, "de")


def test_who_signs_out_everywhere_is_told_so_in_their_language_on_a_page_in_it(germans: Desk) -> None:
    answer = germans.ada.post("/signout/everywhere", page="/account")
    page = got(germans.ada, answer.location)

    assert spoken(page) == (200, "de")
    assert "You are signed out everywhere" not in page.text


def test_a_language_that_changes_is_spoken_from_the_next_page_on(germans: Desk) -> None:
    assert spoken(got(germans.ada, "/nowhere")) == (404, "de")
    read_in(germans.stage, "en")

    assert spoken(got(germans.ada, "/nowhere")) == (404, "en")
    with germans.stage.runtime.database.begin() as db:
        db.execute(sa.delete(browsers))
    assert spoken(germans.ada.get("/sessions", headers={"Accept-Language": "de"}, follow_redirects=True)) == (200, "en")
