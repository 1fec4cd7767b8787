"""Processes of a host, started, asked and killed by tests."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.error import URLError

from connector.cli.demo.evidence import eventually
from connector.storage import locks

ROOT = Path(__file__).parents[2]
PATIENCE_SECONDS = 60
_INHERITED = {name: value for name, value in os.environ.items() if not name.startswith("CONNECTOR_")}  # noqa: TID251 - a child's
GUNICORN = (sys.executable, "-m", "gunicorn", "--no-control-socket", "--bind", "127.0.0.1:{port}")
FLASK = (sys.executable, "-m", "flask")


@dataclass
class Host:
    """Processes behind one port."""

    process: subprocess.Popen[bytes]
    port: int
    database_url: str
    log: Path

    def ask(self) -> dict[str, object] | None:
        """Ask whichever process answers who it is; None if none does."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/", timeout=30) as answer:
                who: dict[str, object] = json.load(answer)
                return who
        except (URLError, ConnectionError):
            return None

    def processes(self, count: int) -> set[int]:
        """Ask until so many processes have answered, which thereby take part."""
        there: set[int] = set()

        def all_there() -> bool:
            if who := self.ask():
                there.add(int(str(who["process"])))
            return len(there) >= count

        assert eventually(all_there, bool, seconds=PATIENCE_SECONDS), (there, self.log.read_text())
        return there

    @property
    def holder(self) -> int | None:
        """Which process carries out due work."""
        held = locks.holder(self.database_url)
        return held.process if held else None

    def elected(self, *, other_than: int | None = None, seconds: float = PATIENCE_SECONDS) -> int:
        """Wait until a process carries out due work."""
        holder = eventually(lambda: self.holder, lambda one: one not in {None, other_than}, seconds=seconds)
        assert holder not in {None, other_than}, self.log.read_text()
        assert holder is not None
        return holder


@contextmanager
def hosted(command: Sequence[str], environ: Mapping[str, str], port: int, folder: Path) -> Iterator[Host]:
    """Run a host; whatever of its processes is left at the end is killed."""
    log = folder / "host.log"
    with log.open("ab") as file:
        process = subprocess.Popen(
            [word.format(port=port) for word in command],
            cwd=folder,
            env=_INHERITED | {"PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"} | dict(environ),
            stdout=file,
            stderr=file,
            start_new_session=True,
        )
    try:
        yield Host(process, port, environ["CONNECTOR_DATABASE_URL"], log)
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    try:
        process.wait(PATIENCE_SECONDS / 2)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait(PATIENCE_SECONDS)
