from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import structlog
from flask import request
from werkzeug.test import TestResponse

from connector.counts import FileCounts
from connector.storage import database as database_module
from connector.storage.database import Database
from connector.web import pages
from connector.web.limits import ANSWER_LIMIT, SIGN_IN_LIMIT
from connector.web.pages import LARGEST_BODY
from tests.conftest import Clock, free_port
from tests.web.desk import Desk
from tests.web.remote_changes import page_of, paused_page, question_about_move
from tests.web.stage import Browser, Stage, make_runtime, make_stage

HARDENED = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Robots-Tag": "noindex, nofollow",
}


@pytest.fixture
def secure(sqlite_database: Database, sqlite_url: str, clock: Clock) -> Stage:
    """An installation behind a proxy that ends TLS."""
    runtime = make_runtime(
        sqlite_database, sqlite_url, clock, public_url="https://pencilled.example.org", trusted_proxies=1
    )
    return make_stage(runtime, clock)


@contextmanager
def writing(url: str) -> Iterator[None]:
    """Keep everybody else from writing."""
    other = Database(url)
    try:
        with other.begin():
            yield
    finally:
        other.dispose()


def test_every_answer_carries_the_headers_that_protect_it(stage: Stage) -> None:
    link, ada = stage.link(stage.offer()), stage.signed_in()
    mailed = ("/answer/x", "/question/x", "/question/x/ask", "/mail/x", "/mail/x/take", "/clash/x", "/stopped/x")
    answers = [ada.get(path) for path in ("/", "/signin", link, "/sessions", *mailed, "/nowhere", "/readyz")]
    answers += [ada.http.post(link), ada.http.delete(link), ada.http.post("/signin"), stage.browser().get("/sessions")]
    assert {answer.status_code for answer in answers} == {200, 303, 400, 404, 405}
    for answer in answers:
        assert {name: answer.headers.get(name) for name in HARDENED} == HARDENED
        assert answer.headers["Cache-Control"] == "no-store"
        assert "Strict-Transport-Security" not in answer.headers
    with ada.get("/static/style.css") as sheet:
        assert (sheet.status_code, sheet.headers["Cache-Control"]) == (200, "public, max-age=3600")


OUR_SCRIPT = '<script type="module" src="/static/pencilled.js"></script>'


def test_pages_load_nothing_from_elsewhere_and_no_script_but_ours(stage: Stage) -> None:
    offer, ada = stage.offer(), stage.signed_in()
    for path in (stage.link(offer), "/signin", "/sessions", f"/sessions/{stage.session.id}/offer"):
        text = ada.get(path).text
        assert text.count("<script") == text.count(OUR_SCRIPT) == 1
        assert "style=" not in text
        assert "http://" not in text
        assert "https://" not in text


def test_pages_a_letter_leads_to_carry_the_same_headers_and_load_nothing_either(stage: Stage, there: Desk) -> None:
    question = page_of(stage, question_about_move(there))
    for path in (question, f"{question}/ask", f"{question}/agreed", paused_page(there)):
        answer = stage.browser().get(path)
        assert answer.status_code == 200
        assert {name: answer.headers.get(name) for name in HARDENED} == HARDENED
        assert answer.text.count("<script") == answer.text.count(OUR_SCRIPT) == 1
        for foreign in ("style=", "http://", "https://"):
            assert foreign not in answer.text


def test_behind_tls_cookies_are_secure_and_forms_need_no_referer(secure: Stage) -> None:
    link, browser = secure.link(secure.offer()), secure.browser()
    https = {"X-Forwarded-Proto": "https", "X-Forwarded-For": "192.0.2.7"}
    response = browser.get(link + "/none", headers=https)
    cookie = response.headers["Set-Cookie"]
    for part in ("__Host-pencilled=", "Secure", "HttpOnly", "SameSite=Lax", "Path=/"):
        assert part in cookie
    assert response.headers["Strict-Transport-Security"].startswith("max-age=")
    token = response.text.partition('name="csrf_token" value="')[2].partition('"')[0]
    headers = https | {"Cookie": cookie.partition(";")[0], "Origin": "null"}
    answer = secure.app.test_client(use_cookies=False).post(
        link + "/none", data={"csrf_token": token}, headers=headers, base_url="https://pencilled.example.org"
    )
    assert answer.status_code == 303


