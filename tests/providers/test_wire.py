"""The guard, the bounds and the manners of our HTTP."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path

import pytest

from connector.addresses import is_public
from connector.errors import InnerAddressError, RefusedError, SettingsError, TransientError
from connector.ports import Network
from providers import available, load
from providers._guard import InnerHostError, allowed, refuse_inner
from providers._wire import Http, Lanes, Login, UnknownHostError, UnreachableError, _faults, registrable, same_family
from tests.conftest import free_port
from tests.fakes.caldav_proxy import Proxy, Reply, says
from tests.fakes.servers import Server

LOOPBACK = Network(inner_hosts=frozenset({"127.0.0.1"}))
SECRET = Login(home="127.0.0.1", username="kim", password="secret")


@contextmanager
def opened(
    network: Network = LOOPBACK,
    login: Login = SECRET,
    *,
    connecting: bool = False,
    seconds: float = 20,
    largest: int = 10_000,
) -> Iterator[Http]:
    http = Http(
        network, login, provider="caldav", connecting=connecting, timeout=timedelta(seconds=seconds), largest=largest
    )
    try:
        yield http
    finally:
        http.close()


@contextmanager
def talking(talk: Callable[[socket.socket], object]) -> Iterator[str]:
    """Run a server that reads each connection's first bytes and then says what `talk` says."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        with suppress(OSError):
            while True:
                connection, _ = listener.accept()
                with connection, suppress(OSError):
                    connection.recv(65536)
                    talk(connection)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/"
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join()


# The guard


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "127.8.8.8",
        "0.0.0.0",  # noqa: S104 - an address to be refused
        "10.1.2.3",
        "172.16.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",
        "192.0.0.8",
        "192.0.0.9",
        "198.18.0.1",
        "203.0.113.5",
        "224.0.0.251",
        "239.255.255.250",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::ffff:10.0.0.1",
        "::ffff:127.0.0.1",
        "64:ff9b::7f00:1",
        "64:ff9b:1::1",
        "2001:db8::1",
        "2002:7f00:1::",
        "fc00::1",
        "fd12::1",
        "fe80::1",
        "fe80::1%eth0",
        "ff02::1",
        "fec0::1",
        "::127.0.0.1",
        "::9.9.9.9",
        "::ffff:0:9.9.9.9",
        "64:ff9b::10.0.0.1",
        "2002:909:909::1",
        "2001::1",
        "2001:0:909:909::f6f6:f6f6",
        "2001:10::1",
        "3fff::1",
        "5f00::1",
        "100::1",
        "4000::1",
        "192.88.99.1",
        "2620:fe::fe%eth0",
        "9.9.9.9%1",
        "127.1",
        "not an address",
    ],
)
def test_inner_and_undefined_addresses_are_not_public(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize(
    "address", ["9.9.9.9", "17.248.1.1", "2620:fe::fe", "2a01:4f8::1", "::ffff:9.9.9.9", "64:ff9b::9.9.9.9"]
)
def test_addresses_of_the_internet_are_public(address: str) -> None:
    assert is_public(address)


def test_one_inner_address_among_public_ones_is_enough_to_refuse() -> None:
    refuse_inner("example.org", ["9.9.9.9", "2620:fe::fe"])
    with pytest.raises(InnerHostError):
        refuse_inner("example.org", ["9.9.9.9", "10.0.0.1"])


@pytest.mark.parametrize("host", ["calendar.lan", "CALENDAR.LAN", "calendar.lan.", "[fd12::1]", "fd12::1"])
def test_a_host_is_allowed_by_name_or_literal_as_written(host: str) -> None:
    assert allowed(host, Network(inner_hosts=frozenset({"calendar.lan", "fd12::1"})))


def test_an_allowed_name_allows_no_other() -> None:
    network = Network(inner_hosts=frozenset({"calendar.lan"}))
    assert not allowed("127.0.0.1", network)
    assert not allowed("x.calendar.lan", network)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "2130706433", "0x7f.1", "127.1"])
