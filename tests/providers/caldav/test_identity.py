"""However the URL of a collection is spelled, it is the same collection; and the migration knows it as the provider."""

from __future__ import annotations

import pytest
from alembic.script import ScriptDirectory

from connector.storage import migrations
from providers.caldav import identity

USUAL = "https://dav.example.org/kim/work/"


@pytest.mark.parametrize(
    "other",
    [
        "https://dav.example.org/kim/work",
        "https://DAV.Example.ORG./kim/work/",
        "https://dav.example.org:443/kim/work/",
        "http://dav.example.org/kim/work/",
        "http://dav.example.org:80/kim/work/",
        "https://kim@dav.example.org/kim/work/",
        "https://kim:secret@dav.example.org/kim/work/",
        "https://dav.example.org/kim/w%6Frk/",
        "https://dav.example.org//kim/./other/../work/",
        "https://dav.example.org/kim/work/?view=month#today",
    ],
)
def test_one_collection_is_one_however_it_is_spelled(other: str) -> None:
    assert identity.of(other) == identity.of(USUAL)
    assert identity.host(other) == "dav.example.org"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("https://cal.example.org/kim%40mail/", "https://cal.example.org/kim@mail/"),
        ("https://müller.example/ü/", "https://xn--mller-kva.example/%c3%bc/"),
        ("https://p34-caldav.icloud.com/123/calendars/work/", "https://caldav.icloud.com:443/123/calendars/work"),
        ("https://caldav.fastmail.com/dav/kim/", "https://caldav.messagingengine.com/dav/kim/"),
        ("http://[::1]:5232/kim/", "https://[::1]:5232/kim"),
    ],
)
def test_names_and_escapes_are_compared_by_what_they_mean(one: str, other: str) -> None:

    assert identity.of(one) == identity.of(other)


@pytest.mark.parametrize("url", ["https://DAV.example.org.:443/alex/", "http://dav.example.org/alex/"])
def test_a_server_is_one_however_it_is_spelled(url: str) -> None:
    assert identity.same_service(url, USUAL)


@pytest.mark.parametrize("host", ["dav.example.org:8443", "evil.example.org", "example.org", "dav.example.com"])
def test_hosts_of_one_domain_are_several_servers(host: str) -> None:
    assert not identity.same_service(f"https://{host}/kim/work/", USUAL)


def test_the_hosts_of_a_known_provider_are_one_service() -> None:
    assert identity.same_service("https://p34-caldav.icloud.com/1/", "https://caldav.icloud.com/1/")
    assert not identity.same_service("https://caldav.icloud.com/1/", "https://caldav.fastmail.com/1/")


@pytest.mark.parametrize(
    "other",
    [
        "https://dav.example.org/kim/Work/",
        "https://dav.example.org:8443/kim/work/",
        "https://other.example.org/kim/work/",
        "https://dav.example.org/alex/work/",
        "https://dav.example.org/kim%2Fwork/extra",
    ],
)
def test_another_collection_is_another(other: str) -> None:
    assert identity.of(other) != identity.of(USUAL)


@pytest.mark.parametrize(
    "url",
    [
        USUAL,
        "http://KIM@dav.example.org:80/kim//w%6Frk",
        "https://p34-caldav.icloud.com/123/calendars/work/",
        "https://caldav.messagingengine.com/dav/kim/",
        "https://müller.example/ü/%FF/",
    ],
)
def test_old_rows_are_known_as_new_ones_are(url: str) -> None:
    script = ScriptDirectory.from_config(migrations._config()).get_revision("0013")
    assert script is not None
    assert script.module.identity_of("caldav", url) == f"caldav:{identity.of(url)}"
