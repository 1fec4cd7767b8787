"""Commands run our own code, whatever the folder they are started in holds."""

from __future__ import annotations

import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from connector.cli._parent import leaving_with_us
from tests.cli.keyboard import Cli, run_process, start_process
from tests.conftest import free_port
from tests.operating_page import until

THEIRS = ("connector", "providers", "webhooks", "flask", "platform")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with modules that have the names of ours, and that say so when they are run."""
    folder = tmp_path / "theirs"
    folder.mkdir()
    for name in THEIRS:
        (folder / f"{name}.py").write_text(f"open({str(tmp_path / 'was_run')!r}, 'a').write({name!r})\n")
    return folder


def check_ours(folder: Path) -> None:
    mark = folder.parent / "was_run"
    assert not mark.exists(), f"{mark.read_text()} of the folder was run"


@pytest.mark.postgresql
def test_web_processes_serve_our_pages(postgresql_url: str, redis_url: str, folder: Path) -> None:
    port = free_port()
    settings = {
        "CONNECTOR_DATABASE_URL": postgresql_url,
        "CONNECTOR_BROKER_URL": redis_url,
        "CONNECTOR_SECRET_KEYS": "k" * 32,
        "CONNECTOR_LISTEN": f"127.0.0.1:{port}",
    }
    process = start_process("web", settings=settings, log=folder.parent / "log", cwd=folder)
    try:
        until(f"http://127.0.0.1:{port}/readyz", 200)
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/signin", timeout=30) as page:
            assert b"Mail me a link" in page.read()
    finally:
        process.terminate()
        process.wait(120)
    check_ours(folder)


def test_commands_are_ours(folder: Path) -> None:
    settings = {"CONNECTOR_DATABASE_URL": f"sqlite:///{folder.parent}/pencilled.sqlite3"}
    Cli(settings).ok("migrate")
    assert "ok  database" in run_process("doctor", settings=settings, cwd=folder).stdout
    check_ours(folder)


def test_what_we_start_ourselves_is_not_looked_for_in_the_folder(folder: Path) -> None:
    done = subprocess.run(leaving_with_us("platform"), cwd=folder, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    check_ours(folder)


def test_the_module_of_commands_takes_nothing_but_itself_from_the_folder(folder: Path) -> None:
    """Python puts the working directory first for `-m`; what is imported before anything of ours runs is its affair."""
    for name in ("connector", "flask", "platform"):
        (folder / f"{name}.py").unlink()
    url = f"sqlite:///{folder.parent}/pencilled.sqlite3"
    Cli({"CONNECTOR_DATABASE_URL": url}).ok("migrate")
    subprocess.run(
        [sys.executable, "-m", "connector.cli", "doctor"],
        env={"PATH": "/usr/bin:/bin", "CONNECTOR_DATABASE_URL": url},
        cwd=folder,
        capture_output=True,
        check=False,
    )
    check_ours(folder)
