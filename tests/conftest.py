"""Databases, brokers and clocks for tests: real servers, private to the run, on the loopback only."""

from __future__ import annotations

import ctypes
import os
import pwd
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import BinaryIO, NoReturn

import hypothesis
import psycopg
import pytest
import redis
import sqlalchemy as sa
import structlog

from connector.storage import migrations
from connector.storage.database import Database
from tests.compiled import share_compiled_rules, share_compiled_statements
from tests.sweeps import EVERY_CASE, positions, sample

hypothesis.settings.register_profile("default", max_examples=50, deadline=None)
hypothesis.settings.register_profile("long", max_examples=1000, deadline=None)

_ENVIRONMENT = os.environ  # noqa: TID251 - the tests' own switches, read in this one place
SCREENSHOTS = _ENVIRONMENT.get("CONNECTOR_TEST_SCREENSHOTS")
SWEEP = _ENVIRONMENT.get("CONNECTOR_TEST_SWEEP", "1")
STORMS = [int(seed) for seed in _ENVIRONMENT.get("CONNECTOR_TEST_STORMS", "1 2").split()]
_DEBIAN_POSTGRESQL = "/usr/lib/postgresql"  # Debian keeps the server's programs off the path
_PR_SET_PDEATHSIG = 1
_PORTS = (10_000, 32_000)  # below those that systems take for connections of their own accord
_given: set[int] = set()  # ports
_numbers = count()
_chance = random.SystemRandom()  # not pytest's seed: several processes look for ports at a time


def pytest_configure(config: pytest.Config) -> None:
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # as shells have it for what runs in the background
        signal.signal(signal.SIGINT, signal.default_int_handler)  # which processes of ours inherit
    long = config.getoption("markexpr") == "long"
    hypothesis.settings.load_profile("long" if long else _ENVIRONMENT.get("HYPOTHESIS_PROFILE", "default"))
    share_compiled_statements()
    share_compiled_rules()


@pytest.fixture(autouse=True)
def log_settings() -> Iterator[None]:
    """Have the log as it is by default again, whatever a command has set."""
    yield
    structlog.reset_defaults()


def pytest_report_header() -> str:
    return f"sweeps: CONNECTOR_TEST_SWEEP={SWEEP} (another word tries other cases, {EVERY_CASE} tries them all)"


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_teardown() -> None:
    """Let no host's part in carrying out due work outlive its test: it would go on asking that test's database."""
    election = sys.modules.get("connector.hosted.election")
    if election is not None:
        for part in list(election._elections):
            part.stop()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out cases of sweeps, and let files with something slow begin first: processes share the work by files."""
    left_out = _beyond_the_sample(items)
    config.hook.pytest_deselected(items=[item for item in items if item in left_out])
    items[:] = [item for item in items if item not in left_out]
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)


def _beyond_the_sample(items: list[pytest.Item]) -> set[pytest.Item]:
    sweeps: dict[str, list[pytest.Function]] = {}
    for item in items:
        if isinstance(item, pytest.Function) and item.get_closest_marker("sweep") and item.get_closest_marker("long"):
            sweeps.setdefault(f"{item.path}::{item.originalname}", []).append(item)
    left_out: set[pytest.Item] = set()
    for cases in sweeps.values():
        mark = cases[0].get_closest_marker("sweep")
        assert mark is not None
        taken = sample(positions([case.callspec.params for case in cases]), seed=SWEEP, **mark.kwargs)
        left_out.update(case for n, case in enumerate(cases) if n not in taken)
    return left_out


def missing(what: str) -> NoReturn:
    """Skip the test, or fail it where everything is meant to be there."""
    if _ENVIRONMENT.get("CI") == "true":
        pytest.fail(f"{what}, and with CI=true nothing is skipped")
    pytest.skip(what)


class Clock:
    """Virtual time: stands still until it is moved."""

    def __init__(self, now: datetime) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now

    def advance(self, by: timedelta) -> datetime:
        self.now += by
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock(datetime(2026, 3, 2, 9, 0, tzinfo=UTC))


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def database_url(request: pytest.FixtureRequest) -> str:
    url: str = request.getfixturevalue(f"{request.param}_url")
    return url


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """A fresh, migrated database; the test runs once on each kind."""
    with _opened(database_url) as database:
        yield database


@pytest.fixture
def sqlite_database(sqlite_url: str) -> Iterator[Database]:
    with _opened(sqlite_url) as database:
        yield database


@pytest.fixture
def postgresql_database(postgresql_url: str) -> Iterator[Database]:
    with _opened(postgresql_url) as database:
        yield database


@contextmanager
def _opened(url: str) -> Iterator[Database]:
    database = Database(url)
    try:
        yield database
    finally:
        database.dispose()


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("template") / "template.sqlite3"
    migrations.migrate(f"sqlite:///{path}")
    return path


@pytest.fixture
def sqlite_url(sqlite_template: Path, tmp_path: Path) -> str:
    path = tmp_path / "pencilled.sqlite3"
    shutil.copyfile(sqlite_template, path)
    return f"sqlite:///{path}"


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[str]:
    """The URL of a server's maintenance database, as somebody who may create databases."""
    if url := _ENVIRONMENT.get("CONNECTOR_TEST_POSTGRESQL_URL"):
        yield url
        return
    with postgresql(synchronous_commit="off") as server:
        yield server.url


