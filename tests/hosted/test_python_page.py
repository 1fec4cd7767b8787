"""What the page about calls in a host's process shows is what happens."""

from __future__ import annotations

import re
from typing import Any

from flask import Flask

from connector import app
from connector.hosted.calls import Calls
from connector.hosted.installation import Installation
from connector.storage.ledger import Kind
from tests.hosted.hosts import PREFIX, settings
from tests.test_house import ROOT
from tests.web.stage import Stage
from tests.work.driver import Driver

PAGE = ROOT / "docs" / "python.md"
_BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_ROW = re.compile(r"^\| (`.*?) \| (.*) \|$", re.MULTILINE)


def test_every_block_of_the_page_runs(stage: Stage) -> None:
    blocks = _BLOCK.findall(PAGE.read_text(encoding="utf-8"))
    assert {kind for kind, _ in blocks} == {"python"}
    host = Flask("booking")

    def serve() -> None:
        runtime = _installation(host).runtime
        Driver(runtime=runtime).carry_out(Kind.OUTCOME)

    known: dict[str, Any] = {"app": host, "SETTINGS": settings(stage), "SERVE": serve, "NOW": app.system_clock()}
    for n, (_, text) in enumerate(blocks):
        exec(compile(text, "docs/python.md", "exec"), known)  # noqa: S102 - our own page
        if n == 0:
            _installation(host).runtime.begin_work()  # as whoever carries out due work does when it starts
    assert _installation(host).prefix == PREFIX
    _installation(host).runtime.database.dispose()


def _installation(host: Flask) -> Installation:
    installation: Installation = host.extensions["pencilled"]
    return installation


def test_page_names_every_call_there_is() -> None:
    calls = Calls(lambda: _installation(Flask("booking")).runtime)
    there = {
        (name, call)
        for name, face in vars(calls).items()
        if not name.startswith("_")
        for call in vars(type(face))
        if not call.startswith("_")
    }
    named = {
        (face, call)
        for faces, told in _ROW.findall(PAGE.read_text(encoding="utf-8"))
        for face in re.findall(r"`(\w+)`", faces)
        for call in re.findall(r"`(\w+)`", told)
    } | {("clients", "erase")}
    assert named == there
