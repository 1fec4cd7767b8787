"""A calendar at a real server, with a scripted proxy in between."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from uuid import uuid4

import pytest

from connector.ports import Network, UnsavedTokens
from providers.caldav.provider import Caldav, CaldavCalendar
from tests.fakes.caldav_proxy import Proxy
from tests.fakes.owner import Owner
from tests.fakes.servers import Server, radicale

LOOPBACK = Network(inner_hosts=frozenset({"127.0.0.1"}))


@dataclass
class Setting:
    """A calendar at a real server, reached through a proxy; `reopened` forgets all but the credentials."""

    proxy: Proxy
    calendar: CaldavCalendar
    owner: Owner
    credentials: Mapping[str, str]
    reopened: Callable[[], CaldavCalendar]


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with radicale(tmp_path_factory.mktemp("radicale")) as server:
        yield server


@pytest.fixture
def setting(server: Server) -> Iterator[Setting]:
    url = server.make_calendar(f"work-{uuid4().hex[:8]}")
    provider = Caldav()
    with Proxy(server.url) as proxy:
        form = {"address": proxy.url, "username": server.username, "password": server.password}
        credentials = provider.connect(form, LOOPBACK)

        def reopened() -> CaldavCalendar:
            provider.close()
            return provider.account(UnsavedTokens(credentials), LOOPBACK).open(proxy.through(url))

        calendar = reopened()
        proxy.forget()
        yield Setting(proxy, calendar, Owner(server, url), credentials, reopened)
        provider.close()