def test_a_practitioners_form_without_its_token_is_refused(stage: Stage) -> None:
    ada = stage.signed_in()
    before = stage.everything()
    own = f"/sessions/{stage.session.id}"
    for path in (f"{own}/cancel", f"{own}/offer", f"{own}/time", f"{own}/keep", "/signout"):
        assert ada.http.post(path, data={"csrf_token": "guess"}).status_code == 400
    assert stage.everything() == before
    assert ada.get("/sessions").status_code == 200


@pytest.mark.parametrize(
    ("path", "limit"),
    [
        ("/signin", SIGN_IN_LIMIT),
        ("/answer/x/none", ANSWER_LIMIT),
        ("/question/x/ask", ANSWER_LIMIT),
        ("/mail/x/take", ANSWER_LIMIT),
        ("/clash/x", ANSWER_LIMIT),
        ("/stopped/x", ANSWER_LIMIT),
    ],
)
def test_who_tries_too_often_is_slowed_down(stage: Stage, path: str, limit: str) -> None:
    browser, allowed = stage.browser(), int(limit.split(maxsplit=1)[0])
    statuses = [browser.post(path, {"email": "eva@example.org"}, page="/signin").status_code for _ in range(allowed)]
    assert 429 not in statuses
    refused = browser.post(path, page="/signin")
    assert refused.status_code == 429
    assert refused.headers["Retry-After"] == "60"
    assert "Please wait a minute" in refused.text
    assert browser.get("/signin").status_code == 200


def test_limits_count_the_address_the_trusted_proxy_names(secure: Stage) -> None:
    def post(address: str) -> TestResponse:
        forwarded = {"X-Forwarded-For": f"203.0.113.9, {address}"}  # the first was only claimed by the client
        return secure.app.test_client().post("/signin", headers=forwarded)

    allowed = int(SIGN_IN_LIMIT.split()[0])
    assert [post("192.0.2.1").status_code for _ in range(allowed + 1)][-1] == 429
    assert post("192.0.2.2").status_code != 429


@pytest.mark.parametrize(
    ("peer", "scheme"),
    [
        ("127.0.0.1", "https"),
        ("::ffff:10.0.0.7", "https"),
        ("fd00::7", "https"),
        ("203.0.113.50", "http"),
        ("2001:db8::7", "http"),
    ],
)
def test_forwarded_headers_are_believed_of_our_own_proxies_alone(secure: Stage, peer: str, scheme: str) -> None:
    secure.app.add_url_rule("/scheme", view_func=lambda: request.scheme)
    headers, environ = {"X-Forwarded-Proto": "https"}, {"REMOTE_ADDR": peer}
    with structlog.testing.capture_logs() as logs:
        http = secure.app.test_client()
        answers = [http.get("/scheme", headers=headers, environ_overrides=environ) for _ in range(2)]
    assert {answer.text for answer in answers} == {scheme}
    assert [line["event"] for line in logs] == ["proxy_not_ours"] * (scheme == "http"), "once"
    assert peer not in str(logs)


def test_a_body_too_large_is_refused(stage: Stage) -> None:
    answer = stage.browser().http.post("/signin", data={"email": "x" * (LARGEST_BODY + 1)})
    assert answer.status_code == 413
    assert "<h1>This did not work</h1>" in answer.text


