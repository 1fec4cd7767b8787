"""A worker frozen by SIGSTOP in the middle of its writes, past its lease, while another goes on with the calendar."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from connector.domain.connection import Calendar
from connector.domain.offer import Offer
from connector.services.scheduling import offers
from connector.storage import ledger, remote_changes
from connector.storage.ledger import Key, Kind
from tests.conftest import child
from tests.domain.examples import KIM, NOW, when
from tests.fakes.servers import Server
from tests.journeys import services
from tests.journeys.services import Service, connect, use
from tests.journeys.stage import Installation

pytestmark = [pytest.mark.postgresql, pytest.mark.slow]

SLUGS = ["caldav", "google", "outlook"]
# The fake of Graph does one operation at a time: while one is held, nobody else would be served.
HELD_OR_NOT = [(slug, held) for slug in SLUGS for held in (False, True) if not (held and slug == "outlook")]
HOURS = (72, 96, 120, 144, 168, 192, 216, 240)
LEASE = timedelta(seconds=2)
ROOT = Path(__file__).parents[2]
_INHERITED = {name: value for name, value in os.environ.items() if not name.startswith("CONNECTOR_")}  # noqa: TID251 - a child's


class Distributed(Installation):
    """An installation on PostgreSQL, for workers that are processes of their own."""

    broker_url = "redis://127.0.0.1:1"  # of the settings; the workers here are given one of their own

    def environment(self) -> dict[str, str]:
        more = {"CONNECTOR_BROKER_URL": self.broker_url, "CONNECTOR_SECRET_KEYS": "a key for tests that is long enough"}
        return super().environment() | more


@dataclass
class Freezer:
    """Freezes a process at its nth write; where `held`, the service does that write only when it is thawed."""

    n: int
    held: bool
    process: subprocess.Popen[bytes] | None = None
    frozen: threading.Event = field(default_factory=threading.Event)
    thawed: threading.Event = field(default_factory=threading.Event)
    _turn: threading.Lock = field(default_factory=threading.Lock)

    def script(self, _request: Any, forward: Callable[[], Any]) -> Any:
        with self._turn:
            strikes = self.n == 0
            self.n -= 1
            if strikes:
                assert self.process is not None
                self.process.send_signal(signal.SIGSTOP)
                self.frozen.set()
        if strikes and self.held:
            assert self.thawed.wait(120)
        return forward()

    def thaw(self) -> None:
        assert self.process is not None
        self.thawed.set()
        self.process.send_signal(signal.SIGCONT)


@contextmanager
def working(installation: Installation, there: Service, log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run a worker as a process of its own."""
    environ = _INHERITED | installation.environment() | there.environment() | {"PYTHONPATH": str(ROOT)}
    lease_ms = str(round(LEASE / timedelta(milliseconds=1)))
    module = [sys.executable, "-m", "tests.journeys.brief_worker", "memory://", lease_ms]
    wrapped: list[str | Path] = ["env", *[f"{name}={value}" for name, value in environ.items()], *module]
    with log.open("ab") as file, child(wrapped, file, stop=signal.SIGTERM) as process:
        try:
            yield process
        finally:
            process.send_signal(signal.SIGCONT)


def wanted(installation: Installation) -> list[datetime]:
    return [start for start, _end, _state in installation.practice.kept()]


def shown(there: Service) -> list[datetime]:
    return [event.start for event in there.shown()]


def await_true(installation: Installation, there: Service) -> None:
    """Wait until nothing is due now, and the calendar is as it should be."""
    installation.until(lambda: _settled(installation), bool)
    assert shown(there) == wanted(installation)


def _settled(installation: Installation) -> bool:
    return not installation.unfinished(datetime.now(UTC))  # noqa: TID251 - the workers live in real time


def withdraw_three_and_move_five(installation: Installation, offer: Offer, shift: float) -> None:
    practice = installation.practice
    with practice.database.begin() as db:
        for n in (1, 3, 6):
            offers.withdraw_alternative(
                db, practice.policy, offer.id, offer.alternatives[n].id, by=KIM, now=practice.now
            )
        for n in (0, 2, 4, 5, 7):
            to = when(shift + HOURS[n] + 3)
            offers.move_alternative(
                db, practice.policy, offer.id, offer.alternatives[n].id, to, by=KIM, now=practice.now
            )