def test_no_connection_is_made_to_an_inner_host(host: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(0.2)
        login = Login(home=host, username="kim", password="secret")
        with (
            opened(Network(), login, connecting=True) as http,
            pytest.raises(InnerAddressError, match="whoever runs this installation"),
        ):
            http.request("GET", f"https://{host}:{listener.getsockname()[1]}/", headers={})
        with pytest.raises(TimeoutError):
            listener.accept()


def test_once_connected_an_inner_host_is_a_refusal_like_any_other() -> None:
    with opened(Network()) as http, pytest.raises(RefusedError, match="inner network"):
        http.request("GET", "https://127.0.0.1:1/", headers={})


@pytest.mark.parametrize(
    "url", ["http://example.org/", "ftp://127.0.0.1/", "file:///etc/passwd", "https://", "https://127.0.0.1:x/", "//x"]
)
def test_only_https_is_spoken_except_to_allowed_hosts(url: str) -> None:
    with opened() as http, pytest.raises(RefusedError):
        http.request("GET", url, headers={})


# The password


def test_the_password_is_shown_to_the_named_host_and_its_kin_only() -> None:
    login = Login(home="calendar.example.org", username="kim", password="secret")
    with opened(LOOPBACK, login) as http, pytest.raises(RefusedError, match="stranger"):
        http.request("GET", "http://127.0.0.1:1/", headers={})


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("example.org", "EXAMPLE.org."),
        ("dav.example.org", "example.org"),
        ("caldav.icloud.com", "p42-caldav.icloud.com"),
        ("caldav.fastmail.com", "d1.messagingengine.com"),
        ("a.example.co.uk", "b.example.co.uk"),
        ("127.0.0.1", "127.0.0.1"),
    ],
)
def test_kin(one: str, other: str) -> None:
    assert same_family(one, other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("example.org", "example.com"),
        ("example.org", "example.org.evil.net"),
        ("example.co.uk", "evil.co.uk"),
        ("10.0.0.1", "10.1.0.1"),
        ("localhost", "127.0.0.1"),
        ("co.uk", "co.uk.evil.net"),
        ("org", "example.org"),
    ],
)
def test_strangers(one: str, other: str) -> None:
    assert not same_family(one, other)


def test_a_registrable_domain_has_one_label_more_than_its_suffix() -> None:
    assert registrable("a.b.example.org") == "example.org"
    assert registrable("a.b.example.co.uk") == "example.co.uk"
    assert registrable("co.uk") is None
    assert registrable("10.0.0.1") is None


