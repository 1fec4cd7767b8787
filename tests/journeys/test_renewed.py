"""Credentials that two processes on one SQLite database use: renewed once, whatever becomes of either."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Semaphore

import pytest

from tests.fakes.entra import Entra
from tests.fakes.graph import HangUp
from tests.journeys import services
from tests.journeys.services import connect, use
from tests.journeys.stage import Installation
from tests.providers.outlook import setting as outlooks

_INHERITED = {name: value for name, value in os.environ.items() if not name.startswith("CONNECTOR_")}  # noqa: TID251 - a child's
_PATIENCE_SECONDS = 60.0


class User:
    """A process that uses the account."""

    def __init__(self, environ: dict[str, str]) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.journeys.renewing"],
            cwd=Path(__file__).parents[2],
            env=_INHERITED | environ,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def begin(self) -> None:
        assert self.process.stdin
        self.process.stdin.write("\n")
        self.process.stdin.flush()

    def heard(self) -> str:
        assert self.process.stdout
        return self.process.stdout.readline().strip()

    def close(self) -> None:
        self.process.kill()
        self.process.communicate()


class Renewals:
    """Holds each renewal that arrives at the service until it may go on, or is to be hung up on."""

    def __init__(self) -> None:
        self.arrivals = Semaphore(0)
        self.may_go_on = Event()
        self.lost = False

    def __call__(self) -> None:
        lost = self.lost
        self.arrivals.release()
        assert self.may_go_on.wait(_PATIENCE_SECONDS)
        if lost:
            raise HangUp


@contextmanager
def two_users(database_url: str) -> Iterator[tuple[Entra, User, User]]:
    with outlooks.outlook() as outlook, Installation(database_url) as installation:
        there = services.OutlookService(outlook)
        use(installation.runtime, there)
        connect(installation.practice, installation.runtime, there)
        entra = outlook.graph.entra
        entra.reuse_ends = True
        users = [User(installation.environment() | there.environment()) for _ in range(2)]
        try:
            assert [user.heard() for user in users] == ["ready"] * 2
            entra.forget_access()
            yield entra, users[0], users[1]
        finally:
            for user in users:
                user.close()


@pytest.mark.slow
def test_two_processes_renew_once_and_both_go_on(sqlite_url: str) -> None:
    with two_users(sqlite_url) as (entra, one, other):
        entra.before_refresh = renewals = Renewals()
        for user in (one, other):
            user.begin()
        assert renewals.arrivals.acquire(timeout=_PATIENCE_SECONDS)
        assert not renewals.arrivals.acquire(timeout=0.5), "the other renews as well"
        renewals.may_go_on.set()
        assert [user.heard() for user in (one, other)] == ["went on"] * 2
        assert entra.refreshes == 1
        entra.forget_access()
        other.begin()
        assert other.heard() == "went on"
        assert entra.refreshes == 2


@pytest.mark.long
def test_who_is_killed_while_they_renew_keeps_nobody_from_it(sqlite_url: str) -> None:
    with two_users(sqlite_url) as (entra, one, other):
        entra.before_refresh = renewals = Renewals()
        renewals.lost = True
        one.begin()
        assert renewals.arrivals.acquire(timeout=_PATIENCE_SECONDS)
        renewals.lost = False
        other.begin()
        assert not renewals.arrivals.acquire(timeout=0.5), "the other renews as well"
        one.process.send_signal(signal.SIGKILL)
        assert renewals.arrivals.acquire(timeout=5), "the other still waits for somebody who is gone"
        renewals.may_go_on.set()
        assert other.heard() == "went on"
        assert entra.refreshes == 1
