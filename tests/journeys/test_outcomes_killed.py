"""A host's program and `pencilled serve`, both killed by SIGKILL in the middle of a hundred outcomes: all arrive."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path
from threading import Timer
from typing import Any

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from connector.domain.outcomes import OutcomeType
from connector.services.outcomes import endpoints
from tests.conftest import free_port
from tests.domain.examples import NOW, when
from tests.journeys.stage import Installation
from tests.kept_lines import kept_lines

pytestmark = [pytest.mark.long, pytest.mark.slow]

ROOT = Path(__file__).parents[2]
SESSIONS, STEPS = 10, 9
ALL = SESSIONS * (1 + STEPS)
WAIT_SECONDS = 240.0  # far beyond what anything takes: only a failing test waits so long
_INHERITED = {name: value for name, value in os.environ.items() if not name.startswith("CONNECTOR_")}  # noqa: TID251 - a child's


@contextmanager
def process(*words: str | Path, environ: dict[str, str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run one of both sides; what it prints can be read."""
    with log.open("ab") as errors:
        running = subprocess.Popen(
            [sys.executable, *words], env=_INHERITED | environ, cwd=ROOT, stdout=subprocess.PIPE, stderr=errors
        )
    clock = Timer(WAIT_SECONDS, running.kill)
    clock.start()
    try:
        yield running
    finally:
        clock.cancel()
        running.kill()
        running.wait(120)
        assert running.stdout
        running.stdout.close()


def ids(file: Path) -> set[str]:
    return {one["said"]["id"] for one in kept_lines(file)}


def stored(receiver: subprocess.Popen[bytes]) -> bool:
    """Wait for one more outcome that the host has stored; False once its program has ended."""
    assert receiver.stdout
    line = receiver.stdout.readline()
    assert line in {b"stored\n", b""}, line
    return bool(line)


def test_a_hundred_outcomes_arrive_in_order_whichever_side_is_killed(sqlite_url: str, tmp_path: Path) -> None:
    since = datetime.now(UTC).replace(microsecond=0)  # noqa: TID251 - the children live in real time
    shift = (since - NOW).total_seconds() / 3600
    file, port = tmp_path / "outcomes", free_port()
    with Installation(sqlite_url, now=since) as here:
        types = [type_ for type_ in OutcomeType if type_.startswith("session.")]
        with here.runtime.database.begin() as db:
            url = f"http://127.0.0.1:{port}/outcomes"
            _, secret = endpoints.add(db, here.runtime.seal, url, inner_hosts={"127.0.0.1"}, types=types, now=since)
        booked = [here.practice.book(shift + 48 + 2 * n) for n in range(SESSIONS)]
        for step in range(1, 1 + STEPS):
            for n, session in enumerate(booked):
                here.practice.move(session, when(shift + 48 + 2 * n + 200 * step))
        environ = here.environment()

        def serve() -> Any:
            return process(
                "-c", "from connector.cli import main; main()", "serve", environ=environ, log=tmp_path / "serve.log"
            )

        def receive(*death: str) -> Any:
            words = ("-m", "tests.journeys.outcome_receiver", str(port), secret, str(file), *death)
            return process(*words, environ={}, log=tmp_path / "receiver.log")

        for death in (("before", "12"), ("stored", "15")):  # the host dies, before and after it has stored one
            with receive(*death) as receiver, serve():
                while stored(receiver):
                    pass
                assert receiver.wait(120) == -signal.SIGKILL
            assert 0 < len(ids(file)) < ALL
        with receive() as receiver:
            for many in (10, 5):  # we die, while the host is storing one and answers nobody
                with serve() as serving:
                    for _ in range(many):
                        assert stored(receiver)
                    serving.send_signal(signal.SIGKILL)
                    assert serving.wait(120) == -signal.SIGKILL
                assert len(ids(file)) < ALL
            with serve():
                while len(ids(file)) < ALL:
                    assert stored(receiver)
    _check(kept_lines(file), secret)


def _check(arrived: list[Any], secret: str) -> None:
    assert len({one["said"]["id"] for one in arrived}) == ALL
    by_session: dict[str, list[Any]] = {}
    for one in arrived:
        by_session.setdefault(one["said"]["data"]["session_id"], []).append(one["said"])
        assert Webhook(secret).verify(one["body"], one["headers"]) == one["said"]
        with pytest.raises(WebhookVerificationError):
            Webhook(secret).verify(one["body"].replace("session.", "session_"), one["headers"])
    assert len(by_session) == SESSIONS
    for said in by_session.values():
        revisions = [revision for revision, _ in groupby(one["data"]["revision"] for one in said)]
        assert revisions == list(range(1 + STEPS))  # a repeat comes right after what it repeats
