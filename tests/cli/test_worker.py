"""`pencilled worker` on SQLite: one carries out due work, and another waits until it ends."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

import pytest

from connector.cli.demo.evidence import eventually
from connector.storage.locks import lock_embedded
from tests.cli.keyboard import Cli, start_process

SECONDS = 60.0


@pytest.fixture
def settings(sqlite_url: str) -> dict[str, str]:
    return {"CONNECTOR_DATABASE_URL": sqlite_url, "CONNECTOR_WORKER_THREADS": "2"}


@contextmanager
def working(settings: dict[str, str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    process = start_process("worker", settings=settings, log=log)
    try:
        yield process
    finally:
        process.kill()
        process.wait(SECONDS)


def says(log: Path, words: str) -> None:
    assert eventually(lambda: words in log.read_text(), bool, seconds=SECONDS), log.read_text()


@pytest.mark.slow
def test_one_carries_out_due_work_and_the_next_goes_on_when_it_is_killed(
    settings: dict[str, str], tmp_path: Path
) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    with ExitStack() as stack:
        first = stack.enter_context(working(settings, one))
        says(one, "Pencilled carries out due work, 2 at a time.")
        second = stack.enter_context(working(settings, two))
        says(two, f"Another process (process {first.pid}) carries out due work. Waiting until it ends.")
        assert f"; process {first.pid} carries it out" in Cli(settings).run("doctor").stdout
        first.kill()
        says(two, "Pencilled carries out due work, 2 at a time.")
        second.send_signal(signal.SIGTERM)
        assert second.wait(SECONDS) == 0
        says(two, "Stopped.")
        assert "; nobody carries it out now" in Cli(settings).run("doctor").stdout


@pytest.mark.long
def test_one_that_waits_stops_when_it_is_asked_to(settings: dict[str, str], sqlite_url: str, tmp_path: Path) -> None:
    with closing(lock_embedded(sqlite_url)), working(settings, tmp_path / "log") as waiting:
        says(tmp_path / "log", "Waiting until it ends.")
        waiting.send_signal(signal.SIGTERM)
        assert waiting.wait(SECONDS) == 0
    assert (tmp_path / "log").read_text().endswith("Stopped.\n")
