"""A Redis of a test's own, to be frozen, killed and started again."""

from __future__ import annotations

import shutil
import signal
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import redis

from tests.conftest import child, free_port, missing

_LONGEST_START_SECONDS = 120.0  # far beyond what it takes


class RedisServer:
    """Listens on one port for as long as it lives; keeps nothing through a restart."""

    def __init__(self, folder: Path, program: str) -> None:
        self.port = free_port()
        self._program = program
        self._folder = folder
        self._stack = ExitStack()
        self.start()

    @property
    def url(self) -> str:
        """Where it listens, for clients that give up after a second: a frozen one never answers."""
        return f"redis://127.0.0.1:{self.port}/0?socket_timeout=1&socket_connect_timeout=1"

    def start(self) -> None:
        log = self._stack.enter_context((self._folder / "log").open("ab"))
        flags = ["--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
        command: list[str | Path] = [self._program, *flags, "--dir", self._folder]
        self.process = self._stack.enter_context(child(command, log, stop=signal.SIGTERM))
        deadline = time.monotonic() + _LONGEST_START_SECONDS
        with redis.Redis(port=self.port) as api:
            while True:
                try:
                    api.ping()
                except redis.ConnectionError:
                    assert time.monotonic() < deadline, (self._folder / "log").read_text()
                    time.sleep(0.02)  # nothing to wait on but the port
                else:
                    return

    def freeze(self) -> None:
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self.process.send_signal(signal.SIGCONT)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def flush(self) -> None:
        with redis.Redis(port=self.port) as api:
            api.flushall()

    def stop(self) -> None:
        self.thaw()
        self._stack.close()


@contextmanager
def redis_server(folder: Path) -> Iterator[RedisServer]:
    program = shutil.which("redis-server")
    if not program:
        missing("Redis is not installed")
    server = RedisServer(folder, program)
    try:
        yield server
    finally:
        server.stop()
