"""`pencilled serve` killed by SIGKILL around any write to any calendar service, and started again."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Lock
from typing import Any

import pytest

from connector.domain.connection import Calendar
from connector.domain.offer import Offer, OfferState
from connector.services.accounts import disconnect
from connector.storage import calendars
from tests.conftest import child
from tests.domain.examples import KIM, NOW
from tests.fakes.servers import Server
from tests.journeys import services
from tests.journeys.services import Service, Shown, connect, use
from tests.journeys.stage import Installation
from tests.services.practice import Practice

pytestmark = pytest.mark.slow

SLUGS = ["caldav", "google", "outlook"]
_INHERITED = {name: value for name, value in os.environ.items() if not name.startswith("CONNECTOR_")}  # noqa: TID251 - a child's


class Assassin:
    """Kills the process at its nth write, before the service does it or after."""

    def __init__(self, n: int, *, after: bool) -> None:
        self.left = n
        self.after = after
        self.process: subprocess.Popen[bytes] | None = None
        self.struck = False
        self._turn = Lock()

    def script(self, _request: Any, forward: Callable[[], Any]) -> Any:
        with self._turn:
            strikes = not self.struck and self.left == 0 and self.process is not None
            self.left -= 1
            self.struck = self.struck or strikes
        if strikes and not self.after:
            self._strike()
        reply = forward()
        if strikes and self.after:
            self._strike()
        return reply

    def _strike(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(120)


@contextmanager
def serving(installation: Installation, there: Service, folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run the product as a process of its own."""
    command: list[str | Path] = [sys.executable, "-c", "from connector.cli import main; main()", "serve"]
    environ = _INHERITED | installation.environment() | there.environment()
    wrapped: list[str | Path] = ["env", *[f"{name}={value}" for name, value in environ.items()], *command]
    with (folder / "serve.log").open("ab") as log, child(wrapped, log, stop=signal.SIGTERM) as process:
        yield process


def play(there: Service, database_url: str, folder: Path, assassin: Assassin) -> None:
    """Send an offer, accept it, let another lapse, and disconnect; the process may die once on the way."""
    since = datetime.now(UTC).replace(microsecond=0)  # noqa: TID251 - the child lives in real time
    shift = (since - NOW).total_seconds() / 3600
    with Installation(database_url, now=since) as installation:
        use(installation.runtime, there)
        practice = installation.practice
        calendar = connect(practice, installation.runtime, there)
        there.at_every_write(assassin.script)
        second: Offer | None = None
        with serving(installation, there, folder) as first:
            assassin.process = first
            booked = practice.book(shift + 48)
            offer = practice.offer(booked, *(shift + h for h in (72, 96, 120)))
            await_all(installation, there, first, 4)
            if first.poll() is None:
                practice.accept(offer, 1)
                await_all(installation, there, first, 1)
            if first.poll() is None:
                second = practice.offer(booked, shift + 200, shift + 210, window=timedelta(seconds=3))
                installation.until(lambda: first.poll() is not None or lapsed(practice, second), bool)
                await_all(installation, there, first, 1)
            if first.poll() is None:
                with installation.runtime.database.begin() as db:
                    disconnect.begin(db, practice.policy, calendar.connection_id, by=KIM, now=since)
                await_all(installation, there, first, 0)
            died = first.poll() is not None
        assert died == assassin.struck
        with serving(installation, there, folder) as again:
            installation.until(lambda: second is None or lapsed(practice, second), bool)
            installation.until(
                lambda: (starts(there.shown()), wanted_now(installation, calendar)), lambda pair: pair[0] == pair[1]
            )
            expected_events = wanted_now(installation, calendar)
            installation.until(lambda: settled(installation), bool)
            assert again.poll() is None
            assert starts(there.shown()) == expected_events
            assert len({one.href for one in there.shown()}) == len(expected_events)


def await_all(installation: Installation, there: Service, process: subprocess.Popen[bytes], count: int) -> None:
    """Wait until that many events stand there, or the process is dead."""
    installation.until(there.shown, lambda seen: len(seen) == count or process.poll() is not None)
    if process.poll() is None:
        installation.until(lambda: settled(installation), lambda quiet: quiet or process.poll() is not None)


def settled(installation: Installation) -> bool:
    return not installation.unfinished(datetime.now(UTC))  # noqa: TID251 - as above


def lapsed(practice: Practice, offer: Offer) -> bool:
    return practice.offer_now(offer).state is OfferState.LAPSED


def wanted_now(installation: Installation, calendar: Calendar) -> list[datetime]:
    """The times that are kept while the calendar is connected; nothing once it is left."""
    with installation.runtime.database.read() as db:
        is_connected = any(one.id == calendar.id for one in calendars.calendars_of(db))
    return [start for start, _end, _state in installation.practice.kept()] if is_connected else []


def starts(seen: list[Shown]) -> list[datetime]:
    return [one.start for one in seen]


@pytest.fixture(params=SLUGS)
def there(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Service]:
    server: Server | None = request.getfixturevalue("radicale_server") if request.param == "caldav" else None
    with services.service(request.param, tmp_path, server) as running:
        yield running


@pytest.mark.parametrize(("there", "n", "after"), [("caldav", 1, True), ("google", 4, False)], indirect=["there"])
def test_a_kill_around_a_write_leaves_exactly_the_wanted_events(
    there: Service, sqlite_url: str, tmp_path: Path, n: int, *, after: bool
) -> None:
    assassin = Assassin(n, after=after)
    play(there, sqlite_url, tmp_path, assassin)
    assert assassin.struck


@pytest.mark.long
@pytest.mark.sweep
@pytest.mark.parametrize("after", [True, False])
@pytest.mark.parametrize("n", range(13))
def test_a_kill_around_every_write_leaves_exactly_the_wanted_events(
    there: Service, sqlite_url: str, tmp_path: Path, n: int, *, after: bool
) -> None:
    play(there, sqlite_url, tmp_path, Assassin(n, after=after))
