"""What the page about the API shows is what happens."""

from __future__ import annotations

import re
import shlex
from typing import Any

from tests.api.conftest import serving
from tests.cli.keyboard import Cli
from tests.test_house import ROOT
from tests.web.stage import KEY, Stage

_BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def test_every_block_of_the_page_runs(installed: Stage) -> None:
    blocks = _BLOCK.findall((ROOT / "docs" / "api.md").read_text(encoding="utf-8"))
    assert {kind for kind, _ in blocks} == {"sh", "python"}
    cli = Cli({"CONNECTOR_DATABASE_URL": installed.runtime.settings.database_url, "CONNECTOR_SECRET_KEYS": KEY})
    with serving(installed) as address:
        known: dict[str, Any] = {"API": f"{address}/api/v1"}
        for kind, text in blocks:
            if kind == "sh":
                program, *words = shlex.split(text)
                assert program == "pencilled"
                known["KEY"] = cli.ok(*words).splitlines()[0]
            else:
                exec(compile(text, "docs/api.md", "exec"), known)  # noqa: S102 - our own page
