"""A process that is asked to stop in its first second ends as asked, at whatever it is just then."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import free_port

_SCRIPT = """
import os, sys
number, (event, _, module) = int(sys.argv.pop(1)), sys.argv.pop(1).partition(" ")
def ask(happening, details):
    if happening == event and (event != "import" or details[0] == module):
        os.kill(os.getpid(), number)
sys.addaudithook(ask)
from connector.cli import main
main(prog_name="pencilled")
"""


@pytest.mark.parametrize(
    ("command", "moment", "number"),
    [
        ("serve", "import sqlalchemy", signal.SIGTERM),
        pytest.param("serve", "import flask", signal.SIGTERM, marks=pytest.mark.long),
        ("serve", "sqlite3.connect", signal.SIGTERM),
        pytest.param("serve", "import sqlalchemy", signal.SIGINT, marks=pytest.mark.long),
        pytest.param("web", "import granian", signal.SIGTERM, marks=pytest.mark.long),
        ("worker", "import sqlalchemy", signal.SIGTERM),
    ],
)
def test_a_process_that_is_asked_to_stop_while_it_starts_ends_as_asked(
    tmp_path: Path, command: str, moment: str, number: signal.Signals
) -> None:
    settings = {
        "CONNECTOR_DATABASE_URL": f"sqlite:///{tmp_path}/pencilled.sqlite3",
        "CONNECTOR_LISTEN": f"127.0.0.1:{free_port()}",
    }
    done = subprocess.run(
        [sys.executable, "-c", _SCRIPT, str(int(number)), moment, command],
        env={"PATH": "/usr/bin:/bin", **settings},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_a_command_that_is_not_finished_does_not_end_as_if_it_were(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _SCRIPT, str(int(signal.SIGTERM)), "import sqlalchemy", "migrate"],
        env={"PATH": "/usr/bin:/bin", "CONNECTOR_DATABASE_URL": f"sqlite:///{tmp_path}/pencilled.sqlite3"},
        capture_output=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == -signal.SIGTERM