@pytest.fixture(scope="session")
def _postgresql_template(postgresql_server: str) -> Iterator[str]:
    with _created(postgresql_server, f"pencilled_template_{os.getpid()}") as url:
        migrations.migrate(url)
        yield url


@pytest.fixture
def postgresql_url(postgresql_server: str, _postgresql_template: str) -> Iterator[str]:
    template = sa.make_url(_postgresql_template).database
    with _created(postgresql_server, f"pencilled_{os.getpid()}_{next(_numbers)}", template=template) as url:
        yield url


@pytest.fixture
def empty_postgresql_url(postgresql_server: str) -> Iterator[str]:
    """A database nobody has migrated."""
    with _created(postgresql_server, f"pencilled_{os.getpid()}_{next(_numbers)}") as url:
        yield url


class Postgresql:
    """A server of a test's own; nothing that was committed goes with its processes, unless an option says so."""

    def __init__(self, programs: Path, folder: Path, user: str, **options: str) -> None:
        self.port = free_port()
        self.url = f"postgresql://postgres@127.0.0.1:{self.port}/postgres"
        self._folder, self._user = folder, user
        flags = [part for name, value in options.items() for part in ("-c", f"{name}={value}")]
        self._command: list[str | Path] = [programs / "postgres", "-D", folder / "data", "-p", str(self.port), *flags]
        self._stack = ExitStack()

    def start(self) -> None:
        log = self._stack.enter_context((self._folder / "log").open("ab"))
        self._process = self._stack.enter_context(child(self._command, log, stop=signal.SIGINT, user=self._user))
        _await(self._look, psycopg.OperationalError)

    def _look(self) -> None:
        """Make sure that it answers, and nobody else: a server of others at this port would end with their tests."""
        assert self._process.poll() is None, (self._folder / "log").read_text()
        with psycopg.connect(self.url) as db:
            [folder] = db.execute("SHOW data_directory").fetchone() or ("",)
        assert folder == str(self._folder / "data"), f"port {self.port} is another server's"

    def restart(self) -> None:
        """End every connection in the middle of whatever it does, and come back."""
        self._process.send_signal(signal.SIGQUIT)
        self._process.wait(120)
        self.start()

    def become_replica(self) -> None:
        """Go on as a standby, which only lets read."""
        self.stop()
        (self._folder / "data" / "standby.signal").touch()
        self.start()

    def stop(self) -> None:
        self._stack.close()


