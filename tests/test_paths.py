from __future__ import annotations

from uuid import UUID

import pytest
from werkzeug.routing import MapAdapter

from connector import paths
from connector.domain.notice_table import Link
from connector.storage.database import Database
from connector.web import pages
from tests.conftest import Clock
from tests.web.stage import make_runtime

IDENTITY = UUID(int=9)


@pytest.fixture
def urls(sqlite_database: Database, sqlite_url: str, clock: Clock) -> MapAdapter:
    return pages.create(make_runtime(sqlite_database, sqlite_url, clock)).url_map.bind("")


@pytest.mark.parametrize(
    ("path", "address", "endpoint"),
    [
        (paths.SIGN_IN, "/signin", "signin.ask"),
        (paths.SESSIONS, "/sessions", "sessions.every"),
        (paths.CALENDARS, "/calendars", "calendars.every"),
        (paths.sign_in("x"), "/signin/x", "signin.confirm"),
        (paths.answer("x"), "/answer/x", "answer.show"),
        (paths.question("x"), "/question/x", "questions.show"),
        (paths.mail("x"), "/mail/x", "mails.show"),
        (paths.paused("x"), "/stopped/x", "paused.show"),
        (paths.connect("x"), "/connect/x", "connect_link.show"),
        (paths.conflict("x"), "/clash/x", "conflict.show"),
        (paths.session(str(IDENTITY)), f"/sessions/{IDENTITY}", "sessions.show"),
        (paths.connection(str(IDENTITY)), f"/calendars/{IDENTITY}", "connection.show"),
        (paths.sign_in_answer("google"), "/calendars/google/back", "calendars.back"),
    ],
)
def test_each_path_is_what_letters_and_registrations_say_and_leads_to_its_page(
    urls: MapAdapter, path: str, address: str, endpoint: str
) -> None:
    assert path == address
    assert urls.match(path)[0] == endpoint


@pytest.mark.parametrize(
    ("path", "method", "address", "endpoint"),
    [(paths.SIGN_OUT, "POST", "/signout", "signin.leave"), (paths.READINESS, "GET", "/readyz", "health.ready")],
)
def test_what_is_asked_without_a_page_has_its_path_in_the_same_place(
    urls: MapAdapter, path: str, method: str, address: str, endpoint: str
) -> None:
    assert path == address
    assert urls.match(path, method=method)[0] == endpoint


@pytest.mark.parametrize("link", Link, ids=lambda link: link.value)
def test_each_link_a_notice_can_carry_leads_to_a_page(
    sqlite_database: Database, sqlite_url: str, clock: Clock, urls: MapAdapter, link: Link
) -> None:
    runtime = make_runtime(sqlite_database, sqlite_url, clock)
    address = runtime.link(link, IDENTITY)
    assert address.startswith(f"{runtime.settings.public_url}/")
    assert urls.test(address.removeprefix(runtime.settings.public_url), "GET")
