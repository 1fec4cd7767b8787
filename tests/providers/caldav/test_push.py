"""WebDAV-Push: a real server's notifications make pulls due, and other answers of servers are understood."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from urllib.error import HTTPError
from uuid import uuid4

import pytest
import sqlalchemy as sa
import trustme
from lxml import etree

from connector.counters import NOTIFICATIONS
from connector.domain.connection import Calendar
from connector.domain.span import Span
from connector.errors import AccessLostError, ProviderError, RefusedError, TransientError
from connector.ports import Channel
from connector.services.accounts import subscriptions
from connector.storage import channels
from connector.storage.database import Database
from connector.storage.ledger import Key, Kind
from connector.storage.tables import connections
from providers._wire import Http, Login
from providers.caldav.push import LIFE, Push
from tests.conftest import free_port, missing
from tests.counted import Counted
from tests.fakes import pushing
from tests.fakes.caldav_proxy import Proxy, Reply, Script, says
from tests.fakes.owner import Owner
from tests.fakes.servers import Server
from tests.providers.conftest import LOOPBACK
from tests.services import connected
from tests.services.channels import pull
from tests.services.fences import OURS
from tests.services.practice import SEAL, Practice
from tests.webhooks.stage import live, runtime_of, webhooks_alone
from tests.work.worker import real_time

NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
WAIT_SECONDS = 60.0


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def pusher(tmp_path_factory: pytest.TempPathFactory, authority: trustme.CA) -> Iterator[Server]:
    """A real server that pushes."""
    if not pushing.can_push():
        missing("pywebpush is not installed, with which Xandikos pushes")
    with pushing.xandikos(tmp_path_factory.mktemp("xandikos"), authority) as server:
        yield server


PushAt = Callable[[str], Push]


@pytest.fixture
def push_at() -> Iterator[PushAt]:
    """Make push channels of collections."""
    http = Http(LOOPBACK, Login(home="127.0.0.1", username="kim", password="secret"), provider="caldav")
    yield partial(Push, http)
    http.close()


@pytest.fixture
def practice(sqlite_database: Database) -> Practice:
    return Practice(sqlite_database, now=real_time().replace(microsecond=0))


@pytest.fixture
def calendar(practice: Practice) -> Calendar:
    """A calendar of a CalDAV connection, as far as the database knows."""
    calendar = connected.connect(practice)
    pull(practice, calendar)
    with practice.database.begin() as db:
        db.execute(sa.update(connections).values(provider="caldav"))
    return calendar


class WakeUp:
    """Waits until the calendar's pull becomes due."""

    def __init__(self, database: Database, calendar: Calendar) -> None:
        self._key = Key(Kind.PULL, str(calendar.id))
        self._touched = threading.Event()
        database.on_touched = lambda due: self._touched.set() if self._key in due else None

    def wait(self) -> bool:
        touched = self._touched.wait(WAIT_SECONDS)
        self._touched.clear()
        return touched


def test_a_change_at_a_real_server_makes_the_pull_due(
    pusher: Server, authority: trustme.CA, practice: Practice, calendar: Calendar, sqlite_url: str, push_at: PushAt
) -> None:
    """Real all the way: registration, VAPID key, encryption, signature and TLS are the server's own."""
    url = pusher.make_calendar(f"work-{uuid4().hex[:8]}")
    port = free_port()
    runtime = live(runtime_of(practice, sqlite_url, public_url=f"https://localhost:{port}"))
    counted = Counted(NOTIFICATIONS)
    with pushing.served_by_tls(webhooks_alone(runtime), authority, port):
        public_url = runtime.settings.public_url
        push = push_at(url)
        subscriptions.watch(
            practice.database,
            SEAL,
            calendar.id,
            push,  # type: ignore[arg-type]  # of the calendar only its push is needed here
            public_url=public_url,
            fence=OURS,
            now=practice.now,
        )
        pull(practice, calendar)
        wake_up = WakeUp(practice.database, calendar)
        Owner(pusher, url).add(Span.of(NOW, timedelta(hours=1)))
        assert wake_up.wait()
    assert counted() == {("caldav", "received"): 1}
    with practice.database.read() as db:
        [channel] = channels.of_calendar(db, calendar.id)
    assert channel.last_notified_at
    assert json.loads(channel.remote_id)["signer"]
    subscriptions.end(practice.database, SEAL, calendar.id, push, fence=OURS, now=practice.now)  # type: ignore[arg-type]
    with pytest.raises(HTTPError, match="404"):
        pusher.send("DELETE", json.loads(channel.remote_id)["url"])


