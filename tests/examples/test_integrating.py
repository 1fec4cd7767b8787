"""What the page for integrators shows is what happens: from nothing to holds in a calendar."""

from __future__ import annotations

import json
import re
import shlex
import socket
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from datetime import UTC, datetime
from email.message import EmailMessage
from importlib import import_module
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

import pytest
from flask import Flask
from standardwebhooks import Webhook

from connector import paths
from connector.cli.demo.evidence import CalendarServer, by_status, eventually, link_in, links_in
from connector.cli.demo.stage import Mailbox
from connector.cli.demo.visitor import Visitor
from connector.plugin import Pencilled
from tests.cli.keyboard import Cli
from tests.conftest import free_port
from tests.serving import served
from tests.test_house import ROOT

BERLIN = ZoneInfo("Europe/Berlin")
PAGE = (ROOT / "docs" / "integrating.md").read_text(encoding="utf-8")
_BLOCK = re.compile(r"^ *```(\w+) ?([\w.]*)\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)


def blocks(title: str) -> list[tuple[str, str, str]]:
    """Return kind, name and text of each block under a title of the page."""
    (section,) = [part for part in PAGE.split("\n## ") if part.startswith(title)]
    return [(kind, name, text) for kind, name, text in _BLOCK.findall(section)]


def test_every_kind_of_block_is_run() -> None:
    kinds = {(kind, name) for kind, name, _ in _BLOCK.findall(PAGE)}
    assert kinds == {("text", ""), ("sh", ""), ("python", ""), ("python", "host.py"), ("html", "rearrange.html")}


class Reader:
    """Somebody who does what the page says, in a folder of their own."""

    def __init__(self, folder: Path, ports: dict[str, int]) -> None:
        self.folder, self.ports = folder, ports
        self.known: dict[str, Any] = {}
        self.servers: list[subprocess.Popen[bytes]] = []

    @property
    def host(self) -> Flask:
        host: Flask = import_module("host").app
        return host

    def do(self, kind: str, name: str, text: str) -> None:
        """Do what one block says."""
        for port, own in self.ports.items():
            text = text.replace(f"127.0.0.1:{port}", f"127.0.0.1:{own}")
        if name:
            (self.folder / name).write_text(text, encoding="utf-8")
        elif kind == "python":
            exec(compile(text, "docs/integrating.md", "exec"), self.known)  # noqa: S102 - our own page
        else:
            for line in text.splitlines():
                self.type(line)

    def type(self, line: str) -> None:
        """Type one line into a shell."""
        typed, _, command = line.rpartition(" | ")
        match shlex.split(command):
            case ["radicale", *words, "&"]:
                self.servers.append(
                    subprocess.Popen([sys.executable, "-m", "radicale", *words], stderr=subprocess.DEVNULL)
                )
                port = self.ports["5232"]
                assert eventually(lambda: _listens(port), bool, seconds=60)
            case ["flask", "--app", "host", "run"]:
                pass  # it is served below
            case ["flask", "--app", "host", *words]:
                typed = typed.removeprefix("echo ") + "\n"
                done = self.host.test_cli_runner().invoke(args=words, input=typed)
                assert done.exit_code == 0, done.output
            case other:
                raise AssertionError(other)


def _listens(port: int) -> bool:
    with socket.socket() as asking:
        return asking.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture
def mailbox() -> Iterator[Mailbox]:
    mailbox = Mailbox()
    yield mailbox
    mailbox.stop()


@pytest.fixture
def reader(tmp_path: Path, mailbox: Mailbox, monkeypatch: pytest.MonkeyPatch) -> Iterator[Reader]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "host", raising=False)
    reader = Reader(tmp_path, {"5232": free_port(), "2525": urlsplit(mailbox.url).port or 0})
    yield reader
    for server in reader.servers:
        server.terminate()
        server.wait(60)
    sys.modules.pop("host", None)


@pytest.mark.slow
def test_a_reader_comes_from_nothing_to_holds_in_a_calendar(reader: Reader, mailbox: Mailbox) -> None:
    for block in blocks("In your application"):
        reader.do(*block)
    calendar = CalendarServer(f"http://127.0.0.1:{reader.ports['5232']}/ada/work/", "ada", "any")
    with served(reader.host) as port:
        ada, kim = Visitor(), Visitor()
        page = ada.follow(ada.open(f"http://127.0.0.1:{port}/rearrange"), "Sessions")
        assert "Kim Noor" in page.text
        events = eventually(calendar.events, lambda events: len(by_status(events, "TENTATIVE")) == 3)
        assert len(by_status(events, "TENTATIVE")) == 3
        eventually(lambda: _offers(mailbox), bool)
        (letter,) = _offers(mailbox)
        page = kim.open(link_in(letter, paths.answer("")).replace("127.0.0.1:5000", f"127.0.0.1:{port}"))
        kim.press(kim.follow(page, "Choose this time"), "Yes, take this time")
        moved = import_module("host").moved
        held = [hold.start.astimezone(BERLIN).isoformat() for hold in by_status(events, "TENTATIVE")]
        assert eventually(lambda: moved.get("booking-4711"), bool) in held
    import_module("host").pencilled.close()


def _offers(mailbox: Mailbox) -> list[EmailMessage]:
    return [mail for mail in mailbox.caught() if links_in(mail, paths.answer(""))]


def test_our_pages_stand_in_the_layout_of_a_host(tmp_path: Path, sqlite_url: str) -> None:
    (tmp_path / "layout.html").write_text(
        "<title>{% block title %}{% endblock %}</title>{% block head %}{% endblock %}<nav>Booking site</nav>"
        "{% block main %}{% endblock %}"
    )
    for kind, name, text in blocks("In your application"):
        if kind == "html":
            (tmp_path / name).write_text(textwrap.dedent(text))
    host = Flask("host", template_folder=tmp_path)
    url = "http://localhost/rearrange"
    pencilled = Pencilled(
        url_prefix="/rearrange",
        settings={"CONNECTOR_DATABASE_URL": sqlite_url, "CONNECTOR_PUBLIC_URL": url},
        who=lambda: "p-7",
        sign_in="/sign-in",
        frame="rearrange.html",
        start="command",
    )
    pencilled.init_app(host)
    pencilled.practitioners.put("p-7", name="Dr. Ada Berg", email="ada@practice.example", zone="Europe/Berlin")
    page = host.test_client().get("/rearrange/sessions").text
    assert "<nav>Booking site</nav>" in page
    assert "<h1>Your sessions</h1>" in page
    pencilled.close()


def test_a_platform_beside_hears_what_is_signed(sqlite_url: str) -> None:
    cli = Cli({"CONNECTOR_DATABASE_URL": sqlite_url})
    known: dict[str, Any] = {}
    secret = ""
    for kind, _, text in blocks("Beside your application"):
        if kind == "python":
            exec(compile(text, "docs/integrating.md", "exec"), known)  # noqa: S102 - our own page
        else:
            for line in text.splitlines():
                words = shlex.split(line)[1:]
                secret = cli.ok(*words).split()[-1]
    known["SECRET"] = secret
    body = json.dumps({"type": "session.moved", "data": {"session_external_id": "b-1", "new_time": {"start": "then"}}})
    now = datetime.now(UTC)  # noqa: TID251 - a signature is young
    headers = {
        "webhook-id": "msg_1",
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": Webhook(secret).sign("msg_1", now, body),
    }
    site = known["site"].test_client()
    assert site.post("/outcomes", data=body, headers=headers).status_code == 204
    assert known["times"] == {"b-1": "then"}
    assert site.post("/outcomes", data=body + " ", headers=headers).status_code == 400
