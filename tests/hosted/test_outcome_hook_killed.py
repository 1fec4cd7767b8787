"""The process that tells the host's function is killed, again and again: everything is told, in order."""

from __future__ import annotations

import os
import signal
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest

from connector.services.outcomes import in_process
from connector.storage import endpoints, outcomes
from connector.storage.outcomes import DeliveryState
from tests.conftest import free_port
from tests.domain.examples import NOW, when
from tests.hosted.processes import GUNICORN, hosted
from tests.hosted.told_host import FILE
from tests.journeys.stage import Installation
from tests.kept_lines import kept_lines

pytestmark = [pytest.mark.long, pytest.mark.slow]

SESSIONS, STEPS, KILLS = 4, 5, 3


def test_everything_is_told_in_order_whichever_process_is_killed(sqlite_url: str, tmp_path: Path) -> None:
    since = datetime.now(UTC).replace(microsecond=0)  # noqa: TID251 - the processes live in real time
    shift = (since - NOW).total_seconds() / 3600
    told = tmp_path / "told"
    with Installation(sqlite_url, now=since) as here:
        environ = here.environment() | {"CONNECTOR_PUBLIC_URL": "http://pages.example/rearrange", FILE: str(told)}
        command = (*GUNICORN, "--workers", "2", "tests.hosted.told_host:create_app()")
        with hosted(command, environ, free_port(), tmp_path) as host:
            host.processes(2)
            here.until(lambda: _is_registered(here), bool)
            booked = [here.practice.book(shift + 48 + 2 * n) for n in range(SESSIONS)]
            for step in range(1, STEPS + 1):
                for n, session in enumerate(booked):
                    here.practice.move(session, when(shift + 48 + 2 * n + 200 * step))
                if step <= KILLS:
                    _kill(here, told)
                    host.processes(2)
            here.until(lambda: _waiting(here), lambda many: many == 0)
        assert "Traceback" not in host.log.read_text()
    of_session: dict[str, list[Any]] = {}
    for one in kept_lines(told):
        if one["type"].startswith("session."):
            of_session.setdefault(one["session_id"], []).append(one)
    assert of_session.keys() == {str(session.id) for session in booked}
    for kept in of_session.values():
        once = [key for key, _ in groupby(one["id"] for one in kept)]  # a repeat comes right after what it repeats
        assert len(once) == len(set(once)) == 1 + STEPS
        revisions = [one["revision"] for one in kept]
        assert revisions == sorted(revisions)


def _kill(here: Installation, told: Path) -> None:
    """Kill the process that tells, once it has told one more."""
    before = len(kept_lines(told))
    here.until(lambda: len(kept_lines(told)), lambda many: many > before)
    os.kill(kept_lines(told)[-1]["process"], signal.SIGKILL)


def _is_registered(here: Installation) -> bool:
    with here.runtime.database.read() as db:
        return endpoints.find(db, in_process.ID) is not None


def _waiting(here: Installation) -> int:
    with here.runtime.database.read() as db:
        return outcomes.counts(db).get(in_process.ID, {}).get(DeliveryState.PENDING.value, 0)
