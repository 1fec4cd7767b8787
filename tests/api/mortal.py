"""A process that serves an installation over HTTP, and is killed once its next transaction is committed.

Run by `python -m tests.api.mortal URL PORT NOW`; says so once it listens.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

from sqlalchemy import Connection
from waitress import create_server

from connector import app
from connector.storage.database import Database
from tests.conftest import Clock
from tests.web.stage import make_runtime


class Mortal(Database):
    """A database whose process is killed right after a commit, once it is armed."""

    armed = False

    @contextmanager
    def begin(self) -> Iterator[Connection]:
        with super().begin() as db:
            yield db
        if self.armed:
            os.kill(os.getpid(), signal.SIGKILL)


@contextmanager
def mortal(url: str, port: int, *, now: datetime) -> Iterator[subprocess.Popen[str]]:
    """Run such a process; it never outlives the test."""
    command = [sys.executable, "-m", __name__, url, str(port), now.isoformat()]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            assert server.stdout.readline() == "listening\n"
            yield server
        finally:
            server.kill()


def _serve(url: str, port: int, now: datetime) -> None:
    database = Mortal(url)
    pages = app.create_app(make_runtime(database, url, Clock(now)))
    server = create_server(pages, host="127.0.0.1", port=port, threads=4)
    database.armed = True
    sys.stdout.write("listening\n")
    sys.stdout.flush()
    server.run()


if __name__ == "__main__":
    _serve(sys.argv[1], int(sys.argv[2]), datetime.fromisoformat(sys.argv[3]))