@contextmanager
def postgresql(**options: str) -> Iterator[Postgresql]:
    programs = _postgresql_programs()
    user = "postgres" if os.geteuid() == 0 else pwd.getpwuid(os.geteuid()).pw_name
    folder = Path(tempfile.mkdtemp(prefix="pencilled-postgresql-"))
    try:
        shutil.chown(folder, user)
        initdb: list[str | Path] = [programs / "initdb", "-D", folder / "data", "-U", "postgres", "-A", "trust"]
        made = subprocess.run(
            [*initdb, "-E", "UTF8", "--locale=C", "-N"],
            user=user,
            cwd=folder,
            env={"LC_ALL": "C"},
            capture_output=True,
            check=False,
        )
        if made.returncode:
            missing(f"PostgreSQL did not come up: {made.stderr.decode(errors='replace')[:300]}")
        usual = {
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": "",
            "fsync": "off",
            "full_page_writes": "off",
            "max_connections": "300",
            "deadlock_timeout": "50ms",  # tests that provoke deadlocks need not wait the usual second
        }
        server = Postgresql(programs, folder, user, **usual, **options)
        try:
            server.start()
            yield server
        finally:
            server.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _created(server: str, name: str, *, template: str | None = "template0") -> Iterator[str]:
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
    yield sa.make_url(server).set(database=name).render_as_string(hide_password=False)
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


def _postgresql_programs() -> Path:
    if found := shutil.which("initdb"):
        return Path(found).resolve().parent
    versions = sorted(Path(_DEBIAN_POSTGRESQL).glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    if not versions:
        missing("PostgreSQL is not installed")
    return versions[-1].parent


@pytest.fixture(scope="session")
def _redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    program = shutil.which("redis-server")
    if not program:
        missing("Redis is not installed")
    folder = tmp_path_factory.mktemp("redis")
    port = free_port()
    flags: list[str | Path] = [
        "--port",
        str(port),
        "--bind",
        "127.0.0.1",
        "--save",
        "",
        "--appendonly",
        "no",
        "--dir",
        folder,
    ]
    with (folder / "log").open("wb") as log, child([program, *flags], log, stop=signal.SIGTERM):
        with redis.Redis(port=port) as api:
            _await(api.ping, redis.ConnectionError)
        yield f"redis://127.0.0.1:{port}/0"


@pytest.fixture
def redis_url(_redis_server: str) -> str:
    """An empty Redis."""
    with redis.Redis.from_url(_redis_server) as api:
        api.flushall()
    return _redis_server


def free_port() -> int:
    """Return a loopback port nobody listens on, and that is given to nobody else until it is listened on.

    Neither by the system, for a connection, nor by another process of this run, which has a share of its own.
    """
    worker, workers = (_ENVIRONMENT.get(f"PYTEST_XDIST_WORKER{part}") for part in ("", "_COUNT"))
    share = range(_PORTS[0] + int((worker or "gw0").removeprefix("gw")), _PORTS[1], int(workers or 1))
    while True:
        port = _chance.choice(share)
        with suppress(OSError), socket.create_server(("127.0.0.1", port), reuse_port=False):
            if port not in _given:
                _given.add(port)
                return port


@contextmanager
def child(
    command: list[str | Path], log: BinaryIO, *, stop: signal.Signals, user: str | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a server beside the tests, as a user other than root where it insists; it never outlives us."""
    process = subprocess.Popen(
        command,
        stdout=log,
        stderr=subprocess.STDOUT,
        user=user,
        group=None if user is None else pwd.getpwnam(user).pw_gid,
        cwd="/",
        preexec_fn=_die_with_parent,  # noqa: PLW1509 - before any thread of ours
    )
    try:
        yield process
    finally:
        process.send_signal(stop)
        process.wait(60)


def _die_with_parent() -> None:
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGINT)


def _await(attempt: Callable[[], object], failure: type[Exception]) -> None:
    deadline = time.monotonic() + 120
    while True:
        try:
            attempt()
        except failure:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)  # nothing to wait on but the port
        else:
            return
