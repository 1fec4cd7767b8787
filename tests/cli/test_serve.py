"""`pencilled serve` as a process: one of its kind, clean to stop, and no obstacle to other commands."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.error import URLError

import pytest

from connector.cli._channels import MOST_WAITING
from connector.cli.demo.evidence import eventually
from tests.cli.keyboard import Cli, ahead, run_process, start_process
from tests.conftest import free_port
from tests.fakes.servers import radicale

pytestmark = pytest.mark.slow


@dataclass
class Serving:
    """A serving process and where it prints."""

    settings: dict[str, str]
    process: subprocess.Popen[bytes]
    log: Path

    def answers(self) -> bool:
        try:
            return self.get("/healthz") == 200
        except URLError:
            return False

    def get(self, path: str) -> int:
        port = self.settings["CONNECTOR_LISTEN"].rpartition(":")[2]
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=30) as answer:
            status: int = answer.status
        return status

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return self.process.wait(120)


@pytest.fixture
def settings(tmp_path: Path) -> dict[str, str]:
    return {
        "CONNECTOR_DATABASE_URL": f"sqlite:///{tmp_path}/pencilled.sqlite3",
        "CONNECTOR_LISTEN": f"127.0.0.1:{free_port()}",
        "CONNECTOR_SMTP_URL": f"smtp://127.0.0.1:{free_port()}",
        "CONNECTOR_INNER_HOSTS": "127.0.0.1",
    }


@contextmanager
def serving(settings: dict[str, str], log: Path) -> Iterator[Serving]:
    running = Serving(settings, start_process("serve", settings=settings, log=log), log)
    try:
        until(running.answers, log)
        yield running
    finally:
        running.process.kill()
        running.process.wait(120)


def until(done: Callable[[], bool], log: Path) -> None:
    """Look again and again until it holds."""
    assert eventually(done, bool, seconds=120), log.read_text()


def test_half_sent_requests_keep_nobody_else_waiting(settings: dict[str, str], tmp_path: Path) -> None:
    host, _, port = settings["CONNECTOR_LISTEN"].rpartition(":")
    with serving(settings, tmp_path / "log") as running, ExitStack() as stack:
        for _ in range(MOST_WAITING + 20):
            stranger = stack.enter_context(socket.create_connection((host, int(port)), timeout=30))
            stranger.sendall(b"POST /sign-in HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nhalf")
        assert running.get("/healthz") == 200


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_migrates_serves_and_stops_cleanly(settings: dict[str, str], tmp_path: Path, number: signal.Signals) -> None:
    with serving(settings, tmp_path / "log") as running:
        assert running.get("/readyz") == 200
        assert running.stop(number) == 0
        said = running.log.read_text()
    assert "Brought the database up to date: from nothing to step" in said
    assert f"listening on http://{settings['CONNECTOR_LISTEN']}" in said
    assert said.endswith("Stopped.\n")
    assert "Traceback" not in said


def test_a_second_process_is_refused_and_a_killed_one_leaves_no_obstacle(
    settings: dict[str, str], tmp_path: Path
) -> None:
    with serving(settings, tmp_path / "log") as running:
        second = run_process("serve", settings={**settings, "CONNECTOR_LISTEN": f"127.0.0.1:{free_port()}"})
        assert second.returncode == 2
        assert "another process is using" in second.stderr
        assert running.stop(signal.SIGKILL) == -signal.SIGKILL
    with serving(settings, tmp_path / "log") as running:
        assert running.stop() == 0


def test_an_address_in_use_is_told_in_words(settings: dict[str, str], tmp_path: Path) -> None:
    other = {**settings, "CONNECTOR_DATABASE_URL": f"sqlite:///{tmp_path}/other.sqlite3"}
    with serving(settings, tmp_path / "log"):
        done = run_process("serve", settings=other)
    assert done.returncode == 1
    assert done.stderr.startswith("Error: Cannot listen on 127.0.0.1:")
    assert "Address already in use" in done.stderr


def test_commands_work_beside_it_and_it_does_what_they_make_due(settings: dict[str, str], tmp_path: Path) -> None:
    cli = Cli(settings)
    with radicale(tmp_path / "radicale") as calendars, serving(settings, tmp_path / "log") as running:
        work = calendars.make_calendar("work")
        cli.ok("practitioners", "add", "--name", "Kim", "--email", "kim@example.org", "--zone", "Europe/Berlin")
        cli.ok("clients", "add", "--name", "Alex", "--email", "alex@example.org", "--zone", "Europe/London")
        words = ("--address", calendars.url, "--username", "kim", "--password-stdin", "--session-level", "3")
        cli.ok("connections", "add", *words, stdin="secret\n")
        beside = run_process("practitioners", "list", "--json", settings=settings)
        assert (len(json.loads(beside.stdout)), beside.stderr) == (1, "")
        session = cli.book()
        booked = time.monotonic()
        until(lambda: b"Session: Alex" in calendars.send("REPORT", work, _EVERYTHING, {"Depth": "1"}), running.log)
        assert time.monotonic() - booked < 60, "it waits for no poll"
        cli.offer(session, ahead(8), ahead(9))
        until(lambda: cli.json("resync", "--dry-run")[0]["actions"] == [], running.log)
        cli.ok("sessions", "answer", session, "--support", "Robin", "--reason", "on the phone", "--accept", "1")
        assert "shows what it should" in cli.ok("resync", "--wait")
        shown = calendars.send("REPORT", work, _EVERYTHING, {"Depth": "1"})
        assert shown.count(b"BEGIN:VEVENT") == 1
        assert running.stop() == 0


def test_postgresql_is_pointed_to_web_and_worker(settings: dict[str, str]) -> None:
    distributed = {
        **settings,
        "CONNECTOR_DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none",
        "CONNECTOR_BROKER_URL": "redis://127.0.0.1:1/0",
        "CONNECTOR_SECRET_KEYS": "k" * 32,
    }
    said = Cli(distributed).refused("serve", code=2)
    assert "pencilled web" in said
    assert "pencilled worker" in said


def test_sqlite_is_pointed_to_serve(cli: Cli) -> None:
    said = cli.refused("web", code=2)
    assert "pencilled serve" in said
    assert "Redis" in said


def test_memory_cannot_carry_word_between_processes(cli: Cli) -> None:
    distributed = replace(
        cli, settings={**cli.settings, "CONNECTOR_DATABASE_URL": "postgresql://nobody@localhost/none"}
    )
    said = distributed.refused("web", code=2)
    assert "CONNECTOR_BROKER_URL" in said
    assert "CONNECTOR_SECRET_KEYS" in said


_EVERYTHING = (
    b'<?xml version="1.0"?><C:calendar-query xmlns:D="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav">'
    b'<D:prop><C:calendar-data/></D:prop><C:filter><C:comp-filter name="VCALENDAR"/></C:filter></C:calendar-query>'
)
