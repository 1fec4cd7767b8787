from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from connector.domain.connect_link import LASTS, ConnectLink, checked, origin
from connector.errors import RuleError

APP = "https://app.example.org"
NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)


def link(url: str = f"{APP}/calendars", **changes: object) -> ConnectLink:
    values = {"id": UUID(int=1), "practitioner_id": UUID(int=2), "return_url": url, "expires_at": NOW + LASTS}
    return ConnectLink(**(values | changes))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("url", "one"),
    [
        ("https://App.Example.org/x?y", APP),
        ("https://app.example.org:443", APP),
        ("https://app.example.org:8443/", f"{APP}:8443"),
        ("http://localhost:3000/back", "http://localhost:3000"),
        ("http://127.0.0.1", "http://127.0.0.1"),
        ("http://[::1]:80/x", "http://[::1]"),
    ],
)
def test_an_origin_has_one_spelling(url: str, one: str) -> None:
    assert origin(url) == one


@pytest.mark.parametrize(
    "url",
    [
        "",
        "app.example.org",
        "//app.example.org/x",
        "javascript:alert(1)",
        "http://app.example.org",
        "http://10.0.0.1",
        "https://",
        "https://ada@app.example.org",
        "https://app.example.org:x",
        "https://app.example.org./",
        "https://app.exämple.org",
    ],
)
def test_what_is_none_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        origin(url)


def test_an_address_of_an_allowed_origin_is_taken_as_it_is() -> None:
    for url in (f"{APP}/calendars", APP, f"{APP}:443/back?practice=7", "http://localhost:3000/"):
        assert checked(url, (APP, "http://localhost:3000")) == url


@pytest.mark.parametrize(
    "url",
    [
        "https://app.example.org.evil.example/",
        "https://evil.example/?https://app.example.org",
        "https://app.example.org:8443/",
        "https://sub.app.example.org/",
        "http://localhost:3001/",
    ],
)
def test_nobody_is_sent_to_another_origin(url: str) -> None:
    with pytest.raises(RuleError) as refused:
        checked(url, (APP, "http://localhost:3000"))
    assert (refused.value.code, refused.value.field) == ("return_url_not_allowed", "return_url")


@pytest.mark.parametrize(
    "url",
    [
        "https://app.example.org\\@evil.example/",
        "https://app.example.org@evil.example/",
        "https://evil.example\\.app.example.org/",
        "https://app.example.org/#part",
        "https://app.example.org/a b",
        "https://app.example.org/\nSet-Cookie: x",
        "https://app.example.org/ü",
        "\thttps://app.example.org/",
        "/calendars",
        "javascript:alert(1)//https://app.example.org",
        f"https://app.example.org/{'x' * 2000}",
    ],
)
def test_whatever_browsers_may_read_differently_is_refused(url: str) -> None:
    with pytest.raises(RuleError) as refused:
        checked(url, (APP,))
    assert refused.value.code == "return_url_malformed"


@pytest.mark.parametrize("name", ["status", "connection_id", "code"])
def test_what_we_add_must_not_stand_there_already(name: str) -> None:
    with pytest.raises(RuleError) as refused:
        checked(f"{APP}/?a=b&{name}=", (APP,))
    assert refused.value.code == "return_url_taken"


def test_who_comes_back_brings_what_has_become_of_it() -> None:
    connected = link(connection_id=UUID(int=3))
    assert link().back(status="cancelled") == f"{APP}/calendars?status=cancelled"
    assert connected.back(status="connected") == f"{APP}/calendars?status=connected&connection_id={UUID(int=3)}"
    assert link(f"{APP}?a=%20b").back(status="failed", code="not_allowed") == (
        f"{APP}?a=%20b&status=failed&code=not_allowed"
    )


def test_a_link_is_open_for_an_hour_and_until_it_has_connected_something() -> None:
    assert link().is_open(now=NOW + LASTS - timedelta(seconds=1))
    assert not link().is_open(now=NOW + LASTS)
    assert not link(connection_id=UUID(int=3)).is_open(now=NOW)
