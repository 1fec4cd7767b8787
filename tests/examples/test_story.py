"""A client books on the example platform, is offered other times, takes one, and the platform's own table moves."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from rich.console import Console
from test_lindenhof import PASSWORD

from connector.cli.demo.evidence import CalendarServer
from connector.cli.demo.host_story import HostStory
from connector.cli.demo.stage import Mailbox
from tests.examples.shapes import SHAPES
from tests.fakes.servers import Server, radicale


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    with radicale(tmp_path / "radicale") as server:
        yield server


@pytest.fixture
def mailbox() -> Iterator[Mailbox]:
    mailbox = Mailbox()
    yield mailbox
    mailbox.stop()


@pytest.mark.slow
@pytest.mark.parametrize("name", list(SHAPES))
def test_the_story_is_told_in_both_ways(
    name: str, sqlite_url: str, tmp_path: Path, server: Server, mailbox: Mailbox
) -> None:
    calendar = CalendarServer(server.make_calendar("work"), server.username, server.password)
    with SHAPES[name](sqlite_url, tmp_path, mail_url=mailbox.url) as shape:
        HostStory(
            platform_url=shape.url,
            password=PASSWORD,
            access={"address": server.url, "username": server.username, "password": server.password},
            signs_in_by_mail=shape.signs_in_by_mail,
            mailbox=mailbox,
            calendar=calendar,
            console=Console(quiet=True),
        ).tell()
