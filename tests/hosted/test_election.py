"""One of a host's processes carries out due work, whichever of them is killed, and nothing is lost or done twice."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Lock, Semaphore
from typing import Any

import pytest
import sqlalchemy as sa

from connector.cli.demo.evidence import eventually
from connector.hosted import election
from connector.storage import migrations
from connector.storage.database import Database
from connector.storage.ledger import Key, Kind
from connector.work import pump
from tests.conftest import free_port
from tests.domain.examples import NOW
from tests.fakes.servers import Server, radicale
from tests.hosted.processes import FLASK, GUNICORN, PATIENCE_SECONDS, Host, hosted
from tests.journeys import services
from tests.journeys.services import Service, connect, use
from tests.journeys.stage import Installation
from tests.services.practice import Practice

pytestmark = pytest.mark.slow

APP = "tests.hosted.elected_host:create_app()"
TWO = (*GUNICORN, "--workers", "2", APP)
TAKES_OVER_WITHIN = timedelta(seconds=5)
PUBLIC = {"CONNECTOR_PUBLIC_URL": "http://pages.example/rearrange"}


@pytest.fixture(scope="module")
def radicale_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with radicale(tmp_path_factory.mktemp("radicale")) as server:
        yield server


def test_another_process_looks_often_enough_to_take_over_within_five_seconds() -> None:
    """The system frees a file lock at once, and a server the turn of a process that is silent."""
    assert 4 * election.PAUSE <= TAKES_OVER_WITHIN
    assert election.SILENCE + 4 * election.PAUSE <= TAKES_OVER_WITHIN


def test_a_turn_is_kept_while_an_engine_takes_long_to_start() -> None:
    class Turn:
        def __init__(self) -> None:
            self.confirmed = Semaphore(0)

        def held(self) -> bool:
            self.confirmed.release()
            return True

        def close(self) -> None:
            """Nothing to give back."""

    turn = Turn()
    with election._confirming(turn, every=timedelta(milliseconds=1)):
        for _ in range(3):
            assert turn.confirmed.acquire(timeout=PATIENCE_SECONDS)


class Killer:
    """Kills whichever process carries out due work, once, at the nth write to the calendar."""

    def __init__(self, n: int, installation: Installation, *, after: bool) -> None:
        self.left = n
        self.after = after
        self.installation = installation
        self.host: Host | None = None
        self.killed: int | None = None
        self._turn = Lock()

    def script(self, _request: Any, forward: Any) -> Any:
        with self._turn:
            strikes = self.killed is None and self.left == 0 and self.host is not None
            self.left -= 1
            if strikes and self.host is not None:
                self.installation.until(lambda: told(self.installation), bool)  # a mail under way would come twice
                self.killed = self.host.holder
        if strikes and not self.after:
            self._kill()
        reply = forward()
        if strikes and self.after:
            self._kill()
        return reply

    def _kill(self) -> None:
        assert self.killed is not None
        os.kill(self.killed, signal.SIGKILL)


def left(installation: Installation) -> list[Key]:
    return installation.unfinished(datetime.now(UTC))  # noqa: TID251 - the processes live in real time


def told(installation: Installation) -> bool:
    """Whether everybody has been told all that there is to tell."""
    return all(key.kind is not Kind.CONVERSATION for key in left(installation))


@contextmanager
def playing(database_url: str, there: Service) -> Iterator[tuple[Installation, Practice, float]]:
    """An installation with a calendar connected, in real time; yields hours from the examples' now as well."""
    since = datetime.now(UTC).replace(microsecond=0)  # noqa: TID251 - as above
    with Installation(database_url, now=since) as installation:
        use(installation.runtime, there)
        connect(installation.practice, installation.runtime, there)
        yield installation, installation.practice, (since - NOW).total_seconds() / 3600


def play(command: Sequence[str], database_url: str, server: Server, folder: Path, *, n: int, after: bool) -> None:
    """Send an offer; the process that carries it out is killed on the way, and another goes on."""
    with services.service("caldav", folder, server) as there, playing(database_url, there) as played:
        installation, practice, shift = played
        killer = Killer(n, installation, after=after)
        there.at_every_write(killer.script)
        environ = installation.environment() | there.environment() | PUBLIC
        with hosted(command, environ, free_port(), folder) as host:
            killer.host = host
            host.processes(2)
            first = host.elected()
            practice.offer(practice.book(shift + 48), *(shift + hours for hours in (72, 96, 120)))
            installation.until(lambda: killer.killed, lambda killed: killed is not None)
            assert killer.killed == first
            second = host.elected(other_than=first)
            installation.until(there.shown, lambda seen: len(seen) == 4)
            installation.until(lambda: left(installation), lambda keys: not keys)
            host.processes(2)
            assert host.holder == second, "one carries out due work, and that stays so"
        assert [one.start for one in there.shown()] == [start for start, _end, _state in practice.kept()]
        mails = [(mail.recipients, str(mail.message["Subject"])) for mail in installation.mailbox.messages]
        assert len(mails) == len(set(mails)) == 2, "the invitation, and the offer"
        assert "Traceback" not in host.log.read_text()