def look(installation: Installation, calendar: Calendar) -> None:
    """Read what happened there, now."""
    with installation.practice.database.begin() as db:
        now = datetime.now(UTC)  # noqa: TID251 - as above
        ledger.touch(db, Key(Kind.PULL, str(calendar.id)), due_at=now, lane=calendar.lane)


def play(there: Service, database_url: str, folder: Path, freezer: Freezer) -> None:
    since = datetime.now(UTC).replace(microsecond=0)  # noqa: TID251 - as above
    shift = (since - NOW).total_seconds() / 3600
    with Distributed(database_url, now=since) as installation:
        use(installation.runtime, there)
        practice = installation.practice
        calendar = connect(practice, installation.runtime, there)
        log = folder / "first.log"
        with working(installation, there, log) as first:
            freezer.process = first
            booked = practice.book(shift + 48)
            installation.until(lambda: shown(there), lambda starts: len(starts) == 1)
            await_true(installation, there)
            there.at_every_write(freezer.script)
            offer = practice.offer(booked, *(shift + hours for hours in HOURS))
            assert freezer.frozen.wait(120)
            with working(installation, there, folder / "second.log"):
                installation.until(lambda: len(shown(there)), lambda count: count == 1 + len(HOURS))
                await_true(installation, there)
                withdraw_three_and_move_five(installation, offer, shift)
                installation.until(lambda: shown(there) == wanted(installation), bool)
                await_true(installation, there)
                freezer.thaw()
                installation.until(log.read_text, lambda text: _lost(text, Kind.CALENDAR))
                # What was under way lands when it likes, perhaps after the first look; then it is looked at again.
                installation.until(lambda: _settled(installation) and shown(there) == wanted(installation), bool)
                look(installation, calendar)
                await_true(installation, there)
                with practice.database.read() as db:
                    assert remote_changes.of_calendar(db, calendar.id) == {}
                assert len({event.href for event in there.shown()}) == len(wanted(installation)) == 6


@pytest.fixture(params=SLUGS)
def there(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Service]:
    server: Server | None = request.getfixturevalue("radicale_server") if request.param == "caldav" else None
    with services.service(request.param, tmp_path, server) as running:
        yield running


def test_a_worker_frozen_in_the_middle_of_its_creations_changes_nothing_when_it_wakes(
    postgresql_url: str, tmp_path: Path
) -> None:
    with services.service("google", tmp_path, None) as there:
        play(there, postgresql_url, tmp_path, Freezer(3, held=False))


@pytest.mark.long
@pytest.mark.sweep
@pytest.mark.parametrize(("there", "held"), HELD_OR_NOT, indirect=["there"])
@pytest.mark.parametrize("n", range(8))
def test_a_worker_frozen_at_any_creation_changes_nothing_when_it_wakes(
    there: Service, postgresql_url: str, tmp_path: Path, n: int, *, held: bool
) -> None:
    play(there, postgresql_url, tmp_path, Freezer(n, held=held))


def test_a_worker_frozen_in_the_middle_of_a_letter_does_not_send_it_when_it_wakes(
    radicale_server: Server, postgresql_url: str, tmp_path: Path
) -> None:
    since = datetime.now(UTC).replace(microsecond=0)  # noqa: TID251 - as above
    with (
        services.service("caldav", tmp_path, radicale_server) as there,
        Distributed(postgresql_url, now=since) as installation,
    ):
        use(installation.runtime, there)
        log, frozen, mailbox = tmp_path / "first.log", threading.Event(), installation.mailbox
        with working(installation, there, log) as first:

            def freeze() -> None:
                first.send_signal(signal.SIGSTOP)
                frozen.set()

            mailbox.once("rcpt", freeze)
            booked = installation.practice.book((since - NOW).total_seconds() / 3600 + 48)
            assert frozen.wait(120)
            with working(installation, there, tmp_path / "second.log"):
                mailbox.wait_for(1)
                installation.practice.cancel(booked)
                mailbox.wait_for(2)
                first.send_signal(signal.SIGCONT)
                installation.until(log.read_text, lambda text: _lost(text, Kind.CONVERSATION))
                installation.until(lambda: _settled(installation), bool)
        methods = [part.get_param("method") for mail in mailbox.messages for part in mail.message.walk()]
        assert [method for method in methods if method] == ["REQUEST", "CANCEL"]


def _lost(log: str, kind: Kind) -> bool:
    """Whether a worker has said that it lost its claim on some work of a kind."""
    return any({"how='lost'", f"kind='{kind.value}'"} <= set(line.split()) for line in log.splitlines())
