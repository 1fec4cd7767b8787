from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.fakes.servers import Server, radicale, xandikos
from tests.journeys.stage import Stage


@pytest.fixture(scope="module")
def radicale_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with radicale(tmp_path_factory.mktemp("radicale")) as server:
        yield server


@pytest.fixture(scope="module")
def xandikos_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with xandikos(tmp_path_factory.mktemp("xandikos")) as server:
        yield server


@pytest.fixture(params=["radicale", "xandikos"])
def stage(request: pytest.FixtureRequest, sqlite_url: str) -> Iterator[Stage]:
    """The whole installation, once with each calendar server."""
    server: Server = request.getfixturevalue(f"{request.param}_server")
    with Stage(sqlite_url, server=server) as stage:
        yield stage


@pytest.fixture
def on_radicale(radicale_server: Server, sqlite_url: str) -> Iterator[Stage]:
    """The whole installation, with Radicale alone."""
    with Stage(sqlite_url, server=radicale_server) as stage:
        yield stage
