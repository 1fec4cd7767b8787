"""Caddy and nginx, as the page for operators has them, in front of real servers, under a prefix and with TLS."""

from __future__ import annotations

import ssl
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPResponse, HTTPSConnection
from pathlib import Path
from urllib.parse import urlsplit
from uuid import UUID, uuid4

import pytest

from connector import app
from connector.cli.demo.visitor import Visitor
from connector.domain.connection import Calendar, Connection, ConnectionState
from connector.domain.entry import Disclosure
from connector.domain.notice_table import Link
from connector.domain.people import Level
from connector.ports import Notification
from connector.runtime import Runtime
from connector.storage import calendars, channels, people
from connector.storage.channels import Channel, ChannelState
from tests.cli.keyboard import Cli, ahead, start_process
from tests.conftest import free_port
from tests.domain.examples import practitioner
from tests.operating_page import proxied, status, until
from tests.webhooks.stage import google_headers

PROXIES = (
    pytest.param(("nginx.conf", False), id="nginx"),
    pytest.param(("Caddyfile", True), id="caddy-keeps-prefix"),
    pytest.param(("nginx.conf", True), id="nginx-keeps-prefix", marks=pytest.mark.long),
    pytest.param(("Caddyfile", False), id="caddy", marks=pytest.mark.long),
)
LIMIT = 10  # letters with a sign-in link that one address may ask for in a minute

pytestmark = pytest.mark.slow


@dataclass(frozen=True)
class Site:
    """An installation behind a proxy."""

    settings: dict[str, str]
    trusted: ssl.SSLContext

    @property
    def url(self) -> str:
        return self.settings["CONNECTOR_PUBLIC_URL"]

    @property
    def cli(self) -> Cli:
        return Cli(self.settings)

    @contextmanager
    def runtime(self) -> Iterator[Runtime]:
        runtime = app.build(app.read_settings(self.settings))
        try:
            yield runtime
        finally:
            runtime.database.dispose()

    def visitor(self) -> Visitor:
        return Visitor(trusted=self.trusted)

    def send(
        self, path: str, *, method: str = "GET", body: str = "", of: str = "127.0.0.1", **headers: str
    ) -> tuple[HTTPResponse, str]:
        """Send one request through the proxy from an address of this machine, and return the answer unfollowed."""
        front = urlsplit(self.url)
        connection = HTTPSConnection(front.netloc, timeout=30, context=self.trusted, source_address=(of, 0))
        return _sent(connection, f"{front.path}{path}", method, body, headers)

    def send_past(self, path: str, *, method: str = "GET", of: str, **headers: str) -> tuple[HTTPResponse, str]:
        """Send one request past the proxy."""
        connection = HTTPConnection(self.settings["CONNECTOR_LISTEN"], timeout=30, source_address=(of, 0))
        return _sent(connection, path, method, "", headers)


def _sent(
    connection: HTTPConnection, path: str, method: str, body: str, headers: dict[str, str]
) -> tuple[HTTPResponse, str]:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    try:
        connection.request(method, path, body, named)
        answer = connection.getresponse()
        return answer, answer.read().decode()
    finally:
        connection.close()


@contextmanager
def site(proxy: tuple[str, bool], folder: Path, words: tuple[str, ...], **settings: str) -> Iterator[Site]:
    """Run a server of ours with a proxy in front, by its name in the page and whether it keeps the prefix."""
    port, upstream = free_port(), free_port()
    settings = {
        "CONNECTOR_LISTEN": f"127.0.0.1:{upstream}",
        "CONNECTOR_PUBLIC_URL": f"https://127.0.0.1:{port}/book",
        "CONNECTOR_TRUSTED_PROXIES": "1",
        "CONNECTOR_PROXY_NETWORKS": "127.0.0.1/32",
        "CONNECTOR_SMTP_URL": "smtp://127.0.0.1:1",
        "CONNECTOR_LOG_FORMAT": "json",
        "CONNECTOR_METRICS_TOKEN": "m" * 32,
        **settings,
    }
    Cli(settings).ok("migrate")
    name, keeps_prefix = proxy
    with proxied(name, port=port, upstream=upstream, folder=folder, keeps_prefix=keeps_prefix) as trusted:
        process = start_process(*words, settings=settings, log=folder / "log")
        try:
            until(f"http://127.0.0.1:{upstream}/readyz", 200)
            yield Site(settings, trusted)
        finally:
            process.terminate()
            process.wait(120)


