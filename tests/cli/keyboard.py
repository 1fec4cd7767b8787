"""A person at the command line: types, reads, and picks what they need out of it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from click.testing import CliRunner, Result

from connector.cli import main

PENCILLED = Path(sys.executable).parent / "pencilled"


@dataclass
class Cli:
    """Runs commands in this process, with these settings."""

    settings: Mapping[str, str]

    def run(self, *words: str, stdin: str | None = None) -> Result:
        result = CliRunner().invoke(main, words, prog_name="pencilled", env=self.settings, input=stdin)
        if result.exception and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    def ok(self, *words: str, stdin: str | None = None) -> str:
        """Return what a command prints that succeeds."""
        result = self.run(*words, stdin=stdin)
        assert result.exit_code == 0, result.output
        return result.stdout

    def refused(self, *words: str, stdin: str | None = None, code: int = 1) -> str:
        """Return what a command says that does not."""
        result = self.run(*words, stdin=stdin)
        assert result.exit_code == code, result.output
        return result.stderr

    def json(self, *words: str) -> Any:
        return json.loads(self.ok(*words, "--json"))

    def book(self, days: int = 7, *more: str, at: str = "10:00") -> str:
        """Book a session so many days ahead and return its id."""
        booked = self.json(
            "sessions", "book", "--client", "alex@example.org", "--at", ahead(days, at), "--phone", "Kim calls", *more
        )
        found: str = booked["sessions"][0]["id"]
        return found

    def offer(self, session: str, *starts: str, more: tuple[str, ...] = ()) -> Any:
        """Draft and send an offer, and return it."""
        times = [word for start in starts for word in ("--at", start)]
        self.ok("offers", "draft", session, *times, *more)
        return self.json("offers", "send", session)


def ahead(days: int, at: str = "10:00") -> str:
    """Return a local time so many days from today, as it is typed."""
    return f"{_today() + timedelta(days=days)} {at}"


def clocks_change(month: int) -> date:
    """Return the last Sunday of March or October next year, when European clocks change."""
    last = date(_today().year + 1, month, 31)
    return last - timedelta(days=(last.weekday() + 1) % 7)


def run_process(*words: str, settings: Mapping[str, str], cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run a command in a process of its own, to its end."""
    return subprocess.run(
        [PENCILLED, *words],
        env=_environment(settings),
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def start_process(
    *words: str, settings: Mapping[str, str], log: Path, in_own_group: bool = False, cwd: Path | None = None
) -> subprocess.Popen[bytes]:
    """Start a command that keeps running; `in_own_group` to see what it starts in turn."""
    with log.open("ab") as file:
        return subprocess.Popen(
            [PENCILLED, *words],
            env=_environment(settings),
            cwd=cwd,
            stdout=file,
            stderr=file,
            start_new_session=in_own_group,
        )


def _environment(settings: Mapping[str, str]) -> dict[str, str]:
    return {"PATH": "/usr/bin:/bin", "PYTHONUNBUFFERED": "1", **settings}


def _today() -> date:
    return datetime.now(UTC).date()  # noqa: TID251 - the commands live in real time