def test_the_password_goes_out_with_the_first_request_and_nothing_comes_from_the_environment(
    server: Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login other password other\n")
    monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1/")
    with Proxy(server.url) as proxy, opened() as http:
        proxy.always("GET", says(200))
        http.request("GET", proxy.url, headers={})
        (request,) = proxy.requests
    assert request.headers["authorization"] == "Basic a2ltOnNlY3JldA=="
    assert request.headers["accept-encoding"] == "identity"


def test_a_password_shows_in_no_repr() -> None:
    assert "secret" not in repr(SECRET)


# Manners


def test_redirects_are_answers_and_are_not_followed(server: Server) -> None:
    with Proxy(server.url) as proxy, opened() as http:
        proxy.always("PUT", says(302, Location=f"{proxy.url}elsewhere"))
        assert http.request("PUT", proxy.url, headers={}, body=b"x").status == 302
        assert proxy.methods() == ["PUT"]


def test_cookies_are_not_kept(server: Server) -> None:
    with Proxy(server.url) as proxy, opened() as http:
        proxy.always("GET", lambda _, __: Reply(200, {"Set-Cookie": "a=b; Path=/"}))
        http.request("GET", proxy.url, headers={})
        http.request("GET", proxy.url, headers={})
        assert all("cookie" not in request.headers for request in proxy.requests)


def test_one_connection_serves_many_requests(server: Server) -> None:
    with Proxy(server.url) as proxy, opened() as http:
        proxy.always("GET", says(404, b"not here"))
        for _ in range(5):
            http.request("GET", proxy.url, headers={})
        assert proxy.connections == 1


def test_an_answer_that_is_too_long_is_cut_off() -> None:
    def pour(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n")
        while True:
            connection.sendall(b"x" * 65536)

    with talking(pour) as url, opened() as http, pytest.raises(RefusedError, match="10000 bytes"):
        http.request("GET", url, headers={})


def test_an_answer_that_drips_is_given_up_in_time() -> None:
    done = threading.Event()

    def drip(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
        while not done.wait(0.05):
            connection.sendall(b"x")

    with talking(drip) as url, opened(seconds=0.4) as http:
        with pytest.raises(UnreachableError):
            http.request("GET", url, headers={})
        done.set()


def test_silence_is_given_up_in_time_and_not_repeated() -> None:
    done = threading.Event()
    asked = []

    def wait(_: socket.socket) -> None:
        asked.append(1)
        done.wait(60)

    with talking(wait) as url, opened(seconds=0.3) as http:
        with pytest.raises(UnreachableError, match="in time"):
            http.request("GET", url, headers={})
        done.set()
    assert asked == [1]


def test_an_answer_that_breaks_off_is_a_passing_fault() -> None:
    def break_off(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")

    with talking(break_off) as url, opened() as http, pytest.raises(TransientError):
        http.request("GET", url, headers={})


def test_something_that_is_not_http_is_a_passing_fault() -> None:
    def greet(connection: socket.socket) -> None:
        connection.sendall(b"220 mail ready\r\n")

    with talking(greet) as url, opened() as http, pytest.raises(TransientError):
        http.request("GET", url, headers={})


def test_a_closed_port_cannot_be_reached() -> None:
    with opened() as http, pytest.raises(UnreachableError, match="could not be reached"):
        http.request("GET", f"http://127.0.0.1:{free_port()}/", headers={})


def test_a_name_nobody_has_is_told_apart_from_a_name_service_that_fails() -> None:
    with pytest.raises(UnknownHostError, match="no server called"), _faults("x.example", connecting=False):
        raise ConnectionError(socket.gaierror(socket.EAI_NONAME, "Name or service not known"))
    with pytest.raises(UnreachableError) as caught, _faults("x.example", connecting=False):
        raise ConnectionError(socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution"))
    assert not isinstance(caught.value, UnknownHostError)


# How many at once


def test_lanes_begin_with_two_and_grow_to_four() -> None:
    lanes = Lanes()
    assert lanes.limit == 2
    for _ in range(20):
        lanes.success()
    assert lanes.limit == 4


def test_a_crowd_halves_the_lanes_and_they_wait_longer_each_time() -> None:
    lanes = Lanes()
    for _ in range(20):
        lanes.success()
    lanes.crowded()
    assert lanes.limit == 2
    lanes.crowded()
    lanes.crowded()
    assert lanes.limit == 1
    for _ in range(99):
        lanes.success()
    assert lanes.limit == 1


# The registry


def test_providers_are_their_file_names() -> None:
    assert {"caldav", "memory"} <= set(available())
    assert not any(slug.startswith("_") for slug in available())


@pytest.mark.parametrize("slug", available())
def test_slug_and_module_name_agree(slug: str) -> None:
    assert load(slug).slug == slug
    assert load(slug).label


def test_an_unknown_provider_is_named() -> None:
    with pytest.raises(SettingsError, match="notes"):
        load("notes")


def test_the_package_imports_no_library_of_a_service() -> None:
    code = (
        "import sys, providers; providers.available(); "
        "print([name for name in ('niquests', 'caldav', 'lxml', 'msal', 'googleapiclient') if name in sys.modules])"
    )
    output = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert output.strip() == "[]"