def test_a_fault_is_shown_kindly_and_logged_without_personal_data(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage.app.config["PROPAGATE_EXCEPTIONS"] = False
    link = stage.link(stage.offer())
    monkeypatch.setattr(stage.runtime, "database", None)
    with structlog.testing.capture_logs() as logs:
        answer = stage.browser().get(link)
    assert answer.status_code == 500
    assert "Something went wrong here" in answer.text
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert [(line["event"], line["endpoint"], line["error"]) for line in logs] == [
        ("page_failed", "answer.show", "AttributeError"),
        ("reader_unknown", "answer.show", "AttributeError"),
    ]
    assert link.removeprefix("/answer/") not in repr(logs)
    assert "Kim" not in repr(logs)


def test_a_page_that_is_not_there_says_to_a_practitioner_what_is_not_and_leads_back(there: Desk) -> None:
    ada, theirs = there.ada, f"/sessions/{there.stage.bobs.id}"
    answers = {path: ada.get(path) for path in (theirs, "/calendars/nope/connect", "/nowhere", "/sessions/no-session")}
    assert {answer.status_code for answer in answers.values()} == {404}
    for answer in answers.values():
        assert "<h1>There is no such page</h1>" in answer.text
        assert 'href="/sessions">To your sessions</a>' in answer.text
        assert "booked with" not in answer.text, "that is for clients"
    assert "There is no such session." in answers[theirs].text
    assert "There is no calendar service of that name here." in answers["/calendars/nope/connect"].text


@pytest.mark.parametrize("path", ["/question/forged", "/clash/forged", "/stopped/forged", "/signin/forged"])
def test_a_link_to_a_practitioner_that_fails_leads_to_the_sessions_and_tells_nothing(stage: Stage, path: str) -> None:
    for browser in (stage.browser(), stage.signed_in()):
        answer = browser.get(path)
        assert answer.status_code == 404
        assert "or look among your sessions." in answer.text
        assert "not one of ours" not in answer.text


@pytest.mark.parametrize("path", ["/answer/forged", "/answer/forged/nowhere", "/nowhere"])
def test_a_client_whose_link_fails_is_sent_to_whom_they_have_booked_with(stage: Stage, path: str) -> None:
    answer = stage.browser().get(path)
    assert answer.status_code == 404
    assert "To reach the person you have booked with, use the way that you know from them." in answer.text
    assert "/sessions" not in answer.text


def test_a_busy_database_asks_to_come_back(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    stage.app.config["PROPAGATE_EXCEPTIONS"] = False
    monkeypatch.setattr(database_module, "BUSY_TIMEOUT_MS", 1)
    impatient = Database(stage.runtime.settings.database_url)
    monkeypatch.setattr(stage.runtime, "database", impatient)
    browser = stage.browser()
    try:
        with writing(stage.runtime.settings.database_url), structlog.testing.capture_logs():
            answer = browser.post("/signin", {"email": "ada@example.org"})
    finally:
        impatient.dispose()
    assert answer.status_code == 503
    assert "Please try again in a few minutes." in answer.text


def test_robots_are_asked_to_stay_away(stage: Stage) -> None:
    assert stage.browser().get("/robots.txt").text == "User-agent: *\nAllow: /hooks/\nDisallow: /\n"


def test_two_installations_in_one_process_do_not_share_their_limits(stage: Stage, tmp_path: Path) -> None:
    apart = replace(stage.runtime, counts=FileCounts(tmp_path / "counts", secret=b"another"))
    other = Browser(pages.create(apart).test_client())
    for _ in range(int(SIGN_IN_LIMIT.split()[0])):
        stage.browser().post("/signin")
    assert stage.browser().post("/signin").status_code == 429
    assert other.post("/signin", {"email": "eva@example.org"}).status_code == 200


@pytest.mark.parametrize("broker", ["a file", pytest.param("redis", marks=pytest.mark.redis)])
def test_processes_of_one_installation_share_their_limits(
    request: pytest.FixtureRequest, sqlite_database: Database, sqlite_url: str, clock: Clock, broker: str
) -> None:
    choices: dict[str, Any] = {"broker_url": request.getfixturevalue("redis_url")} if broker == "redis" else {}
    one, two = (
        Browser(pages.create(make_runtime(sqlite_database, sqlite_url, clock, **choices)).test_client())
        for _ in range(2)
    )
    statuses = [one.post("/signin").status_code for _ in range(int(SIGN_IN_LIMIT.split()[0]))]
    assert 429 not in statuses
    assert two.post("/signin").status_code == 429


def test_answers_are_taken_while_redis_is_away(sqlite_database: Database, sqlite_url: str, clock: Clock) -> None:
    runtime = make_runtime(sqlite_database, sqlite_url, clock, broker_url=f"redis://127.0.0.1:{free_port()}/0")
    stage = make_stage(runtime, clock)
    browser, link = stage.browser(), stage.link(stage.offer())
    assert browser.post(link + "/none").status_code == 303