@pytest.fixture(scope="module", params=PROXIES)
def embedded(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("behind")
    with site(
        request.param, folder, ("serve",), CONNECTOR_DATABASE_URL=f"sqlite:///{folder}/pencilled.sqlite3"
    ) as running:
        yield running


@pytest.fixture(params=PROXIES)
def distributed(
    request: pytest.FixtureRequest, empty_postgresql_url: str, redis_url: str, tmp_path: Path
) -> Iterator[Site]:
    settings = {
        "CONNECTOR_DATABASE_URL": empty_postgresql_url,
        "CONNECTOR_BROKER_URL": redis_url,
        "CONNECTOR_SECRET_KEYS": "k" * 32,
    }
    with site(request.param, tmp_path, ("web", "--workers", "2"), **settings) as running:
        yield running


def test_pages_and_redirects_keep_prefix_scheme_and_host(embedded: Site) -> None:
    check_pages(embedded)


def test_a_client_answers_an_offer_through_the_proxy(embedded: Site) -> None:
    check_answer(embedded)


def test_pushes_of_calendar_services_reach_their_endpoints(embedded: Site) -> None:
    check_pushes(embedded)


def test_limits_count_the_visitors_address_whatever_they_claim_it_is(embedded: Site) -> None:
    check_limits(embedded, visitor="127.0.0.21", other="127.0.0.22")


def test_forwarded_headers_of_a_stranger_who_comes_past_the_proxy_count_for_nothing(embedded: Site) -> None:
    forged = {"X_Forwarded_Prefix": "/evil", "X_Forwarded_Proto": "https"}
    answer, _ = embedded.send_past("/", of="127.0.0.31", **forged)
    assert answer.headers["Location"] == "/book/signin"
    codes = [
        embedded.send_past("/signin", method="POST", of="127.0.0.31", X_Forwarded_For=f"192.0.2.{number}")[0].status
        for number in range(LIMIT + 1)
    ]
    assert codes == [400] * LIMIT + [429]


@pytest.mark.long
@pytest.mark.postgresql
def test_web_processes_behind_the_proxy_keep_all_of_this(distributed: Site) -> None:
    check_pages(distributed)
    check_answer(distributed)
    check_pushes(distributed)
    check_limits(distributed, visitor="127.0.0.21", other="127.0.0.22")


def check_pages(site: Site) -> None:
    for path in ("/readyz", "/healthz", "/metrics"):
        assert status(site.url + path, trusted=site.trusted) == 404
    past = f"http://{site.settings['CONNECTOR_LISTEN']}/metrics"
    shown = urllib.request.Request(
        past, headers={"Authorization": f"Bearer {site.settings['CONNECTOR_METRICS_TOKEN']}"}
    )
    with urllib.request.urlopen(shown, timeout=30) as answer:  # noqa: S310 - as above
        assert b"pencilled_" in answer.read()
    visitor = site.visitor()
    page = visitor.open(f"{site.url}/")
    assert (page.status, page.url) == (200, f"{site.url}/signin")
    prefix = urlsplit(site.url).path
    links = [link for _, _, link, _ in page.tree.iterlinks()]
    links += [form.get("action") for form in page.tree.forms if form.get("action")]
    assert links
    assert [link for link in links if not link.startswith(f"{prefix}/")] == []
    assert {visitor.open(f"{site.url.removesuffix(prefix)}{link}").status for link in links if "static" in link} == {
        200
    }
    [cookie] = visitor.cookies
    assert (cookie.name, cookie.secure, cookie.path) == ("__Secure-pencilled", True, prefix)
    answer, _ = site.send(
        "/signin", X_Forwarded_Prefix="/evil", X_Forwarded_Host="evil.example", X_Forwarded_Proto="http"
    )
    assert answer.status == 200
    answer, text = site.send("/sessions", X_Forwarded_Prefix="/evil", X_Forwarded_Host="evil.example")
    assert answer.headers["Location"] == f"{prefix}/signin"
    assert "evil" not in text


def check_answer(site: Site) -> None:
    cli = site.cli
    cli.ok("practitioners", "add", "--name", "Kim", "--email", "kim@example.org", "--zone", "Europe/Berlin")
    cli.ok("clients", "add", "--name", "Alex", "--email", "alex@example.org", "--zone", "Europe/London")
    offer = cli.offer(cli.book(7, "--practitioner", "kim@example.org"), ahead(8), ahead(9))
    with site.runtime() as runtime:
        link = runtime.link(Link.ANSWER, UUID(offer["id"]))
    assert link.startswith(f"{site.url}/answer/")
    visitor = site.visitor()
    page = visitor.follow(visitor.open(link), "Choose this time", nth=1)
    assert page.url.startswith(f"{link}/choose/")
    page = visitor.press(page, "Yes, take this time")
    assert (page.status, page.url) == (200, link), "sent on to the page of the offer"
    [answered] = cli.json("sessions", "show", offer["session_id"])["past_offers"]
    assert answered["state"] == "accepted"
    again = site.visitor().open(link)
    assert again.status == 200
    assert "Choose this time" not in again.text


def check_pushes(site: Site) -> None:
    with site.runtime() as runtime:
        notification = _channel(runtime)
    headers = {name.replace("-", "_"): value for name, value in google_headers(notification).items()}
    answer, text = site.send("/hooks/google", method="POST", **headers)
    assert (answer.status, text) == (204, "")
    answer, _ = site.send("/hooks/google", method="POST", **(headers | {"X_Goog_Channel_Token": "guessed"}))
    assert answer.status == 404
    words = "Validation: Testing client application reachability for subscription Request-Id: 1"
    answer, text = site.send(
        f"/hooks/outlook?validationToken={words.replace(' ', '%20').replace(':', '%3A')}", method="POST"
    )
    assert (answer.status, text) == (200, words)
    assert answer.headers.get_content_type() == "text/plain"


def check_limits(site: Site, *, visitor: str, other: str) -> None:
    codes = [
        site.send("/signin", method="POST", of=visitor, X_Forwarded_For=f"192.0.2.{number}")[0].status
        for number in range(LIMIT + 1)
    ]
    assert codes == [400] * LIMIT + [429]
    assert site.send("/signin", method="POST", of=other)[0].status == 400


def _channel(runtime: Runtime) -> Notification:
    """Store a channel of a calendar that is asked nothing, and return the notification it sends."""
    owner, now, notification = (
        practitioner(email="pushed@example.org"),
        runtime.clock(),
        Notification(channel_id=uuid4().hex, secret=uuid4().hex),
    )
    connection = Connection(
        id=uuid4(),
        practitioner_id=owner.id,
        provider="google",
        label="Work",
        credentials=b"",
        state=ConnectionState.ACCESS_LOST,
        created_at=now,
    )
    calendar = Calendar(
        id=uuid4(),
        connection_id=connection.id,
        practitioner_id=owner.id,
        remote_id="work",
        name="Work",
        disclosure=Disclosure(session_level=Level.NEUTRAL, hold_level=Level.NEUTRAL),
        lane="google",
    )
    channel = Channel(
        id=notification.channel_id,
        calendar_id=calendar.id,
        provider="google",
        secret=b"",
        proof=channels.proof_of(notification.secret),
        state=ChannelState.OPEN,
        opened_at=now,
    )
    with runtime.database.begin() as db:
        people.add_practitioner(db, owner, now=now)
        calendars.add_connection(db, connection)
        calendars.add_calendar(db, calendar, now=now)
        channels.add(db, channel)
    return notification
