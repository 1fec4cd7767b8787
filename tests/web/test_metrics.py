"""Who may read the metrics, in which form, and what asking for them costs."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from threading import Event
from typing import Any

import pytest
import sqlalchemy as sa
import structlog
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from connector.errors import SettingsError
from connector.settings import Settings
from connector.web import pages
from connector.web.metrics import KEPT_SECONDS, Kept
from providers import declared
from tests.scraped import scrape, scraped
from tests.storage.test_ledger_queries import counted
from tests.web.stage import Stage

TOKEN = "a token of at least thirty-two characters"
BEARER = {"Authorization": f"Bearer {TOKEN}"}
OUTSIDE = {"REMOTE_ADDR": "203.0.113.7"}


def status(stage: Stage, *, settings: dict[str, Any], **request: Any) -> int:
    runtime = replace(stage.runtime, settings=replace(stage.runtime.settings, **settings))
    return pages.create(runtime).test_client().get("/metrics", **request).status_code


@pytest.mark.parametrize("public_url", ["http://127.0.0.1:8080", "http://localhost:8080", "http://[::1]:8080/book"])
def test_without_a_token_they_are_read_on_the_machine_itself_alone(stage: Stage, public_url: str) -> None:
    settings = {"public_url": public_url}
    assert status(stage, settings=settings) == 200
    assert status(stage, settings=settings, environ_base={"REMOTE_ADDR": "::1"}) == 200
    assert status(stage, settings=settings, environ_base=OUTSIDE) == 404


@pytest.mark.parametrize(
    "settings",
    [
        {"public_url": "https://host.example/book"},
        {"public_url": "http://192.0.2.8:8080"},
        {"public_url": "http://127.0.0.1:8080", "trusted_proxies": 1},
    ],
)
def test_without_a_token_nobody_reads_them_where_a_proxy_may_be_in_front(
    stage: Stage, settings: dict[str, Any]
) -> None:
    """Whoever comes through a proxy on the same machine comes from the loopback, and may say that they are there."""
    for headers in ({}, {"X-Forwarded-For": "127.0.0.1"}, {"Authorization": "Bearer "}, BEARER):
        assert status(stage, settings=settings, headers=headers) == 404


@pytest.mark.parametrize("environ_base", [{}, OUTSIDE])
def test_with_a_token_whoever_shows_it_reads_them_and_nobody_else(stage: Stage, environ_base: dict[str, str]) -> None:
    settings = {"metrics_token": TOKEN, "public_url": "https://host.example"}
    assert status(stage, settings=settings, headers=BEARER, environ_base=environ_base) == 200
    others = ["", "Bearer", "Bearer x", f"Basic {TOKEN}", f"Bearer {TOKEN}x", f"Bearer {TOKEN[:-1]}", "Bearer \xff\xfe"]
    for shown in others:
        headers = {"Authorization": shown}
        assert status(stage, settings=settings, headers=headers, environ_base=environ_base) == 404, shown


def test_who_may_not_read_them_finds_no_such_page(stage: Stage) -> None:
    browser = stage.browser()
    answer = browser.get("/metrics", environ_base=OUTSIDE)
    assert (answer.status_code, answer.text) == (404, browser.get("/nothing", environ_base=OUTSIDE).text)


def test_a_wrong_token_is_told_in_the_log_and_not_quoted(stage: Stage) -> None:
    with structlog.testing.capture_logs() as logs:
        status(stage, settings={"metrics_token": TOKEN}, headers={"Authorization": "Bearer secret-of-somebody"})
    [log] = [log for log in logs if log["event"] == "metrics_refused"]
    assert "secret" not in str(log)


@pytest.mark.parametrize("token", ["short", "with a blank in the middle of so many characters", "ü" * 40])
def test_a_token_that_can_be_guessed_or_not_be_sent_is_refused(token: str) -> None:
    with pytest.raises(SettingsError, match="CONNECTOR_METRICS_TOKEN"):
        Settings.from_env({"CONNECTOR_METRICS_TOKEN": token}, declared())


def test_they_are_told_in_the_format_that_is_asked_for(stage: Stage) -> None:
    browser = stage.browser()
    plain = browser.get("/metrics")
    assert plain.content_type.startswith("text/plain; version=")
    asked = {"Accept": "application/openmetrics-text; version=1.0.0"}
    other = browser.get("/metrics", headers=asked)
    assert other.content_type.startswith("application/openmetrics-text; version=1.0.0")
    names = {family.name for family in text_string_to_metric_families(other.text)}  # type: ignore[no-untyped-call]
    assert {"pencilled_calendars", "pencilled_requests"} <= names


@pytest.mark.parametrize("accept", ["text/html", "application/openmetrics-text; version=x", ";;=,", "a" * 4000])
def test_whoever_asks_for_something_else_is_told_in_the_plain_format(stage: Stage, accept: str) -> None:
    answer = stage.browser().get("/metrics", headers={"Accept": accept})
    assert answer.status_code == 200
    assert answer.content_type.startswith("text/plain; version=0.0.4")


def test_a_browser_that_asks_all_the_time_has_the_database_asked_once(stage: Stage) -> None:
    with counted(stage.runtime.database, most=9) as queries:
        first = scraped(stage.app)
        for _ in range(20):
            assert scraped(stage.app).text == first.text
    assert len(queries) == 9


def test_what_was_measured_is_kept_for_some_seconds() -> None:
    measures: list[int] = []
    now = 0.0

    def measure() -> list[Any]:
        measures.append(1)
        return []

    kept = Kept(measure, monotonic=lambda: now)
    kept.metrics()
    now = KEPT_SECONDS - 0.1
    kept.metrics()
    assert len(measures) == 1
    now = KEPT_SECONDS
    kept.metrics()
    assert len(measures) == 2


def test_who_asks_while_a_database_does_not_answer_is_soon_turned_away() -> None:
    asked, answers = Event(), Event()

    def measure() -> list[Any]:
        asked.set()
        assert answers.wait(60)
        return []

    kept = Kept(measure)
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(kept.metrics)
        assert asked.wait(60)
        assert kept.metrics() is None
        answers.set()
        assert first.result(60) == kept.metrics() == []


def test_a_database_that_cannot_be_read_is_told_as_that_and_not_as_empty(stage: Stage) -> None:
    assert scrape(stage.runtime).all("database_readable") == {(): 1}
    with stage.runtime.database.begin() as db:
        db.execute(sa.text("ALTER TABLE counters RENAME TO away"))
    with structlog.testing.capture_logs() as logs:
        broken = scrape(stage.runtime)
    assert broken.all("database_readable") == {(): 0}
    assert broken["build_info"]
    assert not any("calendars" in sample.name or "work" in sample.name for sample in broken.samples)
    assert [(log["event"], log["log_level"]) for log in logs] == [("metrics_not_read", "warning")]


def test_asking_changes_nothing(stage: Stage) -> None:
    before = stage.everything()
    scrape(stage.runtime)
    assert stage.everything() == before
    assert stage.browser().http.post("/metrics").status_code in {400, 405}