def test_a_registration_is_prolonged_in_its_place_and_ended_once(pusher: Server, push_at: PushAt) -> None:
    push = push_at(pusher.make_calendar(f"work-{uuid4().hex[:8]}"))
    address = "https://127.0.0.1:1/hooks/caldav"
    first = push.watch(channel_id="one", secret="secret", address=address, now=NOW)
    assert first.expires_at == NOW + LIFE
    later = NOW + timedelta(days=5)
    assert push.renew(first, address=address, now=later) == replace(first, expires_at=later + LIFE)
    push.unwatch(first)
    push.unwatch(first)


def test_a_server_without_push_is_asked_one_thing(server: Server, push_at: PushAt) -> None:
    url = server.make_calendar(f"work-{uuid4().hex[:8]}")
    with Proxy(server.url) as proxy:
        with pytest.raises(RefusedError, match="no WebDAV-Push"):
            _watch(push_at(proxy.through(url)))
        assert proxy.methods() == ["OPTIONS"]


def _watch(push: Push) -> Channel:
    return push.watch(channel_id="one", secret="secret", address="https://pencilled.example/hooks/caldav", now=NOW)


_PROPS = """<?xml version="1.0"?>
<D:multistatus xmlns:D="DAV:" xmlns:P="https://bitfire.at/webdav-push"><D:response><D:href>/</D:href><D:propstat><D:prop>
{transports}<P:supported-triggers>{triggers}</P:supported-triggers>
</D:prop><D:status>HTTP/1.1 200 OK</D:status></D:propstat></D:response></D:multistatus>"""
_CONTENT = "<P:content-update><D:depth>1</D:depth></P:content-update>"
_WEB_PUSH = "<P:transports><P:web-push/></P:transports>"
_SIGNING = _WEB_PUSH.replace(
    "<P:web-push/>",
    '<P:web-push><P:vapid-public-key type="p256ecdsa"> BCVx </P:vapid-public-key></P:web-push>',
)


def _props(transports: str, triggers: str) -> Script:
    return says(207, _PROPS.format(transports=transports, triggers=triggers).encode(), Content_Type="application/xml")


def _refuses(reason: str, status: int = 403) -> Script:
    return says(
        status, f'<D:error xmlns:D="DAV:" xmlns:P="https://bitfire.at/webdav-push"><P:{reason}/></D:error>'.encode()
    )


@pytest.fixture
def proxy() -> Iterator[Proxy]:
    """A server that pushes, played by a script."""
    with Proxy("http://127.0.0.1:1/") as proxy:
        proxy.always("OPTIONS", says(200, DAV="1, 2, calendar-access, WebDAV-Push"))
        proxy.always("PROPFIND", _props(_SIGNING, _CONTENT))
        proxy.always("POST", says(201, Location="/reg/1", Expires="Wed, 25 Nov 2026 09:00:00 GMT"))
        yield proxy


def test_what_the_server_grants_is_kept(proxy: Proxy, push_at: PushAt) -> None:
    channel = _watch(push_at(f"{proxy.url}dav/work/"))
    assert json.loads(channel.remote_id) == {"url": f"{proxy.url}reg/1", "signer": "BCVx"}
    assert channel.expires_at == NOW + timedelta(days=2)