def test_another_worker_of_gunicorn_goes_on_within_seconds_of_a_kill(
    sqlite_url: str, radicale_server: Server, tmp_path: Path
) -> None:
    play(TWO, sqlite_url, radicale_server, tmp_path, n=2, after=True)


@pytest.mark.long
@pytest.mark.parametrize("n", [0, 1, 3])
def test_nothing_is_lost_or_done_twice_whichever_write_a_worker_is_killed_at(
    sqlite_url: str, radicale_server: Server, tmp_path: Path, n: int
) -> None:
    play((*GUNICORN, "--workers", "2", "--preload", APP), sqlite_url, radicale_server, tmp_path, n=n, after=n == 1)


@pytest.mark.long
@pytest.mark.parametrize("flags", [(), ("--preload",)])
def test_a_server_that_is_told_to_stop_has_its_due_work_come_to_a_safe_place(
    sqlite_url: str, tmp_path: Path, flags: tuple[str, ...]
) -> None:
    with Installation(sqlite_url) as installation:
        environ = installation.environment() | PUBLIC
        with hosted((*GUNICORN, "--workers", "2", *flags, APP), environ, free_port(), tmp_path) as host:
            assert host.holder is None, "nobody was asked for anything yet"
            there = host.processes(2)
            assert host.elected() in there
            assert host.process.pid not in there
            host.process.send_signal(signal.SIGTERM)
            assert host.process.wait(PATIENCE_SECONDS) == 0
            assert host.holder is None
        assert "Traceback" not in host.log.read_text()


@pytest.mark.long
def test_a_reloading_server_of_flask_has_one_engine_and_the_next_process_goes_on(
    sqlite_url: str, tmp_path: Path
) -> None:
    module = tmp_path / "shop.py"
    module.write_text("from tests.hosted.elected_host import create_app\n")
    with Installation(sqlite_url) as installation:
        environ = installation.environment() | PUBLIC
        command = (*FLASK, "--app", "shop", "run", "--reload", "--port", "{port}")
        with hosted(command, environ, free_port(), tmp_path) as host:
            [child] = host.processes(1)
            assert child != host.process.pid
            assert host.elected() == child
            module.write_text(module.read_text() + "# changed\n")
            installation.until(lambda: (host.ask() or {}).get("process"), lambda one: one not in {None, child})
            assert host.elected(other_than=child) in host.processes(1)


@pytest.mark.long
def test_where_a_command_carries_out_due_work_no_web_process_does(sqlite_url: str, tmp_path: Path) -> None:
    with Installation(sqlite_url) as installation, ExitStack() as stack:
        environ = installation.environment() | PUBLIC | {"HOST_START": "command"}
        web = stack.enter_context(hosted(TWO, environ, free_port(), tmp_path))
        web.processes(2)
        command = (*FLASK, "--app", "tests.hosted.elected_host", "pencilled", "work", "--threads", "2")
        folder = tmp_path / "work"
        folder.mkdir()
        work = stack.enter_context(hosted(command, environ, 0, folder))
        assert web.elected() == work.process.pid
        work.process.send_signal(signal.SIGTERM)
        assert work.process.wait(PATIENCE_SECONDS) == 0
        assert work.log.read_text().endswith("Stopped.\n")
        web.processes(2)
        assert web.holder is None


@pytest.mark.long
def test_a_database_is_brought_up_to_date_between_a_host_and_its_first_due_work(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/pencilled.sqlite3"
    with hosted(TWO, {"CONNECTOR_DATABASE_URL": url} | PUBLIC, free_port(), tmp_path) as host:
        host.processes(2)
        assert not (tmp_path / "pencilled.sqlite3").exists()
        migrations.migrate(url)
        host.elected()


@pytest.mark.long
@pytest.mark.postgresql
@pytest.mark.redis
def test_one_web_process_on_postgresql_carries_out_due_work_and_the_next_goes_on(
    postgresql_url: str, postgresql_database: Database, redis_url: str, tmp_path: Path
) -> None:
    servers = {
        "CONNECTOR_DATABASE_URL": postgresql_url,
        "CONNECTOR_BROKER_URL": redis_url,
        "CONNECTOR_SECRET_KEYS": "k" * 32,
    }

    def holder() -> int | None:
        process, _, _machine = (postgresql_database.baton_holder(election.BATON) or "").partition("@")
        return int(process) if process else None

    with hosted(TWO, servers | PUBLIC, free_port(), tmp_path) as host:
        there = host.processes(2)
        first = eventually(holder, lambda one: one is not None, seconds=PATIENCE_SECONDS)
        assert first in there
        os.kill(first or 0, signal.SIGKILL)
        second = eventually(holder, lambda one: one not in {None, first}, seconds=PATIENCE_SECONDS)
        assert second not in {None, first}
        watch = eventually(
            lambda: postgresql_database.baton_holder(pump.BATON) or "",
            lambda one: one.startswith(f"{second}@"),
            seconds=PATIENCE_SECONDS,
        )
        assert watch.startswith(f"{second}@")
        end = "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE application_name LIKE 'pencilled %@%'"
        with postgresql_database.begin() as db:
            assert db.execute(sa.text(end)).all()
        assert eventually(holder, bool, seconds=PATIENCE_SECONDS), "a lost connection is the end of no host"
        assert "Traceback" not in host.log.read_text()
