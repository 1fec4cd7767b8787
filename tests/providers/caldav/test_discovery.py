"""From an address to calendars, with a name server of our own and a scripted proxy."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from hashlib import md5

import dns.message
import dns.resolver
import dns.rrset
import pytest

from connector.errors import AccessLostError, InnerAddressError, RuleError, TransientError
from connector.ports import Network, UnsavedTokens
from providers.caldav.discovery import _Entered, _starts, discover
from providers.caldav.provider import Caldav
from tests.fakes.caldav_proxy import Proxy, Reply, Request, hang_up, says
from tests.fakes.dripping import HTTP, Drip, Dripping
from tests.fakes.servers import Server
from tests.providers.conftest import LOOPBACK

BOTH = Network(inner_hosts=frozenset({"127.0.0.1", "localhost"}))
MINE = {"username": "kim", "password": "secret"}


@pytest.fixture
def proxy(server: Server) -> Iterator[Proxy]:
    with Proxy(server.url) as proxy:
        yield proxy


@contextmanager
def name_server(*records: str) -> Iterator[dns.resolver.Resolver]:
    """Answer DNS on loopback from lines such as `name TTL IN TYPE value`."""
    fields = [record.split(maxsplit=4) for record in records]
    sets = [dns.rrset.from_text(name, int(ttl), kind, *rest) for name, ttl, kind, *rest in fields]
    stopped = threading.Event()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        server.settimeout(0.05)

        def serve() -> None:
            while not stopped.is_set():
                try:
                    data, sender = server.recvfrom(4096)
                except TimeoutError:
                    continue
                query = dns.message.from_wire(data)
                reply = dns.message.make_response(query)
                question = query.question[0]
                reply.answer = [rows for rows in sets if (rows.name, rows.rdtype) == (question.name, question.rdtype)]
                server.sendto(reply.to_wire(), sender)

        thread = threading.Thread(target=serve)
        thread.start()
        resolver = dns.resolver.Resolver(configure=False)
        resolver.nameservers = ["127.0.0.1"]
        resolver.port = server.getsockname()[1]
        try:
            yield resolver
        finally:
            stopped.set()
            thread.join()


def starts(address: str, host: str, resolver: dns.resolver.Resolver, *, is_mail: bool) -> list[str]:
    entered = _Entered(address=address, is_mail=is_mail, host=host, username="kim", password="secret")
    return list(_starts(entered, Network(), resolver))


# Where to begin


def test_service_records_come_first_and_only_those_with_tls() -> None:
    with name_server(
        "_caldavs._tcp.example.org. 60 IN SRV 20 1 443 backup.example.org.",
        "_caldavs._tcp.example.org. 60 IN SRV 10 1 8443 dav.example.org.",
        '_caldavs._tcp.example.org. 60 IN TXT "path=/calendars/"',
        "_caldav._tcp.example.org. 60 IN SRV 0 0 80 plain.example.org.",
    ) as resolver:
        urls = starts("kim@example.org", "example.org", resolver, is_mail=True)
    assert urls[0] == "https://dav.example.org:8443/calendars/"
    assert urls[-3:] == [
        "https://example.org/.well-known/caldav",
        "https://example.org/",
        "https://example.org/remote.php/dav/",
    ]
    assert not any("plain" in url or url.startswith("http:") for url in urls)


def test_a_service_record_that_leads_to_strangers_is_asked_about() -> None:
    with (
        name_server("_caldavs._tcp.example.org. 60 IN SRV 0 0 443 evil.example.net.") as resolver,
        pytest.raises(RuleError, match=r"evil\.example\.net"),
    ):
        starts("kim@example.org", "example.org", resolver, is_mail=True)


def test_a_domain_that_says_it_has_none_is_still_asked_itself() -> None:
    with name_server("_caldavs._tcp.example.org. 60 IN SRV 0 0 0 .") as resolver:
        assert starts("example.org", "example.org", resolver, is_mail=False)[0].endswith("/.well-known/caldav")


@pytest.mark.parametrize(
    ("address", "start"),
    [
        ("kim@icloud.com", "https://caldav.icloud.com/"),
        ("kim@me.com", "https://caldav.icloud.com/"),
        ("kim@fastmail.com", "https://caldav.fastmail.com/"),
    ],
)
def test_known_providers_are_known_by_the_mail_address(address: str, start: str) -> None:
    resolver = dns.resolver.Resolver(configure=False)
    assert starts(address, address.partition("@")[2], resolver, is_mail=True) == [start]


def test_an_address_with_a_path_is_tried_as_it_is_first() -> None:
    resolver = dns.resolver.Resolver(configure=False)
    address = "https://cloud.example.org/nextcloud/remote.php/dav/"
    assert starts(address, "cloud.example.org", resolver, is_mail=False)[0] == address


@pytest.mark.parametrize(
    ("address", "word"),
    [
        ("kim@gmail.com", "Google"),
        ("https://apidata.googleusercontent.com/caldav/v2/kim/", "Google"),
        ("https://www.google.com/calendar/dav", "Google"),
        ("kim@outlook.com", "Outlook"),
        ("", "Enter"),
        ("https://", "is not the address of a server"),
        ("https://kim:secret@example.org/", "is not the address of a server"),
    ],
)
def test_what_cannot_be_connected_is_told_in_words_that_help(address: str, word: str) -> None:
    with pytest.raises(RuleError, match=word):
        discover({"address": address, **MINE}, Network())


@pytest.mark.parametrize("missing", ["username", "password"])
def test_a_form_that_is_not_filled_in_asks_nobody(missing: str) -> None:
    with pytest.raises(RuleError, match="Enter"):
        discover({"address": "https://127.0.0.1/", **MINE, missing: ""}, Network())


# On the way


def test_every_request_carries_the_password_from_the_first(proxy: Proxy) -> None:
    discover({"address": proxy.url, **MINE}, LOOPBACK)
    assert all(request.headers["authorization"].startswith("Basic ") for request in proxy.requests)


def test_the_well_known_address_is_followed(proxy: Proxy) -> None:
    credentials = discover({"address": f"{proxy.url}.well-known/caldav", **MINE}, LOOPBACK)
    assert credentials["homes"] == f"{proxy.url}kim/"
    assert credentials["principal"] == f"{proxy.url}kim/"


def test_the_url_of_one_calendar_is_enough(proxy: Proxy, server: Server) -> None:
    url = server.make_calendar("single")
    credentials = discover({"address": proxy.through(url), **MINE}, LOOPBACK)
    assert credentials["homes"] == f"{proxy.url}kim/"


def homes(*hrefs: str) -> bytes:
    listed = "".join(f"<d:href>{href}</d:href>" for href in hrefs)
    return (
        '<d:multistatus xmlns:d="DAV:" xmlns:c="urn:ietf:params:xml:ns:caldav"><d:response><d:href>/</d:href>'
        f"<d:propstat><d:prop><c:calendar-home-set>{listed}</c:calendar-home-set></d:prop>"
        "<d:status>HTTP/1.1 200 OK</d:status></d:propstat></d:response></d:multistatus>"
    ).encode()


def test_several_homes_are_all_looked_into(proxy: Proxy, server: Server) -> None:
    server.make_calendar("twofold")
    proxy.once("PROPFIND", says(207, homes("/kim/", f"{proxy.url}kim/twofold/")))
    provider = Caldav()
    credentials = provider.connect({"address": f"{proxy.url}kim/", **MINE}, LOOPBACK)
    assert credentials["homes"].split("\n") == [f"{proxy.url}kim/", f"{proxy.url}kim/twofold/"]
    offered = [info.remote_id for info in provider.account(UnsavedTokens(credentials), LOOPBACK).calendars()]
    assert offered.count(f"{proxy.url}kim/twofold/") == 1
    assert proxy.count("PROPFIND") == 3
    provider.close()


def test_a_redirect_to_an_inner_host_is_refused(proxy: Proxy) -> None:
    proxy.once("PROPFIND", says(301, Location="https://127.0.0.1:1/"))
    login = {"address": proxy.url.replace("127.0.0.1", "localhost"), **MINE}
    with pytest.raises(RuleError):
        discover(login, Network(inner_hosts=frozenset({"localhost"})))
    assert proxy.count() == 1


def test_an_inner_host_is_refused_before_anything_is_sent(proxy: Proxy) -> None:
    with pytest.raises(InnerAddressError):
        discover({"address": proxy.url.replace("http:", "https:"), **MINE}, Network())
    assert proxy.connections == 0


def test_the_password_follows_no_redirect_to_strangers(proxy: Proxy, server: Server) -> None:
    with Proxy(server.url) as stranger:
        proxy.always("PROPFIND", says(302, Location=stranger.url.replace("127.0.0.1", "localhost")))
        with pytest.raises(RuleError, match="stranger"):
            discover({"address": proxy.url, **MINE}, BOTH)
        assert stranger.requests == []


def test_a_home_among_strangers_is_refused(proxy: Proxy) -> None:
    proxy.always("PROPFIND", says(207, homes("https://evil.example.net/")))
    with pytest.raises(RuleError, match=r"evil\.example\.net"):
        discover({"address": proxy.url, **MINE}, LOOPBACK)


def test_a_redirect_in_circles_ends(proxy: Proxy) -> None:
    proxy.always("PROPFIND", lambda request, _: Reply(307, {"Location": request.path}))
    with pytest.raises(RuleError, match="circles"):
        discover({"address": proxy.url, **MINE}, LOOPBACK)
    assert proxy.count() == 5


def test_a_refused_password_is_sent_once(proxy: Proxy) -> None:
    with pytest.raises(AccessLostError, match="app password"):
        discover({"address": proxy.url, **MINE, "password": "wrong"}, LOOPBACK)
    assert proxy.count() == 1


@pytest.mark.parametrize("answer", [says(404), says(405), says(200, b"<html/>"), says(207, b"<html/>"), says(403)])
def test_a_server_that_is_something_else_is_told_as_such(
    proxy: Proxy, answer: Callable[[Request, Callable[[], Reply]], Reply]
) -> None:
    proxy.always("PROPFIND", answer)
    with pytest.raises(RuleError, match="not as a calendar server"):
        discover({"address": proxy.url, **MINE}, LOOPBACK)


@pytest.mark.parametrize("answer", [says(500), says(503), says(429), hang_up])
def test_a_server_in_trouble_is_a_passing_fault(
    proxy: Proxy, answer: Callable[[Request, Callable[[], Reply]], Reply]
) -> None:
    proxy.always("PROPFIND", answer)
    with pytest.raises(TransientError):
        discover({"address": proxy.url, **MINE}, LOOPBACK)
    assert proxy.count() <= 2


def test_nextcloud_is_found_below_its_usual_path(proxy: Proxy) -> None:
    def nextcloud(request: Request, _: Callable[[], Reply]) -> Reply:
        if not request.path.startswith("/remote.php/dav/"):
            return Reply(404)
        return proxy.pass_on(Request("PROPFIND", "/", request.headers, request.body))

    proxy.once("PROPFIND", nextcloud, times=4)
    credentials = discover({"address": proxy.url, **MINE}, LOOPBACK)
    assert credentials["homes"] == f"{proxy.url}kim/"


def test_digest_is_spoken_where_nothing_else_is_offered(proxy: Proxy, server: Server) -> None:
    proxy.always("PROPFIND", digest(proxy))
    proxy.always("REPORT", digest(proxy))
    url = server.make_calendar("digest")
    provider = Caldav()
    credentials = provider.connect({"address": proxy.url, **MINE}, LOOPBACK)
    assert credentials["scheme"] == "digest"
    assert provider.account(UnsavedTokens(credentials), LOOPBACK).open(proxy.through(url)).changes(None).full
    provider.close()
    with pytest.raises(AccessLostError):
        discover({"address": proxy.url, **MINE, "password": "wrong"}, LOOPBACK)


def digest(proxy: Proxy) -> Callable[[Request, Callable[[], Reply]], Reply]:
    """Ask for Digest (RFC 7616, MD5 with qop auth) and speak Basic to the server behind."""

    def hashed(text: str) -> str:
        return md5(text.encode()).hexdigest()  # noqa: S324 - the scheme's own

    def script(request: Request, _forward: Callable[[], Reply]) -> Reply:
        kind, _, rest = request.headers.get("authorization", "").partition(" ")
        if kind == "Digest":
            given = dict(part.strip().replace('"', "").split("=", 1) for part in rest.split(", "))
            secret = hashed(f"kim:here:{MINE['password']}")
            proof = ":".join(
                [given["nonce"], given["nc"], given["cnonce"], "auth", hashed(f"{request.method}:{request.path}")]
            )
            if given["response"] == hashed(f"{secret}:{proof}"):
                basic = {**request.headers, "authorization": "Basic a2ltOnNlY3JldA=="}
                return proxy.pass_on(Request(request.method, request.path, basic, request.body))
        return Reply(401, {"WWW-Authenticate": 'Digest realm="here", qop="auth", nonce="n1", algorithm="MD5"'})

    return script


# Whoever does not want to be found


@pytest.mark.parametrize("drip", [pytest.param(HTTP[name], id=name) for name in ("nothing", "a header line at a time")])
def test_a_search_ends_in_time_as_a_whole(drip: Drip) -> None:
    with Dripping(drip) as server, pytest.raises(TransientError, match=r"in time|too long"):
        discover({"address": server.url, **MINE}, LOOPBACK, limit=timedelta(seconds=0.2))


def test_a_search_of_many_quick_steps_ends_in_time_as_a_whole(proxy: Proxy) -> None:
    def dawdle(_: Request, __: Callable[[], Reply]) -> Reply:
        over.wait(0.15)
        return Reply(404)

    over = threading.Event()
    proxy.always("PROPFIND", dawdle)
    with pytest.raises(TransientError, match=r"in time|too long"):
        discover({"address": proxy.url, **MINE}, LOOPBACK, limit=timedelta(seconds=0.3))
    over.set()


@pytest.mark.parametrize("location", ["http://[::1/", "http://[fe80::1%25eth0/", "//[", "http://127.0.0.1:99999/"])
def test_a_redirect_to_no_address_is_told(proxy: Proxy, location: str) -> None:
    proxy.always("PROPFIND", says(302, Location=location))
    with pytest.raises((RuleError, TransientError)):
        discover({"address": proxy.url, **MINE}, LOOPBACK)


HOMES = (
    '<D:multistatus xmlns:D="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav"><D:response><D:href>/</D:href><D:propstat>'
    "<D:prop><C:calendar-home-set>{}</C:calendar-home-set></D:prop><D:status>{}</D:status></D:propstat></D:response>"
    "</D:multistatus>"
)
OK = "HTTP/1.1 200 OK"


@pytest.mark.parametrize(
    ("homes", "told"),
    [
        ("<D:href>http://[::1/</D:href>", "an address that leads nowhere"),
        ("".join(f"<D:href>/{number}/</D:href>" for number in range(1000)), "more than 20 places"),
        ("<D:href>/kim/</D:href>" * 200_000, "more than 1048576 bytes"),
    ],
)
def test_homes_without_an_address_or_an_end_are_told(proxy: Proxy, homes: str, told: str) -> None:
    proxy.always("PROPFIND", says(207, HOMES.format(homes, OK).encode()))
    with pytest.raises(RuleError, match=told):
        discover({"address": proxy.url, **MINE}, LOOPBACK)


def test_a_status_that_is_none_hides_nothing(proxy: Proxy) -> None:
    body = HOMES.format("<D:href>/kim/</D:href>", f"HTTP/1.1 {'9' * 5000} OK")
    proxy.always("PROPFIND", says(207, body.encode()))
    assert discover({"address": proxy.url, **MINE}, LOOPBACK)["homes"] == f"{proxy.url}kim/"


def test_digest_without_what_it_needs_is_told(proxy: Proxy) -> None:
    proxy.always("PROPFIND", says(401, WWW_Authenticate='Digest realm="calendars"'))
    with pytest.raises(TransientError, match="makes no sense"):
        discover({"address": proxy.url, **MINE}, LOOPBACK)


@pytest.mark.parametrize("address", ["kim@[::1", "kim@", "kim@example.org:x", "kim@exa mple.org:0"])
def test_what_is_typed_and_no_address_is_told(address: str) -> None:
    with pytest.raises(RuleError, match=r"is not the address of a server|Enter the address"):
        discover({"address": address, **MINE}, LOOPBACK)