def test_the_registration_is_what_the_draft_asks_for(proxy: Proxy, push_at: PushAt) -> None:
    _watch(push_at(f"{proxy.url}dav/work/"))
    request = proxy.requests[-1]
    assert (request.path, request.headers["content-type"].split(";")[0]) == ("/dav/work/", "application/xml")
    push = "{https://bitfire.at/webdav-push}"
    root = etree.fromstring(request.body)
    told = {str(element.tag).removeprefix(push): element.text for element in root.iter() if len(element) == 0}
    assert root.tag == f"{push}push-register"
    assert told.pop("subscription-public-key", "")[0] == "B"
    assert len(told.pop("auth-secret", "") or "") == 22
    assert told == {
        "push-resource": "https://pencilled.example/hooks/caldav/one",
        "content-encoding": "aes128gcm",
        "{DAV:}depth": "1",
        "expires": "Mon, 30 Nov 2026 09:00:00 GMT",
    }


@pytest.mark.parametrize("expires", ["", "soon", "Wed, 99 Nov 2026 09:00:00 GMT"])
def test_without_an_end_it_is_the_one_that_was_asked_for(proxy: Proxy, push_at: PushAt, expires: str) -> None:
    proxy.once("POST", says(204, Location="/reg/1", Expires=expires))
    assert _watch(push_at(proxy.url)).expires_at == NOW + LIFE


def test_a_server_need_not_sign(proxy: Proxy, push_at: PushAt) -> None:
    proxy.once("PROPFIND", _props(_WEB_PUSH, _CONTENT))
    assert json.loads(_watch(push_at(proxy.url)).remote_id)["signer"] == ""


@pytest.mark.parametrize(
    ("method", "script", "error"),
    [
        ("OPTIONS", says(200, DAV="1, calendar-access"), RefusedError),
        ("OPTIONS", says(404), RefusedError),
        ("OPTIONS", says(405), RefusedError),
        ("OPTIONS", says(401), AccessLostError),
        ("OPTIONS", says(503), TransientError),
        ("PROPFIND", _props("<P:transports/>", _CONTENT), RefusedError),
        ("PROPFIND", _props("", _CONTENT), RefusedError),
        ("PROPFIND", _props(_WEB_PUSH, "<P:property-update/>"), RefusedError),
        ("POST", _refuses("push-not-available"), RefusedError),
        ("POST", _refuses("invalid-subscription"), RefusedError),
        ("POST", _refuses("no-supported-trigger", 409), RefusedError),
        ("POST", says(404), RefusedError),
        ("POST", says(201), RefusedError),
        ("POST", says(500), TransientError),
        ("POST", says(401), AccessLostError),
    ],
)
def test_whatever_else_a_server_answers_is_understood(
    proxy: Proxy, push_at: PushAt, method: str, script: Script, error: type[ProviderError]
) -> None:
    proxy.once(method, script)
    with pytest.raises(error):
        _watch(push_at(proxy.url))


@pytest.mark.parametrize("status", [200, 204, 404, 410])
def test_a_registration_that_is_gone_is_ended(proxy: Proxy, push_at: PushAt, status: int) -> None:
    push = push_at(proxy.url)
    channel = _watch(push)
    proxy.once("DELETE", says(status))
    push.unwatch(channel)
    assert proxy.requests[-1].path == "/reg/1"


def test_an_ending_that_failed_is_told(proxy: Proxy, push_at: PushAt) -> None:
    push = push_at(proxy.url)
    channel = _watch(push)
    proxy.once("DELETE", lambda _, __: Reply(503))
    with pytest.raises(TransientError):
        push.unwatch(channel)


def test_the_password_is_not_shown_to_a_stranger_who_holds_the_registration(proxy: Proxy, push_at: PushAt) -> None:
    proxy.once("POST", says(201, Location="https://stranger.example/reg/1"))
    push = push_at(proxy.url)
    channel = _watch(push)
    with pytest.raises(RefusedError, match="stranger"):
        push.unwatch(channel)
