"""What the page about the API shows is what happens."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from functools import partial
from typing import Any
from urllib.parse import urlencode
from urllib.request import HTTPCookieProcessor, build_opener

from connector import app
from connector.storage.database import Database
from tests.api.conftest import serving
from tests.cli.keyboard import Cli
from tests.conftest import Clock
from tests.test_house import ROOT
from tests.web.presence import HOSTS, SHARED
from tests.web.stage import KEY, stage_of

_BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def test_every_block_of_the_page_runs(sqlite_database: Database, sqlite_url: str, clock: Clock) -> None:
    installed = stage_of(sqlite_database, sqlite_url, clock, **HOSTS)
    installed.app = app.create_app(installed.runtime)
    blocks = _BLOCK.findall((ROOT / "docs" / "api.md").read_text(encoding="utf-8"))
    assert {kind for kind, _ in blocks} == {"sh", "python"}
    cli = Cli({"CONNECTOR_DATABASE_URL": installed.runtime.settings.database_url, "CONNECTOR_SECRET_KEYS": KEY})
    with serving(installed) as address:
        known: dict[str, Any] = {"API": f"{address}/api/v1", "ASSERTION_KEY": SHARED}
        known |= {"PUBLIC_URL": installed.runtime.settings.public_url, "post": partial(_post, address)}
        for kind, text in blocks:
            if kind == "sh":
                program, *words = shlex.split(text)
                assert program == "pencilled"
                known["KEY"] = cli.ok(*words).splitlines()[0]
            else:
                if "def assertion(" in text:
                    clock.now = app.system_clock()  # by which the page signs
                exec(compile(text, "docs/api.md", "exec"), known)  # noqa: S102 - our own page


def _post(address: str, path: str, form: Mapping[str, str]) -> bytes:
    """Return the page that a browser comes to that posts a form."""
    with build_opener(HTTPCookieProcessor()).open(address + path, urlencode(form).encode()) as answer:
        found: bytes = answer.read()
    return found
