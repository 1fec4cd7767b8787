"""Every journey within a host that is made to hurt, and the host itself as if nobody were there."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from structlog.testing import capture_logs

from connector import app
from connector.domain.api_key import Scope
from connector.domain.offer import OfferState
from connector.plugin import EXTENSION, Pencilled
from connector.storage import offers
from connector.storage.database import Database
from tests.api.program import code, program
from tests.conftest import Clock
from tests.hosted.hosts import PREFIX, Person, named, person
from tests.hosted.hurting import FORWARDED, POLICY, behind_proxy, its_own_tests, make_hurting, present
from tests.services import connected
from tests.services.channels import pull, row
from tests.services.practice import Practice
from tests.web.stage import KEY, Stage, stage_of
from tests.webhooks.stage import add_channel, google_headers

ROOT = "https://booking.example/shop"


@pytest.fixture
def stage(sqlite_database: Database, sqlite_url: str) -> Stage:
    stage = stage_of(sqlite_database, sqlite_url, Clock(app.system_clock()))
    named(stage, ada="user-1", bob="user-2")
    return stage


def with_pencilled(host: Flask, url: str, *, key: str = KEY, **more: Any) -> Flask:
    settings = {
        "CONNECTOR_DATABASE_URL": url,
        "CONNECTOR_SECRET_KEYS": key,
        "CONNECTOR_PUBLIC_URL": f"{ROOT}{PREFIX}",
    }
    chosen: dict[str, Any] = {"who": present, "sign_in": "/login", "frame": "rearrange.html", "start": "command"} | more
    Pencilled(host, url_prefix=PREFIX, settings=settings, **chosen)
    return host


@pytest.fixture(params=[True, False], ids=["proxy-before", "proxy-after"])
def host(request: pytest.FixtureRequest, stage: Stage, tmp_path: Path) -> Flask:
    (tmp_path / "static").mkdir()
    host = make_hurting(tmp_path / "static", proxied=request.param)
    with_pencilled(host, stage.runtime.settings.database_url)
    if not request.param:
        behind_proxy(host)
    return host


class Guest(Person):
    """Somebody who comes through the proxy."""

    def get(self, path: str, **more: Any) -> Any:
        return super().get(path, **({"headers": FORWARDED, "base_url": ROOT} | more))


def guest(host: Flask, user: str | None = None) -> Guest:
    somebody = Guest(host.test_client())
    if user:
        with somebody.http.session_transaction(base_url=ROOT) as cookie:
            cookie["user"] = user
    return somebody


def post(somebody: Guest, path: str, form: dict[str, str], *, page: str | None = None) -> Any:
    """Send the form that a page of ours shows, whatever forms the host has around it."""
    text = somebody.get(page or path).text
    token = text[text.rindex('name="csrf_token" value="') :].split('"')[3]
    data = {"csrf_token": token, **form}
    return somebody.http.post(path, data=data, headers=FORWARDED, base_url=ROOT)


def test_the_host_answers_the_same_byte_by_byte_with_and_without_us(stage: Stage, tmp_path: Path) -> None:
    (tmp_path / "static").mkdir()
    alone = its_own_tests(make_hurting(tmp_path / "static", proxied=False))
    host = with_pencilled(make_hurting(tmp_path / "static", proxied=False), stage.runtime.settings.database_url)
    assert its_own_tests(host) == alone
    host = with_pencilled(make_hurting(tmp_path / "static", proxied=False), stage.runtime.settings.database_url)
    for _ in range(4):
        assert person(host).get(f"{PREFIX}/sessions").status_code == 303
    assert its_own_tests(host) == alone, "nor do our pages count to its limits"


def test_an_offer_is_drafted_reviewed_sent_and_answered(stage: Stage, host: Flask) -> None:
    ada = guest(host, "user-1")
    own = f"{PREFIX}/sessions/{stage.session.id}"
    day = (stage.now + timedelta(days=9)).date().isoformat()
    drafted = post(ada, f"{own}/offer", {"date-0": day, "time-0": "09:00", "minutes-0": "50", "hours": "24"})
    assert (drafted.status_code, drafted.location) == (303, f"/shop{own}/offer/review")
    review = ada.get(f"{own}/offer/review")
    assert "Nothing has been sent" in review.text
    assert review.headers["Content-Security-Policy"] == POLICY
    assert review.headers.getlist("Cache-Control") == ["no-store"]
    with stage.runtime.database.read() as db:
        [offer] = offers.of_session(db, stage.session.id)
    assert (
        post(ada, f"{own}/offer/send", {"offer": str(offer.id)}, page=f"{own}/offer/review").location == f"/shop{own}"
    )
    assert stage.stored(offer).state is OfferState.OPEN
    assert "The offer is sent." in ada.get(own).text

    link = f"{PREFIX}{stage.link(offer)}"
    kim, [alternative] = guest(host), offer.alternatives
    asked = kim.get(link)
    assert asked.status_code == 200
    assert "<nav>" not in asked.text
    assert asked.headers["Referrer-Policy"] == "no-referrer"
    assert POLICY not in asked.headers["Content-Security-Policy"]
    shown = alternative.when.span.start.isoformat()
    chosen = post(kim, f"{link}/choose/{alternative.id}", {"shown": shown})
    assert chosen.status_code == 303
    assert stage.stored(offer).state is OfferState.ACCEPTED
    assert stage.stored_session().when == alternative.when


def test_what_goes_wrong_under_the_prefix_is_ours(host: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    ada = guest(host, "user-1")
    for path, status, words in (
        (f"{PREFIX}/nowhere", 404, "There is no such page"),
        (f"{PREFIX}/signout/everywhere", 405, "This did not work"),
    ):
        answer = ada.get(path)
        assert (answer.status_code, words in answer.text, "The host caught" in answer.text) == (status, True, False)
    huge = ada.http.post(f"{PREFIX}/signout", data={"reason": "x" * 100_000}, headers=FORWARDED, base_url=ROOT)
    assert huge.status_code == 413
    assert "This did not work" in huge.text
    runtime = host.extensions[EXTENSION].runtime
    monkeypatch.setattr(runtime.database, "read", lambda: 1 / 0)
    with capture_logs() as log:
        failed = guest(host).get(f"{PREFIX}/answer/something")
    assert failed.status_code == 500
    assert "Something went wrong here" in failed.text
    assert "page_failed" in {line["event"] for line in log}


def test_a_program_acts_with_its_key(stage: Stage, host: Flask) -> None:
    runtime = host.extensions[EXTENSION].runtime
    key = program(runtime, host.test_client(use_cookies=False), *Scope)
    answer = key.client.get(
        f"{PREFIX}/api/v1/sessions/{stage.session.id}", headers={"Authorization": f"Bearer {key.secret}"}
    )
    assert answer.status_code == 200, answer.text
    assert answer.json is not None
    assert answer.json["id"] == str(stage.session.id)
    assert "Set-Cookie" not in answer.headers
    assert POLICY not in str(answer.headers)
    refused = key.client.post(f"{PREFIX}/api/v1/sessions", json={"note": "x" * 400})
    assert (refused.status_code, code(refused)) == (401, "key_not_accepted")


@pytest.fixture
def practice(sqlite_database: Database) -> Practice:
    return Practice(sqlite_database, now=app.system_clock())


def test_pushes_come_in(practice: Practice, sqlite_url: str, tmp_path: Path) -> None:
    calendar = connected.connect(practice)
    pull(practice, calendar)
    notification = add_channel(practice, calendar)
    before = row(practice.database, calendar.id)
    (tmp_path / "static").mkdir()
    host = with_pencilled(
        make_hurting(tmp_path / "static", proxied=True), sqlite_url, key="a test key of at least thirty-two characters"
    )
    services = host.test_client(use_cookies=False)
    pushed = services.post(f"{PREFIX}/hooks/google", headers=google_headers(notification))
    assert (pushed.status_code, pushed.data) == (204, b"")
    assert row(practice.database, calendar.id) != before, "a pull is due"
    forged = services.post(
        f"{PREFIX}/hooks/google", headers={**google_headers(notification), "X-Goog-Channel-Token": "x"}
    )
    assert 400 <= forged.status_code < 500
    assert "The host caught" not in forged.text
